//! Lists, by their definitions.

use std::collections::BTreeSet;

use super::database::{Mop, Txn};
use super::naive::{Graph, History, Orders, RW, WR, WW, is_write_of};
use crate::workbench::history::OpKind;

impl History<'_> {
    /// The order of each key's elements: that of the longest list read, or the only one ever appended where nobody saw
    /// any. None if there are two longest lists.
    pub(super) fn orders(&self) -> Option<Orders> {
        let mut orders = Orders::new();
        for key in 1..=3 {
            let lists: BTreeSet<&Vec<i64>> = self
                .reads()
                .filter(|(.., read)| read.key == key)
                .filter_map(|(.., read)| read.value.as_ref())
                .collect();
            let length = lists.iter().map(|list| list.len()).max().unwrap_or_default();
            let mut longest = lists.into_iter().filter(|list| list.len() == length && length > 0);
            if let Some(list) = longest.next() {
                if longest.next().is_some() {
                    return None;
                }
                let mut order = Vec::new();
                for element in list {
                    if !order.contains(element) {
                        order.push(*element);
                    }
                }
                orders.insert(key, order);
                continue;
            }
            let possible = self.txns.iter().filter(|txn| txn.kind != OpKind::Fail);
            let appends: Vec<_> =
                possible.flat_map(|txn| &txn.ended).filter(|mop| mop.write && mop.key == key).collect();
            if let [append] = appends[..] {
                orders.insert(key, append.value.clone().unwrap_or_default());
            }
        }
        Some(orders)
    }

    /// Whether an element stands in an order, or alone in a question, that no end of a transaction appended.
    pub(super) fn has_unwritten(&self, orders: &Orders) -> bool {
        let ended = |key: i64, element: i64| {
            self.txns.iter().flat_map(|txn| &txn.ended).any(|mop| is_write_of(mop, key, element))
        };
        (1..=3).any(|key| {
            if let Some(order) = orders.get(&key) {
                return order.iter().any(|element| !ended(key, *element));
            }
            let mops = self.txns.iter().flat_map(|txn| txn.asked.iter().chain(&txn.ended));
            let appends: Vec<_> = mops.filter(|mop| mop.write && mop.key == key).collect();
            appends.len() == 1 && !ended(key, appends[0].value.as_ref().map_or(0, |value| value[0]))
        })
    }

    pub(super) fn list_anomalies(&self, orders: &Orders, found: &mut BTreeSet<&'static str>) {
        let empty = Vec::new();
        for (txn, place, read) in self.reads() {
            let list = read.value.as_ref().unwrap_or(&empty);
            if list.iter().any(|element| list.iter().filter(|other| *other == element).count() > 1) {
                found.insert("duplicate-elements");
            }
            let later = |element: &i64| txn.ended[place..].iter().any(|mop| is_write_of(mop, read.key, *element));
            if list.iter().any(later) {
                found.insert("future-read");
            }
            if contradicts(&txn.ended[..place], read) {
                found.insert("internal");
            }
            for (.., other) in self.reads().filter(|(.., other)| other.key == read.key) {
                let other = other.value.as_ref().unwrap_or(&empty);
                if !list.starts_with(other) && !other.starts_with(list) {
                    found.insert("incompatible-order");
                }
            }
        }
        for (key, order) in orders {
            let how = |element: &i64| self.writer(*key, *element, |_| true).map(|writer| self.txns[writer].kind);
            let ends: Vec<_> = order.iter().map(how).collect();
            let failed = ends.iter().position(|end| *end == Some(OpKind::Fail));
            if failed.is_some_and(|failed| ends[failed..].contains(&Some(OpKind::Ok))) {
                found.insert("dirty-update");
            }
        }
    }

    /// The last transaction of a kind that appended an element.
    fn writer(&self, key: i64, element: i64, kind: impl Fn(&Txn) -> bool) -> Option<usize> {
        self.txns.iter().rposition(|txn| kind(txn) && txn.ended.iter().any(|mop| is_write_of(mop, key, element)))
    }

    pub(super) fn list_edges(&self, orders: &Orders, graph: &mut Graph) {
        let possible = |txn: &Txn| txn.kind != OpKind::Fail;
        let saw = |txn: &Txn, key: i64, last: Option<i64>| {
            txn.ended.iter().any(|mop| {
                let seen = mop.value.as_ref().and_then(|list| list.last()).copied();
                let is_sight = txn.kind == OpKind::Ok || mop.value.is_some();
                !mop.write && mop.key == key && is_sight && seen == last
            })
        };
        for (to, txn) in self.txns.iter().enumerate().filter(|(_, txn)| possible(txn)) {
            for mop in &txn.ended {
                let last = mop.value.as_ref().and_then(|values| values.last()).copied();
                if !mop.write {
                    let writer = last.and_then(|last| self.writer(mop.key, last, possible));
                    if let Some(writer) = writer.filter(|writer| *writer != to) {
                        graph.add(writer, to, WR);
                    }
                    continue;
                }
                let none = Vec::new();
                let order = orders.get(&mop.key).unwrap_or(&none);
                let place = order.iter().position(|element| Some(*element) == last).unwrap_or(order.len());
                let previous = place.checked_sub(1).map(|place| order[place]);
                let writer = previous.and_then(|previous| self.writer(mop.key, previous, possible));
                if let Some(writer) = writer.filter(|writer| *writer != to) {
                    graph.add(writer, to, WW);
                }
                for (from, reader) in self.txns.iter().enumerate().filter(|(_, txn)| possible(txn)) {
                    if from != to && saw(reader, mop.key, previous) {
                        graph.add(from, to, RW);
                    }
                }
            }
        }
    }
}

/// Whether a read cannot follow the steps before it: all that a transaction appended since its last read of the key
/// must stand at the end, behind exactly what that read saw.
fn contradicts(before: &[Mop], read: &Mop) -> bool {
    let of_key: Vec<_> = before.iter().filter(|mop| mop.key == read.key).collect();
    let last_read = of_key.iter().rposition(|mop| !mop.write);
    let since = &of_key[last_read.map_or(0, |at| at + 1)..];
    let appended: Vec<i64> = since.iter().flat_map(|mop| mop.value.clone().unwrap_or_default()).collect();
    match last_read.map(|at| of_key[at].value.clone()) {
        None => !read.value.clone().unwrap_or_default().ends_with(&appended),
        // A key that was nil may have become anything, until one's own append.
        Some(None) if appended.is_empty() => false,
        Some(known) => read.value != Some([known.unwrap_or_default(), appended].concat()),
    }
}
