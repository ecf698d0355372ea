//! The transactions of a history over dense numbers for keys and values.

use std::collections::{BTreeMap, HashSet};

use crate::workbench::check::CheckError;
use crate::workbench::check::interner::Interner;
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind, Process};

/// The action of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// A read of these elements (at most one of a register); `None` if it read nil or was not acknowledged.
    Read(Option<Vec<u32>>),
    /// An append of this element, or a write of this value.
    Write(u32),
}

/// A step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: u32,
    pub(super) action: Action,
}

/// A transaction, completed or not.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    /// The position of its completion, or of its invocation if it never completed.
    pub(super) end: usize,
    pub(super) begin: usize,
    pub(super) kind: OpKind,
    pub(super) process: Process,
    /// The steps of the request; empty if the invocation is unknown.
    pub(super) asked: Vec<Step>,
    pub(super) steps: Vec<Step>,
}

/// Every transaction in the order of their ends, with the names of keys and values.
#[derive(Default)]
pub(super) struct Transactions {
    pub(super) all: Vec<Transaction>,
    pub(super) keys: Interner,
    pub(super) values: Interner,
    /// A key and value that two invocations wrote.
    pub(super) written_twice: Option<(u32, u32)>,
}

/// How a workload writes its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `[:append key element]`, and reads of lists.
    Append,
    /// `[:w key value]`, and reads of values.
    Register,
}

impl Dialect {
    pub(super) const fn write(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Register => "w",
        }
    }

    /// Whether a value is a list.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::Append)
    }
}

impl Transactions {
    pub(super) fn new(history: &History, dialect: Dialect) -> Result<Self, CheckError> {
        let mut read = Self::default();
        let mut written: HashSet<(u32, u32)> = HashSet::new();
        let mut unanswered: BTreeMap<usize, Vec<Step>> = BTreeMap::new();
        for (position, op) in history.client_ops() {
            let steps = op.value.items().ok_or_else(|| CheckError::malformed(op, "it is not a list of steps"))?;
            let steps: Result<Vec<_>, _> = steps.map(|step| read.step(&step, dialect)).collect();
            let steps = steps.map_err(|problem| CheckError::malformed(op, problem))?;
            if op.kind == OpKind::Invoke {
                for write in writes(&steps) {
                    if !written.insert(write) {
                        read.written_twice.get_or_insert(write);
                    }
                }
                unanswered.insert(position, steps);
                continue;
            }
            let begin = history.partner(position).unwrap_or(position);
            let asked = unanswered.remove(&begin).unwrap_or_default();
            read.all.push(Transaction { end: position, begin, kind: op.kind, process: op.process, asked, steps });
        }
        for (begin, asked) in unanswered {
            let (process, steps) = (history.ops()[begin].process, asked.clone());
            read.all.push(Transaction { end: begin, begin, kind: OpKind::Info, process, asked, steps });
        }
        Ok(read)
    }

    pub(super) fn key(&self, key: u32) -> &Value {
        &self.keys[key as usize]
    }

    pub(super) fn value(&self, value: u32) -> &Value {
        &self.values[value as usize]
    }

    /// Whether a value is falsy in Clojure.
    pub(super) fn is_nothing(&self, value: u32) -> bool {
        matches!(self.value(value), Value::Nil | Value::Bool(false))
    }
    pub(super) fn list(&self, values: &[u32]) -> Value {
        values.iter().map(|value| self.value(*value).clone()).collect()
    }
    pub(super) fn of(&self, number: u32) -> &Transaction {
        &self.all[number as usize]
    }
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, &Transaction)> {
        (0..).zip(&self.all)
    }
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = (u32, &Transaction)> {
        self.numbered().filter(|(_, transaction)| transaction.kind == OpKind::Ok)
    }

    /// Those that happened or may have.
    pub(super) fn possible(&self) -> impl Iterator<Item = (u32, &Transaction)> {
        self.numbered().filter(|(_, transaction)| transaction.kind != OpKind::Fail)
    }

    /// The steps of every request and every reply, in the order of the history.
    pub(super) fn attempts(&self) -> Vec<(usize, &[Step])> {
        let asked = self.all.iter().map(|transaction| (transaction.begin, &*transaction.asked));
        let ended = self.all.iter().map(|transaction| (transaction.end, &*transaction.steps));
        let mut attempts: Vec<_> = asked.chain(ended).collect();
        attempts.sort_by_key(|(position, _)| *position);
        attempts
    }

    /// The writes in completions: key, value, number of the transaction.
    pub(super) fn writes(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        let numbered = self.numbered();
        numbered.flat_map(|(number, of)| writes(&of.steps).map(move |(key, value)| (key, value, number)))
    }

    fn step(&mut self, step: &Value, dialect: Dialect) -> Result<Step, &'static str> {
        let parts: Vec<_> = step.items().into_iter().flatten().collect();
        let [f, key, value] = &parts[..] else { return Err("a step has three parts") };
        let key = id(&mut self.keys, key);
        let action = match f.as_keyword() {
            Some("r") if value.is_nil() => Action::Read(None),
            Some("r") if dialect == Dialect::Register => Action::Read(Some(vec![id(&mut self.values, value)])),
            Some("r") => {
                let elements = value.items().ok_or("a read of a list saw something else")?;
                Action::Read(Some(elements.map(|element| id(&mut self.values, &element)).collect()))
            }
            Some(f) if f == dialect.write() => Action::Write(id(&mut self.values, value)),
            _ => return Err("a step is a read or a write of the workload"),
        };
        Ok(Step { key, action })
    }
}

fn id(interner: &mut Interner, value: &Value) -> u32 {
    u32::try_from(interner.intern(value)).unwrap_or(u32::MAX)
}

/// The keys and values that steps write.
pub(super) fn writes(steps: &[Step]) -> impl Iterator<Item = (u32, u32)> {
    steps.iter().filter_map(|step| if let Action::Write(value) = step.action { Some((step.key, value)) } else { None })
}
