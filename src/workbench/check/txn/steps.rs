//! What the two workloads have in common: how a case is written, and the anomalies that neither lists nor registers
//! make special.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::findings::Findings;
use super::transactions::{Action, Transactions};
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
        self.history.ops()[self.transactions.of(number).end].to_value()
    }

    /// A step of a transaction.
    pub(super) fn mop(self, number: u32, place: usize) -> Value {
        let op = &self.history.ops()[self.transactions.of(number).end];
        op.value.items().and_then(|mut steps| steps.nth(place)).map_or(Value::Nil, std::borrow::Cow::into_owned)
    }

    /// A transaction for people: its process, its place in the history, and its steps.
    pub(super) fn name(self, number: u32) -> String {
        let op = &self.history.ops()[self.transactions.of(number).end];
        format!("process {}'s transaction {} {}", op.process.to_value(), op.index, op.value)
    }

    /// A sentence about what a step read.
    pub(super) fn says(self, number: u32, place: usize, what: &str) -> String {
        format!("{} read in {} {what}", self.name(number), self.mop(number, place))
    }

    /// A read of what its writer undid or had not finished.
    pub(super) fn dirty(self, number: u32, place: usize, writer: u32, element: Option<u32>) -> Value {
        let mut case = vec![("op", self.op(number)), ("mop", self.mop(number, place)), ("writer", self.op(writer))];
        case.extend(element.map(|element| ("element", self.transactions.value(element).clone())));
        super::record(case)
    }

    /// A read that disagrees with the steps before it.
    pub(super) fn internal(self, number: u32, place: usize, expected: Value) -> Value {
        Value::record([("op", self.op(number)), ("mop", self.mop(number, place)), ("expected", expected)])
    }

    /// Values in acknowledged reads that nobody ever tried to write.
    pub(super) fn invented(self) -> Vec<Case> {
        let written: HashSet<(u32, u32)> = self.transactions.writes().map(|(key, value, _)| (key, value)).collect();
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
                    let text = self.says(number, place, &format!("{name}, which nobody ever wrote to key {key}"));
                    cases.push(Case { what: format!("{name} at key {key}"), value, text });
                }
            }
        }
        cases
    }
}

/// Who wrote a value and failed.
pub(super) fn aborted(transactions: &Transactions) -> HashMap<(u32, u32), u32> {
    let failed = transactions.writes().filter(|(.., writer)| transactions.of(*writer).kind == Kind::Fail);
    failed.map(|(key, value, writer)| ((key, value), writer)).collect()
}

/// Who wrote a value and in the same transaction another one to the same key after it.
pub(super) fn intermediate(transactions: &Transactions) -> HashMap<(u32, u32), u32> {
    let mut found = HashMap::new();
    let mut last: HashMap<(u32, u32), u32> = HashMap::new();
    for (key, value, writer) in transactions.writes() {
        if let Some(earlier) = last.insert((key, writer), value) {
            found.insert((key, earlier), writer);
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
            let first =
                format!("these read key {key} as {value} and overwrote it, so that only one update has an effect:");
            std::iter::once(first).chain(names).collect()
        };
        let case = [("key", key.clone()), ("value", value.clone()), ("txns", Value::Vector(ops.collect()))];
        findings.add("lost-update", Value::record(case), text);
    }
}
