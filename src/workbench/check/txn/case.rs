//! A case of an anomaly, as results in Elle's format and in words.

use std::borrow::Cow;

use super::anomaly::{Anomaly, CycleRule};
use super::cycles::Unsearched;
use super::graph::{PROCESS, REALTIME, RW, WR, WW};
use super::transactions::{Dialect, Transactions};
use crate::workbench::edn::Value;
use crate::workbench::history::Op;
use crate::workbench::quote::cut;

/// The maximum length of a quoted value in characters, more than that of a typical transaction.
const MAX_QUOTE: usize = 600;
/// The maximum number of changed steps of a reply that are listed.
const MAX_STEPS_LISTED: usize = 4;

/// A case of an anomaly, with the transactions that show it, each as the history records its end. Steps of a
/// transaction are counted from 0.
#[allow(missing_docs, reason = "each variant says what it holds, under the names of the results")]
#[derive(Debug, Clone, PartialEq)]
pub enum TxnCase {
    /// No transaction depends on another.
    EmptyGraph,
    /// The progress of the unfinished search for cycles.
    Unsearched(Unsearched),
    /// Transactions of which each must precede the next, and the last the first.
    Cycle(Cycle),
    /// Transactions that all depend on each other, so that there is some cycle among them.
    Component(Component),
    /// A read that cannot be right.
    Read { op: Op, place: usize, fault: ReadFault },
    /// Two lists that were read, of which neither begins the other.
    IncompatibleOrder { key: Value, values: [Value; 2] },
    /// An acknowledged append to a list that an aborted one had changed.
    DirtyUpdate { key: Value, values: Value, aborted: Op, writer: Op },
    /// Transactions that read the same value and overwrote it.
    LostUpdate { key: Value, value: Value, txns: Vec<Op> },
    /// Values that were each written over another of them.
    CyclicVersions { key: Value, values: Vec<Value> },
    /// A reply and what was asked for, with the steps that differ.
    Changed { op: Op, asked: Value, wrong: Vec<usize> },
}

/// What is wrong with a read.
#[allow(missing_docs, reason = "each variant says what it holds, under the names of the results")]
#[derive(Debug, Clone, PartialEq)]
pub enum ReadFault {
    /// Its writer undid the value or had not finished; `own` if that is what the reader itself was asked for.
    Dirty { writer: Op, element: Option<Value>, own: bool },
    /// The list has elements more than once.
    Duplicates(Vec<(Value, usize)>),
    /// It disagrees with the steps before it, which leave this value, or, if that is not the `whole` of it, a list that
    /// ends with these elements.
    Internal { expected: Value, whole: bool },
    /// The transaction appends this element only later.
    Future(Value),
    /// Nobody wrote the value.
    Invented { key: Value, value: Value },
}

/// A cycle of transactions.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// Each comes before the next, and the last before the first.
    pub transactions: Vec<Op>,
    /// Why, one for each transaction.
    pub edges: Vec<CycleEdge>,
}

/// The edge from a transaction to the next one in a cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct CycleEdge {
    /// The kind of dependency, as the label of an edge.
    pub label: u8,
    /// The evidence; `None` for process and real-time order.
    pub reason: Option<Reason>,
    /// The invocation of the later transaction.
    pub began: Op,
}

/// The evidence for a dependency, in the versions of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The key.
    pub key: Value,
    /// The value that both know; none is the initial state.
    pub value: Option<Value>,
    /// The value that took its place.
    pub next: Option<Value>,
    /// The steps of either that show it.
    pub steps: [Option<usize>; 2],
}

impl Reason {
    /// A reason in options of ids.
    pub(super) fn new(
        transactions: &Transactions,
        key: u32,
        versions: [Option<u32>; 2],
        steps: [Option<usize>; 2],
    ) -> Self {
        let [value, next] = versions.map(|version| version.map(|value| transactions.value(value).clone()));
        Self { key: transactions.key(key).clone(), value, next, steps }
    }
}

/// A strongly connected component of transactions.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// What its rule violates.
    pub(super) rule: &'static CycleRule,
    /// The indices of their ends in the history, sorted.
    pub indices: Vec<u64>,
    /// The first of the transactions.
    pub first: Vec<Op>,
}

const fn name_of(label: u8) -> &'static str {
    match label {
        WW => "ww",
        WR => "wr",
        RW => "rw",
        PROCESS => "process",
        _ => "realtime",
    }
}

impl TxnCase {
    pub(super) fn to_edn(&self, anomaly: Anomaly, dialect: Dialect) -> Value {
        let ellipsis = || Value::Symbol("...".into());
        let entries = match self {
            Self::EmptyGraph => return true.into(),
            Self::Unsearched(unsearched) => return Value::str(unsearched.to_string()),
            Self::Cycle(cycle) => cycle.to_edn(anomaly, dialect),
            Self::Component(component) => component.to_edn(anomaly),
            Self::Read { op, place, fault } => {
                [vec![("op", op.to_value()), ("mop", step(op, *place))], fault.to_edn()].concat()
            }
            Self::IncompatibleOrder { key, values } => {
                vec![("key", key.clone()), ("values", Value::Vector(values.to_vec()))]
            }
            Self::DirtyUpdate { key, values, aborted, writer } => {
                let between = Value::Vector(vec![aborted.to_value(), ellipsis(), writer.to_value()]);
                vec![("key", key.clone()), ("values", values.clone()), ("txns", between)]
            }
            Self::LostUpdate { key, value, txns } => {
                let txns = Value::Vector(txns.iter().map(Op::to_value).collect());
                vec![("key", key.clone()), ("value", value.clone()), ("txns", txns)]
            }
            Self::CyclicVersions { key, values } => {
                let sources = Value::Vector(["initial-state", "wfr-keys"].map(Value::keyword).into());
                vec![("key", key.clone()), ("scc", Value::Set(values.clone())), ("sources", sources)]
            }
            Self::Changed { op, asked, .. } => vec![("op", op.to_value()), ("asked", asked.clone())],
        };
        Value::record(entries)
    }

    /// The case in words.
    pub(super) fn lines(&self, anomaly: Anomaly, dialect: Dialect) -> Vec<String> {
        let line = match self {
            Self::EmptyGraph => return Vec::new(),
            Self::Unsearched(unsearched) => unsearched.to_string(),
            Self::Cycle(cycle) => return cycle.lines(),
            Self::Component(component) => return component.lines(),
            Self::Read { op, place, fault } => {
                let Parts { key, value, .. } = parts(&step(op, *place));
                let what = fault.in_words(anomaly, dialect);
                format!("{}, step {}: read key {key} as {value}, {what}", name(op), place + 1)
            }
            Self::IncompatibleOrder { key, values: [one, other] } => format!(
                "key {} was read as {} and as {}, of which neither is the beginning of the other",
                quoted(key),
                quoted(one),
                quoted(other)
            ),
            Self::DirtyUpdate { key, aborted, writer, .. } => format!(
                "{} appended to key {} what {} had appended to, which was aborted",
                name(writer),
                quoted(key),
                name(aborted)
            ),
            Self::LostUpdate { key, value, txns } => {
                let (key, value) = (quoted(key), quoted(value));
                let first =
                    format!("these read key {key} as {value} and overwrote it, so that only one update has an effect:");
                return std::iter::once(first).chain(txns.iter().map(|op| format!("  {}", name(op)))).collect();
            }
            Self::CyclicVersions { key, values } => {
                let (values, key) = (quoted(&Value::Set(values.clone())), quoted(key));
                format!("the values {values} of key {key} were each written over another of them")
            }
            Self::Changed { op, asked, wrong } => return changed(op, asked, wrong, dialect),
        };
        vec![line]
    }
}

impl ReadFault {
    fn to_edn(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Dirty { writer, element, .. } => {
                let element = element.clone().map(|element| ("element", element));
                std::iter::once(("writer", writer.to_value())).chain(element).collect()
            }
            Self::Duplicates(counts) => {
                let counts = counts.iter().map(|(element, count)| (element.clone(), Value::count(*count)));
                vec![("duplicates", Value::Map(counts.collect()))]
            }
            Self::Internal { expected, whole } => {
                let end = expected.items().into_iter().flatten().map(Cow::into_owned);
                let end = || std::iter::once(Value::Symbol("...".into())).chain(end).collect();
                vec![("expected", if *whole { expected.clone() } else { end() })]
            }
            Self::Future(element) => vec![("element", element.clone())],
            Self::Invented { key, value } => vec![("key", key.clone()), ("value", value.clone())],
        }
    }

    fn in_words(&self, anomaly: Anomaly, dialect: Dialect) -> String {
        match self {
            Self::Dirty { own: true, .. } => {
                "in the middle of what it was asked for itself: its reply changed what was asked".to_owned()
            }
            Self::Dirty { writer, .. } if anomaly == Anomaly::G1b => {
                let goes_on = if dialect.is_list() { "goes on to append" } else { "goes on to overwrite it" };
                format!("in the middle of {}, which {goes_on}", name(writer))
            }
            Self::Dirty { writer, element, .. } => {
                let element = element.as_ref().map(|element| format!("with the element {}", quoted(element)));
                let element = element.unwrap_or_else(|| "the value".to_owned());
                format!("{element} of {}, which was aborted", name(writer))
            }
            Self::Duplicates(_) => "which has an element twice".to_owned(),
            Self::Internal { expected, whole: true } => {
                format!("but its own steps before leave {}", quoted(expected))
            }
            Self::Internal { expected, whole: false } => {
                let end: Vec<_> = expected.items().into_iter().flatten().map(|element| quoted(&element)).collect();
                format!("but after its own steps before the list must end with {}", end.join(", "))
            }
            Self::Future(_) => "which has an element that it appends only later".to_owned(),
            Self::Invented { value, .. } => format!("but nobody ever wrote {} to it", quoted(value)),
        }
    }
}

impl Cycle {
    fn to_edn(&self, anomaly: Anomaly, dialect: Dialect) -> Vec<(&'static str, Value)> {
        let ops = self.transactions.iter().chain(self.transactions.first()).map(Op::to_value);
        let steps = self.transactions.iter().zip(&self.edges).map(|(op, edge)| edge.to_edn(op, dialect));
        vec![
            ("cycle", Value::Vector(ops.collect())),
            ("steps", Value::List(steps.collect())),
            ("type", Value::keyword(anomaly.name())),
        ]
    }

    /// The transactions by short names, and for each edge what shows it.
    fn lines(&self) -> Vec<String> {
        let count = self.transactions.len();
        let short = |place: usize| format!("T{}", place % count.max(1) + 1);
        let order: Vec<_> = (0..=count).map(short).collect();
        let size = if count == 1 { "one transaction".to_owned() } else { format!("{count} transactions") };
        let mut lines = vec![format!("{}, a cycle of {size}", order.join(" < "))];
        lines.extend(
            self.transactions.iter().enumerate().map(|(place, op)| format!("{} is {}", short(place), name(op))),
        );
        lines.extend(self.edges.iter().enumerate().map(|(place, edge)| {
            let (a, b) = (short(place), short(place + 1));
            format!("{a} < {b}: {}", edge.in_words(&a, &b))
        }));
        lines
    }
}

impl CycleEdge {
    fn to_edn(&self, from: &Op, dialect: Dialect) -> Value {
        let kind = ("type", Value::keyword(name_of(self.label)));
        match (self.label, &self.reason) {
            (REALTIME, _) => Value::record([kind, ("a'", from.to_value()), ("b", self.began.to_value())]),
            (PROCESS, _) => Value::record([kind, ("process", from.process.to_value())]),
            (_, None) => Value::record([kind]),
            (label, Some(Reason { key, value, next, steps })) => {
                let initial = || if dialect.is_list() { Value::keyword("elle.list-append/init") } else { Value::Nil };
                let place = |place: Option<usize>| place.map_or(Value::Nil, Value::count);
                let mut entries = vec![("key", key.clone()), ("value", value.clone().unwrap_or_else(initial))];
                entries.extend(next.clone().map(|next| ("value'", next)));
                let first = dialect.is_list() || label == WR;
                entries.insert(if first { 0 } else { entries.len() }, kind);
                entries.extend([("a-mop-index", place(steps[0])), ("b-mop-index", place(steps[1]))]);
                Value::record(entries)
            }
        }
    }

    /// Why transaction `a` precedes `b`.
    fn in_words(&self, a: &str, b: &str) -> String {
        let text = |value: &Option<Value>| value.as_ref().map_or("null".to_owned(), quoted);
        match (self.label, &self.reason) {
            (REALTIME, _) => format!("{a} had ended before {b} began"),
            (PROCESS, _) => format!("{a} and {b} are of one process, which did {a} first"),
            (_, None) => format!("{b} depends on {a}"),
            (WW, Some(Reason { key, value, next, .. })) => {
                format!("{a} wrote {} to key {}, and {b} wrote {} after it", text(value), quoted(key), text(next))
            }
            (WR, Some(Reason { key, value, .. })) => {
                format!("{b} read at key {} the {} that {a} wrote", quoted(key), text(value))
            }
            (_, Some(Reason { key, value, next, .. })) => {
                let (key, value, next) = (quoted(key), text(value), text(next));
                format!("{a} read {value} at key {key}, not yet the {next} that {b} wrote after it")
            }
        }
    }
}

impl Component {
    fn to_edn(&self, anomaly: Anomaly) -> Vec<(&'static str, Value)> {
        let CycleRule { model, labels, extended_by_rw, .. } = self.rule;
        let names = [WW, WR, RW, PROCESS, REALTIME].into_iter().filter(|label| labels & label != 0).map(name_of);
        let union = Value::Vector(std::iter::once("union").chain(names).map(Value::keyword).collect());
        let subgraph = if *extended_by_rw {
            Value::Vector(vec![Value::keyword("extension"), union, Value::keyword("rw")])
        } else {
            union
        };
        let indices = self.indices.iter().map(|index| Value::Int(index.cast_signed()));
        vec![
            ("type", Value::keyword(anomaly.name())),
            ("not", Value::keyword(model)),
            ("subgraph", subgraph),
            ("scc-size", Value::count(self.indices.len())),
            ("scc", Value::Set(indices.collect())),
        ]
    }

    fn lines(&self) -> Vec<String> {
        let first = format!("a cycle among {} transactions, such as", self.indices.len());
        std::iter::once(first).chain(self.first.iter().map(name)).collect()
    }
}

/// How a reply differs from its request.
fn changed(op: &Op, asked: &Value, wrong: &[usize], dialect: Dialect) -> Vec<String> {
    let count = |value: &Value| value.items().map_or(0, |steps| steps.len());
    let (asked_count, answered) = (count(asked), count(&op.value));
    let mut lines = vec![format!("{} was asked for {}", name(op), quoted(asked))];
    if asked_count != answered {
        let steps = if answered == 1 { "step" } else { "steps" };
        let were = if asked_count == 1 { "was" } else { "were" };
        lines.push(format!("answered {answered} {steps} where {asked_count} {were} asked"));
    }
    // After a missing step, all later ones are shifted.
    let listed = if asked_count == answered { MAX_STEPS_LISTED } else { 1 };
    let difference = |place: &usize| {
        let (request, reply) = (parts(&step_of(asked, *place)), parts(&step(op, *place)));
        let (is_read, was_read) = (request.is_read, reply.is_read);
        let (verb, noun) = if dialect.is_list() { ("append", "an append") } else { ("write", "a write") };
        let whose = if request.key == reply.key { "it".to_owned() } else { format!("key {}", reply.key) };
        let asked = if is_read {
            format!("read key {}", request.key)
        } else {
            format!("{verb} {} to key {}", request.value, request.key)
        };
        let answered =
            if was_read { format!("a read of {whose}") } else { format!("{noun} of {} to {whose}", reply.value) };
        format!("step {}: asked to {asked}, answered {answered}", place + 1)
    };
    lines.extend(wrong.iter().take(listed).map(difference));
    if asked_count == answered && wrong.len() > listed {
        lines.push(format!("and {} more steps", wrong.len() - listed));
    }
    lines
}

/// A step, quoted.
struct Parts {
    is_read: bool,
    key: String,
    value: String,
}

fn parts(step: &Value) -> Parts {
    let part = |place: usize| step_of(step, place);
    Parts { is_read: part(0).as_keyword() == Some("r"), key: quoted(&part(1)), value: quoted(&part(2)) }
}

/// The element of a list at a place.
fn step_of(steps: &Value, place: usize) -> Value {
    steps.items().and_then(|mut steps| steps.nth(place)).map_or(Value::Nil, Cow::into_owned)
}

/// A step of a transaction.
fn step(op: &Op, place: usize) -> Value {
    step_of(&op.value, place)
}

/// A transaction in words: its process, its index in the history, and its steps.
fn name(op: &Op) -> String {
    format!("process {}'s transaction {} {}", op.process.to_value(), op.index, quoted(&op.value))
}

/// A value as nodes write it, or its beginning.
pub(super) fn quoted(value: &Value) -> String {
    cut(&value.to_json(), MAX_QUOTE)
}
