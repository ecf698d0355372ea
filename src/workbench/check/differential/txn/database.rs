//! A database that is right, or errs in what it reads, undoes and replies.

use std::collections::BTreeMap;

use rand::RngExt as _;

use crate::workbench::check::differential::draw::{Rng, Service};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};

/// A micro-operation: a read with what it saw, or a write with what it wrote. `None` is nil; a register has at most one
/// value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mop {
    pub(super) write: bool,
    pub(super) key: i64,
    pub(super) value: Option<Vec<i64>>,
}

/// A transaction, with the positions in the history where it began and ended.
#[derive(Debug)]
pub(super) struct Txn {
    pub(super) process: Process,
    pub(super) kind: OpKind,
    pub(super) asked: Vec<Mop>,
    pub(super) ended: Vec<Mop>,
    pub(super) began_at: usize,
    pub(super) ended_at: usize,
}

/// The transactions of a history in the order of their ends; last those without a reply.
pub(super) fn transactions(history: &History) -> Vec<Txn> {
    let txn = |(begin, end): (&Op, Option<&Op>)| {
        let [began_at, ended_at] =
            [begin, end.unwrap_or(begin)].map(|op| usize::try_from(op.index).expect("it is short"));
        let kind = end.map_or(OpKind::Info, |end| end.kind);
        let (asked, ended) = (mops(&begin.value), mops(&end.unwrap_or(begin).value));
        Txn { process: begin.process, kind, asked, ended, began_at, ended_at }
    };
    let mut txns: Vec<_> = history.pairs().map(txn).collect();
    txns.sort_by_key(|txn| (txn.began_at == txn.ended_at, txn.ended_at));
    txns
}

pub(super) fn mops(value: &Value) -> Vec<Mop> {
    let mop = |parts: &Value| {
        let parts: Vec<_> = parts.items().expect("a micro-operation").collect();
        let value = match parts[2].items() {
            Some(list) => Some(list.map(|element| element.as_int().expect("an integer")).collect()),
            None => parts[2].as_int().map(|value| vec![value]),
        };
        Mop { write: parts[0].as_keyword() != Some("r"), key: parts[1].as_int().expect("a key"), value }
    };
    value.items().expect("micro-operations").map(|parts| mop(&parts)).collect()
}

/// A database of three lists or registers.
pub(super) struct Database {
    pub(super) is_list: bool,
    pub(super) errs: bool,
    pub(super) state: BTreeMap<i64, Vec<i64>>,
    /// The last value of each key that anybody was asked to write.
    pub(super) last: BTreeMap<i64, i64>,
}

impl Service for Database {
    fn request(&mut self, _: u64, rng: &mut Rng) -> (&'static str, Value) {
        let count = rng.random_range(1..5);
        let mop = |_| {
            let (write, key) = (rng.random_bool(0.5), rng.random_range(1..4));
            let last = self.last.entry(key).or_default();
            *last += i64::from(write);
            Mop { write, key, value: write.then(|| vec![*last]) }
        };
        let mops: Vec<Mop> = (0..count).map(mop).collect();
        ("txn", self.value(&mops))
    }

    fn perform(&mut self, _: u64, _: &str, asked: &Value, rng: &mut Rng) -> (OpKind, Value) {
        let before = self.state.clone();
        let mut done = mops(asked);
        for mop in &mut done {
            if let Some(value) = &mop.value {
                let values = self.state.entry(mop.key).or_default();
                if !self.is_list {
                    values.clear();
                }
                values.extend(value);
            } else if self.errs && rng.random_bool(0.2) {
                mop.value = self.wrong(mop.key, rng);
            } else {
                mop.value = self.state.get(&mop.key).cloned();
            }
        }
        let kind = match rng.random_range(0..10) {
            0 => OpKind::Fail,
            1 => OpKind::Info,
            _ => OpKind::Ok,
        };
        let is_undone = kind == OpKind::Fail || kind == OpKind::Info && rng.random();
        if is_undone && !(self.errs && rng.random_bool(0.5)) {
            self.state = before;
        }
        if kind != OpKind::Ok {
            return (kind, asked.clone());
        }
        if self.errs && rng.random_bool(0.2) {
            self.change(&mut done, rng);
        }
        (kind, self.value(&done))
    }
}

impl Database {
    /// Micro-operations as the history records them.
    pub(super) fn value(&self, mops: &[Mop]) -> Value {
        let write = if self.is_list { "append" } else { "w" };
        let mop = |Mop { write: is_write, key, value }: &Mop| {
            let list = value.as_ref().map(|values| Value::ints(values.clone()));
            let first = value.as_ref().and_then(|values| values.first()).copied().map(Value::Int);
            let value = if self.is_list && !is_write { list } else { first };
            let f = Value::keyword(if *is_write { write } else { "r" });
            Value::Vector(vec![f, Value::Int(*key), value.unwrap_or_default()])
        };
        Value::Vector(mops.iter().map(mop).collect())
    }

    /// What a read should not have seen, most of the time.
    fn wrong(&self, key: i64, rng: &mut Rng) -> Option<Vec<i64>> {
        let highest = self.last.get(&key).copied().unwrap_or_default();
        if rng.random_bool(0.2) {
            return None;
        }
        if !self.is_list {
            return Some(vec![rng.random_range(1..=highest + 1)]);
        }
        let mut list = self.state.get(&key).cloned().unwrap_or_default();
        match rng.random_range(0..4) {
            0 => list.truncate(rng.random_range(0..=list.len())),
            1 if !list.is_empty() => drop(list.remove(rng.random_range(0..list.len()))),
            2 if list.len() > 1 => list.swap(0, 1),
            _ => list.push(rng.random_range(1..=highest + 1)),
        }
        Some(list)
    }

    /// Changes a micro-operation of a reply.
    fn change(&self, done: &mut Vec<Mop>, rng: &mut Rng) {
        let place = rng.random_range(0..done.len());
        match rng.random_range(0..4) {
            0 => drop(done.remove(place)),
            1 if done[place].write && !self.is_list => done[place].value = None,
            2 if done[place].write => done[place].value = Some(vec![rng.random_range(1..=3)]),
            _ => done[place].key = rng.random_range(1..4),
        }
    }
}
