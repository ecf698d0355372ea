//! An oracle that follows Elle's definitions and tries everything: every pair of transactions, every cycle.

use std::collections::{BTreeMap, BTreeSet};

use super::database::{Mop, Txn};
use crate::workbench::check::Verdict;
use crate::workbench::check::differential::transitive_closure;
use crate::workbench::history::OpKind;

pub(super) const WW: u8 = 1;
pub(super) const WR: u8 = 2;
pub(super) const RW: u8 = 4;
const PROCESS: u8 = 8;
const REALTIME: u8 = 16;

/// Anomalies other than cycles: two that every model forbids, five more that most do, and two that some do.
const FORBIDDEN: [&str; 7] =
    ["duplicate-elements", "cyclic-versions", "G1a", "G1b", "dirty-update", "incompatible-order", "future-read"];
const INTERNAL: &str = "internal";
const LOST_UPDATE: &str = "lost-update";

/// A consistency model: how many of [`FORBIDDEN`] it forbids and what else, the edges of forbidden cycles, and whether
/// two read-write edges that follow each other excuse one.
pub(super) struct Model {
    pub(super) name: &'static str,
    forbidden: usize,
    others: &'static [&'static str],
    edges: u8,
    excuses: bool,
}

const fn model(name: &'static str, others: &'static [&'static str], edges: u8, excuses: bool) -> Model {
    Model { name, forbidden: FORBIDDEN.len(), others, edges, excuses }
}

/// Protocol §13.7.
pub(super) const MODELS: [Model; 11] = [
    Model { forbidden: 2, ..model("read-uncommitted", &[], WW, false) },
    model("read-committed", &[], WW | WR, false),
    model("read-atomic", &[INTERNAL], WW | WR, false),
    model("cursor-stability", &[LOST_UPDATE], WW | WR, false),
    model("parallel-snapshot-isolation", &[INTERNAL, LOST_UPDATE], WW | WR, false),
    model("repeatable-read", &[LOST_UPDATE], WW | WR | RW, false),
    model("snapshot-isolation", &[INTERNAL, LOST_UPDATE], WW | WR | RW, true),
    model("serializable", &[INTERNAL, LOST_UPDATE], WW | WR | RW, false),
    model("strong-session-serializable", &[INTERNAL, LOST_UPDATE], WW | WR | RW | PROCESS, false),
    model("strong-snapshot-isolation", &[INTERNAL, LOST_UPDATE], WW | WR | RW | REALTIME, true),
    model("strict-serializable", &[INTERNAL, LOST_UPDATE], WW | WR | RW | REALTIME, false),
];

impl Model {
    pub(super) fn forbids_every_cycle(&self) -> bool {
        self.edges & RW != 0 && !self.excuses && self.others.contains(&INTERNAL)
    }

    fn forbids(&self, anomaly: &str) -> bool {
        FORBIDDEN[..self.forbidden].iter().chain(self.others).any(|name| *name == anomaly)
    }
}

/// The classes of cycles: those of read-write edges by the number of these, in the order of implication, and the
/// others; each without an order, with that of processes, and with that of time.
const CLASSES: [&[[&str; 3]]; 2] = [
    &[["G0", "G0-process", "G0-realtime"], ["G1c", "G1c-process", "G1c-realtime"]],
    &[
        ["G-single-item", "G-single-item-process", "G-single-item-realtime"],
        ["G-nonadjacent-item", "G-nonadjacent-item-process", "G-nonadjacent-item-realtime"],
        ["G2-item", "G2-item-process", "G2-item-realtime"],
    ],
];

/// Whether the first class of cycles is a case of the second.
pub(super) fn implies(case: &str, general: &str) -> bool {
    let order = |names: &[&str; 3], name: &str| names.iter().position(|other| *other == name);
    let place = |chain: &[[&str; 3]], name: &str| {
        chain.iter().enumerate().find_map(|(class, names)| Some((class, order(names, name)?)))
    };
    let implies = |chain: &&[[&str; 3]]| match (place(chain, case), place(chain, general)) {
        (Some((class, order)), Some((other_class, other_order))) => class <= other_class && order <= other_order,
        _ => false,
    };
    case != general && CLASSES.iter().any(implies)
}

/// What is wrong with a history.
pub(super) struct Naive {
    pub(super) verdict: Verdict,
    /// Whether nothing can be said about anomalies.
    pub(super) is_undecidable: bool,
    /// The anomalies to report other than cycles.
    pub(super) reported: BTreeSet<&'static str>,
    /// Every class of cycles that occurs.
    pub(super) cycles: BTreeSet<&'static str>,
    /// The anomalies that Maelstrom does not detect.
    pub(super) extended: BTreeSet<&'static str>,
}

impl Naive {
    /// `None` if two longest lists of a key differ, so that either may count as its order.
    pub(super) fn new(txns: &[Txn], is_list: bool, model: &Model) -> Option<Self> {
        let history = History { txns };
        let mut graph = Graph::new(txns.len(), is_list);
        let mut others = BTreeSet::new();
        let is_undecidable = if is_list {
            let orders = history.orders()?;
            history.list_anomalies(&orders, &mut others);
            history.list_edges(&orders, &mut graph);
            history.has_unwritten(&orders)
        } else {
            history.register_anomalies(&mut others);
            history.register_edges(others.contains("cyclic-versions"), &mut graph)
        };
        history.anomalies(&mut others);
        history.order_edges(model.edges, &mut graph);
        others.retain(|name| model.forbids(name));
        let is_bad = !others.is_empty() || graph.has_cycle(model.edges, model.excuses);
        let verdict = match (is_undecidable, is_bad, graph.is_empty) {
            (false, true, _) => Verdict::False,
            (false, false, false) => Verdict::True,
            (false, false, true) if !is_list => Verdict::False,
            _ => Verdict::Unknown,
        };
        others.extend(graph.is_empty.then_some("empty-transaction-graph"));
        let extended = [("changed-answer", history.is_changed()), ("invented-value", history.is_invented())];
        let extended = extended.into_iter().filter(|(_, found)| *found).map(|(name, _)| name).collect();
        Some(Self { verdict, is_undecidable, reported: others, cycles: graph.cycles(), extended })
    }
}

pub(super) struct Graph {
    labels: Vec<Vec<u8>>,
    preference: [u8; 5],
    is_empty: bool,
}

impl Graph {
    fn new(count: usize, is_list: bool) -> Self {
        let preference = if is_list { [WW, WR, RW, PROCESS, REALTIME] } else { [WR, WW, RW, PROCESS, REALTIME] };
        Self { labels: vec![vec![0; count]; count], preference, is_empty: true }
    }

    pub(super) fn add(&mut self, from: usize, to: usize, label: u8) {
        self.is_empty = false;
        if from != to || label == WR {
            self.labels[from][to] |= label;
        }
    }

    /// Whether a vertex is in a cycle with another one.
    fn is_entangled(&self, vertex: usize) -> bool {
        let count = self.labels.len();
        let paths = transitive_closure(count, |from, to| self.labels[from][to] != 0);
        (0..count).any(|other| other != vertex && paths[vertex][other] && paths[other][vertex])
    }

    fn label(&self, from: usize, to: usize, allowed: u8) -> u8 {
        let labels = self.labels[from][to] & allowed;
        if from != to || self.is_entangled(from) { labels } else { 0 }
    }

    fn has_cycle(&self, allowed: u8, excuses: bool) -> bool {
        let count = self.labels.len();
        // State v has a free choice, state count + v came by a read-write edge that no other may follow.
        let paths = transitive_closure(2 * count, |from, to| {
            let labels = self.label(from % count, to % count, allowed);
            if to < count {
                labels & !(if excuses { RW } else { 0 }) != 0 && (excuses || from < count)
            } else {
                excuses && from < count && labels & RW != 0
            }
        });
        (0..2 * count).any(|state| paths[state][state])
    }

    fn cycles(&self) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for start in 0..self.labels.len() {
            self.extend(&mut vec![start], &mut Vec::new(), &mut found);
        }
        found
    }

    /// Adds the classes of the cycles that go on from a path and back to its beginning.
    fn extend(&self, path: &mut Vec<usize>, labels: &mut Vec<u8>, found: &mut BTreeSet<&'static str>) {
        let from = path[path.len() - 1];
        for to in 0..self.labels.len() {
            let reasons = self.label(from, to, u8::MAX);
            let Some(label) = self.preference.into_iter().find(|label| reasons & label != 0) else { continue };
            labels.push(label);
            if to == path[0] {
                found.extend(class(labels));
            } else if !path.contains(&to) {
                path.push(to);
                self.extend(path, labels, found);
                path.pop();
            }
            labels.pop();
        }
    }
}

fn class(labels: &[u8]) -> Option<&'static str> {
    let count = |wanted: u8| labels.iter().map(|label| usize::from(*label == wanted)).sum::<usize>();
    let adjacent = (0..labels.len()).any(|at| labels[at] == RW && labels[(at + 1) % labels.len()] == RW);
    let (chain, class) = match (count(RW), count(WR), count(WW)) {
        (1, ..) => (1, 0),
        (2.., ..) => (1, if adjacent { 2 } else { 1 }),
        (0, 1.., _) => (0, 1),
        (0, 0, 1..) => (0, 0),
        (0, 0, 0) => return None,
    };
    let order = if count(REALTIME) > 0 { 2 } else { usize::from(count(PROCESS) > 0) };
    Some(CLASSES[chain][class][order])
}

/// What was read or written: a list, or the one value of a register; none is nil.
pub(super) type Seen = Option<Vec<i64>>;

/// Of each key its elements in the order of their appends.
pub(super) type Orders = BTreeMap<i64, Vec<i64>>;

/// The transactions of a history in the order of their ends.
pub(super) struct History<'a> {
    pub(super) txns: &'a [Txn],
}

pub(super) fn is_write_of(mop: &Mop, key: i64, value: i64) -> bool {
    mop.write && mop.key == key && mop.value == Some(vec![value])
}

impl<'a> History<'a> {
    pub(super) fn ended(&self, kind: OpKind) -> impl Iterator<Item = (usize, &'a Txn)> {
        self.txns.iter().enumerate().filter(move |(_, txn)| txn.kind == kind)
    }

    /// Every read of an acknowledged transaction: its transaction, its place, and what it is of.
    pub(super) fn reads(&self) -> impl Iterator<Item = (&'a Txn, usize, &'a Mop)> {
        self.ended(OpKind::Ok).flat_map(|(_, txn)| {
            let reads = txn.ended.iter().enumerate().filter(|(_, mop)| !mop.write);
            reads.map(move |(place, mop)| (txn, place, mop))
        })
    }

    fn anomalies(&self, found: &mut BTreeSet<&'static str>) {
        for (reader, _, read) in self.reads() {
            let seen = read.value.as_deref().unwrap_or_default();
            let failed = |value: &i64| {
                self.ended(OpKind::Fail).any(|(_, txn)| txn.ended.iter().any(|mop| is_write_of(mop, read.key, *value)))
            };
            if seen.iter().any(failed) {
                found.insert("G1a");
            }
            let halfway = seen.last().and_then(|last| self.last_intermediate(read.key, *last));
            if halfway.is_some_and(|place| place != reader.ended_at) {
                found.insert("G1b");
            }
        }
        for (one, a) in self.ended(OpKind::Ok) {
            for (other, b) in self.ended(OpKind::Ok) {
                let update = |key: i64| updated(a, key).is_some() && updated(a, key) == updated(b, key);
                if one < other && (1..=3).any(update) {
                    found.insert("lost-update");
                }
            }
        }
    }

    /// The last place of the history where a transaction writes a value, and then the key again.
    fn last_intermediate(&self, key: i64, value: i64) -> Option<usize> {
        let attempts = self.txns.iter().flat_map(|txn| [(txn.began_at, &txn.asked), (txn.ended_at, &txn.ended)]);
        let is_intermediate = |mops: &[Mop]| {
            let again = |from: usize| mops[from..].iter().any(|mop| mop.write && mop.key == key);
            mops.iter().enumerate().any(|(place, mop)| is_write_of(mop, key, value) && again(place + 1))
        };
        attempts.filter(|(_, mops)| is_intermediate(mops)).map(|(place, _)| place).max()
    }

    fn order_edges(&self, allowed: u8, graph: &mut Graph) {
        for (from, a) in self.ended(OpKind::Ok) {
            for (to, b) in self.txns.iter().enumerate() {
                let before = |a: &Txn, b: &Txn| a.ended_at < b.began_at;
                let between = |c: &Txn| before(a, c) && before(c, b);
                if allowed & REALTIME != 0 && before(a, b) && !self.ended(OpKind::Ok).any(|(_, c)| between(c)) {
                    graph.add(from, to, REALTIME);
                }
                let follows = |b: &Txn| b.process == a.process && b.ended_at > a.ended_at;
                let next = self.ended(OpKind::Ok).find(|(_, b)| follows(b));
                if allowed & PROCESS != 0 && next.is_some_and(|(next, _)| next == to) {
                    graph.add(from, to, PROCESS);
                }
            }
        }
    }

    fn is_changed(&self) -> bool {
        let shape = |mops: &[Mop]| -> Vec<(bool, i64, Seen)> {
            mops.iter().map(|mop| (mop.write, mop.key, mop.value.clone().filter(|_| mop.write))).collect()
        };
        self.ended(OpKind::Ok).any(|(_, txn)| shape(&txn.asked) != shape(&txn.ended))
    }

    fn is_invented(&self) -> bool {
        let mops = || self.txns.iter().flat_map(|txn| txn.asked.iter().chain(&txn.ended));
        self.reads().any(|(_, _, read)| {
            let seen = read.value.as_deref().unwrap_or_default();
            seen.iter().any(|value| !mops().any(|mop| is_write_of(mop, read.key, *value)))
        })
    }
}

/// What a transaction first read of a key, if it wrote the key later.
fn updated(txn: &Txn, key: i64) -> Option<Seen> {
    let read = txn.ended.iter().position(|mop| !mop.write && mop.key == key)?;
    let written = txn.ended[read..].iter().any(|mop| mop.write && mop.key == key);
    written.then(|| txn.ended[read].value.clone())
}
