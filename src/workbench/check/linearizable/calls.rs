//! The operations on one key as calls with invocation, completion and effect, over interned values.

use std::collections::BTreeMap;

use crate::workbench::check::Unjudgeable;
use crate::workbench::edn::{Identity, Value};
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
    /// The position of its invocation.
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
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) all: Vec<Call>,
    values: Vec<Value>,
    numbers: BTreeMap<Identity, u32>,
}

impl Calls {
    fn new() -> Self {
        let mut calls = Self::default();
        calls.number(&Value::Nil);
        calls
    }

    fn number(&mut self, value: &Value) -> u32 {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(value.identity()).or_insert(next);
        if number == next {
            self.values.push(value.clone());
        }
        number
    }

    /// The value with this id.
    pub(super) fn value(&self, number: u32) -> &Value {
        &self.values[number as usize]
    }

    /// The number of values.
    pub(super) fn value_count(&self) -> u32 {
        u32::try_from(self.values.len()).unwrap_or(u32::MAX)
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

    fn push(
        &mut self,
        op: &Op,
        value: &Value,
        invocation: usize,
        completion: Option<usize>,
    ) -> Result<(), Unjudgeable> {
        let effect = match &*op.f {
            // A read of nil is legal in every state, and an unacknowledged read returned nothing.
            "read" if value.is_nil() || completion.is_none() => return Ok(()),
            "read" => Effect::Read(self.number(value)),
            "write" => Effect::Write(self.number(value)),
            "cas" => {
                let mut pair = value.items().filter(|pair| pair.len() == 2).into_iter().flatten();
                let (Some(from), Some(to)) = (pair.next(), pair.next()) else {
                    return Err(Unjudgeable::malformed(op, "a cas needs two values"));
                };
                Effect::Cas(self.number(&from), self.number(&to))
            }
            _ => return Err(Unjudgeable::malformed(op, "a register knows read, write and cas")),
        };
        self.all.push(Call { effect, invocation, completion });
        Ok(())
    }
}

/// The calls on each key, sorted by key, or by first operation if the keys cannot be compared.
pub(super) fn by_key(history: &History) -> Result<Vec<(Value, Calls)>, Unjudgeable> {
    let mut places: BTreeMap<Identity, usize> = BTreeMap::new();
    let mut keys: Vec<(Value, Calls)> = Vec::new();
    for (position, op) in history.client_ops() {
        if op.kind != OpKind::Invoke {
            continue;
        }
        let completion = history.partner(position).map(|at| (at, &history.ops()[at]));
        let seen = completion.filter(|(_, completion)| completion.kind == OpKind::Ok);
        let line = seen.map_or(op, |(_, completion)| completion);
        let mut pair = line.value.items().filter(|pair| pair.len() == 2).into_iter().flatten();
        let (Some(key), Some(value)) = (pair.next(), pair.next()) else {
            return Err(Unjudgeable::malformed(line, "its value is no pair of a key and a value"));
        };
        let place = *places.entry(key.identity()).or_insert_with(|| {
            keys.push((key.into_owned(), Calls::new()));
            keys.len() - 1
        });
        if completion.is_none_or(|(_, completion)| completion.kind != OpKind::Fail) {
            keys[place].1.push(line, &value, position, seen.map(|(at, _)| at))?;
        }
    }
    let order = Value::sorted(keys.iter().map(|(key, _)| key.clone()).collect());
    if let Ok(order) = order {
        let rank: BTreeMap<_, _> = order.iter().enumerate().map(|(rank, key)| (key.identity(), rank)).collect();
        keys.sort_by_key(|(key, _)| rank.get(&key.identity()).copied());
    }
    Ok(keys)
}
