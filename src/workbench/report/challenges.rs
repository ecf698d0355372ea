//! The challenges of Gossip Glomers (protocol §16) and a few harder ones: the command, the limits, and the best
//! published results.

mod table;

use crate::workbench::check::Verdict;
use crate::workbench::check::stats::OutcomeCounts;
use crate::workbench::report::metrics::Metrics;
use crate::workbench::report::results::Results;
use crate::workbench::test::TestConfig;
use crate::workbench::workload::WorkloadKind;

pub use table::{Table, TableFormat};

/// One challenge.
#[derive(Debug)]
#[non_exhaustive]
pub struct Challenge {
    /// `3d`
    pub name: &'static str,
    /// The command line after `gloomers test`.
    pub options: &'static str,
    /// The command line of each node.
    pub arguments: &'static str,
    /// What the verdict demands, where no limit is shown.
    pub demand: &'static str,
    /// The metrics to be met beside the verdict.
    pub limits: Metrics,
    /// The best published metrics of others.
    pub best: &'static str,
    /// Whether every operation must succeed, and this crate's extended checks count.
    pub strict: bool,
}

/// The result of running a challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct ChallengeResult {
    /// The verdict.
    pub verdict: Verdict,
    /// The metrics.
    pub metrics: Metrics,
    /// Whether the main phase began about as many operations as requested.
    pub complete: bool,
    /// How many operations succeeded, and how many there were, without those that need not succeed.
    pub answered: (usize, usize),
}

/// All challenges, in order.
pub static ALL: [Challenge; 19] = [
    Challenge::new("1", "-w echo --node-count 1 --time-limit 10").demand("every request answered"),
    Challenge::new(
        "2",
        "-w unique-ids --time-limit 30 --rate 1000 --node-count 3 --availability total --nemesis partition",
    )
    .demand("unique, all answered"),
    Challenge::new("3a", "-w broadcast --node-count 1 --time-limit 20 --rate 10").demand("no value lost"),
    Challenge::new("3b", "-w broadcast --node-count 5 --time-limit 20 --rate 10").demand("no value lost"),
    Challenge::new("3c", "-w broadcast --node-count 5 --time-limit 20 --rate 10 --nemesis partition")
        .demand("no value lost"),
    Challenge::new("3d", "-w broadcast --node-count 25 --time-limit 20 --rate 100 --latency 100")
        .limits(30.0, Some(400.0), Some(600.0))
        .best("7.75 msgs/op, 333 / 533 ms"),
    Challenge::new("3e", "-w broadcast --node-count 25 --time-limit 20 --rate 100 --latency 100")
        .arguments("--max-staleness 1700ms")
        .limits(20.0, Some(1000.0), Some(2000.0))
        .best("1.92 msgs/op, 764 / 1087 ms"),
    Challenge::new("4", "-w g-counter --node-count 3 --rate 100 --time-limit 20 --nemesis partition")
        .demand("no add lost")
        .limits(1.0, None, None)
        .best("4.3 msgs/op"),
    Challenge::new(
        "4, both ways",
        "-w pn-counter --node-count 3 --rate 100 --time-limit 20 --availability total --nemesis partition",
    )
    .demand("no add lost, all answered")
    .limits(0.7, None, None),
    Challenge::new("5a", "-w kafka --node-count 1 --concurrency 2n --time-limit 20 --rate 1000")
        .demand("nothing lost or reordered"),
    Challenge::new("5b", "-w kafka --node-count 2 --concurrency 2n --time-limit 20 --rate 1000")
        .demand("nothing lost or reordered"),
    Challenge::new("5c", "-w kafka --node-count 2 --concurrency 2n --time-limit 20 --rate 1000")
        .demand("nothing lost or reordered")
        .limits(0.06, None, None)
        .best("1.37 msgs/op"),
    Challenge::new(
        "5c, cut",
        "-w kafka --node-count 2 --concurrency 2n --time-limit 20 --rate 1000 --nemesis partition",
    )
    .demand("nothing lost or reordered")
    .limits(0.06, None, None),
    Challenge::new(
        "5c, far",
        "-w kafka --node-count 5 --concurrency 2n --time-limit 20 --rate 1000 --latency 100 --nemesis partition",
    )
    .demand("nothing lost or reordered"),
    Challenge::new(
        "6a",
        "-w txn-rw-register --node-count 1 --time-limit 20 --rate 1000 --concurrency 2n --consistency-models \
         read-uncommitted --availability total",
    )
    .demand("all answered, no G0"),
    Challenge::new(
        "6b",
        "-w txn-rw-register --node-count 2 --concurrency 2n --time-limit 20 --rate 1000 --consistency-models \
         read-uncommitted",
    )
    .demand("no G0")
    .limits(0.06, None, None),
    Challenge::new(
        "6b, cut",
        "-w txn-rw-register --node-count 2 --concurrency 2n --time-limit 20 --rate 1000 --consistency-models \
         read-uncommitted --availability total --nemesis partition",
    )
    .demand("all answered, no G0")
    .limits(0.06, None, None),
    Challenge::new(
        "6c",
        "-w txn-rw-register --node-count 2 --concurrency 2n --time-limit 20 --rate 1000 --consistency-models \
         read-committed --availability total --nemesis partition",
    )
    .demand("all answered, no G0 or G1")
    .limits(0.06, None, None),
    Challenge::new(
        "6c, far",
        "-w txn-rw-register --node-count 5 --concurrency 2n --time-limit 20 --rate 1000 --latency 100 \
         --consistency-models read-committed --availability total --nemesis partition",
    )
    .demand("all answered, no G0 or G1"),
];

impl Challenge {
    const fn new(name: &'static str, options: &'static str) -> Self {
        Self {
            name,
            options,
            arguments: "",
            demand: "",
            limits: Metrics { msgs_per_op: None, median_ms: None, max_ms: None },
            best: "",
            strict: true,
        }
    }

    const fn arguments(self, arguments: &'static str) -> Self {
        Self { arguments, ..self }
    }

    const fn demand(self, demand: &'static str) -> Self {
        Self { demand, ..self }
    }

    const fn limits(self, msgs_per_op: f64, median_ms: Option<f64>, max_ms: Option<f64>) -> Self {
        Self { limits: Metrics { msgs_per_op: Some(msgs_per_op), median_ms, max_ms }, ..self }
    }

    const fn best(self, best: &'static str) -> Self {
        Self { best, ..self }
    }

    /// The command line after `gloomers test`, complete.
    pub fn command(&self) -> String {
        let Self { options, arguments, .. } = self;
        if arguments.is_empty() { (*options).to_owned() } else { format!("{options} -- {arguments}") }
    }

    /// Whether a run has the conditions of the challenges of [`Challenge::efficiency`].
    pub fn measures(options: &TestConfig) -> bool {
        let at_rate = (options.rate - 100.0).abs() < f64::EPSILON;
        let latency_ms = options.latency.mean_ms;
        options.workload == WorkloadKind::Broadcast && options.nodes.len() == 25 && latency_ms == 100 && at_rate
    }

    /// The challenges that limit messages per operation and latency of a broadcast.
    pub fn efficiency() -> impl Iterator<Item = &'static Self> {
        ALL.iter().filter(|challenge| challenge.limits.max_ms.is_some())
    }

    /// The challenge as it is put to other programs: only the limits that were published count, and Maelstrom's
    /// verdict.
    pub fn published(&self) -> Self {
        let limits = if self.limits.max_ms.is_some() {
            self.limits
        } else {
            Metrics { msgs_per_op: None, median_ms: None, max_ms: None }
        };
        Self { arguments: "", limits, strict: false, ..*self }
    }

    /// Whether an attempt is valid, complete and within the limits, and every operation succeeded if that counts.
    pub fn is_met(&self, attempt: &ChallengeResult) -> bool {
        let (ok, count) = attempt.answered;
        attempt.verdict == Verdict::True
            && attempt.metrics.meet(&self.limits)
            && attempt.complete
            && (ok == count || !self.strict)
    }
}

impl ChallengeResult {
    /// Extracts it from the results of a run of a challenge.
    pub fn of(challenge: &Challenge, results: &Results) -> Self {
        let count =
            |of: fn(OutcomeCounts) -> usize| results.stats.expected_to_succeed().map(|(_, tally)| of(tally)).sum();
        let extended = results.extended.as_ref();
        Self {
            verdict: if challenge.strict { results.strict_verdict() } else { results.verdict() },
            metrics: Metrics::of(results),
            complete: extended.is_none_or(|extended| extended.throughput.shortfall().is_none()),
            answered: (count(|tally| tally.ok), count(OutcomeCounts::all)),
        }
    }
}
