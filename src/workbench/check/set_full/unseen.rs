//! What Maelstrom passes over in reads of a growing set (protocol §13.3), as a verdict of our own beside its.
//!
//! Its test for values listed twice never fires, it skips values that nobody adds and forgives those whose add failed
//! (by the protocol that means "never", §2.4; an add of unknown outcome may be read), and of the reads at the end only
//! the last invoked decides, so that a value may be missing on every other node.

use std::collections::{BTreeMap, HashMap};

use super::{Elements, Outcome};
use crate::workbench::check::ids::Ids;
use crate::workbench::edn::{Identity, Value};
use crate::workbench::history::{History, Process};

/// How many cases of a kind are told in words.
const MAX_TOLD: usize = 3;

/// g-set does not mark its final reads. They follow ten seconds of quiet; clocks are granted one of them.
const QUIET_NS: i64 = 9_000_000_000;

/// Values that stood more than once in a read, by their numbers.
#[derive(Default)]
pub(super) struct Copies(BTreeMap<usize, Copied>);

struct Copied {
    /// The last read with copies, and how many it has so far.
    read: usize,
    times: usize,
    /// The most there were in one read, and where that ended.
    most: usize,
    position: usize,
}

impl Copies {
    /// A read, the one completed at `position`, has a value once more.
    pub(super) fn add(&mut self, id: usize, read: usize, position: usize) {
        let copied = self.0.entry(id).or_insert(Copied { read, times: 1, most: 0, position });
        if copied.read != read {
            (copied.read, copied.times) = (read, 1);
        }
        copied.times += 1;
        if copied.times > copied.most {
            (copied.most, copied.position) = (copied.times, position);
        }
    }
}

/// Values that nobody had begun to add when a read listed them.
#[derive(Default)]
pub(super) struct Strangers {
    ids: Ids,
    /// With each the position of the first read that listed it, and the number of the last.
    seen: Vec<(Value, usize, usize)>,
    copies: Copies,
}

impl Strangers {
    pub(super) fn see(&mut self, value: &Value, read: usize, position: usize) {
        let id = self.ids.intern(value);
        match self.seen.get_mut(id) {
            None => self.seen.push((value.clone(), position, read)),
            Some((_, _, last)) if *last == read => self.copies.add(id, read, position),
            Some((_, _, last)) => *last = read,
        }
    }
}

/// Which reads show what each node has in the end.
pub(super) enum Finals {
    Marked,
    /// Those invoked from this time on.
    From(i64),
}

impl Finals {
    pub(super) fn of(history: &History) -> Self {
        let ops = history.ops();
        if ops.iter().any(|op| op.f == "read" && op.is_final()) {
            return Self::Marked;
        }
        let last = ops.iter().rev().find(|op| !op.is_client() || op.f != "read");
        Self::From(last.map_or(0, |op| op.time).saturating_add(QUIET_NS))
    }

    pub(super) fn have(&self, history: &History, invocation: usize) -> bool {
        let op = &history.ops()[invocation];
        match self {
            Self::Marked => op.is_final(),
            Self::From(time) => op.time >= *time,
        }
    }
}

/// What may be wrong with the elements of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAnomaly {
    /// A read lists a value more than once.
    Duplicated,
    /// A read lists a value that nobody had begun to add.
    Invented,
    /// A read lists a value whose add failed.
    Failed,
    /// A final read misses a value that was known.
    Missing,
}

impl SetAnomaly {
    /// The name in the results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicated => "duplicated",
            Self::Invented => "invented",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }

    /// For people.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Duplicated => "values given more than once",
            Self::Invented => "values that nobody had added",
            Self::Failed => "values whose adds failed, and which were read all the same",
            Self::Missing => "values that a final read missed",
        }
    }
}

/// The values with one anomaly, in their order if they have one.
#[derive(Debug, Clone, PartialEq)]
pub struct Unseen {
    /// The anomaly.
    pub anomaly: SetAnomaly,
    /// Each value once.
    pub cases: Vec<SetCase>,
}

/// A value with an anomaly.
#[derive(Debug, Clone, PartialEq)]
pub struct SetCase {
    /// The value.
    pub value: Value,
    /// How often it stands in the read.
    pub times: usize,
    /// Who completed the read that shows it, and at which index of the history.
    pub read: (Process, u64),
}

impl Unseen {
    /// A sentence for each of the first cases.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        self.cases.iter().take(MAX_TOLD).map(|case| {
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

    /// The values; of those listed more than once, with how often.
    pub(super) fn to_edn(&self) -> Value {
        let values = self.cases.iter().map(|case| case.value.clone());
        if self.anomaly == SetAnomaly::Duplicated {
            let times = self.cases.iter().map(|case| Value::count(case.times));
            return Value::Map(values.zip(times).collect());
        }
        Value::List(values.collect())
    }
}

/// A value, the position of the read that shows what is wrong with it, and how often it stands there.
struct Case {
    value: Value,
    position: usize,
    times: usize,
}

/// What is wrong that Maelstrom passes over, each anomaly only if there is any.
pub(super) fn find(history: &History, elements: &Elements<'_>) -> Vec<Unseen> {
    let ids = || 0..elements.value.len();
    let case = |id: usize, position: usize| Case { value: elements.value[id].clone(), position, times: 1 };
    // Without an acknowledgement only a read can have made it known.
    let failed = ids().filter(|id| elements.known[*id] > 0 && elements.failed[*id] == elements.begun[*id]);
    let failed = failed.map(|id| case(id, elements.known[id] - 1));
    let missing = ids().filter(|id| elements.missed[*id] > 0 && elements.outcome(*id) != Outcome::Lost);
    let missing = missing.map(|id| case(id, elements.missed[id] - 1));
    let strangers = &elements.strangers;
    let invented = strangers.seen.iter();
    let invented = invented.map(|(value, position, _)| Case { value: value.clone(), position: *position, times: 1 });
    let found = [
        (SetAnomaly::Duplicated, copied(elements, strangers)),
        (SetAnomaly::Invented, invented.collect()),
        (SetAnomaly::Failed, failed.collect()),
        (SetAnomaly::Missing, missing.collect()),
    ];
    let shown = |Case { value, position, times }: Case| {
        let op = &history.ops()[position];
        SetCase { value, times, read: (op.process, op.index) }
    };
    let found = found.into_iter().filter(|(_, cases)| !cases.is_empty());
    found.map(|(anomaly, cases)| Unseen { anomaly, cases: in_order(cases).into_iter().map(shown).collect() }).collect()
}

fn copied(elements: &Elements<'_>, strangers: &Strangers) -> Vec<Case> {
    let case =
        |value: &Value, copied: &Copied| Case { value: value.clone(), position: copied.position, times: copied.most };
    let added = elements.copies.0.iter().map(|(id, copied)| case(elements.value[*id], copied));
    let others = strangers.copies.0.iter().map(|(id, copied)| case(&strangers.seen[*id].0, copied));
    added.chain(others).collect()
}

/// Each value once, the most frequent case of it, in the order of the values if they have one.
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
