//! Transactions on registers (protocol §13.9), of whose values only a partial order can be inferred.
//!
//! Maelstrom infers that nil comes first, and that a value comes after the one that its writer read before. It hence
//! hardly ever detects a dirty write (G0). The extended rules also assume that no process sees a key revert; keys for
//! which the history contradicts that are exempt.

use std::collections::{BTreeMap, BTreeSet};

use super::anomaly::Anomaly;
use super::case::{ReadFault, Reason, TxnCase, quoted};
use super::collector::Collector;
use super::graph::{Components, Edges, Graph, NO_VERTEX, PROCESS, REALTIME, RW, WR, WW};
use super::steps::{dirty_reads, lost_updates};
use super::transactions::{Action, Step, Transaction, Transactions, writes};
use super::{CheckError, MAX_EDGES, TxnHistory, bounded, written_twice};
use crate::workbench::edn::Value;

/// Maelstrom labels an edge as a read if it is both a read and an overwrite, as every overwrite that it infers is.
pub(super) const MAELSTROM_PREFERENCE: [u8; 5] = [WR, WW, RW, PROCESS, REALTIME];
/// The extended rules prefer the overwrite.
pub(super) const EXTENDED_PREFERENCE: [u8; 5] = [WW, WR, RW, PROCESS, REALTIME];

/// A value of a key; `None` is nil.
type Version = Option<u32>;

/// The external reads and writes of each version, and the inferred order of the versions.
#[derive(Clone)]
pub(super) struct Register {
    /// The first value read and the last one written by each acknowledged transaction, by key.
    reads: Vec<BTreeMap<u32, Version>>,
    writes: Vec<BTreeMap<u32, Version>>,
    readers: BTreeMap<(u32, Version), Vec<u32>>,
    writers: BTreeMap<(u32, Version), Vec<u32>>,
    /// The pairs of consecutive versions of each key.
    after: BTreeMap<u32, BTreeSet<(Version, u32)>>,
    /// The versions of each key that the inferred order puts before themselves.
    cyclic: Vec<(u32, Vec<u32>)>,
}

impl Register {
    pub(super) fn new(transactions: &Transactions) -> Result<Self, CheckError> {
        let count = transactions.all.len();
        let mut new = Self {
            reads: vec![BTreeMap::new(); count],
            writes: vec![BTreeMap::new(); count],
            readers: BTreeMap::new(),
            writers: BTreeMap::new(),
            after: BTreeMap::new(),
            cyclic: Vec::new(),
        };
        for (number, transaction) in transactions.acknowledged() {
            let (reads, writes) = external(transactions, transaction);
            for (key, value) in &reads {
                new.readers.entry((*key, *value)).or_default().push(number);
            }
            for (key, value) in &writes {
                new.writers.entry((*key, *value)).or_default().push(number);
            }
            new.reads[number as usize] = reads;
            new.writes[number as usize] = writes;
        }
        for ((key, value), writers) in &new.writers {
            if writers.len() > 1 && new.readers.contains_key(&(*key, *value)) {
                let value = value.map_or(&Value::Nil, |value| transactions.value(value));
                return Err(written_twice(&quoted(transactions.key(*key)), &quoted(value)));
            }
        }
        for (key, value) in new.writers.keys() {
            if let Some(value) = value {
                new.after.entry(*key).or_default().insert((None, *value));
            }
        }
        let mut following: BTreeMap<u32, BTreeSet<(Version, u32)>> = BTreeMap::new();
        for (reads, writes) in new.reads.iter().zip(&new.writes) {
            for (key, read) in reads.iter().filter(|(_, read)| read.is_some()) {
                if let Some(written) = writes.get(key).copied().flatten() {
                    following.entry(*key).or_default().insert((*read, written));
                }
            }
        }
        for (key, pairs) in &following {
            new.cyclic.extend(cycles_of(pairs).into_iter().map(|cycle| (*key, cycle)));
        }
        if new.cyclic.is_empty() {
            new.add(following);
        }
        Ok(new)
    }

    fn add(&mut self, pairs: BTreeMap<u32, BTreeSet<(Version, u32)>>) {
        for (key, pairs) in pairs {
            self.after.entry(key).or_default().extend(pairs);
        }
    }

    /// Also orders the values of a key as each process observed them, step by step, except for keys where these orders
    /// contradict each other.
    pub(super) fn with_process_order(&self, transactions: &Transactions) -> Self {
        let mut latest: BTreeMap<_, u32> = BTreeMap::new();
        let mut pairs: BTreeMap<u32, BTreeSet<(Version, u32)>> = self.after.clone();
        let mut reverted = BTreeSet::new();
        for (number, transaction) in transactions.acknowledged() {
            for (key, version) in self.observed(transactions, number) {
                let observer = (transaction.process, key);
                let Some(value) = version else {
                    if latest.contains_key(&observer) {
                        reverted.insert(key);
                    }
                    continue;
                };
                if let Some(before) = latest.insert(observer, value).filter(|before| *before != value) {
                    pairs.entry(key).or_default().insert((Some(before), value));
                }
            }
        }
        let mut new = self.clone();
        pairs.retain(|key, pairs| !reverted.contains(key) && cycles_of(pairs).is_empty());
        new.add(pairs);
        new
    }

    /// The versions that a transaction reads or leaves, in the order of its steps, without those that it overwrites
    /// itself: no other transaction can observe them.
    fn observed(&self, transactions: &Transactions, number: u32) -> Vec<(u32, Version)> {
        let steps = &transactions.of(number).steps;
        let written: BTreeSet<(u32, u32)> = writes(steps).collect();
        let version = |step: &Step| match &step.action {
            Action::Read(seen) => seen.as_ref().and_then(|seen| seen.first()).copied(),
            Action::Write(value) => version(transactions, *value),
        };
        let is_own = |key: u32, value: u32| written.contains(&(key, value));
        let is_left = |key: u32, value: u32| self.writes[number as usize].get(&key) == Some(&Some(value));
        let observed = steps.iter().map(|step| (step.key, version(step)));
        observed
            .filter(|(key, version)| version.is_none_or(|value| !is_own(*key, value) || is_left(*key, value)))
            .collect()
    }

    /// The graph of these edges and of those that follow from reads and versions.
    pub(super) fn graph(&self, mut edges: Edges, preference: &[u8]) -> Result<Graph, CheckError> {
        let none = Vec::new();
        let writers = |key: u32, version: Version| self.writers.get(&(key, version)).unwrap_or(&none);
        for ((key, version), readers) in &self.readers {
            for writer in writers(*key, *version) {
                edges.extend(readers.iter().map(|reader| (*writer, *reader, WR)));
            }
        }
        for (key, pairs) in &self.after {
            for (before, after) in pairs {
                for writer in writers(*key, Some(*after)) {
                    let overwritten = writers(*key, *before);
                    edges.extend(overwritten.iter().map(|earlier| (*earlier, *writer, WW)));
                    let missed = self.readers.get(&(*key, *before)).unwrap_or(&none);
                    edges.extend(missed.iter().map(|reader| (*reader, *writer, RW)));
                }
            }
            if edges.len() > 2 * MAX_EDGES {
                break;
            }
        }
        bounded(self.reads.len(), edges, preference)
    }

    /// Explains an edge: the steps and versions that cause it.
    pub(super) fn why(&self, transactions: &Transactions, from: u32, to: u32, label: u8) -> Option<Reason> {
        let earlier = if label == RW { &self.reads } else { &self.writes };
        let later = if label == WR { &self.reads } else { &self.writes };
        let (key, value, next) = earlier[from as usize].iter().find_map(|(key, value)| {
            let next = *later[to as usize].get(key)?;
            let depends = if label == WR { next == *value } else { self.after.get(key)?.contains(&(*value, next?)) };
            depends.then_some((*key, *value, next.filter(|_| label != WR)))
        })?;
        let read = |number: u32| step_index(transactions, number, key, &Action::Read(value.map(|value| vec![value])));
        let write = |number: u32, version: Version| {
            let nil = || transactions.values.of(&Value::Nil).and_then(|nil| u32::try_from(nil).ok());
            step_index(transactions, number, key, &Action::Write(version.or_else(nil).unwrap_or(NO_VERTEX)))
        };
        let from = if label == RW { read(from) } else { write(from, value) };
        let to = if label == WR { read(to) } else { write(to, next) };
        Some(Reason::new(transactions, key, [value, next], [from, to]))
    }
}

/// The index of a step in a transaction.
fn step_index(transactions: &Transactions, number: u32, key: u32, action: &Action) -> Option<usize> {
    transactions.of(number).steps.iter().position(|step| step.key == key && step.action == *action)
}

/// The first value read of each key before it is written, and the last value written; a reply may
/// claim a write of nil, too.
fn external(
    transactions: &Transactions,
    transaction: &Transaction,
) -> (BTreeMap<u32, Version>, BTreeMap<u32, Version>) {
    let (mut reads, mut writes) = (BTreeMap::new(), BTreeMap::new());
    for step in &transaction.steps {
        match &step.action {
            Action::Read(seen) => {
                if !writes.contains_key(&step.key) {
                    reads.entry(step.key).or_insert(seen.as_ref().and_then(|seen| seen.first()).copied());
                }
            }
            Action::Write(value) => {
                writes.insert(step.key, version(transactions, *value));
            }
        }
    }
    (reads, writes)
}

/// The version that a write creates.
fn version(transactions: &Transactions, value: u32) -> Version {
    Some(value).filter(|value| !transactions.value(*value).is_nil())
}

/// The cycles of an order of versions.
fn cycles_of(pairs: &BTreeSet<(Version, u32)>) -> Vec<Vec<u32>> {
    let values: BTreeSet<u32> =
        pairs.iter().flat_map(|(before, after)| before.iter().copied().chain([*after])).collect();
    let values: Vec<u32> = values.into_iter().collect();
    let number =
        |value: u32| values.binary_search(&value).ok().and_then(|at| u32::try_from(at).ok()).unwrap_or(NO_VERTEX);
    let edges = pairs.iter().filter_map(|(before, after)| Some((number((*before)?), number(*after), WW)));
    let graph = Graph::new(values.len(), edges.filter(|(a, b, _)| a != b).collect(), &EXTENDED_PREFERENCE);
    let large = Components::new(&graph, |_| true).nontrivial();
    large.into_iter().map(|cycle| cycle.into_iter().map(|at| values[at as usize]).collect()).collect()
}

/// Adds the anomalies other than cycles.
pub(super) fn find(register: &Register, input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    let transactions = input.transactions;
    for (key, cycle) in &register.cyclic {
        let values = cycle.iter().map(|value| transactions.value(*value).clone()).collect();
        let case = TxnCase::CyclicVersions { key: transactions.key(*key).clone(), values };
        collector.add(Anomaly::CyclicVersions, case);
    }
    for (number, transaction) in transactions.acknowledged() {
        let mut state: BTreeMap<u32, Version> = BTreeMap::new();
        for (index, step) in transaction.steps.iter().enumerate() {
            let seen = match &step.action {
                Action::Write(value) => {
                    state.insert(step.key, Some(*value));
                    continue;
                }
                Action::Read(seen) => seen.as_ref().and_then(|seen| seen.first()).copied(),
            };
            let expected = state.insert(step.key, seen).flatten().filter(|value| !transactions.is_nothing(*value));
            if let Some(expected) = expected.filter(|expected| seen != Some(*expected)) {
                let fault = ReadFault::Internal { expected: transactions.value(expected).clone(), whole: true };
                collector.add(Anomaly::Internal, input.read(number, index, fault));
                break;
            }
        }
    }
    dirty_reads(input, collector);
    lost_updates(input, collector);
}
