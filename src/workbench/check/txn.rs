//! Checks transactions by their dependency graph (Kingsbury & Alvaro, *Elle*, 2020; protocol §13.7 to §13.9):
//! txn-list-append and txn-rw-register.
//!
//! A cycle means that no order of the transactions explains what they read; the kinds of its edges determine the
//! anomaly, and the consistency models under test determine which anomalies are violations. Maelstrom's verdict is
//! under its keys; anomalies that it does not detect, and all anomalies in words, are under `:gloomers`.

mod anomaly;
mod append;
mod case;
mod collector;
mod cycles;
mod graph;
mod models;
mod register;
mod report;
mod steps;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;

use anomaly::Anomalies;
use collector::{Collector, Found};
use graph::{Edges, Graph};
use report::AnomalyVerdict;
use transactions::Transactions;

pub use anomaly::Anomaly;
pub use case::{CycleEdge, ReadFault, TxnCase};
pub use graph::{PROCESS, REALTIME, WR, WW};
pub use report::TxnReport;
pub use transactions::Dialect;

use super::{Budget, CheckError, Verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind};

/// The maximum number of edges of a graph: some 500 MB. Transactions have more than a few edges each only if many read
/// the initial state, or a state that many overwrote.
const MAX_EDGES: usize = 20_000_000;

/// The model that is checked by default, as in Maelstrom.
pub const DEFAULT_MODEL: &str = "strict-serializable";

/// Checks that all of these are names of consistency models.
///
/// # Errors
/// If one is not; the error lists the known names.
pub fn check_models(names: &[String]) -> Result<(), CheckError> {
    prohibited(names).map(drop)
}

/// The names of all consistency models, sorted.
#[must_use]
pub fn model_names() -> Vec<&'static str> {
    models::names().into_iter().collect()
}

/// Checks a history of reads of and appends to lists.
///
/// # Errors
/// If a model has no known name, or the history is not one of reads and appends of unique elements.
pub fn check_append(history: &History, models: &[String], budget: &Budget) -> Result<TxnReport, CheckError> {
    check(history, models, budget, Dialect::Append, judge_append)
}

/// Checks a history of reads and writes of registers, by Maelstrom's rules and by extended ones.
///
/// # Errors
/// If a model has no known name, or the history is not one of reads and writes of unique values.
pub fn check_register(history: &History, models: &[String], budget: &Budget) -> Result<TxnReport, CheckError> {
    check(history, models, budget, Dialect::Register, judge_register)
}

/// Reports the extended anomalies also of a history that Maelstrom's rules cannot judge.
fn check(
    history: &History,
    models: &[String],
    budget: &Budget,
    dialect: Dialect,
    judge: fn(TxnHistory<'_>, &Anomalies) -> Result<TxnReport, CheckError>,
) -> Result<TxnReport, CheckError> {
    let prohibited = prohibited(models)?;
    let transactions = Transactions::new(history, dialect)?;
    let input = TxnHistory { history, transactions: &transactions, dialect, budget };
    judge(input, &prohibited).or_else(|problem| {
        let extended_found = extended_anomalies(input);
        if extended_found.is_empty() {
            return Err(problem);
        }
        let extended = Some(AnomalyVerdict::of(&extended_found, &prohibited));
        let (error, maelstrom) = (Some(problem.to_string()), AnomalyVerdict::none());
        Ok(TxnReport { dialect, error, maelstrom, found: Found::new(), extended, extended_found })
    })
}

fn judge_append(input: TxnHistory<'_>, prohibited: &Anomalies) -> Result<TxnReport, CheckError> {
    let transactions = input.transactions;
    refuse_double_writes(transactions)?;
    let append = append::Append::new(transactions);
    let mut collector = Collector::new(input);
    let graph = append.graph(extra_edges(transactions, prohibited))?;
    collector.add_cycles(&graph, |from, to, label| append.why(from, to, label));
    append::find(&append, input, &mut collector);
    let mut report = TxnReport::of(collector, Dialect::Append, prohibited);
    report.extended_found = extended_anomalies(input);
    // All anomalies count for the extended judgement on lists.
    let all = report.found.keys().chain(report.extended_found.keys()).map(|anomaly| (*anomaly, Vec::new())).collect();
    report.extended = Some(AnomalyVerdict::of(&all, prohibited)).filter(|extended| !extended.reported.is_empty());
    if let Some((key, element)) = append.unwritten() {
        let (key, element) = (transactions.key(key).to_json(), transactions.value(element).to_json());
        report.maelstrom = AnomalyVerdict::none();
        report.error =
            Some(format!("{element} was read at key {key} or asked for, but no answer says that it was appended"));
    }
    Ok(report)
}

fn judge_register(input: TxnHistory<'_>, prohibited: &Anomalies) -> Result<TxnReport, CheckError> {
    let transactions = input.transactions;
    refuse_mixed_keys(transactions)?;
    let register = register::Register::new(transactions)?;
    let judge = |register: &register::Register, preference: &[u8]| {
        let mut collector = Collector::new(input);
        let graph = register.graph(extra_edges(transactions, prohibited), preference)?;
        collector.add_cycles(&graph, |from, to, label| register.why(transactions, from, to, label));
        register::find(register, input, &mut collector);
        Ok::<_, CheckError>(collector)
    };
    let mut report = TxnReport::of(judge(&register, &register::MAELSTROM_PREFERENCE)?, Dialect::Register, prohibited);
    if report.error.is_none() {
        // For registers, Maelstrom treats an undecided anomaly as a violation.
        report.maelstrom.verdict = Verdict::from(report.maelstrom.reported.is_empty());
    }
    let strict = judge(&register.with_process_order(transactions), &register::EXTENDED_PREFERENCE)?;
    report.extended_found = strict.found;
    report.extended_found.extend(extended_anomalies(input));
    report.extended = Some(AnomalyVerdict::of(&report.extended_found, prohibited));
    Ok(report)
}

/// The anomalies that every model prohibits and Maelstrom does not detect.
fn extended_anomalies(input: TxnHistory<'_>) -> Found {
    let mut collector = Collector::new(input);
    steps::invented(input, &mut collector);
    steps::changed_answers(input, &mut collector);
    collector.found
}

/// A history with its transactions.
#[derive(Clone, Copy)]
struct TxnHistory<'a> {
    history: &'a History,
    transactions: &'a Transactions,
    dialect: Dialect,
    budget: &'a Budget,
}

fn prohibited(models: &[String]) -> Result<Anomalies, CheckError> {
    let default = [DEFAULT_MODEL.to_owned()];
    let models = if models.is_empty() { &default } else { models };
    models::prohibited(models).map_err(|name| {
        let known = model_names().join(", ");
        CheckError::Invalid(format!(
            "no consistency model is called {name:?}; there are {known} (separate two by a comma between spaces)"
        ))
    })
}

fn refuse_double_writes(transactions: &Transactions) -> Result<(), CheckError> {
    let Some((key, value)) = transactions.written_twice else { return Ok(()) };
    Err(written_twice(&transactions.key(key).to_json(), &transactions.value(value).to_json()))
}

/// Two transactions wrote the same value to the same key, so a read of it does not identify its writer.
fn written_twice(key: &str, value: &str) -> CheckError {
    CheckError::Invalid(format!("{value} was written to key {key} more than once"))
}

/// Elle rejects registers with keys of several types, such as a number that was returned as a string.
fn refuse_mixed_keys(transactions: &Transactions) -> Result<(), CheckError> {
    let Some(one) = transactions.keys.values().first() else { return Ok(()) };
    let class = |key: &Value| {
        if let Value::Ints(_) | Value::List(_) = key { discriminant(&Value::Vector(vec![])) } else { discriminant(key) }
    };
    let Some(other) = transactions.keys.values().iter().find(|key| class(key) != class(one)) else { return Ok(()) };
    let (one, other) = (one.to_json(), other.to_json());
    Err(CheckError::Invalid(format!("the keys {one} and {other} are of different types")))
}

/// The real-time or process order edges, if the models require any.
fn extra_edges(transactions: &Transactions, prohibited: &Anomalies) -> Edges {
    let mut edges = Vec::new();
    if prohibited.iter().any(|anomaly| anomaly.name().ends_with("-realtime")) {
        realtime(transactions, &mut edges);
    } else if prohibited.iter().any(|anomaly| anomaly.name().ends_with("-process")) {
        process(transactions, &mut edges);
    }
    edges
}

/// Real-time order: an edge from each acknowledged transaction to those invoked after it completed, without transitive
/// edges, so that a transaction has at most one edge for each client.
fn realtime(transactions: &Transactions, edges: &mut Edges) {
    let mut moments: Vec<(usize, u32, bool)> = Vec::with_capacity(2 * transactions.all.len());
    for (number, transaction) in transactions.numbered() {
        moments.push((transaction.begin, number, true));
        if transaction.kind == OpKind::Ok {
            moments.push((transaction.end, number, false));
        }
    }
    moments.sort_unstable();
    let mut last = BTreeSet::new();
    let mut before: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (_, number, begins) in moments {
        if begins {
            edges.extend(last.iter().map(|earlier| (*earlier, number, REALTIME)));
            before.insert(number, last.iter().copied().collect());
        } else {
            for earlier in before.remove(&number).unwrap_or_default() {
                last.remove(&earlier);
            }
            last.insert(number);
        }
    }
}

/// Process order: an edge from each acknowledged transaction to the next one of its process.
fn process(transactions: &Transactions, edges: &mut Edges) {
    let mut last = BTreeMap::new();
    for (number, transaction) in transactions.acknowledged() {
        if let Some(earlier) = last.insert(transaction.process, number) {
            edges.push((earlier, number, PROCESS));
        }
    }
}

/// The edges, if there are at most [`MAX_EDGES`].
fn bounded(vertices: usize, edges: Edges, preference: &[u8]) -> Result<Graph, CheckError> {
    if edges.len() > MAX_EDGES {
        return Err(CheckError::TooManyEdges { most: MAX_EDGES });
    }
    Ok(Graph::new(vertices, edges, preference))
}

#[cfg(test)]
mod tests;
