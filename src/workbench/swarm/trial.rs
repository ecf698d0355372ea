//! One scenario run and judged: the checkers' verdict, and agreement of all nodes after the heal.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write as _};

use super::Nursery;
use super::pardon::{forgets, node_of, pardoned};
use super::scenario::Scenario;
use crate::workbench::check::{self, Verdict, check_workload, judge};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Kind, Op};
use crate::workbench::nemesis::Fault;
use crate::workbench::options::Options;
use crate::workbench::run::{Outcome, Unwatched, run};
use crate::workbench::workload;

/// How much of a checker's finding is quoted.
const MAX_QUOTE: usize = 120;

/// What of a checker's result says what it found, the most telling first.
const TELLING: [&str; 6] = ["error", "lost", "bad-error-types", "anomaly-types", "errors", "failures"];

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What is wrong, if anything.
    pub fault: Option<String>,
    /// Whether the checkers could not tell, and nothing else is wrong.
    pub is_undecided: bool,
    /// How many operations clients began.
    pub operations: usize,
    /// How old news was at worst when the last node had heard it, where the workload tells.
    pub staleness_ms: Option<i64>,
    /// Messages between servers for each operation.
    pub messages: Option<f64>,
}

impl Trial {
    fn broken(fault: String) -> Self {
        Self { fault: Some(fault), is_undecided: false, operations: 0, staleness_ms: None, messages: None }
    }
}

thread_local! {
    /// What this thread is about to run, in case the node panics.
    static COMMAND: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on, who panics tells the command that repeats it first.
pub(super) fn tell_of_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        COMMAND.with_borrow(|command| writeln!(io::stderr(), "A node panics; to replay: {command}").ok());
        usual(panic);
    }));
}

/// Runs a scenario and judges it.
#[must_use]
pub fn attempt(scenario: &Scenario, nodes: &Nursery<'_>) -> Trial {
    COMMAND.replace(scenario.to_string());
    let options = match scenario.options() {
        Ok(options) => options,
        Err(error) => return Trial::broken(error),
    };
    let mut cluster = match nodes(options.nodes.len(), scenario.seed, &options.arguments) {
        Ok(cluster) => cluster,
        Err(error) => return Trial::broken(error),
    };
    let mut workload = options.workload.begin(&options.terms());
    match run(&options.plan(scenario.seed), &mut *workload, &mut cluster, &mut Unwatched) {
        Ok(outcome) => judged(outcome, &options),
        Err(failure) => Trial::broken(failure.to_string()),
    }
}

fn judged(outcome: Outcome, options: &Options) -> Trial {
    let Outcome { history, counts, muted, .. } = outcome;
    let history: History = history.into_iter().collect();
    let rules = check::Options { consistency_models: options.consistency_models.clone(), availability: None };
    let name = options.workload.name();
    let results = judge(name, &history, &rules, &counts);
    let kills = options.nemesis.contains(&Fault::Kill);
    let pardoned = if kills && forgets(options.workload) { Some(pardoned(&history, options)) } else { None };
    let workload = match &pardoned {
        None => results.get("workload").cloned().unwrap_or_default(),
        Some(pardoned) => check_workload(name, pardoned, &rules).unwrap_or_default(),
    };
    let finding = Finding::of(&workload);
    let fault = muted
        .first()
        .map(|muted| format!("{} was muted: it printed {}", muted.node, muted.reason))
        .or_else(|| finding.invalid())
        .or_else(|| Finding::of(results.get("exceptions")?).invalid())
        .or_else(|| disagreement(pardoned.as_ref().unwrap_or(&history), options));
    let latencies = results.get("workload").and_then(|workload| workload.get("stable-latencies"));
    let per_op = |net: &Value| net.get("servers")?.get("msgs-per-op")?.as_float();
    Trial {
        is_undecided: fault.is_none() && matches!(finding, Finding::Undecided) && !agrees(options.workload),
        fault,
        operations: history.invocation_count(),
        staleness_ms: latencies.and_then(|latencies| latencies.entry(&Value::Int(1))?.as_int()),
        messages: results.get("net").and_then(per_op),
    }
}

/// What a checker says.
enum Finding {
    Valid,
    /// There was nothing to judge, or too much to search.
    Undecided,
    Invalid(String),
}

impl Finding {
    /// That nothing succeeded which could be judged is an anomaly to Jepsen; here most nodes may have been away.
    fn of(result: &Value) -> Self {
        let is_telling =
            |value: &&Value| !value.is_nil() && value.items().is_none_or(|mut items| items.next().is_some());
        let told = TELLING.iter().find_map(|key| Some((key, result.get(key).filter(is_telling)?.to_string())));
        match Verdict::of(result) {
            Verdict::True => Self::Valid,
            Verdict::Unknown => Self::Undecided,
            Verdict::False if told.as_ref().is_some_and(|(_, value)| value == "(:empty-transaction-graph)") => {
                Self::Undecided
            }
            Verdict::False => Self::Invalid(told.map_or("invalid".to_owned(), |(key, value)| {
                let short: String = value.chars().take(MAX_QUOTE).collect();
                let more = if short.len() < value.len() { "..." } else { "" };
                format!("invalid, {key}: {short}{more}")
            })),
        }
    }

    fn invalid(&self) -> Option<String> {
        if let Self::Invalid(what) = self { Some(what.clone()) } else { None }
    }
}

/// Whether the nodes of this workload answer the same to the same read once they hold the same.
fn agrees(workload: workload::Kind) -> bool {
    matches!(workload, workload::Kind::Broadcast | workload::Kind::GSet | workload::Kind::PnCounter)
}

/// Where replicas that must be equal by now are not: the last read of each client thread begins after the heal.
fn disagreement(history: &History, options: &Options) -> Option<String> {
    if !agrees(options.workload) {
        return None;
    }
    let reads: Vec<_> = history.pairs().filter(|(begun, _)| begun.f == "read").collect();
    let last = reads.get(reads.len().checked_sub(options.concurrency)?..)?;
    let node = |op: &Op| node_of(op, options).map_or("nobody", |node| options.nodes[node].as_str());
    let mut first: Option<(&str, BTreeSet<i64>)> = None;
    for (begun, done) in last {
        let Some(done) = done.filter(|done| done.kind == Kind::Ok) else {
            return Some(format!("{} does not answer the final read", node(begun)));
        };
        let read = contents(&done.value);
        match &first {
            None => first = Some((node(begun), read)),
            Some((other, agreed)) => {
                if let Some(value) = agreed.symmetric_difference(&read).next() {
                    return Some(format!("{other} and {} disagree about {value} after the heal", node(begun)));
                }
            }
        }
    }
    let (_, agreed) = first?;
    let acknowledged = history.client_ops().map(|(_, op)| op);
    let mut acknowledged = acknowledged.filter(|op| matches!(&*op.f, "add" | "broadcast") && op.kind == Kind::Ok);
    let gone = acknowledged.find(|op| {
        options.workload != workload::Kind::PnCounter && op.value.as_int().is_some_and(|value| !agreed.contains(&value))
    });
    gone.map(|op| format!("{}, which {} acknowledged, is read nowhere after the heal", op.value, node(op)))
}

/// The elements of a set, or the one value of a counter.
fn contents(value: &Value) -> BTreeSet<i64> {
    match value.items() {
        Some(items) => items.filter_map(|item| item.as_int()).collect(),
        None => value.as_int().into_iter().collect(),
    }
}
