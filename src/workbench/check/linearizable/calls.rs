//! The operations on one key as calls with invocation, completion and effect, over interned values.

use std::borrow::Cow;

use crate::workbench::check::CheckError;
use crate::workbench::check::interner::Interner;
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// The effect of a call on the register, over ids of values; 0 is nil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Returned this value.
    Read(u32),
    /// Sets this value.
    Write(u32),
    /// Sets the second value if the current one is the first.
    Cas(u32, u32),
}

impl Effect {
    /// The value after the effect on `state`; `None` if it is not possible there.
    pub(super) fn apply(self, state: u32) -> Option<u32> {
        match self {
            Self::Read(value) => (value == state).then_some(state),
            Self::Write(value) => Some(value),
            Self::Cas(from, to) => (from == state).then_some(to),
        }
    }

    pub(super) const fn is_read(self) -> bool {
        matches!(self, Self::Read(_))
    }
}

/// An operation that took effect, or may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) effect: Effect,
    pub(super) invocation: usize,
    /// The position of its acknowledgement; without one, it may take effect at any later time, or never.
    pub(super) completion: Option<usize>,
}

impl Call {
    /// The position of its acknowledgement, else of its invocation.
    pub(super) fn end(&self) -> usize {
        self.completion.unwrap_or(self.invocation)
    }
}

/// The calls on one key in the order of their invocations, and the values they name.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) all: Vec<Call>,
    values: Interner,
}

impl Calls {
    fn new() -> Self {
        let mut values = Interner::default();
        values.intern(&Value::Nil);
        Self { all: Vec::new(), values }
    }

    fn id(&mut self, value: &Value) -> u32 {
        u32::try_from(self.values.intern(value)).unwrap_or(u32::MAX)
    }
    pub(super) fn value(&self, id: u32) -> &Value {
        &self.values[id as usize]
    }
    pub(super) fn value_count(&self) -> u32 {
        u32::try_from(self.values.values().len()).unwrap_or(u32::MAX)
    }

    /// Why a call is not possible on a register with the value `state`.
    pub(super) fn complaint(&self, call: &Call, state: u32) -> String {
        let held = self.value(state);
        match call.effect {
            Effect::Read(value) => format!("can't read {} from register {held}", self.value(value)),
            Effect::Cas(from, to) => format!("can't CAS {held} from {} to {}", self.value(from), self.value(to)),
            Effect::Write(value) => format!("can't write {}", self.value(value)),
        }
    }

    fn push(&mut self, op: &Op, value: &Value, invocation: usize, completion: Option<usize>) -> Result<(), CheckError> {
        let effect = match &*op.f {
            // A read of nil is legal in every state, and an unacknowledged read returned nothing.
            "read" if value.is_nil() || completion.is_none() => return Ok(()),
            "read" => Effect::Read(self.id(value)),
            "write" => Effect::Write(self.id(value)),
            "cas" => {
                let (from, to) = pair(value).ok_or_else(|| CheckError::malformed(op, "a cas needs two values"))?;
                Effect::Cas(self.id(&from), self.id(&to))
            }
            _ => return Err(CheckError::malformed(op, "a register knows read, write and cas")),
        };
        self.all.push(Call { effect, invocation, completion });
        Ok(())
    }
}

/// The calls on each key, sorted by key, or by first operation if the keys cannot be compared.
pub(super) fn by_key(history: &History) -> Result<Vec<(Value, Calls)>, CheckError> {
    let (mut keys, mut all) = (Interner::default(), Vec::new());
    for (position, op) in history.client_ops() {
        if op.kind != OpKind::Invoke {
            continue;
        }
        let completion = history.partner(position).map(|at| (at, &history.ops()[at]));
        let seen = completion.filter(|(_, completion)| completion.kind == OpKind::Ok);
        let line = seen.map_or(op, |(_, completion)| completion);
        let malformed = || CheckError::malformed(line, "its value is not a pair of a key and a value");
        let (key, value) = pair(&line.value).ok_or_else(malformed)?;
        let id = keys.intern(&key);
        if id == all.len() {
            all.push(Calls::new());
        }
        if completion.is_none_or(|(_, completion)| completion.kind != OpKind::Fail) {
            all[id].push(line, &value, position, seen.map(|(at, _)| at))?;
        }
    }
    let mut by_key: Vec<_> = keys.values().iter().cloned().zip(all).collect();
    if let Ok(order) = Value::sorted(keys.values().to_vec()) {
        let mut ranks = Interner::default();
        for key in &order {
            ranks.intern(key);
        }
        by_key.sort_by_key(|(key, _)| ranks.of(key));
    }
    Ok(by_key)
}

fn pair(value: &Value) -> Option<(Cow<'_, Value>, Cow<'_, Value>)> {
    let mut pair = value.items().filter(|pair| pair.len() == 2)?;
    Some((pair.next()?, pair.next()?))
}
