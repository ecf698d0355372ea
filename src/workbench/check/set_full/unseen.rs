//! What Maelstrom passes over in reads of a growing set (protocol §13.3), as a verdict of our own beside its.
//!
//! Its test for values listed twice never fires, it skips values that nobody adds and forgives those whose add failed
//! (by the protocol that means "never", §2.4; an add of unknown outcome may be read), and of the reads at the end only
//! the last invoked decides, so that a value may be missing on every other node.

use std::collections::{BTreeMap, HashMap};

use super::{Elements, Outcome};
use crate::workbench::check::ids::Ids;
use crate::workbench::edn::Value;
use crate::workbench::history::History;

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

/// A value, the position of the read that shows what is wrong with it, and how often it stands there.
struct Case {
    value: Value,
    position: usize,
    times: usize,
}

/// Whether anything is wrong that Maelstrom passes over, and what, each kind only if there is any.
pub(super) fn verdict(history: &History, elements: &Elements<'_>) -> Value {
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
    let kinds: [(&str, Vec<Case>); 4] = [
        ("duplicated", copied(elements, strangers)),
        ("invented", invented.collect()),
        ("failed", failed.collect()),
        ("missing", missing.collect()),
    ];
    let mut entries = vec![(Value::keyword("valid?"), kinds.iter().all(|(_, cases)| cases.is_empty()).into())];
    let mut told = Vec::new();
    for (kind, cases) in kinds.into_iter().filter(|(_, cases)| !cases.is_empty()) {
        let cases = in_order(cases);
        let words = cases.iter().take(MAX_TOLD).map(|case| Value::Vector(vec![Value::str(words(kind, case, history))]));
        told.push((Value::keyword(kind), Value::Vector(words.collect())));
        let listed = if kind == "duplicated" {
            Value::Map(cases.into_iter().map(|case| (case.value, Value::count(case.times))).collect())
        } else {
            Value::List(cases.into_iter().map(|case| case.value).collect())
        };
        entries.push((Value::keyword(kind), listed));
    }
    if !told.is_empty() {
        entries.push((Value::keyword("in-words"), Value::Map(told)));
    }
    Value::Map(entries)
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
    let mut by_value: HashMap<String, Case> = HashMap::with_capacity(cases.len());
    for case in cases {
        let name = case.value.fingerprint();
        if by_value.get(&name).is_none_or(|other| other.times < case.times) {
            let value = case.value.clone();
            if by_value.insert(name, case).is_none() {
                order.push(value);
            }
        }
    }
    let order = Value::sorted(order.clone()).unwrap_or(order);
    order.iter().filter_map(|value| by_value.remove(&value.fingerprint())).collect()
}

fn words(kind: &str, case: &Case, history: &History) -> String {
    let Case { value, position, times } = case;
    let op = &history.ops()[*position];
    let read = format!("the read that process {} completed at index {}", op.process.to_value(), op.index);
    match kind {
        "duplicated" => format!("duplicated: {value} stands {times} times in {read}"),
        "invented" => format!("invented: {value} is in {read}, before anyone began to add it, if anyone ever did"),
        "failed" => format!("failed: {value} is in {read}, but its add failed, which means that it never happens"),
        _ => format!("missing: {value} was known before the last reads began, but {read} has it not"),
    }
}
