//! The transactions of a history over dense numbers for keys and values.

use std::collections::{BTreeMap, HashMap};

use crate::workbench::check::Unjudgeable;
use crate::workbench::check::ids::Ids;
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
    /// The position of its invocation.
    pub(super) begin: usize,
    pub(super) kind: OpKind,
    pub(super) process: Process,
    /// The steps of the request; empty if the invocation is unknown.
    pub(super) asked: Vec<Step>,
    /// The steps of the completion.
    pub(super) steps: Vec<Step>,
}

/// Every transaction in the order of their ends, with the names of keys and values.
#[derive(Default)]
pub(super) struct Transactions {
    pub(super) all: Vec<Transaction>,
    pub(super) keys: Vec<Value>,
    pub(super) values: Vec<Value>,
    /// A key and value that two invocations wrote, with the second.
    pub(super) written_twice: Option<(u32, u32, usize)>,
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
    /// The keyword of a write.
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
    /// Reads a history.
    pub(super) fn new(history: &History, dialect: Dialect) -> Result<Self, Unjudgeable> {
        let mut read = Reading { dialect, keys: Ids::default(), values: Ids::default(), into: Self::default() };
        let mut writers: HashMap<(u32, u32), usize> = HashMap::new();
        let mut unanswered: BTreeMap<usize, Vec<Step>> = BTreeMap::new();
        for (position, op) in history.client_ops() {
            let steps = op.value.items().ok_or_else(|| Unjudgeable::malformed(op, "it is no list of steps"))?;
            let steps: Result<Vec<_>, _> = steps.map(|step| read.step(&step)).collect();
            let steps = steps.map_err(|problem| Unjudgeable::malformed(op, problem))?;
            if op.kind == OpKind::Invoke {
                for step in &steps {
                    if let Action::Write(value) = step.action
                        && writers.insert((step.key, value), position).is_some()
                    {
                        read.into.written_twice.get_or_insert((step.key, value, position));
                    }
                }
                unanswered.insert(position, steps);
                continue;
            }
            let begin = history.partner(position).unwrap_or(position);
            let asked = unanswered.remove(&begin).unwrap_or_default();
            read.into.all.push(Transaction { end: position, begin, kind: op.kind, process: op.process, asked, steps });
        }
        for (begin, asked) in unanswered {
            let (process, steps) = (history.ops()[begin].process, asked.clone());
            read.into.all.push(Transaction { end: begin, begin, kind: OpKind::Info, process, asked, steps });
        }
        Ok(read.into)
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

    /// The list of these values.
    pub(super) fn list(&self, values: &[u32]) -> Value {
        values.iter().map(|value| self.value(*value).clone()).collect()
    }

    /// A transaction by its number.
    pub(super) fn of(&self, number: u32) -> &Transaction {
        &self.all[number as usize]
    }

    /// The transactions with their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, &Transaction)> {
        (0..).zip(&self.all)
    }

    /// Those that were acknowledged.
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
        self.numbered().flat_map(|(number, transaction)| {
            transaction.steps.iter().filter_map(move |step| {
                if let Action::Write(value) = step.action { Some((step.key, value, number)) } else { None }
            })
        })
    }
}

struct Reading {
    dialect: Dialect,
    keys: Ids,
    values: Ids,
    into: Transactions,
}

impl Reading {
    fn step(&mut self, step: &Value) -> Result<Step, &'static str> {
        let mut parts = step.items().filter(|parts| parts.len() == 3).ok_or("a step has three parts")?;
        let (Some(f), Some(key), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("a step has three parts");
        };
        let key = number(&mut self.keys, &mut self.into.keys, &key);
        let action = match f.as_keyword() {
            Some("r") => Action::Read(self.seen(&value)?),
            Some(f) if f == self.dialect.write() => {
                Action::Write(number(&mut self.values, &mut self.into.values, &value))
            }
            _ => return Err("a step is a read or a write of the workload"),
        };
        Ok(Step { key, action })
    }

    fn seen(&mut self, value: &Value) -> Result<Option<Vec<u32>>, &'static str> {
        if value.is_nil() {
            return Ok(None);
        }
        let (ids, values) = (&mut self.values, &mut self.into.values);
        if self.dialect == Dialect::Register {
            return Ok(Some(vec![number(ids, values, value)]));
        }
        let elements = value.items().ok_or("a read of a list saw something else")?;
        Ok(Some(elements.map(|element| number(ids, values, &element)).collect()))
    }
}

fn number(ids: &mut Ids, names: &mut Vec<Value>, value: &Value) -> u32 {
    let id = ids.intern(value);
    if id == names.len() {
        names.push(value.clone());
    }
    u32::try_from(id).unwrap_or(u32::MAX)
}
