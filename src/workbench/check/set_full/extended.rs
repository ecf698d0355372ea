//! Extended checks of a growing set: anomalies that Maelstrom does not report (protocol §13.3).
//!
//! Maelstrom's check for duplicates never fires; it ignores values that were never added and accepts those whose add
//! failed (which by §2.4 means that it never happens; an add of unknown outcome may be read); and of the final reads
//! only the one invoked last decides, so that a value may be missing on every other node.

use std::collections::{BTreeMap, HashMap};

use super::{Elements, Outcome};
use crate::workbench::check::ids::Ids;
use crate::workbench::edn::{Identity, Value};
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
    ids: Ids,
    /// Each with the position of the first read that returned it, and the number of the last.
    seen: Vec<(Value, usize, usize)>,
    duplicates: Duplicates,
}

impl Invented {
    pub(super) fn see(&mut self, value: &Value, read: usize, position: usize) {
        let id = self.ids.intern(value);
        match self.seen.get_mut(id) {
            None => self.seen.push((value.clone(), position, read)),
            Some((_, _, last)) if *last == read => self.duplicates.add(id, read, position),
            Some((_, _, last)) => *last = read,
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

/// A value, the position of the read that shows the anomaly, and how often the value occurs there.
struct Case {
    value: Value,
    position: usize,
    times: usize,
}

/// The violations, one for each anomaly that occurs.
pub(super) fn find(history: &History, elements: &Elements<'_>) -> Vec<SetViolation> {
    let ids = || 0..elements.value.len();
    let case = |id: usize, position: usize| Case { value: elements.value[id].clone(), position, times: 1 };
    // Since no add was acknowledged, only a read can have made it known.
    let failed = ids().filter(|id| elements.known[*id] > 0 && elements.failed[*id] == elements.begun[*id]);
    let failed = failed.map(|id| case(id, elements.known[id] - 1));
    let missing = ids().filter(|id| elements.missed[*id] > 0 && elements.outcome(*id) != Outcome::Lost);
    let missing = missing.map(|id| case(id, elements.missed[id] - 1));
    let never_added = &elements.invented;
    let invented = never_added.seen.iter();
    let invented = invented.map(|(value, position, _)| Case { value: value.clone(), position: *position, times: 1 });
    let found = [
        (SetAnomaly::Duplicated, duplicated(elements, never_added)),
        (SetAnomaly::Invented, invented.collect()),
        (SetAnomaly::Failed, failed.collect()),
        (SetAnomaly::Missing, missing.collect()),
    ];
    let shown = |Case { value, position, times }: Case| {
        let op = &history.ops()[position];
        SetCase { value, times, read: (op.process, op.index) }
    };
    let found = found.into_iter().filter(|(_, cases)| !cases.is_empty());
    found
        .map(|(anomaly, cases)| SetViolation { anomaly, cases: in_order(cases).into_iter().map(shown).collect() })
        .collect()
}

fn duplicated(elements: &Elements<'_>, invented: &Invented) -> Vec<Case> {
    let case = |value: &Value, &Duplicate { position, most, .. }: &Duplicate| Case {
        value: value.clone(),
        position,
        times: most,
    };
    let added = elements.duplicates.0.iter().map(|(id, duplicate)| case(elements.value[*id], duplicate));
    let others = invented.duplicates.0.iter().map(|(id, duplicate)| case(&invented.seen[*id].0, duplicate));
    added.chain(others).collect()
}

/// For each value its most frequent case, sorted by value if the values can be.
fn in_order(cases: Vec<Case>) -> Vec<Case> {
    let mut order = Vec::with_capacity(cases.len());
    let mut by_value: HashMap<Identity, Case> = HashMap::with_capacity(cases.len());
    for case in cases {
        let name = case.value.identity();
        if by_value.get(&name).is_none_or(|other| other.times < case.times) {
            let value = case.value.clone();
            if by_value.insert(name, case).is_none() {
                order.push(value);
            }
        }
    }
    let order = Value::sorted(order.clone()).unwrap_or(order);
    order.iter().filter_map(|value| by_value.remove(&value.identity())).collect()
}
