//! One test of a swarm, checked by Maelstrom's rules and the extended ones, and for convergence after the heal.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write as _};

use super::discount::{discounted, node_of};
use super::failure::{CheckerJudgement, Failure, quote};
use super::scenario::Scenario;
use super::{IsCancelled, NodeFactory};
use crate::workbench::check::{self, CheckError, net, set_full};
use crate::workbench::cluster::{Cluster, Halt, OutputTail};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};
use crate::workbench::nemesis::Fault;
use crate::workbench::test::{Convergence, Crash, Difference, Extended, Outcome, TestConfig, TestError, Watch, run};
use crate::workbench::workload::{Agreement, LossOnKill};

/// The outcome of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseOutcome {
    /// The failure, if any.
    pub failure: Option<Failure>,
    /// Whether the checkers could not decide, and there is no failure.
    pub is_undecided: bool,
    /// Whether the same seed gives the same test again.
    pub is_exact: bool,
    /// The number of operations that clients invoked.
    pub operations: usize,
    /// The maximum stable latency, for workloads that measure it.
    pub staleness_ms: Option<i64>,
    /// Messages between servers per operation.
    pub messages: Option<f64>,
}

impl CaseOutcome {
    fn broken(why: String) -> Self {
        Self {
            failure: Some(Failure::new("broken", why)),
            is_undecided: false,
            is_exact: true,
            operations: 0,
            staleness_ms: None,
            messages: None,
        }
    }
}

thread_local! {
    /// The command line of the scenario that this thread is running.
    static COMMAND: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Installs a panic hook that first prints the command line of the scenario.
pub(in crate::workbench) fn print_command_on_panic() {
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        COMMAND.with_borrow(|command| writeln!(io::stderr(), "A node panics; to replay: {command}").ok());
        default_hook(panic);
    }));
}

/// Runs a scenario and checks it; `None` if the swarm was over before.
#[must_use]
pub fn run_case<C: Cluster>(
    scenario: &Scenario,
    nodes: &NodeFactory<'_, C>,
    is_over: &IsCancelled<'_>,
) -> Option<CaseOutcome> {
    COMMAND.replace(scenario.to_string());
    let options = scenario.config();
    let mut cluster = match nodes(options.nodes.len(), scenario.seed, &options.arguments) {
        Ok(cluster) => cluster,
        Err(error) => return Some(CaseOutcome::broken(error)),
    };
    let outcome = match run(&options, &mut cluster, &mut CancelWatch(is_over)) {
        // A program does not know which clients have gone, and Maelstrom silences it for a late reply. What that test
        // would have shown is unknown.
        Ok(outcome)
            if scenario.bin.is_some() && outcome.extended.muted.first().is_some_and(|muted| muted.late_reply) =>
        {
            let checked = checked(outcome, &options);
            CaseOutcome { is_undecided: true, failure: None, staleness_ms: None, messages: None, ..checked }
        }
        Ok(outcome) => checked(outcome, &options),
        Err(TestError::Halt(Halt::Interrupted)) => return None,
        Err(TestError::Unready { node, what, output_tail }) => {
            CaseOutcome::broken(format!("{node} {what}{}", last_words(&output_tail)))
        }
        Err(error) => CaseOutcome::broken(error.to_string()),
    };
    Some(CaseOutcome { is_exact: cluster.is_exact(), ..outcome })
}

/// Ends a test in the middle once the swarm is over.
struct CancelWatch<'a>(&'a IsCancelled<'a>);

impl Watch for CancelWatch<'_> {
    fn is_interrupted(&self) -> bool {
        (self.0)()
    }
}

/// What a program wrote to stderr last, as the end of a sentence.
fn last_words(output_tail: &OutputTail) -> String {
    let line = output_tail.stderr.iter().rfind(|line| !line.trim().is_empty());
    line.map_or_else(String::new, |line| format!("; the last that it wrote to stderr: {}", quote(line)))
}

fn checked(outcome: Outcome, options: &TestConfig) -> CaseOutcome {
    let Outcome { history, counts, crashes, extended: Extended { muted, convergence, .. }, .. } = outcome;
    let models = options.consistency_models.clone();
    let killed = options.nemesis.contains(&Fault::Kill) && !options.durable;
    let loss = if killed { options.workload.descriptor().swarm.loss } else { LossOnKill::Nothing };
    let discounted = if loss == LossOnKill::Nothing { None } else { Some(discounted(&history, options)) };
    let judged = discounted.as_ref().filter(|_| loss == LossOnKill::Values).unwrap_or(&history);
    let check_options = check::Options { consistency_models: models, ..check::Options::default() };
    let check = |history: &History| options.workload.check(history, &check_options);
    let reports = check(judged).and_then(|report| {
        let order_discounted = discounted.as_ref().filter(|_| loss == LossOnKill::Order).map(check).transpose()?;
        let extended = order_discounted.as_ref().unwrap_or(&report);
        let extended = extended
            .extended_verdict()
            .map(|verdict| CheckerJudgement::of("extended checks", verdict, &extended.extended_violations()));
        Ok((CheckerJudgement::of("invalid", report.verdict(), &report.violations()), extended))
    });
    let (judgement, extended) = match reports {
        Ok(judgements) => judgements,
        Err(CheckError::TooManyEdges { .. }) => (CheckerJudgement::Undecided, None),
        // Replies that no checker can judge, such as a message that was never sent.
        Err(problem) => (CheckerJudgement::Invalid(Failure::new("error", problem.to_string())), None),
    };
    let crash = |crash: &Crash| {
        let Crash { node, status, after, output_tail } = crash;
        let died = format!("{node} died after {:.1} s ({status})", after.as_secs_f64());
        Failure::new("crashed", died + &last_words(output_tail))
    };
    let failure = crashes
        .first()
        .map(crash)
        .or_else(|| {
            Some(muted.first()?)
                .map(|muted| Failure::new("muted", format!("{} was muted: it printed {}", muted.node, muted.reason)))
        })
        .or_else(|| judgement.failure())
        .or_else(|| extended?.failure())
        .or_else(|| difference(convergence.as_ref()?))
        .or_else(|| divergence(judged, options));
    let net = net::check(&counts, history.invocation_count());
    CaseOutcome {
        is_undecided: failure.is_none() && judgement == CheckerJudgement::Undecided && convergence.is_none(),
        is_exact: true,
        failure,
        operations: history.invocation_count(),
        staleness_ms: set_full::stable_latencies(&history).last().copied(),
        messages: net.servers_per_op(),
    }
}

/// The failure of replicas that differ at the end of the test.
fn difference(convergence: &Convergence) -> Option<Failure> {
    let Convergence::Different(first) = convergence else { return None };
    let kind = match first {
        Difference::Values { .. } => "differ",
        Difference::Silent { .. } | Difference::Unasked(_) => "not compared",
    };
    Some(Failure::new(kind, format!("the replicas differ in the end: {}", quote(&first.to_string()))))
}

/// The failure of replicas that had not converged at the final reads, ten seconds after the heal, or had lost
/// acknowledged values; the comparison of the replicas is ten seconds later and does not look for lost values.
fn divergence(history: &History, options: &TestConfig) -> Option<Failure> {
    let expected = options.workload.descriptor().swarm.final_reads;
    if expected == Agreement::None {
        return None;
    }
    let reads: Vec<_> = history.pairs().filter(|(begun, _)| begun.f == "read").collect();
    let last = reads.get(reads.len().checked_sub(options.concurrency)?..)?;
    let node = |op: &Op| node_of(op, options).map_or("no node", |node| options.nodes[node].as_str());
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
                    let description = format!("{other} and {} disagree about {value} after the heal", node(begun));
                    return Some(Failure::new("late agreement", description));
                }
            }
        }
    }
    let (_, agreed) = first?;
    let acknowledged = history.client_ops().map(|(_, op)| op);
    let mut acknowledged = acknowledged.filter(|op| matches!(&*op.f, "add" | "broadcast") && op.kind == OpKind::Ok);
    let missing = acknowledged.find(|op| {
        expected == Agreement::Complete && op.value.as_int().is_some_and(|value| !agreed.contains(&value))
    })?;
    let description =
        format!("{}, which {} acknowledged, is read nowhere after the heal", missing.value, node(missing));
    Some(Failure::new("lost", description))
}

/// The elements of a set, or the one value of a counter.
fn contents(value: &Value) -> BTreeSet<i64> {
    match value.items() {
        Some(items) => items.filter_map(|item| item.as_int()).collect(),
        None => value.as_int().into_iter().collect(),
    }
}
