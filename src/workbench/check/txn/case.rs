//! A case of an anomaly, as results in Elle's format and in words.

use std::borrow::Cow;

use super::anomaly::Anomaly;
use super::cycles::Unsearched;
use super::transactions::Dialect;
use crate::workbench::edn::Value;
use crate::workbench::history::Op;
use crate::workbench::quote::cut;

/// The maximum length of a quoted value in characters, more than that of a typical transaction.
const MAX_QUOTE: usize = 600;
/// The maximum number of changed steps of a reply that are listed.
const MAX_STEPS_LISTED: usize = 4;

/// A case of an anomaly, with the transactions that show it, each as the history records its end. Steps of a
/// transaction are counted from 0.
#[allow(missing_docs, reason = "each variant read_as what it holds, under the names of the results")]
#[derive(Debug, Clone, PartialEq)]
pub enum TxnCase {
    /// No transaction depends on another.
    EmptyGraph,
    /// The progress of the unfinished search for cycles.
    Unsearched(Unsearched),
    /// Transactions that come before each other.
    Cycle(Cycle),
    /// That some of these transactions do.
    Component(Component),
    /// A read of what its writer undid or had not finished; `own` if that is what the reader itself was asked for.
    Dirty { op: Op, place: usize, writer: Op, element: Option<Value>, own: bool },
    /// A read of a list that has elements more than once.
    Duplicates { op: Op, place: usize, counts: Vec<(Value, usize)> },
    /// A read that disagrees with the steps before it.
    Internal { op: Op, place: usize, expected: Expected },
    /// A read of what the transaction appends only later.
    FutureRead { op: Op, place: usize, element: Value },
    /// Two lists that were read, of which neither begins the other.
    IncompatibleOrder { key: Value, values: [Value; 2] },
    /// An acknowledged append to a list that an aborted one had changed.
    DirtyUpdate { key: Value, values: Value, aborted: Op, writer: Op },
    /// Transactions that read the same value and overwrote it.
    LostUpdate { key: Value, value: Value, txns: Vec<Op> },
    /// Values that were each written over another of them.
    CyclicVersions { key: Value, values: Vec<Value> },
    /// A read of what nobody wrote.
    Invented { op: Op, place: usize, key: Value, value: Value },
    /// An reply and what was asked for, with the steps that differ.
    Changed { op: Op, asked: Value, wrong: Vec<usize> },
}

/// The expected value of a read.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// This value.
    Exactly(Value),
    /// A list with these elements at its end.
    EndsWith(Vec<Value>),
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
    /// The kind of dependency.
    pub dependency: Dependency,
    /// The evidence; `None` for process and real-time order.
    pub reason: Option<Reason>,
    /// The invocation of the later transaction.
    pub began: Op,
}

/// Kinds of dependencies between transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    /// The later overwrote a value of the earlier.
    Ww,
    /// The later read a value of the earlier.
    Wr,
    /// The later overwrote a value that the earlier had read.
    Rw,
    /// One process executed both, the earlier first.
    Process,
    /// The earlier completed before the later was invoked.
    Realtime,
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
    pub steps: (Option<usize>, Option<usize>),
}

/// A strongly connected component of transactions.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// The model that it violates.
    pub model: &'static str,
    /// The kinds of dependencies of its cycles.
    pub dependencies: Vec<Dependency>,
    /// Whether read-write dependencies may be among them too, but not follow each other.
    pub hops: bool,
    /// The indices of their ends in the history, sorted.
    pub indices: Vec<u64>,
    /// The first of the transactions.
    pub first: Vec<Op>,
}

impl Dependency {
    const fn name(self) -> &'static str {
        match self {
            Self::Ww => "ww",
            Self::Wr => "wr",
            Self::Rw => "rw",
            Self::Process => "process",
            Self::Realtime => "realtime",
        }
    }
}

impl TxnCase {
    pub(super) fn to_edn(&self, anomaly: Anomaly, dialect: Dialect) -> Value {
        let read = |op: &Op, place: usize| [("op", op.to_value()), ("mop", step(op, place))];
        let entries = match self {
            Self::EmptyGraph => return true.into(),
            Self::Unsearched(unsearched) => return Value::str(unsearched.to_string()),
            Self::Cycle(cycle) => cycle.to_edn(anomaly, dialect),
            Self::Component(component) => component.to_edn(anomaly),
            Self::Dirty { op, place, writer, element, .. } => {
                let element = element.clone().map(|element| ("element", element));
                read(op, *place).into_iter().chain([("writer", writer.to_value())]).chain(element).collect()
            }
            Self::Duplicates { op, place, counts } => {
                let counts = counts.iter().map(|(element, count)| (element.clone(), Value::count(*count)));
                read(op, *place).into_iter().chain([("duplicates", Value::Map(counts.collect()))]).collect()
            }
            Self::Internal { op, place, expected } => {
                let expected = match expected {
                    Expected::Exactly(value) => value.clone(),
                    Expected::EndsWith(end) => {
                        std::iter::once(Value::Symbol("...".into())).chain(end.iter().cloned()).collect()
                    }
                };
                read(op, *place).into_iter().chain([("expected", expected)]).collect()
            }
            Self::FutureRead { op, place, element } => {
                read(op, *place).into_iter().chain([("element", element.clone())]).collect()
            }
            Self::IncompatibleOrder { key, values } => {
                vec![("key", key.clone()), ("values", Value::Vector(values.to_vec()))]
            }
            Self::DirtyUpdate { key, values, aborted, writer } => {
                let between = vec![aborted.to_value(), Value::Symbol("...".into()), writer.to_value()];
                vec![("key", key.clone()), ("values", values.clone()), ("txns", Value::Vector(between))]
            }
            Self::LostUpdate { key, value, txns } => {
                let txns = Value::Vector(txns.iter().map(Op::to_value).collect());
                vec![("key", key.clone()), ("value", value.clone()), ("txns", txns)]
            }
            Self::CyclicVersions { key, values } => {
                let sources = ["initial-state", "wfr-keys"].map(Value::keyword);
                let sources = ("sources", Value::Vector(sources.into()));
                vec![("key", key.clone()), ("scc", Value::Set(values.clone())), sources]
            }
            Self::Invented { op, place, key, value } => {
                read(op, *place).into_iter().chain([("key", key.clone()), ("value", value.clone())]).collect()
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
            Self::Dirty { op, place, own: true, .. } => {
                let what = "in the middle of what it was asked for itself: its reply changed what was asked";
                read_as(op, *place, what)
            }
            Self::Dirty { op, place, writer, element, .. } => {
                let writer = name(writer);
                let goes_on = if dialect.is_list() { "goes on to append" } else { "goes on to overwrite it" };
                let what = match (anomaly, element) {
                    (Anomaly::G1b, _) => format!("in the middle of {writer}, which {goes_on}"),
                    (_, Some(element)) => {
                        format!("with the element {} of {writer}, which was aborted", quoted(element))
                    }
                    (_, None) => format!("the value of {writer}, which was aborted"),
                };
                read_as(op, *place, &what)
            }
            Self::Duplicates { op, place, .. } => read_as(op, *place, "which has an element twice"),
            Self::Internal { op, place, expected } => match expected {
                Expected::Exactly(value) => {
                    read_as(op, *place, &format!("but its own steps before leave {}", quoted(value)))
                }
                Expected::EndsWith(end) => {
                    let end: Vec<_> = end.iter().map(quoted).collect();
                    let end = end.join(", ");
                    read_as(op, *place, &format!("but after its own steps before the list must end with {end}"))
                }
            },
            Self::FutureRead { op, place, .. } => {
                read_as(op, *place, "which has an element that it appends only later")
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
            Self::Invented { op, place, value, .. } => {
                read_as(op, *place, &format!("but nobody ever wrote {} to it", quoted(value)))
            }
            Self::Changed { op, asked, wrong } => return changed(op, asked, wrong, dialect),
        };
        vec![line]
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
        let kind = ("type", Value::keyword(self.dependency.name()));
        match (self.dependency, &self.reason) {
            (Dependency::Realtime, _) => Value::record([kind, ("a'", from.to_value()), ("b", self.began.to_value())]),
            (Dependency::Process, _) => Value::record([kind, ("process", from.process.to_value())]),
            (_, None) => Value::record([kind]),
            (dependency, Some(Reason { key, value, next, steps })) => {
                let initial = || if dialect.is_list() { Value::keyword("elle.list-append/init") } else { Value::Nil };
                let place = |place: Option<usize>| place.map_or(Value::Nil, Value::count);
                let mut entries = vec![("key", key.clone()), ("value", value.clone().unwrap_or_else(initial))];
                entries.extend(next.clone().map(|next| ("value'", next)));
                let first = dialect.is_list() || dependency == Dependency::Wr;
                entries.insert(if first { 0 } else { entries.len() }, kind);
                entries.extend([("a-mop-index", place(steps.0)), ("b-mop-index", place(steps.1))]);
                Value::record(entries)
            }
        }
    }

    /// Why transaction `a` precedes `b`.
    fn in_words(&self, a: &str, b: &str) -> String {
        let text = |value: &Option<Value>| value.as_ref().map_or("null".to_owned(), quoted);
        match (self.dependency, &self.reason) {
            (Dependency::Realtime, _) => format!("{a} had ended before {b} began"),
            (Dependency::Process, _) => format!("{a} and {b} are of one process, which did {a} first"),
            (_, None) => format!("{b} depends on {a}"),
            (Dependency::Ww, Some(Reason { key, value, next, .. })) => {
                format!("{a} wrote {} to key {}, and {b} wrote {} after it", text(value), quoted(key), text(next))
            }
            (Dependency::Wr, Some(Reason { key, value, .. })) => {
                format!("{b} read at key {} the {} that {a} wrote", quoted(key), text(value))
            }
            (Dependency::Rw, Some(Reason { key, value, next, .. })) => {
                let (key, value, next) = (quoted(key), text(value), text(next));
                format!("{a} read {value} at key {key}, not yet the {next} that {b} wrote after it")
            }
        }
    }
}

impl Component {
    fn to_edn(&self, anomaly: Anomaly) -> Vec<(&'static str, Value)> {
        let names = self.dependencies.iter().map(|dependency| dependency.name());
        let union = Value::Vector(std::iter::once("union").chain(names).map(Value::keyword).collect());
        let subgraph = if self.hops {
            Value::Vector(vec![Value::keyword("extension"), union, Value::keyword("rw")])
        } else {
            union
        };
        let indices = self.indices.iter().map(|index| Value::Int(index.cast_signed()));
        vec![
            ("type", Value::keyword(anomaly.name())),
            ("not", Value::keyword(self.model)),
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

/// A sentence about what a step read.
fn read_as(op: &Op, place: usize, what: &str) -> String {
    let Parts { key, value, .. } = parts(&step(op, place));
    format!("{}, step {}: read key {key} as {value}, {what}", name(op), place + 1)
}

/// A value as nodes write it, or its beginning.
pub(super) fn quoted(value: &Value) -> String {
    cut(&value.to_json(), MAX_QUOTE)
}
