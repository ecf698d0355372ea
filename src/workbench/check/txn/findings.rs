//! Gathers anomalies, for the map of results and in words.

use std::collections::BTreeMap;

use super::anomaly::{EXISTENCES, Found, in_plain_words};
use super::cycles::{Component, Cycle, Unsearched, search};
use super::graph::{Graph, PROCESS, REALTIME, RW, WR, WW};
use super::models::{Names, boundary, ruled_out};
use super::steps::{Why, quoted};
use super::{DOUBTS, OURS, Subject, TIMEOUT, record};
use crate::workbench::check::Verdict;
use crate::workbench::edn::Value;

/// How many cases of an anomaly are told in words.
const MAX_TOLD: usize = 3;

/// The anomalies of a history.
pub(super) struct Findings<'a> {
    subject: Subject<'a>,
    found: Found,
    told: BTreeMap<&'static str, Vec<Vec<String>>>,
    /// How far the search for cycles came, if it did not come to its end.
    unsearched: Option<Unsearched>,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(subject: Subject<'a>) -> Self {
        Self { subject, found: BTreeMap::new(), told: BTreeMap::new(), unsearched: None }
    }

    /// Adds a case, and its words if there are not enough already.
    pub(super) fn add(&mut self, anomaly: &'static str, case: Value, words: impl FnOnce() -> Vec<String>) {
        self.found.entry(anomaly).or_default().push(case);
        let told = self.told.entry(anomaly).or_default();
        if told.len() < MAX_TOLD {
            told.push(words());
        }
    }

    /// Adds the cycles of a graph, whose edges `why` explains.
    pub(super) fn add_cycles(&mut self, graph: &Graph, why: impl Fn(u32, u32, u8) -> Option<Why>) {
        if graph.is_empty() {
            self.found.insert("empty-transaction-graph", vec![true.into()]);
        }
        let (cycles, tangles, unsearched) = search(graph, self.subject.budget);
        self.unsearched = unsearched;
        if let Some(unsearched) = unsearched {
            self.add(TIMEOUT, Value::str(unsearched.to_string()), || vec![unsearched.to_string()]);
        }
        for tangle in &tangles {
            let case = self.tangle(tangle);
            let subject = self.subject;
            let text = || {
                let names = tangle.transactions.iter().take(MAX_TOLD).map(|number| subject.name(*number));
                let first = format!("a cycle among {} transactions, such as", tangle.transactions.len());
                std::iter::once(first).chain(names).collect()
            };
            self.add(tangle.anomaly, case, text);
        }
        for cycle in &cycles {
            let reasons: Vec<_> = cycle
                .transactions
                .windows(2)
                .zip(&cycle.labels)
                .map(|(pair, label)| why(pair[0], pair[1], *label))
                .collect();
            let case = self.cycle(cycle, &reasons);
            let subject = self.subject;
            self.add(cycle.anomaly, case, || words(subject, cycle, &reasons));
        }
    }

    fn tangle(&self, tangle: &Component) -> Value {
        let names = [(WW, "ww"), (WR, "wr"), (RW, "rw"), (PROCESS, "process"), (REALTIME, "realtime")];
        let labels = names.into_iter().filter(|(label, _)| tangle.labels & label != 0);
        let union = std::iter::once("union").chain(labels.map(|(_, name)| name)).map(Value::keyword);
        let union = Value::Vector(union.collect());
        let subgraph = if tangle.hops {
            Value::Vector(vec![Value::keyword("extension"), union, Value::keyword("rw")])
        } else {
            union
        };
        let mut ends: Vec<_> =
            tangle.transactions.iter().map(|number| self.subject.transactions.of(*number).end).collect();
        ends.sort_unstable();
        let indices = ends
            .into_iter()
            .map(|end| Value::count(usize::try_from(self.subject.history.ops()[end].index).unwrap_or(end)));
        Value::record([
            ("type", Value::keyword(tangle.anomaly)),
            ("not", Value::keyword(tangle.model)),
            ("subgraph", subgraph),
            ("scc-size", Value::count(tangle.transactions.len())),
            ("scc", Value::Set(indices.collect())),
        ])
    }

    fn cycle(&self, cycle: &Cycle, reasons: &[Option<Why>]) -> Value {
        let ops = cycle.transactions.iter().map(|number| self.subject.op(*number));
        let pairs = cycle.transactions.windows(2).zip(cycle.labels.iter().zip(reasons));
        let steps = pairs.map(|(pair, (label, why))| self.step(pair[0], pair[1], *label, why.as_ref()));
        Value::record([
            ("cycle", Value::Vector(ops.collect())),
            ("steps", Value::List(steps.collect())),
            ("type", Value::keyword(cycle.anomaly)),
        ])
    }

    fn step(&self, from: u32, to: u32, label: u8, why: Option<&Why>) -> Value {
        let transactions = self.subject.transactions;
        if label == REALTIME {
            let begin = self.subject.history.ops()[transactions.of(to).begin].to_value();
            return Value::record([("type", Value::keyword("realtime")), ("a'", self.subject.op(from)), ("b", begin)]);
        }
        if label == PROCESS {
            let process = transactions.of(from).process.to_value();
            return Value::record([("type", Value::keyword("process")), ("process", process)]);
        }
        let kind = (
            "type",
            Value::keyword(if label == WW {
                "ww"
            } else if label == WR {
                "wr"
            } else {
                "rw"
            }),
        );
        let Some(why) = why else { return Value::record([kind]) };
        let is_list = self.subject.dialect.is_list();
        let initial = || if is_list { Value::keyword("elle.list-append/init") } else { Value::Nil };
        let place = |place: Option<usize>| place.map_or(Value::Nil, Value::count);
        let value = why.value.map_or_else(initial, |value| transactions.value(value).clone());
        let mut entries = vec![("key", transactions.key(why.key).clone()), ("value", value)];
        entries.extend(why.next.map(|next| ("value'", transactions.value(next).clone())));
        entries.insert(if is_list || label == WR { 0 } else { entries.len() }, kind);
        entries.extend([("a-mop-index", place(why.from)), ("b-mop-index", place(why.to))]);
        record(entries)
    }

    /// What Elle says of the anomalies, given the prohibited ones.
    pub(super) fn result(&self, prohibited: &Names) -> Vec<(&'static str, Value)> {
        let reported = self.reported(prohibited);
        if reported.is_empty() {
            return vec![("valid?", true.into())];
        }
        let verdict = self.verdict(prohibited);
        let anomalies = reported.iter().map(|name| {
            let cases = self.found[name].clone();
            let cases = if *name == "empty-transaction-graph" { true.into() } else { Value::Vector(cases) };
            (Value::keyword(name), cases)
        });
        let (not, also_not) = boundary(self.found.keys().copied());
        let names = |names: Names| Value::Set(names.into_iter().map(Value::keyword).collect());
        vec![
            ("valid?", verdict.to_value()),
            ("anomaly-types", keywords(&reported)),
            ("anomalies", Value::Map(anomalies.collect())),
            ("not", names(not)),
            ("also-not", names(also_not)),
        ]
    }

    /// The names worth a report: what is prohibited or a doubt, but no bare existence of a cycle where something
    /// plainer rules out the same.
    fn reported(&self, prohibited: &Names) -> Vec<&'static str> {
        let names = || {
            self.found
                .keys()
                .copied()
                .filter(|name| prohibited.contains(name) || DOUBTS.contains(name) || OURS.contains(name))
        };
        let exists = |name: &str| EXISTENCES.iter().find(|existence| existence.anomaly == name);
        let impossible = ruled_out(names().filter(|name| exists(name).is_none()));
        names().filter(|name| exists(name).is_none_or(|existence| !impossible.contains(existence.model))).collect()
    }

    fn verdict(&self, prohibited: &Names) -> Verdict {
        if self.found.keys().any(|name| prohibited.contains(name) || OURS.contains(name)) {
            Verdict::False
        } else if self.reported(prohibited).is_empty() {
            Verdict::True
        } else {
            Verdict::Unknown
        }
    }

    /// Why there is no verdict though nothing is wrong as far as the search came.
    pub(super) fn in_doubt(&self, prohibited: &Names) -> Option<String> {
        self.unsearched
            .filter(|_| self.verdict(prohibited) == Verdict::Unknown)
            .map(|unsearched| unsearched.to_string())
    }

    /// Our own verdict and the anomalies in words, with how many cases there are of each; nothing if there are none.
    pub(super) fn ours(&self, prohibited: &Names) -> Option<Value> {
        let reported = self.reported(prohibited);
        if reported.is_empty() {
            return None;
        }
        let count = |name: &str| self.found.get(name).map_or(0, Vec::len);
        let counts = reported.iter().map(|name| (Value::keyword(name), Value::count(count(name))));
        let words = reported.iter().map(|name| {
            let mut heading = vec![format!("{} × {name}: {}", count(name), in_plain_words(name))];
            let mut paragraphs = Vec::new();
            for lines in self.told.get(name).into_iter().flatten() {
                heading.extend(lines.iter().cloned());
                paragraphs.push(std::mem::take(&mut heading));
            }
            paragraphs.extend(Some(heading).filter(|heading| !heading.is_empty()));
            let paragraph = |lines: Vec<String>| Value::Vector(lines.into_iter().map(Value::str).collect());
            (Value::keyword(name), Value::Vector(paragraphs.into_iter().map(paragraph).collect()))
        });
        Some(Value::record([
            ("valid?", self.verdict(prohibited).to_value()),
            ("anomaly-types", keywords(&reported)),
            ("counts", Value::Map(counts.collect())),
            ("in-words", Value::Map(words.collect())),
        ]))
    }
}

/// A cycle as people read it: the transactions by short names, and for each edge what shows it.
fn words(subject: Subject<'_>, cycle: &Cycle, reasons: &[Option<Why>]) -> Vec<String> {
    let transactions = subject.transactions;
    let count = cycle.labels.len();
    let name = |place: usize| format!("T{}", place % count + 1);
    let order: Vec<_> = (0..=count).map(name).collect();
    let size = if count == 1 { "one transaction".to_owned() } else { format!("{count} transactions") };
    let mut lines = vec![format!("{}, a cycle of {size}", order.join(" < "))];
    for (place, number) in cycle.transactions[..count].iter().enumerate() {
        lines.push(format!("{} is {}", name(place), subject.name(*number)));
    }
    for (place, (label, why)) in cycle.labels.iter().zip(reasons).enumerate() {
        let (a, b) = (name(place), name(place + 1));
        let text = |value: Option<u32>| value.map_or("null".to_owned(), |value| quoted(transactions.value(value)));
        let shown = match (*label, why) {
            (REALTIME, _) => format!("{a} had ended before {b} began"),
            (PROCESS, _) => format!("{a} and {b} are of one process, which did {a} first"),
            (_, None) => format!("{b} depends on {a}"),
            (WW, Some(why)) => {
                let key = quoted(transactions.key(why.key));
                format!("{a} wrote {} to key {key}, and {b} wrote {} after it", text(why.value), text(why.next))
            }
            (WR, Some(why)) => {
                let key = quoted(transactions.key(why.key));
                format!("{b} read at key {key} the {} that {a} wrote", text(why.value))
            }
            (_, Some(why)) => {
                let key = quoted(transactions.key(why.key));
                format!(
                    "{a} read {} at key {key}, not yet the {} that {b} wrote after it",
                    text(why.value),
                    text(why.next)
                )
            }
        };
        lines.push(format!("{a} < {b}: {shown}"));
    }
    lines
}

fn keywords(names: &[&'static str]) -> Value {
    Value::List(names.iter().copied().map(Value::keyword).collect())
}
