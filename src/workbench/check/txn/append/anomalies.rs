//! Anomalies of lists other than cycles: aborted and intermediate reads, and reads of incompatible lists.

use std::collections::{BTreeMap, HashMap};

use super::Append;
use crate::workbench::check::txn::TxnHistory;
use crate::workbench::check::txn::anomaly::Anomaly;
use crate::workbench::check::txn::case::{ReadFault, TxnCase};
use crate::workbench::check::txn::collector::Collector;
use crate::workbench::check::txn::steps::{dirty_reads, lost_updates};
use crate::workbench::check::txn::transactions::{Action, Transaction};
use crate::workbench::history::OpKind;

/// Adds all of them.
pub(in super::super) fn find(append: &Append<'_>, input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    for (number, transaction) in input.transactions.possible() {
        for (place, step) in transaction.steps.iter().enumerate() {
            if let Action::Read(Some(list)) = &step.action {
                duplicates(input, number, place, list, collector);
            }
        }
        if transaction.kind == OpKind::Ok {
            internal(input, number, transaction, collector);
            future_read(input, number, transaction, collector);
        }
    }
    dirty_reads(input, collector);
    incompatible_orders(append, input, collector);
    dirty_updates(append, input, collector);
    lost_updates(input, collector);
}

fn duplicates(input: TxnHistory<'_>, number: u32, place: usize, list: &[u32], collector: &mut Collector<'_>) {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return;
    }
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for element in list {
        *counts.entry(*element).or_default() += 1;
    }
    let counts = counts.into_iter().filter(|(_, count)| *count > 1);
    let counts = counts.map(|(element, count)| (input.transactions.value(element).clone(), count)).collect();
    collector.add(Anomaly::DuplicateElements, input.read(number, place, ReadFault::Duplicates(counts)));
}

/// The list that a transaction must find at a key: its end, and whether that is the whole list.
struct Known {
    list: Vec<u32>,
    whole: bool,
}

fn internal(input: TxnHistory<'_>, number: u32, transaction: &Transaction, collector: &mut Collector<'_>) {
    let mut state: HashMap<u32, Option<Known>> = HashMap::new();
    for (place, step) in transaction.steps.iter().enumerate() {
        match &step.action {
            Action::Write(element) => {
                let state = state.entry(step.key).or_insert(Some(Known { list: vec![], whole: false }));
                state.get_or_insert(Known { list: vec![], whole: true }).list.push(*element);
            }
            Action::Read(seen) => {
                let list = seen.as_deref().unwrap_or_default();
                if let Some(Some(expected)) = state.get(&step.key) {
                    let nil = seen.is_none() && expected.whole;
                    let agrees = if expected.whole { list == expected.list } else { list.ends_with(&expected.list) };
                    if !agrees || nil {
                        let (whole, expected) = (expected.whole, input.transactions.list(&expected.list));
                        let fault = ReadFault::Internal { expected, whole };
                        collector.add(Anomaly::Internal, input.read(number, place, fault));
                        return;
                    }
                }
                let known = seen.as_ref().map(|list| Known { list: list.clone(), whole: true });
                state.insert(step.key, known);
            }
        }
    }
}

fn future_read(input: TxnHistory<'_>, number: u32, transaction: &Transaction, collector: &mut Collector<'_>) {
    for (later, step) in transaction.steps.iter().enumerate() {
        let Action::Write(element) = step.action else { continue };
        let read = transaction.steps[..later].iter().position(|read| {
            read.key == step.key && matches!(&read.action, Action::Read(Some(list)) if list.contains(&element))
        });
        if let Some(place) = read {
            let fault = ReadFault::Future(input.transactions.value(element).clone());
            collector.add(Anomaly::FutureRead, input.read(number, place, fault));
            return;
        }
    }
}

fn incompatible_orders(append: &Append<'_>, input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    for (key, lists) in &append.lists {
        let Some(pair) = lists.windows(2).find(|pair| !pair[1].starts_with(pair[0])) else { continue };
        let (transactions, key) = (input.transactions, input.transactions.key(*key));
        let (one, other) = (transactions.list(pair[0]), transactions.list(pair[1]));
        let case = TxnCase::IncompatibleOrder { key: key.clone(), values: [one, other] };
        collector.add(Anomaly::IncompatibleOrder, case);
    }
}

/// Committed appends to lists that hold aborted ones.
fn dirty_updates(append: &Append<'_>, input: TxnHistory<'_>, collector: &mut Collector<'_>) {
    let transactions = input.transactions;
    let writers: HashMap<(u32, u32), u32> =
        transactions.writes().map(|(key, value, writer)| ((key, value), writer)).collect();
    for (key, order) in &append.order {
        let (mut last, mut values): (Option<u32>, Vec<u32>) = (None, Vec::new());
        for value in order {
            let Some(writer) = writers.get(&(*key, *value)).copied() else { continue };
            let was_aborted = last.is_some_and(|last| transactions.of(last).kind == OpKind::Fail);
            values.push(*value);
            match transactions.of(writer).kind {
                OpKind::Ok => {
                    if let Some(last) = last.filter(|_| was_aborted) {
                        let (key, values) = (transactions.key(*key).clone(), transactions.list(&values));
                        let (aborted, writer) = (input.op(last), input.op(writer));
                        collector.add(Anomaly::DirtyUpdate, TxnCase::DirtyUpdate { key, values, aborted, writer });
                    }
                    (last, values) = (Some(writer), vec![*value]);
                }
                OpKind::Fail if !was_aborted => (last, values) = (Some(writer), vec![*value]),
                OpKind::Fail | OpKind::Info | OpKind::Invoke => {}
            }
        }
    }
}
