//! Judges transactions by the graph of what depends on what (Kingsbury & Alvaro, *Elle*, 2020; protocol §13.7 to
//! §13.9): txn-list-append and txn-rw-register.
//!
//! A cycle means that no order of the transactions explains what they saw; which edges it takes says how badly. The
//! consistency models that a test asks for decide which anomalies make it invalid. Verdicts are Maelstrom's under its
//! keys; what it is blind to, and every anomaly in words, stands under `:gloomers`.

mod anomaly;
mod answers;
mod append;
mod cycles;
mod findings;
mod graph;
mod models;
mod orders;
mod register;
mod steps;
mod transactions;

use std::mem::discriminant;

use findings::Findings;
use graph::{Edges, Graph};
use models::Names;
use transactions::{Dialect, Transactions};

use super::{Budget, Unjudgeable, Verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::History;

/// Edges that a graph may have: some 500 MB. Only reads of the initial state, or of one that many overwrote, make
/// more than a few a transaction.
const MAX_EDGES: usize = 20_000_000;

/// Anomalies that are a reason for doubt, not for a verdict.
const DOUBTS: [&str; 2] = ["empty-transaction-graph", TIMEOUT];
/// The search for cycles did not come to its end. Elle gives each component a second, we give the whole check a minute.
const TIMEOUT: &str = "cycle-search-timeout";

/// What Maelstrom checks where `--consistency-models` is absent.
pub const DEFAULT_MODEL: &str = "strict-serializable";

/// Whether all of these are names of consistency models.
///
/// # Errors
/// If one is not; the error names it, and all that there are.
pub fn check_models(names: &[String]) -> Result<(), Unjudgeable> {
    prohibited(names).map(drop)
}

/// The names of all consistency models, in order.
#[must_use]
pub fn model_names() -> Vec<&'static str> {
    models::names().into_iter().collect()
}

/// The judgement of a history of reads and appends.
///
/// # Errors
/// If a model has no known name, or the history is not one of reads and appends of unique elements.
pub fn check_append(history: &History, models: &[String], budget: &Budget) -> Result<Value, Unjudgeable> {
    let prohibited = prohibited(models)?;
    let transactions = Transactions::new(history, Dialect::Append)?;
    refuse_double_writes(&transactions)?;
    let subject = Subject { history, transactions: &transactions, dialect: Dialect::Append, budget };
    let append = append::Append::new(&transactions);
    let mut findings = Findings::new(subject);
    let graph = append.graph(extra_edges(&transactions, &prohibited))?;
    findings.add_cycles(&graph, |from, to, label| append.why(from, to, label));
    append::find(&append, subject, &mut findings);
    let mut result = match append.unwritten() {
        None => {
            let mut result = findings.result(&prohibited);
            result.extend(findings.in_doubt(&prohibited).map(|doubt| ("error", Value::str(doubt))));
            result
        }
        Some((key, element)) => {
            let (key, element) = (transactions.key(key).to_json(), transactions.value(element).to_json());
            let error =
                format!("{element} was read at key {key} or asked for, but no answer says that it was appended");
            vec![("valid?", Verdict::Unknown.to_value()), ("error", Value::str(error))]
        }
    };
    add_ours(subject, &mut findings);
    if let Some(ours) = findings.ours(&prohibited) {
        result.push(("gloomers", ours));
    }
    Ok(record(result))
}

/// The judgement of a history of reads and writes of registers, and beside it a stricter one of ours.
///
/// # Errors
/// If a model has no known name, or the history is not one of reads and writes of unique values.
pub fn check_register(history: &History, models: &[String], budget: &Budget) -> Result<Value, Unjudgeable> {
    let prohibited = prohibited(models)?;
    let transactions = Transactions::new(history, Dialect::Register)?;
    refuse_mixed_keys(&transactions)?;
    let subject = Subject { history, transactions: &transactions, dialect: Dialect::Register, budget };
    let register = register::Register::new(&transactions)?;
    let mut findings = Findings::new(subject);
    let graph = register.graph(extra_edges(&transactions, &prohibited), &register::MAELSTROMS)?;
    findings.add_cycles(&graph, |from, to, label| {
        let why = register.why(from, to, label)?;
        Some(register::place(&transactions, from, to, label, why))
    });
    register::find(&register, subject, &mut findings);
    let (prohibits, found) = (&prohibited, findings.result(&prohibited));
    let entry = |key: &str| found.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
    let types = entry("anomaly-types").unwrap_or(Value::List(vec![]));
    let doubt = findings.in_doubt(&prohibited);
    let verdict = match &doubt {
        Some(_) => Verdict::Unknown,
        None => Verdict::from(types.items().is_none_or(|types| types.len() == 0)),
    };
    let mut result = vec![
        ("valid?", verdict.to_value()),
        ("anomaly-types", types),
        ("anomalies", entry("anomalies").unwrap_or(Value::Nil)),
    ];
    result.extend(["not", "also-not"].into_iter().filter_map(|key| Some((key, entry(key)?))));
    result.extend(doubt.map(|doubt| ("error", Value::str(doubt))));

    let mut strict = Findings::new(subject);
    let sequential = register.in_order_of_processes(&transactions);
    let graph = sequential.graph(extra_edges(&transactions, prohibits), &register::OURS)?;
    strict.add_cycles(&graph, |from, to, label| {
        let why = sequential.why(from, to, label)?;
        Some(register::place(&transactions, from, to, label, why))
    });
    register::find(&sequential, subject, &mut strict);
    add_ours(subject, &mut strict);
    let ours = strict.ours(prohibits).unwrap_or_else(|| record(vec![("valid?", true.into())]));
    result.push(("gloomers", ours));
    Ok(record(result))
}

/// A read saw what nobody wrote.
const INVENTED: &str = "invented-value";
/// An answer is of other steps than those that were asked for.
const CHANGED: &str = "changed-answer";
/// What no model allows, and Maelstrom does not look for.
const OURS: [&str; 2] = [INVENTED, CHANGED];

fn add_ours(subject: Subject<'_>, findings: &mut Findings<'_>) {
    for lie in subject.invented() {
        findings.add(INVENTED, lie.value, || vec![lie.text]);
    }
    answers::find(subject, findings);
}

/// A history and the transactions in it.
#[derive(Clone, Copy)]
struct Subject<'a> {
    history: &'a History,
    transactions: &'a Transactions,
    dialect: Dialect,
    budget: &'a Budget,
}

/// A case of an anomaly, for machines and for people.
struct Case {
    value: Value,
    text: String,
}

fn prohibited(models: &[String]) -> Result<Names, Unjudgeable> {
    let default = [DEFAULT_MODEL.to_owned()];
    let models = if models.is_empty() { &default } else { models };
    models::prohibited(models).map_err(|name| Unjudgeable::Model { name: name.into(), known: models::known().into() })
}

fn refuse_double_writes(transactions: &Transactions) -> Result<(), Unjudgeable> {
    let Some((key, value, _)) = transactions.written_twice else { return Ok(()) };
    let (key, value) = (transactions.key(key).to_string().into(), transactions.value(value).to_string().into());
    Err(Unjudgeable::WrittenTwice { key, value })
}

/// Elle judges no registers whose keys are of several types, such as a number that came back as a string.
fn refuse_mixed_keys(transactions: &Transactions) -> Result<(), Unjudgeable> {
    let Some(one) = transactions.keys.first() else { return Ok(()) };
    let class = |key: &Value| {
        if let Value::Ints(_) | Value::List(_) = key { discriminant(&Value::Vector(vec![])) } else { discriminant(key) }
    };
    let Some(other) = transactions.keys.iter().find(|key| class(key) != class(one)) else { return Ok(()) };
    Err(Unjudgeable::MixedKeys { one: one.to_json().into(), other: other.to_json().into() })
}

/// The orders of time or of processes, if the models know any.
fn extra_edges(transactions: &Transactions, prohibited: &Names) -> Edges {
    let mut edges = Vec::new();
    if prohibited.iter().any(|name| name.ends_with("-realtime")) {
        orders::realtime(transactions, &mut edges);
    } else if prohibited.iter().any(|name| name.ends_with("-process")) {
        orders::process(transactions, &mut edges);
    }
    edges
}

/// A graph of edges, if they are not too many.
fn bounded(vertices: usize, edges: Edges, preference: &[u8]) -> Result<Graph, Unjudgeable> {
    if edges.len() > MAX_EDGES {
        return Err(Unjudgeable::TooManyEdges { most: MAX_EDGES });
    }
    Ok(Graph::new(vertices, edges, preference))
}

fn record(entries: Vec<(&'static str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::keyword(key), value)).collect())
}

#[cfg(test)]
mod tests;
