//! The report of a swarm: the failures, and the worst of the valid tests.

use std::cmp::Reverse;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::case::CaseOutcome;
use super::scenario::Scenario;
use super::seeds::ENDLESS;
use super::shrink::Shrunk;
use super::{Seeds, Swarm};
use crate::workbench::check::Verdict;
use crate::workbench::report::markdown;

/// Why text can be appended to a string.
const INFALLIBLE: &str = "a string takes everything";

/// The maximum number of worst cases that are printed.
const MAX_WORST: usize = 3;
/// The maximum number of failures that are printed.
const MAX_PRINTED: usize = 10;
/// The maximum number of further failures whose seeds are printed.
const MAX_SEEDS: usize = 20;

/// A test, as its seed and the command line that repeats it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The seed.
    pub seed: u64,
    /// The command line, for a shell.
    pub command: String,
}

impl Case {
    fn of(scenario: &Scenario) -> Self {
        Self { seed: scenario.seed, command: scenario.to_string() }
    }
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCase {
    /// The test.
    #[serde(flatten)]
    pub case: Case,
    /// What was wrong.
    pub failure: String,
    /// A smaller one that fails in the same way, if it was shrunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrunk: Option<ShrunkCase>,
}

/// A test to which a failure was shrunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShrunkCase {
    /// The test.
    #[serde(flatten)]
    pub case: Case,
    /// What is wrong with it.
    pub failure: String,
    /// How many tests were run to find it.
    pub tries: usize,
}

/// A number measured in a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured<T> {
    /// The test.
    #[serde(flatten)]
    pub case: Case,
    /// The number.
    pub value: T,
}

/// The outcomes of all seeds, of one swarm or of several shards of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwarmReport {
    /// The workload's name.
    pub workload: String,
    /// The first seed of the range.
    pub first_seed: u64,
    /// The number of seeds in the range, of all shards.
    pub seeds: u64,
    /// The number of shards.
    pub shards: u64,
    /// The shards whose outcomes these are, in order.
    pub done_shards: Vec<u64>,
    /// The number of tests that were run, those of the corpus included.
    pub tests: usize,
    /// The number of operations that clients invoked.
    pub operations: usize,
    /// The number of tests that the checkers could not decide.
    pub undecided: usize,
    /// The number of tests in which the real clock decided something, so that they may not come out the same again.
    pub inexact: usize,
    /// The failures, in the order of their seeds.
    pub failures: Vec<FailedCase>,
    /// The valid tests with the greatest maximum stable latency, in milliseconds.
    pub stalest: Vec<Measured<i64>>,
    /// The valid tests with the most messages between servers per operation.
    pub costliest: Vec<Measured<f64>>,
}

impl SwarmReport {
    /// The report of these outcomes; the first failures were shrunk to `shrunk`.
    pub(super) fn of(swarm: &Swarm, outcomes: &[(Scenario, CaseOutcome)], shrunk: Vec<Shrunk>) -> Self {
        let Seeds { first, count, shard, .. } = swarm.seeds;
        let mut report = Self {
            workload: swarm.workload.name().to_owned(),
            first_seed: first,
            seeds: count,
            shards: shard.of,
            done_shards: vec![shard.number],
            tests: outcomes.len(),
            operations: outcomes.iter().map(|(_, outcome)| outcome.operations).sum(),
            undecided: outcomes.iter().filter(|(_, outcome)| outcome.is_undecided).count(),
            inexact: outcomes.iter().filter(|(_, outcome)| !outcome.is_exact).count(),
            failures: Vec::new(),
            stalest: Vec::new(),
            costliest: Vec::new(),
        };
        let mut shrunk = shrunk.into_iter().map(|Shrunk { scenario, failure, tries }| ShrunkCase {
            case: Case::of(&scenario),
            failure: failure.to_string(),
            tries,
        });
        for (scenario, outcome) in outcomes {
            let case = Case::of(scenario);
            if let Some(failure) = &outcome.failure {
                report.failures.push(FailedCase { case, failure: failure.to_string(), shrunk: shrunk.next() });
                continue;
            }
            report.stalest.extend(outcome.staleness_ms.map(|value| Measured { case: case.clone(), value }));
            let messages = outcome.messages.filter(|messages| *messages > 0.0);
            report.costliest.extend(messages.map(|value| Measured { case, value }));
        }
        report.order();
        report
    }

    /// Sorts the lists, and leaves the worst of the valid tests.
    fn order(&mut self) {
        self.done_shards.sort_unstable();
        self.failures.sort_by_key(|failed| failed.case.seed);
        self.stalest.sort_by_key(|stale| (Reverse(stale.value), stale.case.seed));
        self.costliest.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.case.seed.cmp(&b.case.seed)));
        self.stalest.truncate(MAX_WORST);
        self.costliest.truncate(MAX_WORST);
    }

    /// Adds the outcomes of another shard of the same swarm.
    ///
    /// # Errors
    /// It is of another swarm, or its shard is in this report already.
    pub fn merge(&mut self, other: Self) -> Result<(), String> {
        let swarm = |report: &Self| {
            let Self { workload, first_seed, seeds, shards, .. } = report;
            format!("{workload}, {seeds} seeds from {first_seed}, in {shards} shards")
        };
        let (ours, theirs) = (swarm(self), swarm(&other));
        if ours != theirs {
            return Err(format!("it is of another swarm: {theirs} instead of {ours}"));
        }
        if let Some(twice) = other.done_shards.iter().find(|shard| self.done_shards.contains(shard)) {
            return Err(format!("shard {twice} is in another file as well"));
        }
        self.done_shards.extend(other.done_shards);
        self.tests += other.tests;
        self.operations += other.operations;
        self.undecided += other.undecided;
        self.inexact += other.inexact;
        self.failures.extend(other.failures);
        self.stalest.extend(other.stalest);
        self.costliest.extend(other.costliest);
        self.order();
        Ok(())
    }

    /// The shards that are missing.
    pub fn missing_shards(&self) -> impl Iterator<Item = u64> {
        (1..=self.shards).filter(|shard| !self.done_shards.contains(shard))
    }

    /// The verdict on all tests: false if one failed, unknown if none could be decided.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        if !self.failures.is_empty() {
            Verdict::False
        } else if self.undecided == self.tests && self.tests > 0 {
            Verdict::Unknown
        } else {
            Verdict::True
        }
    }

    /// The report as Markdown: a table, then each failure with its commands.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let Self { workload, tests, failures, .. } = self;
        let mut text = format!("### gloomers swarm: {workload}, {tests} tests, {} failed\n\n", failures.len());
        text.push_str("| seeds | operations | undecided | failures |\n|---|--:|--:|--:|\n");
        let (seeds, operations, undecided) = (self.seeds(), self.operations, self.undecided);
        writeln!(text, "| {seeds} | {operations} | {undecided} | {} |", failures.len()).expect(INFALLIBLE);
        for FailedCase { case, failure, shrunk } in failures.iter().take(MAX_PRINTED) {
            let command = shrunk.as_ref().map_or(&case.command, |shrunk| &shrunk.case.command);
            let failure = markdown::escape(failure);
            write!(text, "\nSeed {}: {failure}\n\n{}", case.seed, markdown::code("console", command))
                .expect(INFALLIBLE);
        }
        if failures.len() > MAX_PRINTED {
            writeln!(text, "\nand {} more", failures.len() - MAX_PRINTED).expect(INFALLIBLE);
        }
        text
    }

    /// Which seeds were run.
    fn seeds(&self) -> String {
        let Self { tests, first_seed, seeds, shards, done_shards, .. } = self;
        let last = first_seed.wrapping_add(*seeds).wrapping_sub(1);
        let range = if *seeds < ENDLESS { format!("{first_seed} to {last}") } else { format!("from {first_seed}") };
        match done_shards.as_slice() {
            _ if *shards == 1 => format!("{tests}, {range}"),
            [one] => format!("{tests}, shard {one}/{shards} of {range}"),
            some => format!("{tests}, {} of {shards} shards of {range}", some.len()),
        }
    }
}

/// The table that `gloomers swarm` prints.
impl fmt::Display for SwarmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for FailedCase { case, failure, shrunk } in self.failures.iter().take(MAX_PRINTED) {
            writeln!(f, "seed {:<11}{failure}\n    {}", case.seed, case.command)?;
            if let Some(ShrunkCase { case, failure, tries }) = shrunk {
                writeln!(f, "  shrunk in {tries} tries: {failure}\n    {}", case.command)?;
            }
            writeln!(f)?;
        }
        if let Some(more) = self.failures.get(MAX_PRINTED..).filter(|more| !more.is_empty()) {
            let named: Vec<_> = more.iter().take(MAX_SEEDS).map(|failed| failed.case.seed.to_string()).collect();
            let rest = if more.len() > MAX_SEEDS { ", ..." } else { "" };
            writeln!(f, "and {} more, of seeds {}{rest}\n", more.len(), named.join(", "))?;
        }
        if !self.stalest.is_empty() {
            writeln!(f, "stable latency at worst")?;
        }
        for Measured { case, value } in &self.stalest {
            writeln!(f, "{value:>8} ms    {}", case.command)?;
        }
        if !self.costliest.is_empty() {
            writeln!(f, "server messages per operation at worst")?;
        }
        for Measured { case, value } in &self.costliest {
            writeln!(f, "{value:>11.2}    {}", case.command)?;
        }
        writeln!(f, "\n{:<16}{}", "workload", self.workload)?;
        writeln!(f, "{:<16}{}", "seeds", self.seeds())?;
        writeln!(f, "{:<16}{}", "operations", self.operations)?;
        if self.undecided > 0 {
            writeln!(f, "{:<16}{}", "undecided", self.undecided)?;
        }
        if self.inexact > 0 {
            let why = "the real clock decided something, so they may not come out the same again";
            writeln!(f, "{:<16}{} ({why})", "not exact", self.inexact)?;
        }
        let missing: Vec<_> = self.missing_shards().map(|shard| shard.to_string()).collect();
        if self.done_shards.len() > 1 && !missing.is_empty() {
            writeln!(f, "{:<16}shard {} of {}", "missing", missing.join(", "), self.shards)?;
        }
        writeln!(f, "{:<16}{}", "failures", self.failures.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(seed: u64) -> Case {
        Case { seed, command: format!("gloomers test --seed {seed}") }
    }

    /// The report of a shard with one failure for each of these seeds.
    fn report(number: u64, of: u64, failing: impl IntoIterator<Item = u64>) -> SwarmReport {
        let failed = |seed| FailedCase { case: case(seed), failure: "something is lost".into(), shrunk: None };
        SwarmReport {
            workload: "echo".into(),
            first_seed: 1,
            seeds: 99,
            shards: of,
            done_shards: vec![number],
            tests: 33,
            operations: 5,
            undecided: 1,
            inexact: 0,
            failures: failing.into_iter().map(failed).collect(),
            stalest: vec![Measured { case: case(number), value: 7 }],
            costliest: Vec::new(),
        }
    }

    #[test]
    fn further_failures_are_counted_and_some_of_their_seeds_are_printed() {
        let page = |failures| report(1, 1, 1..=failures).to_string();
        assert!(page(10).contains("seed 10 ") && !page(10).contains(" more, "), "{}", page(10));
        assert!(page(12).contains("\nand 2 more, of seeds 11, 12\n"), "{}", page(12));
        let page = page(99);
        assert!(page.contains("\nand 89 more, of seeds 11, ") && page.contains(", 30, ...\n"), "{page}");
        assert!(page.contains("\nfailures        99\n"), "{page}");
    }

    #[test]
    fn shards_are_merged_in_any_order() {
        let merged = |order: [u64; 3]| {
            let mut shards = order.map(|number| report(number, 3, [10 - number])).into_iter();
            let mut all = shards.next().expect("three");
            shards.for_each(|shard| all.merge(shard).expect("of the same swarm"));
            all
        };
        let all = merged([2, 3, 1]);
        assert_eq!(all, merged([1, 2, 3]));
        assert_eq!((all.tests, all.operations, all.undecided, all.missing_shards().count()), (99, 15, 3, 0));
        let failing: Vec<_> = all.failures.iter().map(|failed| failed.case.seed).collect();
        assert_eq!(failing, [7, 8, 9]);
        assert_eq!(all.stalest.iter().map(|stale| stale.case.seed).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_shard_that_is_missing_or_given_twice_is_noticed() {
        let mut all = report(1, 3, []);
        all.merge(report(3, 3, [])).expect("another shard");
        assert_eq!(all.missing_shards().collect::<Vec<_>>(), [2]);
        assert!(all.merge(report(3, 3, [])).is_err_and(|why| why.contains("shard 3")));
        assert!(all.merge(report(2, 4, [])).is_err_and(|why| why.contains("another swarm")));
    }

    #[test]
    fn a_report_survives_json() {
        let report = report(2, 3, [1, 2]);
        let text = serde_json::to_string(&report).expect("plain data");
        assert_eq!(serde_json::from_str::<SwarmReport>(&text).expect("what was written"), report);
    }
}
