//! A judge that follows the definitions of Elle and tries everything: every pair of transactions, every cycle.
//!
//! It has nothing in common with the checkers but the names of anomalies.

use std::collections::{BTreeMap, BTreeSet};

use super::drawn::{Drawn, End, Mop, Txn};

const WW: u8 = 1;
const WR: u8 = 2;
const RW: u8 = 4;
const PROCESS: u8 = 8;
const REALTIME: u8 = 16;

/// A consistency model: what it forbids beside cycles, the edges of forbidden cycles, and whether two read-write edges
/// that follow each other excuse one.
pub(super) struct Model {
    pub(super) name: &'static str,
    forbidden: &'static [&'static str],
    edges: u8,
    excuses: bool,
}

const UNCOMMITTED: &[&str] = &["duplicate-elements", "cyclic-versions"];
const COMMITTED: &[&str] =
    &["duplicate-elements", "cyclic-versions", "G1a", "G1b", "dirty-update", "incompatible-order", "future-read"];
const ATOMIC: &[&str] = &[
    "duplicate-elements",
    "cyclic-versions",
    "G1a",
    "G1b",
    "dirty-update",
    "incompatible-order",
    "future-read",
    "internal",
];
const UPDATES: &[&str] = &[
    "duplicate-elements",
    "cyclic-versions",
    "G1a",
    "G1b",
    "dirty-update",
    "incompatible-order",
    "future-read",
    "lost-update",
];
const ALL: &[&str] = &[
    "duplicate-elements",
    "cyclic-versions",
    "G1a",
    "G1b",
    "dirty-update",
    "incompatible-order",
    "future-read",
    "internal",
    "lost-update",
];

const fn model(name: &'static str, forbidden: &'static [&'static str], edges: u8, excuses: bool) -> Model {
    Model { name, forbidden, edges, excuses }
}

/// Protocol §13.7.
pub(super) const MODELS: [Model; 11] = [
    model("read-uncommitted", UNCOMMITTED, WW, false),
    model("read-committed", COMMITTED, WW | WR, false),
    model("read-atomic", ATOMIC, WW | WR, false),
    model("cursor-stability", UPDATES, WW | WR, false),
    model("parallel-snapshot-isolation", ALL, WW | WR, false),
    model("repeatable-read", UPDATES, WW | WR | RW, false),
    model("snapshot-isolation", ALL, WW | WR | RW, true),
    model("serializable", ALL, WW | WR | RW, false),
    model("strong-session-serializable", ALL, WW | WR | RW | PROCESS, false),
    model("strong-snapshot-isolation", ALL, WW | WR | RW | REALTIME, true),
    model("strict-serializable", ALL, WW | WR | RW | REALTIME, false),
];

impl Model {
    pub(super) fn forbids_every_cycle(&self) -> bool {
        self.edges & RW != 0 && !self.excuses && self.forbidden.contains(&"internal")
    }
}

/// Whether the first kind of cycle is a case of the second.
pub(super) fn implies(case: &str, general: &str) -> bool {
    let parts = |name: &str| {
        let (base, order) = match (name.strip_suffix("-process"), name.strip_suffix("-realtime")) {
            (Some(base), _) => (base.to_owned(), 1),
            (_, Some(base)) => (base.to_owned(), 2),
            (None, None) => (name.to_owned(), 0),
        };
        let chains = [&["G0", "G1c"][..], &["G-single-item", "G-nonadjacent-item", "G2-item"]];
        let place = |chain: &&[&str]| chain.iter().position(|link| *link == base);
        (chains.iter().position(|chain| place(chain).is_some()), chains.iter().find_map(place), order)
    };
    let ((chain, place, order), (other_chain, other_place, other_order)) = (parts(case), parts(general));
    case != general && chain == other_chain && place <= other_place && order <= other_order
}

/// What is wrong with a history.
pub(super) struct Naive {
    /// None if it cannot be told.
    pub(super) verdict: Option<bool>,
    /// Whether there is nothing to be said about anomalies.
    pub(super) is_undecidable: bool,
    /// What is to be reported beside cycles.
    pub(super) reported: BTreeSet<String>,
    /// Every class of cycles that there is.
    pub(super) cycles: BTreeSet<String>,
    /// What only we look for.
    pub(super) ours: BTreeSet<String>,
}

impl Naive {
    /// None if two longest lists of a key differ, so that either may count as its order.
    pub(super) fn new(drawn: &Drawn, model: &Model) -> Option<Self> {
        let history = History { txns: &drawn.txns };
        let mut graph = Graph::new(drawn.txns.len(), drawn.is_list);
        let mut others = BTreeSet::new();
        let is_undecidable = if drawn.is_list {
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
        others.retain(|name| model.forbidden.contains(name));
        let is_bad = !others.is_empty() || graph.has_cycle(model.edges, model.excuses);
        let verdict = match (is_undecidable, is_bad, graph.is_empty) {
            (true, _, _) => None,
            (false, true, _) => Some(false),
            (false, false, true) if drawn.is_list => None,
            (false, false, is_empty) => Some(!is_empty),
        };
        let empty = graph.is_empty.then_some("empty-transaction-graph");
        let reported = others.into_iter().chain(empty).map(str::to_owned).collect();
        let ours = [("changed-answer", history.is_changed()), ("invented-value", history.is_invented())];
        let ours = ours.into_iter().filter(|(_, found)| *found).map(|(name, _)| name.to_owned()).collect();
        Some(Self { verdict, is_undecidable, reported, cycles: graph.cycles(), ours })
    }
}

struct Graph {
    labels: Vec<Vec<u8>>,
    preference: [u8; 5],
    is_empty: bool,
}

impl Graph {
    fn new(count: usize, is_list: bool) -> Self {
        let preference = if is_list { [WW, WR, RW, PROCESS, REALTIME] } else { [WR, WW, RW, PROCESS, REALTIME] };
        Self { labels: vec![vec![0; count]; count], preference, is_empty: true }
    }

    fn add(&mut self, from: usize, to: usize, label: u8) {
        self.is_empty = false;
        if from != to || label == WR {
            self.labels[from][to] |= label;
        }
    }

    /// Whether a vertex is in a circle with another one.
    fn is_entangled(&self, vertex: usize) -> bool {
        let count = self.labels.len();
        let ways = closure(count, |from, to| self.labels[from][to] != 0);
        (0..count).any(|other| other != vertex && ways[vertex][other] && ways[other][vertex])
    }

    fn label(&self, from: usize, to: usize, allowed: u8) -> u8 {
        let labels = self.labels[from][to] & allowed;
        if from != to || self.is_entangled(from) { labels } else { 0 }
    }

    fn has_cycle(&self, allowed: u8, excuses: bool) -> bool {
        let count = self.labels.len();
        // State v has a free choice, state count + v came by a read-write edge that no other may follow.
        let ways = closure(2 * count, |from, to| {
            let labels = self.label(from % count, to % count, allowed);
            if to < count {
                labels & !(if excuses { RW } else { 0 }) != 0 && (excuses || from < count)
            } else {
                excuses && from < count && labels & RW != 0
            }
        });
        (0..2 * count).any(|state| ways[state][state])
    }

    fn cycles(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for start in 0..self.labels.len() {
            self.extend(&mut vec![start], &mut Vec::new(), &mut found);
        }
        found
    }

    /// Adds the classes of the cycles that go on from a path and back to its beginning.
    fn extend(&self, path: &mut Vec<usize>, labels: &mut Vec<u8>, found: &mut BTreeSet<String>) {
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

fn class(labels: &[u8]) -> Option<String> {
    let count = |wanted: u8| labels.iter().map(|label| usize::from(*label == wanted)).sum::<usize>();
    let adjacent = (0..labels.len()).any(|at| labels[at] == RW && labels[(at + 1) % labels.len()] == RW);
    let base = match (count(RW), count(WR), count(WW)) {
        (1, ..) => "G-single-item",
        (2.., ..) if adjacent => "G2-item",
        (2.., ..) => "G-nonadjacent-item",
        (0, 1.., _) => "G1c",
        (0, 0, 1..) => "G0",
        (0, 0, 0) => return None,
    };
    let order = if count(REALTIME) > 0 {
        "-realtime"
    } else if count(PROCESS) > 0 {
        "-process"
    } else {
        ""
    };
    Some(format!("{base}{order}"))
}

/// From where to where there is a way of at least one step.
fn closure(count: usize, step: impl Fn(usize, usize) -> bool) -> Vec<Vec<bool>> {
    let mut ways: Vec<Vec<bool>> = (0..count).map(|from| (0..count).map(|to| step(from, to)).collect()).collect();
    for over in 0..count {
        for from in 0..count {
            for to in 0..count {
                ways[from][to] |= ways[from][over] && ways[over][to];
            }
        }
    }
    ways
}

/// What was read or written: a list, or the one value of a register; none is nil.
type Seen = Option<Vec<i64>>;

/// Of each key its elements in the order of their appends.
type Orders = BTreeMap<i64, Vec<i64>>;

/// The transactions of a history in the order of their ends.
struct History<'a> {
    txns: &'a [Txn],
}

mod lists;
mod registers;

fn is_write_of(mop: &Mop, key: i64, value: i64) -> bool {
    mop.write && mop.key == key && mop.value == Some(vec![value])
}

impl<'a> History<'a> {
    fn ended(&self, how: End) -> impl Iterator<Item = (usize, &'a Txn)> {
        self.txns.iter().enumerate().filter(move |(_, txn)| txn.end == how)
    }

    /// Every read of an acknowledged transaction: its transaction, its place, and what it is of.
    fn reads(&self) -> impl Iterator<Item = (&'a Txn, usize, &'a Mop)> {
        self.ended(End::Ok).flat_map(|(_, txn)| {
            let reads = txn.ended.iter().enumerate().filter(|(_, mop)| !mop.write);
            reads.map(move |(place, mop)| (txn, place, mop))
        })
    }

    fn anomalies(&self, found: &mut BTreeSet<&'static str>) {
        for (reader, _, read) in self.reads() {
            let seen = read.value.as_deref().unwrap_or_default();
            let failed = |value: &i64| {
                self.ended(End::Fail).any(|(_, txn)| txn.ended.iter().any(|mop| is_write_of(mop, read.key, *value)))
            };
            if seen.iter().any(failed) {
                found.insert("G1a");
            }
            let halfway = seen.last().and_then(|last| self.last_intermediate(read.key, *last));
            if halfway.is_some_and(|place| place != reader.ended_at) {
                found.insert("G1b");
            }
        }
        for (one, a) in self.ended(End::Ok) {
            for (other, b) in self.ended(End::Ok) {
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
        for (from, a) in self.ended(End::Ok) {
            for (to, b) in self.txns.iter().enumerate() {
                let before = |a: &Txn, b: &Txn| a.ended_at < b.began_at;
                let between = |c: &Txn| before(a, c) && before(c, b);
                if allowed & REALTIME != 0 && before(a, b) && !self.ended(End::Ok).any(|(_, c)| between(c)) {
                    graph.add(from, to, REALTIME);
                }
                let follows = |b: &Txn| b.process == a.process && b.ended_at > a.ended_at;
                let next = self.ended(End::Ok).find(|(_, b)| follows(b));
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
        self.ended(End::Ok).any(|(_, txn)| shape(&txn.asked) != shape(&txn.ended))
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
