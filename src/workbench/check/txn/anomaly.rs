//! Anomalies: which is a special case of which, and which cycles make which.

use std::collections::BTreeMap;

use super::graph::{PROCESS, REALTIME, RW, WR, WW};
use super::models::Names;

/// Each anomaly with those that it is a case of.
const IMPLIED: [(&str, &[&str]); 30] = [
    ("G0", &["G1c", "G0-process"]),
    ("G0-process", &["G1c-process", "G0-realtime"]),
    ("G0-realtime", &["G1c-realtime"]),
    ("G1a", &["G1"]),
    ("G1b", &["G1"]),
    ("G1c", &["G1", "G1c-process"]),
    ("G1c-process", &["G1c-realtime", "G1-process"]),
    ("G1c-realtime", &["G1-realtime"]),
    ("G1", &["G1-process"]),
    ("G1-process", &["G1-realtime"]),
    ("G-single-item", &["G-single", "G-single-item-process", "G-nonadjacent-item"]),
    ("G-single-item-process", &["G-single-process", "G-single-item-realtime", "G-nonadjacent-item-process"]),
    ("G-single-item-realtime", &["G-single-realtime", "G-nonadjacent-item-realtime"]),
    ("G-single", &["G-nonadjacent", "G-single-process"]),
    ("G-single-process", &["G-nonadjacent-process", "G-single-realtime"]),
    ("G-single-realtime", &["G-nonadjacent-realtime"]),
    ("G-nonadjacent-item", &["G-nonadjacent", "G2-item", "G-nonadjacent-item-process"]),
    ("G-nonadjacent-item-process", &["G-nonadjacent-process", "G2-item-process", "G-nonadjacent-item-realtime"]),
    ("G-nonadjacent-item-realtime", &["G2-item-realtime", "G-nonadjacent-realtime"]),
    ("G-nonadjacent", &["G2", "G-nonadjacent-process"]),
    ("G-nonadjacent-process", &["G2-process", "G-nonadjacent-realtime"]),
    ("G-nonadjacent-realtime", &["G2-realtime"]),
    ("G2", &["G2-process"]),
    ("G2-item", &["G2", "G2-item-process"]),
    ("G2-item-process", &["G2-process", "G2-item-realtime"]),
    ("G2-item-realtime", &["G2-realtime"]),
    ("G2-process", &["G2-realtime"]),
    ("incompatible-order", &["G1a"]),
    ("future-read", &["G1c"]),
    ("dirty-update", &["G1a"]),
];

/// Lost update stands apart: it is a case of two things that no cycle search reports.
const LOST_UPDATE: (&str, &[&str]) = ("lost-update", &["G2-item", "G2"]);

fn relations() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    IMPLIED.into_iter().chain([LOST_UPDATE])
}

/// The anomalies and everything that they are cases of.
pub(super) fn implied_by(anomalies: impl IntoIterator<Item = &'static str>) -> Names {
    let mut found = Names::new();
    let mut open: Vec<_> = anomalies.into_iter().collect();
    while let Some(anomaly) = open.pop() {
        if found.insert(anomaly) {
            open.extend(relations().filter(|(name, _)| *name == anomaly).flat_map(|(_, implied)| implied));
        }
    }
    found
}

/// The anomalies and everything that is a case of one.
pub(super) fn implying(anomalies: impl IntoIterator<Item = &'static str>) -> Names {
    let mut found = Names::new();
    let mut open: Vec<_> = anomalies.into_iter().collect();
    while let Some(anomaly) = open.pop() {
        if found.insert(anomaly) {
            open.extend(relations().filter(|(_, implied)| implied.contains(&anomaly)).map(|(name, _)| name));
        }
    }
    found
}

/// How many edges of the kind read-write a cycle has.
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
    /// The anomaly's name.
    pub(super) name: &'static str,
    pub(super) antis: Antis,
    /// The labels an edge may have.
    pub(super) labels: u8,
    /// The label that some edge must have, through which to look for a cycle.
    pub(super) through: u8,
}

const fn class(name: &'static str, antis: Antis, labels: u8, through: u8) -> Class {
    Class { name, antis, labels, through }
}

const D: u8 = WW | WR;
const ALL: u8 = WW | WR | RW;

/// The classes in the order of the search: first those that are cases of others or worse, as Elle does.
pub(super) const CLASSES: [Class; 15] = [
    class("G-single-item", Antis::One, ALL, RW),
    class("G0", Antis::None, WW, WW),
    class("G-nonadjacent-item", Antis::Apart, ALL, RW),
    class("G1c", Antis::None, D, WR),
    class("G2-item", Antis::Adjacent, ALL, RW),
    class("G0-process", Antis::None, WW | PROCESS, PROCESS),
    class("G-single-item-process", Antis::One, ALL | PROCESS, RW),
    class("G-nonadjacent-item-process", Antis::Apart, ALL | PROCESS, RW),
    class("G1c-process", Antis::None, D | PROCESS, WR),
    class("G2-item-process", Antis::Adjacent, ALL | PROCESS, RW),
    class("G0-realtime", Antis::None, WW | REALTIME, REALTIME),
    class("G-single-item-realtime", Antis::One, ALL | REALTIME, RW),
    class("G-nonadjacent-item-realtime", Antis::Apart, ALL | REALTIME, RW),
    class("G1c-realtime", Antis::None, D | REALTIME, WR),
    class("G2-item-realtime", Antis::Adjacent, ALL | REALTIME, RW),
];

/// The anomaly that a cycle with these labels is.
pub(super) fn classify(labels: &[u8]) -> &'static str {
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
    CLASSES.iter().find(fits).map_or("G2", |class| class.name)
}

/// A model, and the labels that may not make a cycle under it; with `single` hops read-write edges may not follow
/// each other in that cycle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Existence {
    pub(super) anomaly: &'static str,
    pub(super) model: &'static str,
    pub(super) labels: u8,
    pub(super) hops: bool,
}

const fn existence(anomaly: &'static str, model: &'static str, labels: u8, hops: bool) -> Existence {
    Existence { anomaly, model, labels, hops }
}

/// What a cycle alone, of whatever class, rules out.
pub(super) const EXISTENCES: [Existence; 13] = [
    existence("PL-1-cycle-exists", "read-uncommitted", WW, false),
    existence("PL-2-cycle-exists", "read-committed", D, false),
    existence("PL-SI-cycle-exists", "snapshot-isolation", D, true),
    existence("PL-2.99-cycle-exists", "repeatable-read", ALL, false),
    existence("PL-3-cycle-exists", "serializable", ALL, false),
    existence("strong-session-PL-1-cycle-exists", "strong-session-read-uncommitted", WW | PROCESS, false),
    existence("strong-session-PL-2-cycle-exists", "strong-session-read-committed", D | PROCESS, false),
    existence("strong-session-snapshot-isolation-cycle-exists", "strong-session-snapshot-isolation", D | PROCESS, true),
    existence("strong-session-serializable-cycle-exists", "strong-session-serializable", ALL | PROCESS, false),
    existence("strong-PL-1-cycle-exists", "strong-read-uncommitted", WW | REALTIME, false),
    existence("strong-PL-2-cycle-exists", "strong-read-committed", D | REALTIME, false),
    existence("strong-snapshot-isolation-cycle-exists", "strong-snapshot-isolation", D | REALTIME, true),
    existence("PL-SS-cycle-exists", "strong-serializable", ALL | REALTIME, false),
];

/// What an anomaly is, for people.
pub(super) fn in_plain_words(anomaly: &str) -> String {
    if let Some(existence) = EXISTENCES.iter().find(|existence| existence.anomaly == anomaly) {
        return format!("transactions depend on each other in a circle, as they may not under {}", existence.model);
    }
    let (name, order) = match anomaly.strip_suffix("-process") {
        Some(name) => (name, ", where each process does one thing after another"),
        None => match anomaly.strip_suffix("-realtime") {
            Some(name) => (name, ", where what ended comes before what began later"),
            None => (anomaly, ""),
        },
    };
    let plain = PLAIN.iter().find(|(known, _)| *known == name).map_or(name, |(_, plain)| plain);
    format!("{plain}{order}")
}

const PLAIN: [(&str, &str); 17] = [
    ("G0", "transactions overwrote each other in a circle"),
    ("G1a", "a read saw what an aborted transaction wrote"),
    ("G1b", "a read saw another transaction halfway"),
    ("G1c", "transactions overwrote and read each other in a circle"),
    ("G-single-item", "a transaction saw some of what another wrote or followed, and missed the rest"),
    ("G-nonadjacent-item", "transactions missed each other's writes as no order of snapshots lets them"),
    ("G2-item", "transactions missed each other's writes in a circle"),
    ("internal", "a transaction did not see its own steps before"),
    ("lost-update", "transactions changed the same value, each as if it were alone"),
    ("future-read", "a transaction read what it wrote only later"),
    ("duplicate-elements", "a list has an element twice"),
    ("incompatible-order", "two reads of a list cannot both be right"),
    ("dirty-update", "an append stands upon one that was aborted"),
    ("cyclic-versions", "values of a key came after each other in a circle"),
    ("empty-transaction-graph", "no transaction depends on another, so there is nothing to judge"),
    ("invented-value", "a read saw what nobody ever wrote"),
    ("changed-answer", "an answer is not of the steps that were asked for"),
];

/// Anomalies by name, each with its cases.
pub(super) type Found = BTreeMap<&'static str, Vec<crate::workbench::edn::Value>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_searched_before_what_it_is_a_case_of() {
        for (place, class) in CLASSES.iter().enumerate() {
            let implied = implied_by([class.name]);
            let earlier = CLASSES[..place].iter().find(|earlier| implied.contains(earlier.name));
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
            assert_eq!(classify(labels), expected, "{labels:?}");
        }
    }
}
