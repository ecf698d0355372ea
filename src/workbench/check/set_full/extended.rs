//! Extended checks of a growing set: anomalies that Maelstrom does not report (protocol §13.3).
//!
//! Maelstrom's check for duplicates never fires; it ignores values that were never added and accepts those whose add
//! failed (which by §2.4 means that it never happens; an add of unknown outcome may be read); and of the final reads
//! only the one invoked last decides, so that a value may be missing on every other node.

use std::collections::BTreeMap;

use super::{Element, Elements, Outcome};
use crate::workbench::check::interner::Interner;
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Process};

/// The maximum number of cases of an anomaly that are explained in words.
const MAX_EXPLAINED: usize = 3;

/// g-set does not mark its final reads, which follow ten seconds without operations; one second allows for clock skew.
const QUIET_NS: i64 = 9_000_000_000;

/// Values that occurred more than once in a read, by their ids.
#[derive(Default)]
pub(super) struct Duplicates(BTreeMap<usize, Duplicate>);

struct Duplicate {
    /// The last read in which the value is duplicated, and how often it has occurred there so far.
    read: usize,
    times: usize,
    /// The maximum in one read, and the position at which that read completed.
    most: usize,
    position: usize,
}

impl Duplicates {
    /// Counts a further occurrence of a value in a read, completed at `position`.
    pub(super) fn add(&mut self, id: usize, read: usize, position: usize) {
        let copied = self.0.entry(id).or_insert(Duplicate { read, times: 1, most: 0, position });
        if copied.read != read {
            (copied.read, copied.times) = (read, 1);
        }
        copied.times += 1;
        if copied.times > copied.most {
            (copied.most, copied.position) = (copied.times, position);
        }
    }
}

/// Values whose add had not been invoked when a read returned them.
#[derive(Default)]
pub(super) struct Invented {
    ids: Interner,
    /// For each the position of the first read that returned it, and the number of the last.
    seen: Vec<(usize, usize)>,
    duplicates: Duplicates,
}

impl Invented {
    pub(super) fn see(&mut self, value: &Value, read: usize, position: usize) {
        let id = self.ids.intern(value);
        match self.seen.get_mut(id) {
            None => self.seen.push((position, read)),
            Some((_, last)) if *last == read => self.duplicates.add(id, read, position),
            Some((_, last)) => *last = read,
        }
    }
}

/// Which reads return the final state of each node.
pub(super) enum FinalReads {
    /// Those with `:final? true`.
    Marked,
    /// Those invoked from this time on.
    From(i64),
}

impl FinalReads {
    pub(super) fn of(history: &History) -> Self {
        let ops = history.ops();
        if ops.iter().any(|op| op.f == "read" && op.is_final()) {
            return Self::Marked;
        }
        let last = ops.iter().rev().find(|op| !op.is_client() || op.f != "read");
        Self::From(last.map_or(0, |op| op.time).saturating_add(QUIET_NS))
    }

    pub(super) fn contain(&self, history: &History, invocation: usize) -> bool {
        let op = &history.ops()[invocation];
        match self {
            Self::Marked => op.is_final(),
            Self::From(time) => op.time >= *time,
        }
    }
}

anomalies! {
    /// The anomalies of a set that Maelstrom does not report.
    SetAnomaly {
        /// A read returned a value more than once.
        Duplicated = "duplicated",
        /// A read returned a value whose add had not been invoked.
        Invented = "invented",
        /// A read returned a value whose add failed.
        Failed = "failed",
        /// A final read missed a value that was known.
        Missing = "missing",
    }
}

impl SetAnomaly {
    /// A description for the summary.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Duplicated => "values given more than once",
            Self::Invented => "values that nobody had added",
            Self::Failed => "values whose adds failed, and which were read all the same",
            Self::Missing => "values that a final read missed",
        }
    }
}

/// The values with an anomaly, sorted if they can be.
#[derive(Debug, Clone, PartialEq)]
pub struct SetViolation {
    /// The anomaly.
    pub anomaly: SetAnomaly,
    /// One case for each value.
    pub cases: Vec<SetCase>,
}

/// A value with an anomaly.
#[derive(Debug, Clone, PartialEq)]
pub struct SetCase {
    /// The value.
    pub value: Value,
    /// How often it occurs in the read.
    pub times: usize,
    /// The process of the read that shows it, and the index of its completion.
    pub read: (Process, u64),
}

impl SetViolation {
    /// A sentence for each of the first cases.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        self.cases.iter().take(MAX_EXPLAINED).map(|case| {
            let SetCase { value, times, read: (process, index) } = case;
            let (name, value) = (self.anomaly.name(), value.to_json());
            let read = format!("the read that process {} completed at index {index}", process.to_value());
            match self.anomaly {
                SetAnomaly::Duplicated => format!("{name}: {value} stands {times} times in {read}"),
                SetAnomaly::Invented => {
                    format!("{name}: {value} is in {read}, before anyone began to add it, if anyone ever did")
                }
                SetAnomaly::Failed => {
                    format!("{name}: {value} is in {read}, but its add failed, which means that it never happens")
                }
                SetAnomaly::Missing => {
                    format!("{name}: {value} was known before the last reads began, but {read} has it not")
                }
            }
        })
    }

    /// The values, of duplicates with their counts.
    pub(super) fn to_edn(&self) -> Value {
        let values = self.cases.iter().map(|case| case.value.clone());
        if self.anomaly == SetAnomaly::Duplicated {
            let times = self.cases.iter().map(|case| Value::count(case.times));
            return Value::Map(values.zip(times).collect());
        }
        Value::List(values.collect())
    }
}

/// The violations, one for each anomaly that occurs.
pub(super) fn find(history: &History, elements: &Elements) -> Vec<SetViolation> {
    let Elements { ids, all, invented, duplicates, .. } = elements;
    let case = |value: &Value, position: usize, times: usize| {
        let op = &history.ops()[position];
        SetCase { value: value.clone(), times, read: (op.process, op.index) }
    };
    let duplicated = |ids: &Interner, duplicates: &Duplicates| {
        let case = |(id, duplicate): (&usize, &Duplicate)| case(&ids[*id], duplicate.position, duplicate.most);
        duplicates.0.iter().map(case).collect::<Vec<_>>()
    };
    // Since no add was acknowledged, only a read can have made it known.
    let failed = |element: &Element| if element.failed == element.begun { element.known } else { 0 };
    let missed = |element: &Element| if element.outcome() == Outcome::Lost { 0 } else { element.missed };
    let of_elements = |shown_by: &dyn Fn(&Element) -> usize| {
        let shown = ids
            .values()
            .iter()
            .zip(all)
            .filter_map(|(value, element)| Some((value, shown_by(element).checked_sub(1)?)));
        shown.map(|(value, position)| case(value, position, 1)).collect()
    };
    let first_reads = invented.ids.values().iter().zip(&invented.seen);
    let found = [
        (
            SetAnomaly::Duplicated,
            [duplicated(ids, duplicates), duplicated(&invented.ids, &invented.duplicates)].concat(),
        ),
        (SetAnomaly::Invented, first_reads.map(|(value, (position, _))| case(value, *position, 1)).collect()),
        (SetAnomaly::Failed, of_elements(&failed)),
        (SetAnomaly::Missing, of_elements(&missed)),
    ];
    let found = found.into_iter().filter(|(_, cases)| !cases.is_empty());
    found.map(|(anomaly, cases)| SetViolation { anomaly, cases: in_order(cases) }).collect()
}

/// For each value its most frequent case, sorted by value if the values can be.
fn in_order(cases: Vec<SetCase>) -> Vec<SetCase> {
    let mut ids = Interner::default();
    let mut worst: Vec<SetCase> = Vec::with_capacity(cases.len());
    for case in cases {
        match worst.get_mut(ids.intern(&case.value)) {
            None => worst.push(case),
            Some(other) if other.times < case.times => *other = case,
            Some(_) => {}
        }
    }
    match Value::sorted(ids.values().to_vec()) {
        Ok(order) => order.iter().filter_map(|value| ids.of(value).map(|id| worst[id].clone())).collect(),
        Err(_) => worst,
    }
}
