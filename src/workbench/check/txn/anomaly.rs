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
        Pl1CycleExists = "PL-1-cycle-exists",
        Pl2CycleExists = "PL-2-cycle-exists",
        Pl299CycleExists = "PL-2.99-cycle-exists",
        Pl3CycleExists = "PL-3-cycle-exists",
        PlSiCycleExists = "PL-SI-cycle-exists",
        PlSsCycleExists = "PL-SS-cycle-exists",
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
        StrongPl1CycleExists = "strong-PL-1-cycle-exists",
        StrongPl2CycleExists = "strong-PL-2-cycle-exists",
        StrongSessionPl1CycleExists = "strong-session-PL-1-cycle-exists",
        StrongSessionPl2CycleExists = "strong-session-PL-2-cycle-exists",
        StrongSessionSerializableCycleExists = "strong-session-serializable-cycle-exists",
        StrongSessionSnapshotIsolationCycleExists = "strong-session-snapshot-isolation-cycle-exists",
        StrongSnapshotIsolationCycleExists = "strong-snapshot-isolation-cycle-exists",
    }
}

/// Anomalies that leave the verdict undecided: nothing to check, or an unfinished search for cycles.
pub(super) const UNDECIDED: [Anomaly; 2] = [Anomaly::EmptyGraph, Anomaly::Timeout];
/// Anomalies that every model prohibits and Maelstrom does not detect: a read of a value that was never written, and a
/// reply with other steps than the request.
pub(super) const EXTENDED: [Anomaly; 2] = [Anomaly::Invented, Anomaly::ChangedAnswer];

/// A set of anomalies.
pub(super) type Anomalies = BTreeSet<Anomaly>;

/// Each anomaly with those that it implies.
const IMPLIED: [(Anomaly, &[Anomaly]); 30] = [
    (Anomaly::G0, &[Anomaly::G1c, Anomaly::G0Process]),
    (Anomaly::G0Process, &[Anomaly::G1cProcess, Anomaly::G0Realtime]),
    (Anomaly::G0Realtime, &[Anomaly::G1cRealtime]),
    (Anomaly::G1a, &[Anomaly::G1]),
    (Anomaly::G1b, &[Anomaly::G1]),
    (Anomaly::G1c, &[Anomaly::G1, Anomaly::G1cProcess]),
    (Anomaly::G1cProcess, &[Anomaly::G1cRealtime, Anomaly::G1Process]),
    (Anomaly::G1cRealtime, &[Anomaly::G1Realtime]),
    (Anomaly::G1, &[Anomaly::G1Process]),
    (Anomaly::G1Process, &[Anomaly::G1Realtime]),
    (Anomaly::GSingleItem, &[Anomaly::GSingle, Anomaly::GSingleItemProcess, Anomaly::GNonadjacentItem]),
    (
        Anomaly::GSingleItemProcess,
        &[Anomaly::GSingleProcess, Anomaly::GSingleItemRealtime, Anomaly::GNonadjacentItemProcess],
    ),
    (Anomaly::GSingleItemRealtime, &[Anomaly::GSingleRealtime, Anomaly::GNonadjacentItemRealtime]),
    (Anomaly::GSingle, &[Anomaly::GNonadjacent, Anomaly::GSingleProcess]),
    (Anomaly::GSingleProcess, &[Anomaly::GNonadjacentProcess, Anomaly::GSingleRealtime]),
    (Anomaly::GSingleRealtime, &[Anomaly::GNonadjacentRealtime]),
    (Anomaly::GNonadjacentItem, &[Anomaly::GNonadjacent, Anomaly::G2Item, Anomaly::GNonadjacentItemProcess]),
    (
        Anomaly::GNonadjacentItemProcess,
        &[Anomaly::GNonadjacentProcess, Anomaly::G2ItemProcess, Anomaly::GNonadjacentItemRealtime],
    ),
    (Anomaly::GNonadjacentItemRealtime, &[Anomaly::G2ItemRealtime, Anomaly::GNonadjacentRealtime]),
    (Anomaly::GNonadjacent, &[Anomaly::G2, Anomaly::GNonadjacentProcess]),
    (Anomaly::GNonadjacentProcess, &[Anomaly::G2Process, Anomaly::GNonadjacentRealtime]),
    (Anomaly::GNonadjacentRealtime, &[Anomaly::G2Realtime]),
    (Anomaly::G2, &[Anomaly::G2Process]),
    (Anomaly::G2Item, &[Anomaly::G2, Anomaly::G2ItemProcess]),
    (Anomaly::G2ItemProcess, &[Anomaly::G2Process, Anomaly::G2ItemRealtime]),
    (Anomaly::G2ItemRealtime, &[Anomaly::G2Realtime]),
    (Anomaly::G2Process, &[Anomaly::G2Realtime]),
    (Anomaly::IncompatibleOrder, &[Anomaly::G1a]),
    (Anomaly::FutureRead, &[Anomaly::G1c]),
    (Anomaly::DirtyUpdate, &[Anomaly::G1a]),
];

/// Lost update is separate because it is not found by the search for cycles.
const LOST_UPDATE: (Anomaly, &[Anomaly]) = (Anomaly::LostUpdate, &[Anomaly::G2Item, Anomaly::G2]);

fn relations() -> impl Iterator<Item = (Anomaly, &'static [Anomaly])> {
    IMPLIED.into_iter().chain([LOST_UPDATE])
}

/// The anomalies and all that they imply.
pub(super) fn implied_by(anomalies: impl IntoIterator<Item = Anomaly>) -> Anomalies {
    let mut found = Anomalies::new();
    let mut open: Vec<_> = anomalies.into_iter().collect();
    while let Some(anomaly) = open.pop() {
        if found.insert(anomaly) {
            open.extend(relations().filter(|(name, _)| *name == anomaly).flat_map(|(_, implied)| implied));
        }
    }
    found
}

/// The anomalies and all that imply one of them.
pub(super) fn implying(anomalies: impl IntoIterator<Item = Anomaly>) -> Anomalies {
    let mut found = Anomalies::new();
    let mut open: Vec<_> = anomalies.into_iter().collect();
    while let Some(anomaly) = open.pop() {
        if found.insert(anomaly) {
            open.extend(relations().filter(|(_, implied)| implied.contains(&anomaly)).map(|(name, _)| name));
        }
    }
    found
}

/// The number of read-write edges (anti-dependencies) of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Antis {
    /// None.
    None,
    /// One.
    One,
    /// Two or more, of which no two follow each other.
    Apart,
    /// Two or more, and two of them follow each other.
    Adjacent,
}

/// A class of cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) anomaly: Anomaly,
    pub(super) antis: Antis,
    /// The labels an edge may have.
    pub(super) labels: u8,
    /// The label that some edge must have, through which to look for a cycle.
    pub(super) through: u8,
}

const fn class(anomaly: Anomaly, antis: Antis, labels: u8, through: u8) -> Class {
    Class { anomaly, antis, labels, through }
}

const D: u8 = WW | WR;
const ALL: u8 = WW | WR | RW;

/// The classes in the order of the search: first those that are cases of others or worse, as Elle does.
pub(super) const CLASSES: [Class; 15] = [
    class(Anomaly::GSingleItem, Antis::One, ALL, RW),
    class(Anomaly::G0, Antis::None, WW, WW),
    class(Anomaly::GNonadjacentItem, Antis::Apart, ALL, RW),
    class(Anomaly::G1c, Antis::None, D, WR),
    class(Anomaly::G2Item, Antis::Adjacent, ALL, RW),
    class(Anomaly::G0Process, Antis::None, WW | PROCESS, PROCESS),
    class(Anomaly::GSingleItemProcess, Antis::One, ALL | PROCESS, RW),
    class(Anomaly::GNonadjacentItemProcess, Antis::Apart, ALL | PROCESS, RW),
    class(Anomaly::G1cProcess, Antis::None, D | PROCESS, WR),
    class(Anomaly::G2ItemProcess, Antis::Adjacent, ALL | PROCESS, RW),
    class(Anomaly::G0Realtime, Antis::None, WW | REALTIME, REALTIME),
    class(Anomaly::GSingleItemRealtime, Antis::One, ALL | REALTIME, RW),
    class(Anomaly::GNonadjacentItemRealtime, Antis::Apart, ALL | REALTIME, RW),
    class(Anomaly::G1cRealtime, Antis::None, D | REALTIME, WR),
    class(Anomaly::G2ItemRealtime, Antis::Adjacent, ALL | REALTIME, RW),
];

/// The anomaly that a cycle with these labels is.
pub(super) fn classify(labels: &[u8]) -> Anomaly {
    let count = |label| labels.iter().map(|found| usize::from(*found == label)).sum::<usize>();
    let follow = labels.iter().zip(labels.iter().cycle().skip(1)).any(|pair| pair == (&RW, &RW));
    let antis = match count(RW) {
        0 => Antis::None,
        1 => Antis::One,
        _ if follow => Antis::Adjacent,
        _ => Antis::Apart,
    };
    let order = if count(REALTIME) > 0 {
        REALTIME
    } else if count(PROCESS) > 0 {
        PROCESS
    } else {
        0
    };
    let reads = count(WR) > 0;
    let fits = |class: &&Class| {
        let is_g1 = class.labels & WR != 0;
        class.antis == antis && class.labels & (PROCESS | REALTIME) == order && (antis != Antis::None || is_g1 == reads)
    };
    CLASSES.iter().find(fits).map_or(Anomaly::G2, |class| class.anomaly)
}

/// A model, and the labels that may not make a cycle under it; with `single` hops read-write edges may not follow
/// each other in that cycle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Existence {
    pub(super) anomaly: Anomaly,
    pub(super) model: &'static str,
    pub(super) labels: u8,
    pub(super) hops: bool,
}

const fn existence(anomaly: Anomaly, model: &'static str, labels: u8, hops: bool) -> Existence {
    Existence { anomaly, model, labels, hops }
}

/// What a cycle alone, of whatever class, rules out.
pub(super) const EXISTENCES: [Existence; 13] = [
    existence(Anomaly::Pl1CycleExists, "read-uncommitted", WW, false),
    existence(Anomaly::Pl2CycleExists, "read-committed", D, false),
    existence(Anomaly::PlSiCycleExists, "snapshot-isolation", D, true),
    existence(Anomaly::Pl299CycleExists, "repeatable-read", ALL, false),
    existence(Anomaly::Pl3CycleExists, "serializable", ALL, false),
    existence(Anomaly::StrongSessionPl1CycleExists, "strong-session-read-uncommitted", WW | PROCESS, false),
    existence(Anomaly::StrongSessionPl2CycleExists, "strong-session-read-committed", D | PROCESS, false),
    existence(
        Anomaly::StrongSessionSnapshotIsolationCycleExists,
        "strong-session-snapshot-isolation",
        D | PROCESS,
        true,
    ),
    existence(Anomaly::StrongSessionSerializableCycleExists, "strong-session-serializable", ALL | PROCESS, false),
    existence(Anomaly::StrongPl1CycleExists, "strong-read-uncommitted", WW | REALTIME, false),
    existence(Anomaly::StrongPl2CycleExists, "strong-read-committed", D | REALTIME, false),
    existence(Anomaly::StrongSnapshotIsolationCycleExists, "strong-snapshot-isolation", D | REALTIME, true),
    existence(Anomaly::PlSsCycleExists, "strong-serializable", ALL | REALTIME, false),
];

impl Anomaly {
    /// The model that it rules out by itself, where it says no more than that there is some cycle.
    pub(super) fn existence(self) -> Option<&'static Existence> {
        EXISTENCES.iter().find(|existence| existence.anomaly == self)
    }

    /// What it is, for people.
    pub(super) fn in_plain_words(self) -> String {
        if let Some(existence) = self.existence() {
            return format!("transactions depend on each other in a circle, as they may not under {}", existence.model);
        }
        let (name, order) = match self.name().strip_suffix("-process") {
            Some(name) => (name, ", where each process does one thing after another"),
            None => match self.name().strip_suffix("-realtime") {
                Some(name) => (name, ", where what ended comes before what began later"),
                None => (self.name(), ""),
            },
        };
        let plain = PLAIN.iter().find(|(known, _)| known.name() == name).map_or(name, |(_, plain)| plain);
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
        let known: Vec<_> =
            CLASSES.iter().map(|class| class.anomaly).chain(PLAIN.map(|(anomaly, _)| anomaly)).collect();
        let (mut by_name, mut by_order) = (known.clone(), known);
        by_name.sort_by_key(of);
        by_order.sort();
        assert_eq!(by_name, by_order);
        assert!(by_order.iter().all(|anomaly| !anomaly.in_plain_words().starts_with(anomaly.name())));
    }

    #[test]
    fn a_case_is_searched_before_what_it_is_a_case_of() {
        for (place, class) in CLASSES.iter().enumerate() {
            let implied = implied_by([class.anomaly]);
            let earlier = CLASSES[..place].iter().find(|earlier| implied.contains(&earlier.anomaly));
            assert!(earlier.is_none(), "{class:?} after {earlier:?}");
        }
    }

    #[test]
    fn cycles_are_classified_by_their_edges() {
        for (labels, expected) in [
            (&[WW, WW][..], "G0"),
            (&[WW, WR], "G1c"),
            (&[RW, WR], "G-single-item"),
            (&[RW, WW, RW, WR], "G-nonadjacent-item"),
            (&[RW, RW], "G2-item"),
            (&[RW, WW, RW], "G2-item"),
            (&[WW, PROCESS], "G0-process"),
            (&[WR, REALTIME], "G1c-realtime"),
            (&[RW, REALTIME, PROCESS], "G-single-item-realtime"),
            (&[RW, PROCESS, RW, WR], "G-nonadjacent-item-process"),
            (&[RW, RW, REALTIME], "G2-item-realtime"),
        ] {
            assert_eq!(classify(labels).name(), expected, "{labels:?}");
        }
    }
}
