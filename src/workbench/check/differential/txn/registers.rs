//! Registers, by their definitions.

use std::collections::BTreeSet;

use super::database::Txn;
use super::naive::{Graph, History, RW, Seen, WR, WW};
use crate::workbench::check::differential::transitive_closure;
use crate::workbench::history::OpKind;

/// What a transaction reads of a key before it does anything else to it.
fn first_read(txn: &Txn, key: i64) -> Option<Seen> {
    txn.ended.iter().find(|mop| mop.key == key).filter(|mop| !mop.write).map(|mop| mop.value.clone())
}

/// What a transaction leaves at a key.
fn last_write(txn: &Txn, key: i64) -> Option<Seen> {
    txn.ended.iter().rfind(|mop| mop.write && mop.key == key).map(|mop| mop.value.clone())
}

impl History<'_> {
    /// The pairs of values of a key of which a transaction read the first and left the second.
    fn follows(&self, key: i64) -> BTreeSet<(Seen, Seen)> {
        let pairs = self.ended(OpKind::Ok).filter_map(|(_, txn)| Some((first_read(txn, key)?, last_write(txn, key)?)));
        pairs.filter(|(read, written)| read.is_some() && written.is_some()).collect()
    }

    pub(super) fn register_anomalies(&self, found: &mut BTreeSet<&'static str>) {
        for (txn, place, read) in self.reads() {
            let before = txn.ended[..place].iter().rfind(|mop| mop.key == read.key);
            if before.is_some_and(|before| before.value.is_some() && before.value != read.value) {
                found.insert("internal");
            }
        }
        for key in 1..=3 {
            let follows = self.follows(key);
            let values: Vec<&Seen> = follows.iter().flat_map(|(a, b)| [a, b]).collect();
            let paths = transitive_closure(values.len(), |a, b| {
                values[a] == values[b] || follows.contains(&(values[a].clone(), values[b].clone()))
            });
            let circle = |a: usize, b: usize| values[a] != values[b] && paths[a][b] && paths[b][a];
            if (0..values.len()).any(|a| (0..values.len()).any(|b| circle(a, b))) {
                found.insert("cyclic-versions");
            }
        }
    }

    /// Adds the edges, and says whether a value that was read has two writers.
    pub(super) fn register_edges(&self, ignore_follows: bool, graph: &mut Graph) -> bool {
        let mut is_ambiguous = false;
        for key in 1..=3 {
            let follows = if ignore_follows { BTreeSet::new() } else { self.follows(key) };
            let comes_after =
                |a: &Seen, b: &Seen| b.is_some() && (a.is_none() || follows.contains(&(a.clone(), b.clone())));
            for (from, a) in self.ended(OpKind::Ok) {
                for (to, b) in self.ended(OpKind::Ok) {
                    let (left, left_later) = (last_write(a, key), last_write(b, key));
                    let (read, read_later) = (first_read(a, key), first_read(b, key));
                    if left.is_some() && left == read_later {
                        graph.add(from, to, WR);
                        let writers = self.ended(OpKind::Ok).filter(|(_, txn)| last_write(txn, key) == left);
                        is_ambiguous |= writers.count() > 1;
                    }
                    let Some(later) = left_later else { continue };
                    if left.is_some_and(|left| comes_after(&left, &later)) {
                        graph.add(from, to, WW);
                    }
                    if read.is_some_and(|read| comes_after(&read, &later)) {
                        graph.add(from, to, RW);
                    }
                }
            }
        }
        is_ambiguous
    }
}
