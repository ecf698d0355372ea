//! Anomalies of transactions: their names, which is a special case of which, and which cycles make which.

use std::collections::BTreeSet;

use super::graph::{PROCESS, REALTIME, RW, WR, WW};

anomalies! {
    /// An anomaly, by Elle's name; also those of [`EXTENDED`].
    #[allow(missing_docs, reason = "their names are defined by Adya (1999) and by Elle, in plain words below")]
    Anomaly {
        GNonadjacent = "G-nonadjacent",
        GNonadjacentItem = "G-nonadjacent-item",
        GNonadjacentItemProcess = "G-nonadjacent-item-process",
        GNonadjacentItemRealtime = "G-nonadjacent-item-realtime",
        GNonadjacentProcess = "G-nonadjacent-process",
        GNonadjacentRealtime = "G-nonadjacent-realtime",
        GSingle = "G-single",
        GSingleItem = "G-single-item",
        GSingleItemProcess = "G-single-item-process",
        GSingleItemRealtime = "G-single-item-realtime",
        GSingleProcess = "G-single-process",
        GSingleRealtime = "G-single-realtime",
        G0 = "G0",
        G0Process = "G0-process",
        G0Realtime = "G0-realtime",
        G1 = "G1",
        G1Process = "G1-process",
        G1Realtime = "G1-realtime",
        G1a = "G1a",
        G1b = "G1b",
        G1c = "G1c",
        G1cProcess = "G1c-process",
        G1cRealtime = "G1c-realtime",
        G2 = "G2",
        G2Item = "G2-item",
        G2ItemProcess = "G2-item-process",
        G2ItemRealtime = "G2-item-realtime",
        G2Process = "G2-process",
        G2Realtime = "G2-realtime",
        Pl1Cycle = "PL-1-cycle-exists",
        Pl2Cycle = "PL-2-cycle-exists",
        Pl299Cycle = "PL-2.99-cycle-exists",
        Pl3Cycle = "PL-3-cycle-exists",
        PlSiCycle = "PL-SI-cycle-exists",
        PlSsCycle = "PL-SS-cycle-exists",
        ChangedAnswer = "changed-answer",
        Timeout = "cycle-search-timeout",
        CyclicVersions = "cyclic-versions",
        DirtyUpdate = "dirty-update",
        DuplicateElements = "duplicate-elements",
        EmptyGraph = "empty-transaction-graph",
        FutureRead = "future-read",
        IncompatibleOrder = "incompatible-order",
        Internal = "internal",
        Invented = "invented-value",
        LostUpdate = "lost-update",
        StrongPl1Cycle = "strong-PL-1-cycle-exists",
        StrongPl2Cycle = "strong-PL-2-cycle-exists",
        StrongSessionPl1Cycle = "strong-session-PL-1-cycle-exists",
        StrongSessionPl2Cycle = "strong-session-PL-2-cycle-exists",
        StrongSessionSerializableCycle = "strong-session-serializable-cycle-exists",
        StrongSessionSiCycle = "strong-session-snapshot-isolation-cycle-exists",
        StrongSiCycle = "strong-snapshot-isolation-cycle-exists",
    }
}

/// Anomalies that leave the verdict undecided: nothing to check, or an unfinished search for cycles.
pub(super) const UNDECIDED: [Anomaly; 2] = [Anomaly::EmptyGraph, Anomaly::Timeout];
/// Anomalies that every model prohibits and Maelstrom does not detect: a read of a value that was never written, and a
/// reply with other steps than the request.
pub(super) const EXTENDED: [Anomaly; 2] = [Anomaly::Invented, Anomaly::ChangedAnswer];

/// A set of anomalies.
pub(super) type Anomalies = BTreeSet<Anomaly>;

/// An anomaly of the dependencies alone, with the order of processes, and with that of time. Each implies the next.
type Family = [Anomaly; 3];

const G0: Family = [Anomaly::G0, Anomaly::G0Process, Anomaly::G0Realtime];
const G1: Family = [Anomaly::G1, Anomaly::G1Process, Anomaly::G1Realtime];
const G1C: Family = [Anomaly::G1c, Anomaly::G1cProcess, Anomaly::G1cRealtime];
const SINGLE: Family = [Anomaly::GSingle, Anomaly::GSingleProcess, Anomaly::GSingleRealtime];
const SINGLE_ITEM: Family = [Anomaly::GSingleItem, Anomaly::GSingleItemProcess, Anomaly::GSingleItemRealtime];
const NONADJACENT: Family = [Anomaly::GNonadjacent, Anomaly::GNonadjacentProcess, Anomaly::GNonadjacentRealtime];
const NONADJACENT_ITEM: Family =
    [Anomaly::GNonadjacentItem, Anomaly::GNonadjacentItemProcess, Anomaly::GNonadjacentItemRealtime];
const G2: Family = [Anomaly::G2, Anomaly::G2Process, Anomaly::G2Realtime];
const G2_ITEM: Family = [Anomaly::G2Item, Anomaly::G2ItemProcess, Anomaly::G2ItemRealtime];

/// Each family with those that it implies, with the same order.
const FAMILIES: [(Family, &[Family]); 9] = [
    (G0, &[G1C]),
    (G1C, &[G1]),
    (G1, &[]),
    (SINGLE_ITEM, &[SINGLE, NONADJACENT_ITEM]),
    (SINGLE, &[NONADJACENT]),
    (NONADJACENT_ITEM, &[NONADJACENT, G2_ITEM]),
    (NONADJACENT, &[G2]),
    (G2_ITEM, &[G2]),
    (G2, &[]),
];

/// Each other anomaly with those that it implies.
const OTHERS: [(Anomaly, &[Anomaly]); 6] = [
    (Anomaly::G1a, &[Anomaly::G1]),
    (Anomaly::G1b, &[Anomaly::G1]),
    (Anomaly::IncompatibleOrder, &[Anomaly::G1a]),
    (Anomaly::FutureRead, &[Anomaly::G1c]),
    (Anomaly::DirtyUpdate, &[Anomaly::G1a]),
    (Anomaly::LostUpdate, &[Anomaly::G2Item, Anomaly::G2]),
];

/// The pairs of anomalies of which the first implies the second.
fn implications() -> impl Iterator<Item = (Anomaly, Anomaly)> {
    let of_family = |(family, implied): (Family, &'static [Family])| {
        let with_order = (1..3).map(move |order| (family[order - 1], family[order]));
        let weaker = implied.iter().flat_map(move |weaker| (0..3).map(move |order| (family[order], weaker[order])));
        with_order.chain(weaker)
    };
    let others = OTHERS.into_iter().flat_map(|(anomaly, implied)| implied.iter().map(move |weaker| (anomaly, *weaker)));
    FAMILIES.into_iter().flat_map(of_family).chain(others)
}

/// The anomalies and all that they imply.
pub(super) fn implied_by(anomalies: impl IntoIterator<Item = Anomaly>) -> Anomalies {
    reachable(anomalies, |anomaly| implications().filter(move |(from, _)| *from == anomaly).map(|(_, to)| to))
}

/// The anomalies and all that imply one of them.
pub(super) fn implying(anomalies: impl IntoIterator<Item = Anomaly>) -> Anomalies {
    reachable(anomalies, |anomaly| implications().filter(move |(_, to)| *to == anomaly).map(|(from, _)| from))
}

/// What can be reached from some vertices, with these.
pub(super) fn reachable<T: Ord + Copy, I: IntoIterator<Item = T>>(
    from: impl IntoIterator<Item = T>,
    next: impl Fn(T) -> I,
) -> BTreeSet<T> {
    let mut found = BTreeSet::new();
    let mut open: Vec<T> = from.into_iter().collect();
    while let Some(vertex) = open.pop() {
        if found.insert(vertex) {
            open.extend(next(vertex));
        }
    }
    found
}

/// The number of read-write edges (anti-dependencies) of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AntiDependencies {
    None,
    One,
    /// Two or more, of which no two follow each other.
    Nonadjacent,
    /// Two or more, and two of them follow each other.
    Adjacent,
}

/// A class of cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) anomaly: Anomaly,
    pub(super) anti_dependencies: AntiDependencies,
    /// The labels an edge may have.
    pub(super) labels: u8,
    /// The label that some edge must have, through which to look for a cycle.
    pub(super) through: u8,
}

const WW_WR: u8 = WW | WR;
const ALL: u8 = WW | WR | RW;

/// The classes in the order of the search: a class before what it implies.
pub(super) fn classes() -> impl Iterator<Item = Class> {
    [0, PROCESS, REALTIME].into_iter().enumerate().flat_map(|(place, order)| {
        let class = |family: Family, anti_dependencies, labels, through| Class {
            anomaly: family[place],
            anti_dependencies,
            labels: labels | order,
            through,
        };
        [
            class(G0, AntiDependencies::None, WW, if order == 0 { WW } else { order }),
            class(SINGLE_ITEM, AntiDependencies::One, ALL, RW),
            class(NONADJACENT_ITEM, AntiDependencies::Nonadjacent, ALL, RW),
            class(G1C, AntiDependencies::None, WW_WR, WR),
            class(G2_ITEM, AntiDependencies::Adjacent, ALL, RW),
        ]
    })
}

/// The anomaly that a cycle with these labels is.
pub(super) fn classify(labels: &[u8]) -> Anomaly {
    let count = |label| labels.iter().map(|found| usize::from(*found == label)).sum::<usize>();
    let follow = labels.iter().zip(labels.iter().cycle().skip(1)).any(|pair| pair == (&RW, &RW));
    let family = match count(RW) {
        0 if count(WR) == 0 => G0,
        0 => G1C,
        1 => SINGLE_ITEM,
        _ if follow => G2_ITEM,
        _ => NONADJACENT_ITEM,
    };
    family[if count(REALTIME) > 0 { 2 } else { usize::from(count(PROCESS) > 0) }]
}

/// A model, and the labels that may not make a cycle under it; with `extended_by_rw`, read-write edges may be in that
/// cycle too, but not follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CycleRule {
    pub(super) anomaly: Anomaly,
    pub(super) model: &'static str,
    pub(super) labels: u8,
    pub(super) extended_by_rw: bool,
}

const fn rule(anomaly: Anomaly, model: &'static str, labels: u8, extended_by_rw: bool) -> CycleRule {
    CycleRule { anomaly, model, labels, extended_by_rw }
}

/// The models that a cycle alone, of whatever class, rules out.
pub(super) const CYCLE_RULES: [CycleRule; 13] = [
    rule(Anomaly::Pl1Cycle, "read-uncommitted", WW, false),
    rule(Anomaly::Pl2Cycle, "read-committed", WW_WR, false),
    rule(Anomaly::PlSiCycle, "snapshot-isolation", WW_WR, true),
    rule(Anomaly::Pl299Cycle, "repeatable-read", ALL, false),
    rule(Anomaly::Pl3Cycle, "serializable", ALL, false),
    rule(Anomaly::StrongSessionPl1Cycle, "strong-session-read-uncommitted", WW | PROCESS, false),
    rule(Anomaly::StrongSessionPl2Cycle, "strong-session-read-committed", WW_WR | PROCESS, false),
    rule(Anomaly::StrongSessionSiCycle, "strong-session-snapshot-isolation", WW_WR | PROCESS, true),
    rule(Anomaly::StrongSessionSerializableCycle, "strong-session-serializable", ALL | PROCESS, false),
    rule(Anomaly::StrongPl1Cycle, "strong-read-uncommitted", WW | REALTIME, false),
    rule(Anomaly::StrongPl2Cycle, "strong-read-committed", WW_WR | REALTIME, false),
    rule(Anomaly::StrongSiCycle, "strong-snapshot-isolation", WW_WR | REALTIME, true),
    rule(Anomaly::PlSsCycle, "strong-serializable", ALL | REALTIME, false),
];

impl Anomaly {
    /// The model that it rules out by itself, where it says no more than that there is some cycle.
    pub(super) fn cycle_rule(self) -> Option<&'static CycleRule> {
        CYCLE_RULES.iter().find(|rule| rule.anomaly == self)
    }

    /// What it is, for people.
    pub fn in_plain_words(self) -> String {
        if let Some(rule) = self.cycle_rule() {
            return format!("transactions depend on each other in a circle, as they may not under {}", rule.model);
        }
        let (name, order) = match self.name().strip_suffix("-process") {
            Some(name) => (name, ", where each process does one thing after another"),
            None => match self.name().strip_suffix("-realtime") {
                Some(name) => (name, ", where what ended comes before what began later"),
                None => (self.name(), ""),
            },
        };
        let plain = PLAIN.iter().find(|(other, _)| other.name() == name).map_or(name, |(_, plain)| plain);
        format!("{plain}{order}")
    }
}

const PLAIN: [(Anomaly, &str); 18] = [
    (Anomaly::G0, "transactions overwrote each other in a circle"),
    (Anomaly::G1a, "a read saw what an aborted transaction wrote"),
    (Anomaly::G1b, "a read saw another transaction halfway"),
    (Anomaly::G1c, "transactions overwrote and read each other in a circle"),
    (Anomaly::GSingleItem, "a transaction saw some of what another wrote or followed, and missed the rest"),
    (Anomaly::GNonadjacentItem, "transactions missed each other's writes as no order of snapshots lets them"),
    (Anomaly::G2Item, "transactions missed each other's writes in a circle"),
    (Anomaly::Internal, "a transaction did not see its own steps before"),
    (Anomaly::LostUpdate, "transactions changed the same value, each as if it were alone"),
    (Anomaly::FutureRead, "a transaction read what it wrote only later"),
    (Anomaly::DuplicateElements, "a list has an element twice"),
    (Anomaly::IncompatibleOrder, "two reads of a list cannot both be right"),
    (Anomaly::DirtyUpdate, "an append stands upon one that was aborted"),
    (Anomaly::CyclicVersions, "values of a key came after each other in a circle"),
    (Anomaly::EmptyGraph, "no transaction depends on another, so there is nothing to judge"),
    (Anomaly::Timeout, "the search for cycles did not come to its end"),
    (Anomaly::Invented, "a read saw what nobody ever wrote"),
    (Anomaly::ChangedAnswer, "an answer is not of the steps that were asked for"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anomalies_are_in_the_order_of_their_names_and_each_has_plain_words() {
        let of = |anomaly: &Anomaly| anomaly.name();
        let known: Vec<_> = classes().map(|class| class.anomaly).chain(PLAIN.map(|(anomaly, _)| anomaly)).collect();
        let (mut by_name, mut by_order) = (known.clone(), known);
        by_name.sort_by_key(of);
        by_order.sort();
        assert_eq!(by_name, by_order);
        assert!(by_order.iter().all(|anomaly| !anomaly.in_plain_words().starts_with(anomaly.name())));
    }

    #[test]
    fn a_case_is_searched_before_what_it_is_a_case_of() {
        let mut searched = Anomalies::new();
        for class in classes() {
            assert!(implied_by([class.anomaly]).is_disjoint(&searched), "{class:?} after one of {searched:?}");
            searched.insert(class.anomaly);
        }
    }
}
