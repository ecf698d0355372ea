//! What is wrong with lists without any cycle: reads of what was aborted or not finished, and of lists that cannot
//! all be.

use std::collections::{BTreeMap, HashMap};

use super::Append;
use crate::workbench::check::txn::Subject;
use crate::workbench::check::txn::findings::Findings;
use crate::workbench::check::txn::steps::{aborted, intermediate, lost_updates, quoted};
use crate::workbench::check::txn::transactions::{Action, Transaction};
use crate::workbench::edn::Value;
use crate::workbench::history::Kind;

/// Adds all of them.
pub(in super::super) fn find(append: &Append<'_>, subject: Subject<'_>, findings: &mut Findings<'_>) {
    let transactions = subject.transactions;
    let (aborted, intermediate) = (aborted(transactions), intermediate(transactions));
    for (number, transaction) in transactions.possible() {
        for (place, step) in transaction.steps.iter().enumerate() {
            let Action::Read(Some(list)) = &step.action else { continue };
            duplicates(subject, number, place, list, findings);
            if transaction.kind != Kind::Ok {
                continue;
            }
            for element in list {
                let Some(writer) = aborted.get(&(step.key, *element)) else { continue };
                let case = subject.dirty(number, place, *writer, Some(*element));
                findings.add("G1a", case, || {
                    let (element, writer) = (quoted(transactions.value(*element)), subject.name_at(*writer));
                    let what = format!("with the element {element} of {writer}, which was aborted");
                    vec![subject.says(number, place, &what)]
                });
            }
            let writer = list.last().and_then(|last| intermediate.get(&(step.key, *last)));
            if let Some(writer) = writer.filter(|writer| **writer != transaction.end) {
                let case = subject.dirty(number, place, *writer, list.last().copied());
                findings.add("G1b", case, || {
                    let what = format!("in the middle of {}, which goes on to append", subject.name_at(*writer));
                    vec![subject.says(number, place, &what)]
                });
            }
        }
        if transaction.kind == Kind::Ok {
            internal(subject, number, transaction, findings);
            future_read(subject, number, transaction, findings);
        }
    }
    incompatible_orders(append, subject, findings);
    dirty_updates(append, subject, findings);
    lost_updates(subject, findings);
}

fn duplicates(subject: Subject<'_>, number: u32, place: usize, list: &[u32], findings: &mut Findings<'_>) {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return;
    }
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for element in list {
        *counts.entry(*element).or_default() += 1;
    }
    let counts = counts.into_iter().filter(|(_, count)| *count > 1);
    let counts = counts.map(|(element, count)| (subject.transactions.value(element).clone(), Value::count(count)));
    let case = Value::record([
        ("op", subject.op(number)),
        ("mop", subject.mop(number, place)),
        ("duplicates", Value::Map(counts.collect())),
    ]);
    findings.add("duplicate-elements", case, || vec![subject.says(number, place, "which has an element twice")]);
}

/// What a transaction must find at a key: the end of the list, and whether that is all of it.
struct Expected {
    list: Vec<u32>,
    whole: bool,
}

fn internal(subject: Subject<'_>, number: u32, transaction: &Transaction, findings: &mut Findings<'_>) {
    let mut state: HashMap<u32, Option<Expected>> = HashMap::new();
    for (place, step) in transaction.steps.iter().enumerate() {
        match &step.action {
            Action::Write(element) => {
                let state = state.entry(step.key).or_insert(Some(Expected { list: vec![], whole: false }));
                state.get_or_insert(Expected { list: vec![], whole: true }).list.push(*element);
            }
            Action::Read(seen) => {
                let list = seen.as_deref().unwrap_or_default();
                if let Some(Some(expected)) = state.get(&step.key) {
                    let nil = seen.is_none() && expected.whole;
                    let agrees = if expected.whole { list == expected.list } else { list.ends_with(&expected.list) };
                    if !agrees || nil {
                        let unknown = (!expected.whole).then(|| Value::Symbol("...".into()));
                        let known = expected.list.iter().map(|value| subject.transactions.value(*value).clone());
                        let expected: Value = unknown.into_iter().chain(known).collect();
                        let text = format!("but its own steps before leave {}", quoted(&expected));
                        findings.add("internal", subject.internal(number, place, expected), || {
                            vec![subject.says(number, place, &text)]
                        });
                        return;
                    }
                }
                let known = seen.as_ref().map(|list| Expected { list: list.clone(), whole: true });
                state.insert(step.key, known);
            }
        }
    }
}

fn future_read(subject: Subject<'_>, number: u32, transaction: &Transaction, findings: &mut Findings<'_>) {
    for (later, step) in transaction.steps.iter().enumerate() {
        let Action::Write(element) = step.action else { continue };
        let read = transaction.steps[..later].iter().position(|read| {
            read.key == step.key && matches!(&read.action, Action::Read(Some(list)) if list.contains(&element))
        });
        if let Some(place) = read {
            let case = Value::record([
                ("op", subject.op(number)),
                ("mop", subject.mop(number, place)),
                ("element", subject.transactions.value(element).clone()),
            ]);
            findings.add("future-read", case, || {
                vec![subject.says(number, place, "which has an element that it appends only later")]
            });
            return;
        }
    }
}

fn incompatible_orders(append: &Append<'_>, subject: Subject<'_>, findings: &mut Findings<'_>) {
    for (key, lists) in &append.lists {
        let Some(pair) = lists.windows(2).find(|pair| !pair[1].starts_with(pair[0])) else { continue };
        let (transactions, key) = (subject.transactions, subject.transactions.key(*key));
        let (one, other) = (transactions.list(pair[0]), transactions.list(pair[1]));
        let text = format!(
            "key {} was read as {} and as {}, of which neither is the beginning of the other",
            quoted(key),
            quoted(&one),
            quoted(&other)
        );
        let case = Value::record([("key", key.clone()), ("values", Value::Vector(vec![one, other]))]);
        findings.add("incompatible-order", case, || vec![text]);
    }
}

/// Committed appends to lists that hold aborted ones.
fn dirty_updates(append: &Append<'_>, subject: Subject<'_>, findings: &mut Findings<'_>) {
    let transactions = subject.transactions;
    let writers: HashMap<(u32, u32), u32> =
        transactions.writes().map(|(key, value, writer)| ((key, value), writer)).collect();
    for (key, order) in &append.order {
        let (mut last, mut values): (Option<u32>, Vec<u32>) = (None, Vec::new());
        for value in order {
            let Some(writer) = writers.get(&(*key, *value)).copied() else { continue };
            let was_aborted = last.is_some_and(|last| transactions.of(last).kind == Kind::Fail);
            values.push(*value);
            match transactions.of(writer).kind {
                Kind::Ok => {
                    if let Some(last) = last.filter(|_| was_aborted) {
                        let between = [subject.op(last), Value::Symbol("...".into()), subject.op(writer)];
                        let case = Value::record([
                            ("key", transactions.key(*key).clone()),
                            ("values", transactions.list(&values)),
                            ("txns", Value::Vector(between.into())),
                        ]);
                        findings.add("dirty-update", case, || {
                            vec![format!(
                                "{} appended to key {} what {} had appended to, which was aborted",
                                subject.name(writer),
                                quoted(transactions.key(*key)),
                                subject.name(last)
                            )]
                        });
                    }
                    (last, values) = (Some(writer), vec![*value]);
                }
                Kind::Fail if !was_aborted => (last, values) = (Some(writer), vec![*value]),
                Kind::Fail | Kind::Info | Kind::Invoke => {}
            }
        }
    }
}
