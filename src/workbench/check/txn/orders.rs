//! Which transaction came before which by the clock, and by the process that did both.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Edges, PROCESS, REALTIME};
use super::transactions::Transactions;
use crate::workbench::history::Kind;

/// An edge from each acknowledged transaction to those that began later, whatever came of them, except where a third
/// one lies between: at most as many edges a transaction as there are clients.
pub(super) fn realtime(transactions: &Transactions, edges: &mut Edges) {
    let mut moments: Vec<(usize, u32, bool)> = Vec::with_capacity(2 * transactions.all.len());
    for (number, transaction) in transactions.numbered() {
        moments.push((transaction.begin, number, true));
        if transaction.kind == Kind::Ok {
            moments.push((transaction.end, number, false));
        }
    }
    moments.sort_unstable();
    let mut last = BTreeSet::new();
    let mut before: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (_, number, begins) in moments {
        if begins {
            edges.extend(last.iter().map(|earlier| (*earlier, number, REALTIME)));
            before.insert(number, last.iter().copied().collect());
        } else {
            for earlier in before.remove(&number).unwrap_or_default() {
                last.remove(&earlier);
            }
            last.insert(number);
        }
    }
}

/// An edge from each acknowledged transaction to the next one of its process.
pub(super) fn process(transactions: &Transactions, edges: &mut Edges) {
    let mut last = BTreeMap::new();
    for (number, transaction) in transactions.acknowledged() {
        if let Some(earlier) = last.insert(transaction.process, number) {
            edges.push((earlier, number, PROCESS));
        }
    }
}
