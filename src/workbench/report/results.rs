//! What all checkers found of a run, and what only a run of ours knows.

use crate::time::Duration;
use crate::workbench::check::availability::{self, AvailabilityReport};
use crate::workbench::check::exceptions::{self, ExceptionsReport};
use crate::workbench::check::net::{self, NetReport};
use crate::workbench::check::stats::{self, StatsReport};
use crate::workbench::check::{CheckReport, Options, Verdict, check_workload};
use crate::workbench::edn::Value;
use crate::workbench::history::History;
use crate::workbench::network::{Delivery, Muted, Unread};
use crate::workbench::test::{Convergence, Lateness, OperationErrors, Outcome, Outdated, TestConfig, Throughput};

/// The results of a run: the report of each checker.
#[derive(Debug)]
pub struct Results {
    /// The exceptions that clients ran into.
    pub exceptions: ExceptionsReport,
    /// How the operations ended.
    pub stats: StatsReport,
    /// Whether enough of them succeeded.
    pub availability: AvailabilityReport,
    /// The messages; nothing, where only the history is known.
    pub net: Option<NetReport>,
    /// What the checker of the workload found.
    pub workload: Box<dyn CheckReport>,
    /// What Maelstrom does not report; nothing, where only the history is known.
    pub extended: Option<Extended>,
}

/// The results of a run of `workload`, whose messages were counted in `counts`.
#[must_use]
pub fn judge(workload: &str, history: &History, options: &Options, counts: &net::Counts) -> Results {
    Results {
        exceptions: exceptions::check(history),
        stats: stats::check(history),
        availability: availability::check(history, options.availability),
        net: Some(net::check(counts, history.invocation_count())),
        workload: check_workload(workload, history, options).unwrap_or_else(|problem| Box::new(problem)),
        extended: None,
    }
}

/// The checks of a run, in the order of the results; the last are made by `--strict` alone.
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
    /// Our own verdict on the workload.
    Gloomers,
    /// Whether the replicas were equal in the end.
    Converged,
    /// Whether every node was heard to the end.
    Muted,
    /// Whether every message was read to its end.
    Unread,
}

impl Check {
    /// The name in the results.
    #[must_use]
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

    /// Whether `--strict` alone asks for it.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Gloomers | Self::Converged | Self::Muted | Self::Unread)
    }
}

impl Results {
    /// The reports by check.
    pub fn reports(&self) -> impl Iterator<Item = (Check, &dyn CheckReport)> {
        let pictures = [(Check::Perf, &Pictures::Plots), (Check::Timeline, &Pictures::Timeline)];
        let pictures = pictures.map(|(check, pictures)| (check, pictures as &dyn CheckReport));
        let before: [(Check, &dyn CheckReport); 3] = [
            (Check::Exceptions, &self.exceptions),
            (Check::Stats, &self.stats),
            (Check::Availability, &self.availability),
        ];
        let net = self.net.as_ref().map(|net| (Check::Net, net as &dyn CheckReport));
        pictures.into_iter().chain(before).chain(net).chain([(Check::Workload, &*self.workload)])
    }

    /// What Maelstrom says of the run.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.reports().map(|(_, report)| report.verdict()).fold(Verdict::True, Verdict::merge)
    }

    /// What `--strict` says besides: whether anything is wrong that Maelstrom does not see.
    #[must_use]
    pub fn strict(&self) -> Verdict {
        let is_well = |extended: &Extended| {
            let apart = matches!(extended.convergence, Some(Convergence::Different(_)));
            extended.muted.is_empty() && extended.unread.is_empty() && !apart
        };
        let unseen = self.workload.extended_verdict() == Some(Verdict::False);
        Verdict::from(!unseen && self.extended.as_ref().is_none_or(is_well))
    }

    /// What the checker of the workload found, for people: lines, a paragraph for each violation.
    #[must_use]
    pub fn explanation(&self) -> Vec<String> {
        let paragraphs = self.workload.explanation().into_iter();
        paragraphs.flat_map(|lines| std::iter::once(String::new()).chain(lines)).collect()
    }

    /// The whole map of results, as in `results.edn`; JSON is made of it.
    #[must_use]
    pub fn to_edn(&self) -> Value {
        let parts = self.reports().map(|(check, report)| (check.name(), report.to_edn()));
        let extended = self.extended.as_ref().map(|extended| (Check::Gloomers.name(), extended.to_edn()));
        let all = parts.chain(extended).chain([("valid?", self.verdict().to_value())]);
        Value::Map(all.map(|(key, part)| (Value::keyword(key), part)).collect())
    }
}

/// The checkers of Maelstrom that draw pictures.
#[derive(Debug)]
enum Pictures {
    Plots,
    Timeline,
}

impl CheckReport for Pictures {
    fn verdict(&self) -> Verdict {
        Verdict::True
    }

    fn to_edn(&self) -> Value {
        let plot = || Value::record([("valid?", true.into())]);
        match self {
            Self::Plots => Value::record([("latency-graph", plot()), ("rate-graph", plot()), ("valid?", true.into())]),
            Self::Timeline => plot(),
        }
    }
}

/// What a run of ours knows that Maelstrom does not report.
#[derive(Debug, Clone)]
pub struct Extended {
    /// What decided every random choice.
    pub seed: u64,
    /// Whether time was virtual.
    pub virtual_time: bool,
    /// How messages reached nodes.
    pub delivery: Delivery,
    /// What the main phase did of what was asked.
    pub throughput: Throughput,
    /// How late the workbench was: the machine's doing, not the nodes'.
    pub delivery_error: DeliveryError,
    /// Nodes whose output was ignored from some line on.
    pub muted: Vec<Muted>,
    /// Nodes that printed more after a message, which nobody read.
    pub unread: Vec<Unread>,
    /// Why operations did not end well.
    pub errors: OperationErrors,
    /// Nodes that last read an old state of seq-kv.
    pub outdated: Vec<Outdated>,
    /// Whether all replicas were equal in the end, where that was looked at.
    pub convergence: Option<Convergence>,
    /// What cut the test short.
    pub cut_short: Option<String>,
    /// What else people have to know, a line each.
    pub remarks: Vec<String>,
}

/// How late messages were delivered, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_field_names, reason = "a bare number carries its unit last")]
pub struct DeliveryError {
    /// On average.
    pub mean_ms: f64,
    /// All but one of a hundred.
    pub p99_ms: f64,
    /// At worst.
    pub max_ms: f64,
}

impl DeliveryError {
    fn of(lateness: &Lateness) -> Self {
        let ms = |late: Duration| (late.as_secs_f64() * 1e6).round() / 1e3;
        Self { mean_ms: ms(lateness.mean()), p99_ms: ms(lateness.p99()), max_ms: ms(lateness.max) }
    }
}

impl Extended {
    /// What the outcome of a test tells.
    #[must_use]
    pub fn of(outcome: &Outcome, config: &TestConfig) -> Self {
        Self {
            seed: config.seed,
            virtual_time: config.virtual_time,
            delivery: config.delivery,
            throughput: outcome.throughput.clone(),
            delivery_error: DeliveryError::of(&outcome.lateness),
            muted: outcome.muted.clone(),
            unread: outcome.unread.clone(),
            errors: outcome.errors.clone(),
            outdated: outcome.outdated.clone(),
            convergence: outcome.convergence.clone(),
            cut_short: outcome.cut_short.as_ref().map(ToString::to_string),
            remarks: outcome.remarks.clone(),
        }
    }

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
        let DeliveryError { mean_ms, p99_ms, max_ms } = self.delivery_error;
        let error = [("mean", mean_ms), ("p99", p99_ms), ("max", max_ms)].map(|(key, ms)| (key, Value::Float(ms)));
        let converged = match &self.convergence {
            None => Vec::new(),
            Some(Convergence::Equal) => vec![("converged", true.into())],
            Some(Convergence::Different(first)) => vec![("converged", false.into()), ("difference", first.to_edn())],
        };
        let told = [
            ("seed", seed),
            ("clock", Value::keyword(clock)),
            ("main-phase", main_phase(&self.throughput)),
            ("delivery", Value::keyword(delivery)),
            ("delivery-error", Value::record(error)),
            ("muted", Value::Vector(muted.collect())),
            ("unread", Value::Vector(unread.collect())),
            ("operation-errors", Value::Vector(errors.collect())),
            ("stale-reads", Value::Vector(outdated.collect())),
        ];
        let cut_short = self.cut_short.as_ref().map(|failure| ("cut-short", Value::str(failure.as_str())));
        let remarks = (!self.remarks.is_empty()).then(|| ("remarks", Value::lines(self.remarks.clone())));
        let told = told.into_iter().chain(converged).chain(cut_short).chain(remarks);
        Value::Map(told.map(|(key, value)| (Value::keyword(key), value)).collect())
    }
}

/// What the main phase did of what was asked, times in seconds.
fn main_phase(throughput: &Throughput) -> Value {
    let Throughput { asked, begun, lasted, saturated, .. } = throughput;
    let seconds = |time: &Duration| Value::Float((time.as_secs_f64() * 1e3).round() / 1e3);
    let shortfall = throughput.shortfall().map(|why| ("shortfall", Value::str(why)));
    let told = [
        ("lasted", seconds(lasted)),
        ("asked", Value::Float(*asked)),
        ("begun", Value::Int(i64::try_from(*begun).unwrap_or(i64::MAX))),
        ("saturated", seconds(saturated)),
    ];
    Value::Map(told.into_iter().chain(shortfall).map(|(key, value)| (Value::keyword(key), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::check::tests::history;

    #[test]
    fn results_have_their_parts_in_the_order_of_maelstrom() {
        let history = history(&["0 invoke generate nil", "0 ok generate 1"]);
        let results = judge("unique-ids", &history, &Options::default(), &net::Counts::default());
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
        let results = judge("unique-ids", &history, &Options::default(), &net::Counts::default());
        let workload = results.workload.to_edn().to_string();
        assert_eq!(workload, "{:valid? :unknown, :error \"\\\"a\\\" and 1 cannot be compared\"}");
        assert_eq!(results.verdict(), Verdict::Unknown);
    }

    #[test]
    fn operations_that_do_not_pair_make_every_workload_unknown() {
        let stray = ["0 invoke generate nil", "0 ok generate 1", "0 ok generate 2"];
        let twice = ["0 invoke generate nil", "0 invoke generate nil", "0 ok generate 1"];
        for (lines, why) in [(stray, "has no operation under way"), (twice, "is not over")] {
            let results = judge("unique-ids", &history(&lines), &Options::default(), &net::Counts::default());
            assert_eq!(results.verdict(), Verdict::Unknown);
            let why_not = &results.workload.violations()[0].sentence;
            assert!(why_not.contains("index") && why_not.contains(why), "{why_not}");
        }
    }

    #[test]
    fn false_outranks_unknown() {
        let history = history(&["0 invoke read nil", "0 fail read nil"]);
        let results = judge("no-such", &history, &Options::default(), &net::Counts::default());
        assert_eq!((results.workload.verdict(), results.stats.verdict()), (Verdict::Unknown, Verdict::False));
        assert_eq!(results.verdict(), Verdict::False);
    }
}
