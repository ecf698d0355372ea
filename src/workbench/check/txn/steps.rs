//! The anomalies that lists and registers have in common.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::TxnHistory;
use super::anomaly::Anomaly;
use super::case::{ReadFault, TxnCase};
use super::collector::Collector;
use super::transactions::{Action, Step, Transaction, Transactions, writes};
use crate::workbench::edn::Value;
use crate::workbench::history::{Op, OpKind};

impl TxnHistory<'_> {
    /// A transaction as the history records its end.
    pub(super) fn op(self, number: u32) -> Op {
        self.history.ops()[self.transactions.of(number).end].clone()
    }

    /// A read that cannot be right.
    pub(super) fn read(self, number: u32, place: usize, fault: ReadFault) -> TxnCase {
        TxnCase::Read { op: self.op(number), place, fault }
    }
}

/// Adds the reads of values that their writers undid (G1a), or overwrote themselves (G1b).
pub(super) fn dirty_reads(input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    let transactions = input.transactions;
    let (aborted, intermediate) = (aborted(transactions), intermediate(transactions));
    for (number, transaction) in transactions.acknowledged() {
        for (place, step) in transaction.steps.iter().enumerate() {
            let Action::Read(Some(seen)) = &step.action else { continue };
            let mut add = |anomaly, value: u32, writer: usize| {
                let own = writer == transaction.begin;
                let writer = input.history.ops()[writer].clone();
                let element = input.dialect.is_list().then(|| transactions.value(value).clone());
                collector.add(anomaly, input.read(number, place, ReadFault::Dirty { writer, element, own }));
            };
            for value in seen {
                if let Some(writer) = aborted.get(&(step.key, *value)) {
                    add(Anomaly::G1a, *value, *writer);
                }
            }
            let Some(last) = seen.last() else { continue };
            if let Some(writer) = intermediate.get(&(step.key, *last)).filter(|writer| **writer != transaction.end) {
                add(Anomaly::G1b, *last, *writer);
            }
        }
    }
}

/// Adds the values in acknowledged reads that are in no write of any request or reply.
pub(super) fn invented(input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    let transactions = input.transactions;
    let written: HashSet<(u32, u32)> = transactions.attempts().iter().flat_map(|(_, steps)| writes(steps)).collect();
    let mut reported = HashSet::new();
    for (number, transaction) in transactions.acknowledged() {
        for (place, step) in transaction.steps.iter().enumerate() {
            let Action::Read(Some(seen)) = &step.action else { continue };
            for value in seen.iter().filter(|value| !written.contains(&(step.key, **value))) {
                if reported.insert((step.key, *value)) {
                    let (key, value) = (transactions.key(step.key).clone(), transactions.value(*value).clone());
                    let fault = ReadFault::Invented { key, value };
                    collector.add(Anomaly::Invented, input.read(number, place, fault));
                }
            }
        }
    }
}

/// Adds every acknowledged transaction whose reply has other steps than the request. Maelstrom ignores the request, so
/// that a node which omits or changes writes goes undetected.
pub(super) fn changed_answers(input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    let begun = |transaction: &Transaction| transaction.begin != transaction.end;
    for (number, transaction) in input.transactions.acknowledged().filter(|(_, transaction)| begun(transaction)) {
        let pairs = transaction.asked.iter().zip(&transaction.steps).enumerate();
        let wrong = pairs.filter_map(|(place, (asked, answered))| (!is_answer(asked, answered)).then_some(place));
        let wrong: Vec<usize> = wrong.collect();
        if !wrong.is_empty() || transaction.asked.len() != transaction.steps.len() {
            let asked = input.history.ops()[transaction.begin].value.clone();
            collector.add(Anomaly::ChangedAnswer, TxnCase::Changed { op: input.op(number), asked, wrong });
        }
    }
}

/// Whether a step of a reply matches that of the request: a read may have any value.
fn is_answer(asked: &Step, answered: &Step) -> bool {
    let same = |asked: &Action, answered: &Action| match (asked, answered) {
        (Action::Read(_), Action::Read(_)) => true,
        _ => asked == answered,
    };
    asked.key == answered.key && same(&asked.action, &answered.action)
}

/// The position at which each value's transaction failed.
fn aborted(transactions: &Transactions) -> HashMap<(u32, u32), usize> {
    let failed = transactions.all.iter().filter(|transaction| transaction.kind == OpKind::Fail);
    failed.flat_map(|failed| writes(&failed.steps).map(|write| (write, failed.end))).collect()
}

/// Where in the history a transaction wrote a value, and after it another one to the same key. What it was asked for
/// counts as much as what its answer says, and of several the last counts.
fn intermediate(transactions: &Transactions) -> HashMap<(u32, u32), usize> {
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
pub(super) fn lost_updates(input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    let transactions = input.transactions;
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
        let value = match (read, input.dialect.is_list()) {
            (None, _) => Value::Nil,
            (Some(list), true) => transactions.list(list),
            (Some(value), false) => value.first().map_or(Value::Nil, |value| transactions.value(*value).clone()),
        };
        let txns = group.iter().map(|number| input.op(*number)).collect();
        collector.add(Anomaly::LostUpdate, TxnCase::LostUpdate { key: key.clone(), value, txns });
    }
}
