//! The anomalies that lists and registers have in common.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Subject;
use super::anomaly::Anomaly;
use super::case::TxnCase;
use super::collector::Collector;
use super::transactions::{Action, Step, Transaction, Transactions};
use crate::workbench::edn::Value;
use crate::workbench::history::{Op, OpKind};

/// Why a transaction depends on another: a key, the value that both know, the value that took its place, and the
/// steps that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) key: u32,
    /// None is the initial state.
    pub(super) value: Option<u32>,
    pub(super) next: Option<u32>,
    pub(super) from: Option<usize>,
    pub(super) to: Option<usize>,
}

impl Subject<'_> {
    /// A transaction as the history records its end.
    pub(super) fn op(self, number: u32) -> Op {
        self.at(self.transactions.of(number).end)
    }

    /// What stands at a place of the history.
    fn at(self, position: usize) -> Op {
        self.history.ops()[position].clone()
    }

    /// A read of what its writer, at a place of the history, undid or had not finished.
    pub(super) fn dirty(self, number: u32, place: usize, writer: usize, element: Option<u32>) -> TxnCase {
        let own = writer == self.transactions.of(number).begin;
        let element = element.map(|element| self.transactions.value(element).clone());
        TxnCase::Dirty { op: self.op(number), place, writer: self.at(writer), element, own }
    }
}

/// Adds the values in acknowledged reads that are in no write of any request or reply.
pub(super) fn invented(subject: Subject<'_>, collector: &mut Collector<'_>) {
    let transactions = subject.transactions;
    let mut written: HashSet<(u32, u32)> = HashSet::new();
    for (_, steps) in transactions.attempts() {
        written.extend(writes(steps));
    }
    let mut reported = HashSet::new();
    for (number, transaction) in transactions.acknowledged() {
        for (place, step) in transaction.steps.iter().enumerate() {
            let Action::Read(Some(seen)) = &step.action else { continue };
            for value in seen.iter().filter(|value| !written.contains(&(step.key, **value))) {
                if reported.insert((step.key, *value)) {
                    let (key, value) = (transactions.key(step.key).clone(), transactions.value(*value).clone());
                    let case = TxnCase::Invented { op: subject.op(number), place, key, value };
                    collector.add(Anomaly::Invented, case);
                }
            }
        }
    }
}

/// Adds every acknowledged transaction whose reply has other steps than the request. Maelstrom ignores the request, so
/// that a node which omits or changes writes goes undetected.
pub(super) fn changed_answers(subject: Subject<'_>, collector: &mut Collector<'_>) {
    let begun = |transaction: &Transaction| transaction.begin != transaction.end;
    for (number, transaction) in subject.transactions.acknowledged().filter(|(_, transaction)| begun(transaction)) {
        let pairs = transaction.asked.iter().zip(&transaction.steps).enumerate();
        let wrong = pairs.filter_map(|(place, (asked, answered))| (!is_answer(asked, answered)).then_some(place));
        let wrong: Vec<usize> = wrong.collect();
        if !wrong.is_empty() || transaction.asked.len() != transaction.steps.len() {
            let asked = subject.history.ops()[transaction.begin].value.clone();
            collector.add(Anomaly::ChangedAnswer, TxnCase::Changed { op: subject.op(number), asked, wrong });
        }
    }
}

/// Whether a step of a reply matches that of the request: a read may have any value.
fn is_answer(asked: &Step, answered: &Step) -> bool {
    asked.key == answered.key
        && match (&asked.action, &answered.action) {
            (Action::Read(_), Action::Read(_)) => true,
            (Action::Write(asked), Action::Write(answered)) => asked == answered,
            (Action::Read(_), Action::Write(_)) | (Action::Write(_), Action::Read(_)) => false,
        }
}

/// The keys and values that steps write.
pub(super) fn writes(steps: &[Step]) -> impl Iterator<Item = (u32, u32)> {
    steps.iter().filter_map(|step| if let Action::Write(value) = step.action { Some((step.key, value)) } else { None })
}

/// The position at which each value's transaction failed.
pub(super) fn aborted(transactions: &Transactions) -> HashMap<(u32, u32), usize> {
    let failed = transactions.all.iter().filter(|transaction| transaction.kind == OpKind::Fail);
    failed.flat_map(|failed| writes(&failed.steps).map(|write| (write, failed.end))).collect()
}

/// Where in the history a transaction wrote a value, and after it another one to the same key. What it was asked for
/// counts as much as what its answer says, and of several the last counts.
pub(super) fn intermediate(transactions: &Transactions) -> HashMap<(u32, u32), usize> {
    let mut found = HashMap::new();
    for (position, steps) in transactions.attempts() {
        let mut last: HashMap<u32, u32> = HashMap::new();
        for (key, value) in writes(steps) {
            if let Some(earlier) = last.insert(key, value).filter(|earlier| !transactions.is_nothing(*earlier)) {
                found.insert((key, earlier), position);
            }
        }
    }
    found
}

/// Adds the values that two or more acknowledged transactions read and then overwrote.
pub(super) fn lost_updates(subject: Subject<'_>, collector: &mut Collector<'_>) {
    let transactions = subject.transactions;
    let mut groups: BTreeMap<(u32, Option<&[u32]>), Vec<u32>> = BTreeMap::new();
    for (number, transaction) in transactions.acknowledged() {
        let mut reads: HashMap<u32, Option<&[u32]>> = HashMap::new();
        let mut written = HashSet::new();
        for step in &transaction.steps {
            match &step.action {
                Action::Read(seen) => {
                    reads.entry(step.key).or_insert(seen.as_deref());
                }
                Action::Write(_) => {
                    if let Some(read) = reads.get(&step.key)
                        && written.insert(step.key)
                    {
                        groups.entry((step.key, *read)).or_default().push(number);
                    }
                }
            }
        }
    }
    for ((key, read), group) in groups.into_iter().filter(|(_, group)| group.len() > 1) {
        let key = transactions.key(key);
        let value = match (read, subject.dialect.is_list()) {
            (None, _) => Value::Nil,
            (Some(list), true) => transactions.list(list),
            (Some(value), false) => value.first().map_or(Value::Nil, |value| transactions.value(*value).clone()),
        };
        let txns = group.iter().map(|number| subject.op(*number)).collect();
        collector.add(Anomaly::LostUpdate, TxnCase::LostUpdate { key: key.clone(), value, txns });
    }
}
