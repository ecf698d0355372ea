//! One scenario run and judged: Maelstrom's verdict and ours, and agreement of all nodes after the heal.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write as _};

use super::NodeFactory;
use super::discount::{Loss, discounted, node_of};
use super::failure::{Failure, Judgement, quote};
use super::scenario::Scenario;
use crate::workbench::check::{self, Unjudgeable, check_workload, net, set_full};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};
use crate::workbench::nemesis::Fault;
use crate::workbench::test::{Convergence, Difference, Outcome, TestConfig, Unwatched, run};
use crate::workbench::workload;

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseOutcome {
    /// What is wrong, if anything.
    pub fault: Option<Failure>,
    /// Whether the checkers could not tell, and nothing else is wrong.
    pub is_undecided: bool,
    /// How many operations clients began.
    pub operations: usize,
    /// How old news was at worst when the last node had heard it, where the workload tells.
    pub staleness_ms: Option<i64>,
    /// Messages between servers for each operation.
    pub messages: Option<f64>,
}

impl CaseOutcome {
    fn broken(why: String) -> Self {
        Self {
            fault: Some(Failure::new("broken", why)),
            is_undecided: false,
            operations: 0,
            staleness_ms: None,
            messages: None,
        }
    }
}

thread_local! {
    /// What this thread is about to run, in case the node panics.
    static COMMAND: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on, who panics tells the command that repeats it first.
pub(in crate::workbench) fn tell_of_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        COMMAND.with_borrow(|command| writeln!(io::stderr(), "A node panics; to replay: {command}").ok());
        usual(panic);
    }));
}

/// Runs a scenario and judges it.
#[must_use]
pub fn attempt(scenario: &Scenario, nodes: &NodeFactory<'_>) -> CaseOutcome {
    COMMAND.replace(scenario.to_string());
    let options = scenario.config();
    let mut cluster = match nodes(options.nodes.len(), scenario.seed, &options.arguments) {
        Ok(cluster) => cluster,
        Err(error) => return CaseOutcome::broken(error),
    };
    let mut workload = options.workload.begin(&options.terms());
    match run(&options, &mut *workload, &mut cluster, &mut Unwatched) {
        Ok(outcome) => judged(outcome, &options),
        Err(failure) => CaseOutcome::broken(failure.to_string()),
    }
}

fn judged(outcome: Outcome, options: &TestConfig) -> CaseOutcome {
    let Outcome { history, counts, muted, convergence, .. } = outcome;
    let history: History = history.into_iter().collect();
    let rules = check::Options { consistency_models: options.consistency_models.clone(), ..check::Options::default() };
    let loss = if options.nemesis.contains(&Fault::Kill) { Loss::of(options.workload) } else { Loss::Nothing };
    let discounted = if loss == Loss::Nothing { None } else { Some(discounted(&history, options)) };
    let judged = discounted.as_ref().filter(|_| loss == Loss::Values).unwrap_or(&history);
    let check = |history: &History| check_workload(options.workload.name(), history, &rules);
    let reports = check(judged).and_then(|report| {
        let for_us = discounted.as_ref().filter(|_| loss == Loss::Order).map(check).transpose()?;
        let ours = for_us.as_ref().unwrap_or(&report);
        // Where our own verdict can differ from Maelstrom's.
        let ours =
            ours.extended_verdict().map(|verdict| Judgement::of("invalid to us", verdict, &ours.extended_violations()));
        Ok((Judgement::of("invalid", report.verdict(), &report.violations()), ours))
    });
    let (judgement, ours) = match reports {
        Ok(judgements) => judgements,
        Err(Unjudgeable::TooManyEdges { .. }) => (Judgement::Undecided, None),
        // Such answers are nonsense: what nobody sent, or an offset that is none.
        Err(problem) => (Judgement::Invalid(Failure::new("nonsense", problem.to_string())), None),
    };
    let fault = muted
        .first()
        .map(|muted| Failure::new("muted", format!("{} was muted: it printed {}", muted.node, muted.reason)))
        .or_else(|| judgement.failure())
        .or_else(|| ours?.failure())
        .or_else(|| difference(convergence.as_ref()?))
        .or_else(|| tardiness(judged, options));
    let net = net::check(&counts, history.invocation_count());
    CaseOutcome {
        is_undecided: fault.is_none() && judgement == Judgement::Undecided && convergence.is_none(),
        fault,
        operations: history.invocation_count(),
        staleness_ms: set_full::stable_latencies(&history).last().copied(),
        messages: net.servers_per_op(),
    }
}

/// What the comparison of all replicas found when everything was over.
fn difference(convergence: &Convergence) -> Option<Failure> {
    let Convergence::Different(first) = convergence else { return None };
    let kind = match first {
        Difference::Values { .. } => "differ",
        Difference::Silent { .. } | Difference::Unasked(_) => "not compared",
    };
    Some(Failure::new(kind, format!("the replicas differ in the end: {}", quote(&first.to_string()))))
}

/// Whether this workload ends with a read at every client, which all replicas by then answer alike.
fn reads_last(workload: workload::WorkloadKind) -> bool {
    matches!(
        workload,
        workload::WorkloadKind::Broadcast | workload::WorkloadKind::GSet | workload::WorkloadKind::PnCounter
    )
}

/// Where replicas took too long, or hold too little: the last read of each client thread begins ten seconds after the
/// heal, and the comparison of all replicas ten seconds later, which asks nobody for what was acknowledged.
fn tardiness(history: &History, options: &TestConfig) -> Option<Failure> {
    if !reads_last(options.workload) {
        return None;
    }
    let reads: Vec<_> = history.pairs().filter(|(begun, _)| begun.f == "read").collect();
    let last = reads.get(reads.len().checked_sub(options.concurrency)?..)?;
    let node = |op: &Op| node_of(op, options).map_or("nobody", |node| options.nodes[node].as_str());
    let mut first: Option<(&str, BTreeSet<i64>)> = None;
    for (begun, done) in last {
        let Some(done) = done.filter(|done| done.kind == OpKind::Ok) else {
            return Some(Failure::new("late answer", format!("{} does not answer the final read", node(begun))));
        };
        let read = contents(&done.value);
        match &first {
            None => first = Some((node(begun), read)),
            Some((other, agreed)) => {
                if let Some(value) = agreed.symmetric_difference(&read).next() {
                    let told = format!("{other} and {} disagree about {value} after the heal", node(begun));
                    return Some(Failure::new("late agreement", told));
                }
            }
        }
    }
    let (_, agreed) = first?;
    let acknowledged = history.client_ops().map(|(_, op)| op);
    let mut acknowledged = acknowledged.filter(|op| matches!(&*op.f, "add" | "broadcast") && op.kind == OpKind::Ok);
    let gone = acknowledged.find(|op| {
        options.workload != workload::WorkloadKind::PnCounter
            && op.value.as_int().is_some_and(|value| !agreed.contains(&value))
    })?;
    let told = format!("{}, which {} acknowledged, is read nowhere after the heal", gone.value, node(gone));
    Some(Failure::new("gone", told))
}

/// The elements of a set, or the one value of a counter.
fn contents(value: &Value) -> BTreeSet<i64> {
    match value.items() {
        Some(items) => items.filter_map(|item| item.as_int()).collect(),
        None => value.as_int().into_iter().collect(),
    }
}
