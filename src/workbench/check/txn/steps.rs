//! What the two workloads have in common: how a case is written, and the anomalies that neither lists nor registers
//! make special.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::findings::Findings;
use super::transactions::{Action, Step, Transactions};
use super::{Case, Subject};
use crate::workbench::edn::Value;
use crate::workbench::history::Kind;

/// Why a transaction depends on another: a key, the value that both know, the value that took its place, and the
/// steps that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) key: u32,
    /// None is the initial state.
    pub(super) value: Option<u32>,
    pub(super) next: Option<u32>,
    pub(super) from: Option<usize>,
    pub(super) to: Option<usize>,
}

impl Subject<'_> {
    /// A transaction as the history records its end.
    pub(super) fn op(self, number: u32) -> Value {
        self.at(self.transactions.of(number).end)
    }

    /// What stands at a place of the history.
    fn at(self, position: usize) -> Value {
        self.history.ops()[position].to_value()
    }

    /// A step of a transaction.
    pub(super) fn mop(self, number: u32, place: usize) -> Value {
        let op = &self.history.ops()[self.transactions.of(number).end];
        op.value.items().and_then(|mut steps| steps.nth(place)).map_or(Value::Nil, std::borrow::Cow::into_owned)
    }

    /// A transaction for people: its process, its place in the history, and its steps.
    pub(super) fn name(self, number: u32) -> String {
        self.name_at(self.transactions.of(number).end)
    }

    /// The same of a transaction that began or ended at a place of the history.
    pub(super) fn name_at(self, position: usize) -> String {
        let op = &self.history.ops()[position];
        format!("process {}'s transaction {} {}", op.process.to_value(), op.index, quoted(&op.value))
    }

    /// A sentence about what a step read.
    pub(super) fn says(self, number: u32, place: usize, what: &str) -> String {
        let step = self.mop(number, place);
        let part = |place: usize| step.items().and_then(|mut parts| parts.nth(place)).map(|part| quoted(&part));
        let (key, seen) = (part(1).unwrap_or_default(), part(2).unwrap_or_default());
        format!("{}, step {}: read key {key} as {seen}, {what}", self.name(number), place + 1)
    }

    /// A read of what its writer, at a place of the history, undid or had not finished.
    pub(super) fn dirty(self, number: u32, place: usize, writer: usize, element: Option<u32>) -> Value {
        let mut case = vec![("op", self.op(number)), ("mop", self.mop(number, place)), ("writer", self.at(writer))];
        case.extend(element.map(|element| ("element", self.transactions.value(element).clone())));
        super::record(case)
    }

    /// A read that disagrees with the steps before it.
    pub(super) fn internal(self, number: u32, place: usize, expected: Value) -> Value {
        Value::record([("op", self.op(number)), ("mop", self.mop(number, place)), ("expected", expected)])
    }

    /// Values in acknowledged reads that nobody was ever asked to write, or said to have written.
    pub(super) fn invented(self) -> Vec<Case> {
        let mut written: HashSet<(u32, u32)> = HashSet::new();
        for (_, steps) in self.transactions.attempts() {
            written.extend(writes(steps));
        }
        let mut cases = Vec::new();
        let mut told = HashSet::new();
        for (number, transaction) in self.transactions.acknowledged() {
            for (place, step) in transaction.steps.iter().enumerate() {
                let Action::Read(Some(seen)) = &step.action else { continue };
                for value in seen.iter().filter(|value| !written.contains(&(step.key, **value))) {
                    if !told.insert((step.key, *value)) {
                        continue;
                    }
                    let (key, name) = (self.transactions.key(step.key), self.transactions.value(*value));
                    let value = Value::record([
                        ("op", self.op(number)),
                        ("mop", self.mop(number, place)),
                        ("key", key.clone()),
                        ("value", name.clone()),
                    ]);
                    let text = self.says(number, place, &format!("but nobody ever wrote {} to it", quoted(name)));
                    cases.push(Case { value, text });
                }
            }
        }
        cases
    }
}

/// So many letters of a value are quoted: more than a usual transaction has.
const MAX_QUOTE: usize = 600;

/// A value as nodes write it, or its beginning.
pub(super) fn quoted(value: &Value) -> String {
    let text = value.to_json();
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The keys and values that steps write.
pub(super) fn writes(steps: &[Step]) -> impl Iterator<Item = (u32, u32)> {
    steps.iter().filter_map(|step| if let Action::Write(value) = step.action { Some((step.key, value)) } else { None })
}

/// Where in the history the transaction failed that wrote a value.
pub(super) fn aborted(transactions: &Transactions) -> HashMap<(u32, u32), usize> {
    let failed = transactions.all.iter().filter(|transaction| transaction.kind == Kind::Fail);
    failed.flat_map(|failed| writes(&failed.steps).map(|write| (write, failed.end))).collect()
}

/// Where in the history a transaction wrote a value, and after it another one to the same key. What it was asked for
/// counts as much as what its answer says, and of several the last counts.
pub(super) fn intermediate(transactions: &Transactions) -> HashMap<(u32, u32), usize> {
    let mut found = HashMap::new();
    for (position, steps) in transactions.attempts() {
        let mut last: HashMap<u32, u32> = HashMap::new();
        for (key, value) in writes(steps) {
            if let Some(earlier) = last.insert(key, value).filter(|earlier| !transactions.is_nothing(*earlier)) {
                found.insert((key, earlier), position);
            }
        }
    }
    found
}

/// Adds the values that two or more acknowledged transactions read and then overwrote.
pub(super) fn lost_updates(subject: Subject<'_>, findings: &mut Findings<'_>) {
    let transactions = subject.transactions;
    let mut groups: BTreeMap<(u32, Option<&[u32]>), Vec<u32>> = BTreeMap::new();
    for (number, transaction) in transactions.acknowledged() {
        let mut reads: HashMap<u32, Option<&[u32]>> = HashMap::new();
        let mut written = HashSet::new();
        for step in &transaction.steps {
            match &step.action {
                Action::Read(seen) => {
                    reads.entry(step.key).or_insert(seen.as_deref());
                }
                Action::Write(_) => {
                    if let Some(read) = reads.get(&step.key)
                        && written.insert(step.key)
                    {
                        groups.entry((step.key, *read)).or_default().push(number);
                    }
                }
            }
        }
    }
    for ((key, read), group) in groups.into_iter().filter(|(_, group)| group.len() > 1) {
        let key = transactions.key(key);
        let value = match (read, subject.dialect.is_list()) {
            (None, _) => Value::Nil,
            (Some(list), true) => transactions.list(list),
            (Some(value), false) => value.first().map_or(Value::Nil, |value| transactions.value(*value).clone()),
        };
        let ops = group.iter().map(|number| subject.op(*number));
        let text = || {
            let names = group.iter().map(|number| format!("  {}", subject.name(*number)));
            let (key, value) = (quoted(key), quoted(&value));
            let first =
                format!("these read key {key} as {value} and overwrote it, so that only one update has an effect:");
            std::iter::once(first).chain(names).collect()
        };
        let case = [("key", key.clone()), ("value", value.clone()), ("txns", Value::Vector(ops.collect()))];
        findings.add("lost-update", Value::record(case), text);
    }
}
