//! The results of a run: the reports of all checkers, and what this workbench measures beyond Maelstrom.

use crate::time::Duration;
use crate::workbench::check::availability::{self, AvailabilityReport};
use crate::workbench::check::exceptions::{self, ExceptionsReport};
use crate::workbench::check::net::{self, NetReport};
use crate::workbench::check::stats::{self, StatsReport};
use crate::workbench::check::{Budget, CheckReport, Options, Verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::History;
use crate::workbench::network::Delivery;
use crate::workbench::test::{Convergence, Extended, Outcome, TestConfig, Throughput};
use crate::workbench::workload::WorkloadKind;

/// The results of a run: the report of each checker.
#[derive(Debug)]
pub struct Results {
    /// Exceptions of clients.
    pub exceptions: ExceptionsReport,
    /// Counts of operations by outcome.
    pub stats: StatsReport,
    /// Whether enough operations succeeded.
    pub availability: AvailabilityReport,
    /// Message counts; `None` for a stored history, which does not record them.
    pub net: Option<NetReport>,
    /// The report of the workload's checker.
    pub workload: Box<dyn CheckReport>,
    /// What Maelstrom does not report; `None` for a stored history.
    pub extended: Option<Extended>,
}

/// Checks a test.
pub fn results(outcome: &Outcome, config: &TestConfig, budget: Budget) -> Results {
    let options =
        Options { availability: config.availability, consistency_models: config.consistency_models.clone(), budget };
    let results = judge(config.workload, &outcome.history, &options, &outcome.counts);
    Results { extended: Some(outcome.extended.clone()), ..results }
}

/// Runs every checker on the history of a run of `workload`, which exchanged `counts` messages.
pub fn judge(workload: WorkloadKind, history: &History, options: &Options, counts: &net::Counts) -> Results {
    Results {
        exceptions: exceptions::check(history),
        stats: stats::check(history),
        availability: availability::check(history, options.availability),
        net: Some(net::check(counts, history.invocation_count())),
        workload: workload.check(history, options).unwrap_or_else(|problem| Box::new(problem)),
        extended: None,
    }
}

/// The checks of a run, in the order of the results; see [`Check::is_strict`] for the last four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Plots, which are always valid.
    Perf,
    /// The timeline, which is always valid.
    Timeline,
    /// [`Results::exceptions`]
    Exceptions,
    /// [`Results::stats`]
    Stats,
    /// [`Results::availability`]
    Availability,
    /// [`Results::net`]
    Net,
    /// [`Results::workload`]
    Workload,
    /// [`CheckReport::extended_verdict`] of the workload.
    Gloomers,
    /// Whether the replicas had converged at the end.
    Converged,
    /// Whether the output of every node was processed to the end.
    Muted,
    /// Whether no node printed anything after a message on the same line.
    Unread,
}

impl Check {
    /// The key in the results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Timeline => "timeline",
            Self::Exceptions => "exceptions",
            Self::Stats => "stats",
            Self::Availability => "availability",
            Self::Net => "net",
            Self::Workload => "workload",
            Self::Gloomers => "gloomers",
            Self::Converged => "converged",
            Self::Muted => "muted",
            Self::Unread => "unread",
        }
    }

    /// Whether it counts only under `--strict`.
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Gloomers | Self::Converged | Self::Muted | Self::Unread)
    }
}

impl Results {
    /// The report of each check, except those for which [`Check::is_strict`] holds.
    pub fn reports(&self) -> impl Iterator<Item = (Check, &dyn CheckReport)> {
        let plots = [(Check::Perf, &Plots::Perf), (Check::Timeline, &Plots::Timeline)];
        let plots = plots.map(|(check, plots)| (check, plots as &dyn CheckReport));
        let before: [(Check, &dyn CheckReport); 3] = [
            (Check::Exceptions, &self.exceptions),
            (Check::Stats, &self.stats),
            (Check::Availability, &self.availability),
        ];
        let net = self.net.as_ref().map(|net| (Check::Net, net as &dyn CheckReport));
        plots.into_iter().chain(before).chain(net).chain([(Check::Workload, &*self.workload)])
    }

    /// Maelstrom's verdict on the run.
    pub fn verdict(&self) -> Verdict {
        self.reports().map(|(_, report)| report.verdict()).fold(Verdict::True, Verdict::merge)
    }

    /// The verdict of the checks that only `--strict` counts.
    pub fn strict(&self) -> Verdict {
        let is_clean = |extended: &Extended| {
            let diverged = matches!(extended.convergence, Some(Convergence::Different(_)));
            extended.muted.is_empty() && extended.unread.is_empty() && !diverged
        };
        let is_invalid = self.workload.extended_verdict() == Some(Verdict::False);
        Verdict::from(!is_invalid && self.extended.as_ref().is_none_or(is_clean))
    }

    /// The verdict in which the strict checks count, too.
    pub fn strict_verdict(&self) -> Verdict {
        self.verdict().merge(self.strict())
    }

    /// The violations that the workload's checker found, as lines of text: a blank line precedes each paragraph.
    pub fn explanation(&self) -> Vec<String> {
        let paragraphs = self.workload.explanation().into_iter();
        paragraphs.flat_map(|lines| std::iter::once(String::new()).chain(lines)).collect()
    }

    /// The whole map of results, as in `results.edn` and `results.json`.
    pub fn to_edn(&self) -> Value {
        let parts = self.reports().map(|(check, report)| (check.name(), report.to_edn()));
        let extended = self.extended.as_ref().map(|extended| (Check::Gloomers.name(), extended.to_edn()));
        let all = parts.chain(extended).chain([("valid?", self.verdict().to_value())]);
        Value::record(all)
    }
}

/// Maelstrom's plotting checkers, which are always valid.
#[derive(Debug)]
enum Plots {
    Perf,
    Timeline,
}

impl CheckReport for Plots {
    fn verdict(&self) -> Verdict {
        Verdict::True
    }

    fn to_edn(&self) -> Value {
        let plot = || Value::record([("valid?", true.into())]);
        match self {
            Self::Perf => Value::record([("latency-graph", plot()), ("rate-graph", plot()), ("valid?", true.into())]),
            Self::Timeline => plot(),
        }
    }
}

impl Extended {
    fn to_edn(&self) -> Value {
        let delivery = match self.delivery {
            Delivery::Held => "held",
            Delivery::Free => "free",
        };
        let muted = self.muted.iter().map(|muted| {
            Value::record([
                ("node", Value::str(&*muted.node)),
                ("line", Value::str(muted.line.as_str())),
                ("reason", Value::str(muted.reason.to_string())),
            ])
        });
        let unread = self.unread.iter().map(|unread| {
            Value::record([
                ("node", Value::str(&*unread.node)),
                ("lines", Value::count(unread.lines)),
                ("first", Value::str(unread.first.as_str())),
            ])
        });
        let errors = self.errors.iter().map(|error| {
            Value::record([
                ("f", Value::keyword(error.f)),
                ("count", Value::count(error.count)),
                ("example", Value::str(error.example.as_str())),
            ])
        });
        let outdated = self.outdated.iter().map(|outdated| Value::str(outdated.to_string()));
        let clock = if self.virtual_time { "virtual" } else { "real" };
        let seed = i64::try_from(self.seed).map_or_else(|_| Value::Big(self.seed.to_string().into()), Value::Int);
        let [mean, p99, max] = self.lateness.in_ms().map(Value::Float);
        let converged = match &self.convergence {
            None => Vec::new(),
            Some(Convergence::Equal) => vec![("converged", true.into())],
            Some(Convergence::Different(first)) => vec![("converged", false.into()), ("difference", first.to_edn())],
        };
        let entries = [
            ("seed", seed),
            ("clock", Value::keyword(clock)),
            ("main-phase", main_phase(&self.throughput)),
            ("delivery", Value::keyword(delivery)),
            ("delivery-error", Value::record([("mean", mean), ("p99", p99), ("max", max)])),
            ("muted", Value::Vector(muted.collect())),
            ("unread", Value::Vector(unread.collect())),
            ("operation-errors", Value::Vector(errors.collect())),
            ("stale-reads", Value::Vector(outdated.collect())),
        ];
        let cut_short = self.cut_short.as_ref().map(|failure| ("cut-short", Value::str(failure.as_str())));
        let remarks = (!self.remarks.is_empty()).then(|| ("remarks", Value::lines(self.remarks.clone())));
        let entries = entries.into_iter().chain(converged).chain(cut_short).chain(remarks);
        Value::record(entries)
    }
}

/// The `:main-phase` entry; times in seconds.
fn main_phase(throughput: &Throughput) -> Value {
    let Throughput { asked, begun, lasted, saturated, .. } = throughput;
    let seconds = |time: &Duration| Value::Float((time.as_secs_f64() * 1e3).round() / 1e3);
    let shortfall = throughput.shortfall().map(|why| ("shortfall", Value::str(why)));
    let entries = [
        ("lasted", seconds(lasted)),
        ("asked", Value::Float(*asked)),
        ("begun", Value::Int(i64::try_from(*begun).unwrap_or(i64::MAX))),
        ("saturated", seconds(saturated)),
    ];
    Value::record(entries.into_iter().chain(shortfall))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::check::tests::history;

    #[test]
    fn results_have_their_parts_in_the_order_of_maelstrom() {
        let history = history(&["0 invoke generate nil", "0 ok generate 1"]);
        let results = judge(WorkloadKind::UniqueIds, &history, &Options::default(), &net::Counts::default());
        let edn = results.to_edn();
        let keys: Vec<_> = edn.entries().expect("a map").iter().map(|(key, _)| key.to_string()).collect();
        let expected = [":perf", ":timeline", ":exceptions", ":stats", ":availability", ":net", ":workload", ":valid?"];
        assert_eq!(keys, expected);
        assert_eq!(results.verdict(), Verdict::True);
    }

    #[test]
    fn a_checker_that_cannot_decide_makes_the_run_unknown() {
        let history =
            history(&["0 invoke generate nil", "0 ok generate 1", "0 invoke generate nil", "0 ok generate \"a\""]);
        let results = judge(WorkloadKind::UniqueIds, &history, &Options::default(), &net::Counts::default());
        let workload = results.workload.to_edn().to_string();
        assert_eq!(workload, "{:valid? :unknown, :error \"\\\"a\\\" and 1 cannot be compared\"}");
        assert_eq!(results.verdict(), Verdict::Unknown);
    }

    #[test]
    fn operations_that_do_not_pair_make_every_workload_unknown() {
        let stray = ["0 invoke generate nil", "0 ok generate 1", "0 ok generate 2"];
        let twice = ["0 invoke generate nil", "0 invoke generate nil", "0 ok generate 1"];
        for (lines, why) in [(stray, "has no operation under way"), (twice, "is not over")] {
            let results =
                judge(WorkloadKind::UniqueIds, &history(&lines), &Options::default(), &net::Counts::default());
            assert_eq!(results.verdict(), Verdict::Unknown);
            let why_not = &results.workload.violations()[0].sentence;
            assert!(why_not.contains("index") && why_not.contains(why), "{why_not}");
        }
    }

    #[test]
    fn false_outranks_unknown() {
        let unknown = ["0 invoke generate nil", "0 ok generate 1", "0 invoke generate nil", "0 ok generate :a"];
        let history = history(&[&unknown[..], &["0 invoke read nil", "0 fail read nil"]].concat());
        let results = judge(WorkloadKind::UniqueIds, &history, &Options::default(), &net::Counts::default());
        assert_eq!((results.workload.verdict(), results.stats.verdict()), (Verdict::Unknown, Verdict::False));
        assert_eq!(results.verdict(), Verdict::False);
    }
}
