//! The report of a swarm: the failures, and the worst of the valid tests.

use std::cmp::Reverse;
use std::fmt;

use super::Swarm;
use super::case::CaseOutcome;
use super::failure::Failure;
use super::scenario::Scenario;
use super::shrink::Shrunk;

/// The maximum number of worst cases that are printed.
const MAX_WORST: usize = 3;
/// The maximum number of failures that are printed.
const MAX_PRINTED: usize = 10;
/// The maximum number of further failures whose seeds are printed.
const MAX_SEEDS: usize = 20;

/// A scenario that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The scenario.
    pub scenario: Scenario,
    /// Its failure.
    pub failure: Failure,
    /// A smaller scenario that fails in the same way, if it was shrunk.
    pub shrunk: Option<Shrunk>,
}

/// The outcomes of all seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmReport {
    /// The workload's name.
    pub workload: &'static str,
    /// The first seed, and the number of seeds.
    pub seeds: (u64, u64),
    /// The number of operations that clients invoked.
    pub operations: usize,
    /// The number of tests that the checkers could not decide.
    pub undecided: usize,
    /// The number of tests in which the real clock decided something, so that they may not come out the same again.
    pub inexact: usize,
    /// The failures, in the order of their seeds.
    pub failures: Vec<Failing>,
    /// The valid tests with the greatest maximum stable latency, in milliseconds.
    pub stalest: Vec<(i64, Scenario)>,
    /// The valid tests with the most messages between servers per operation.
    pub costliest: Vec<(f64, Scenario)>,
}

impl SwarmReport {
    pub(super) fn of(swarm: &Swarm, outcomes: Vec<(Scenario, CaseOutcome)>) -> Self {
        let seeds = (swarm.first_seed, outcomes.len() as u64);
        let operations = outcomes.iter().map(|(_, outcome)| outcome.operations).sum();
        let undecided = outcomes.iter().filter(|(_, outcome)| outcome.is_undecided).count();
        let inexact = outcomes.iter().filter(|(_, outcome)| !outcome.is_exact).count();
        let (mut failures, mut stalest, mut costliest) = (Vec::new(), Vec::new(), Vec::new());
        for (scenario, outcome) in outcomes {
            if let Some(failure) = outcome.failure {
                failures.push(Failing { scenario, failure, shrunk: None });
                continue;
            }
            stalest.extend(outcome.staleness_ms.map(|ms| (ms, scenario.clone())));
            costliest.extend(outcome.messages.filter(|messages| *messages > 0.0).map(|messages| (messages, scenario)));
        }
        stalest.sort_by_key(|(ms, scenario)| (Reverse(*ms), scenario.seed));
        costliest.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        stalest.truncate(MAX_WORST);
        costliest.truncate(MAX_WORST);
        Self { workload: swarm.workload.name(), seeds, operations, undecided, inexact, failures, stalest, costliest }
    }
}

/// The table that `gloomers swarm` prints.
impl fmt::Display for SwarmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, count) = self.seeds;
        let last = first.wrapping_add(count).wrapping_sub(1);
        for failing in self.failures.iter().take(MAX_PRINTED) {
            let Failing { scenario, failure, shrunk } = failing;
            writeln!(f, "seed {:<11}{failure}\n    {scenario}", scenario.seed)?;
            if let Some(Shrunk { scenario, failure, tries }) = shrunk {
                writeln!(f, "  shrunk in {tries} tries: {failure}\n    {scenario}")?;
            }
            writeln!(f)?;
        }
        if let Some(more) = self.failures.get(MAX_PRINTED..).filter(|more| !more.is_empty()) {
            let named: Vec<_> = more.iter().take(MAX_SEEDS).map(|failing| failing.scenario.seed.to_string()).collect();
            let rest = if more.len() > MAX_SEEDS { ", ..." } else { "" };
            writeln!(f, "and {} more, of seeds {}{rest}\n", more.len(), named.join(", "))?;
        }
        if !self.stalest.is_empty() {
            writeln!(f, "stable latency at worst")?;
        }
        for (ms, scenario) in &self.stalest {
            writeln!(f, "{ms:>8} ms    {scenario}")?;
        }
        if !self.costliest.is_empty() {
            writeln!(f, "server messages per operation at worst")?;
        }
        for (messages, scenario) in &self.costliest {
            writeln!(f, "{messages:>11.2}    {scenario}")?;
        }
        writeln!(f, "\n{:<16}{}", "workload", self.workload)?;
        writeln!(f, "{:<16}{count}, {first} to {last}", "seeds")?;
        writeln!(f, "{:<16}{}", "operations", self.operations)?;
        if self.undecided > 0 {
            writeln!(f, "{:<16}{}", "undecided", self.undecided)?;
        }
        if self.inexact > 0 {
            let why = "the real clock decided something, so they may not come out the same again";
            writeln!(f, "{:<16}{} ({why})", "not exact", self.inexact)?;
        }
        writeln!(f, "{:<16}{}", "failures", self.failures.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw;
    use super::*;
    use crate::workbench::workload::WorkloadKind;

    fn page(failures: u64) -> String {
        let failing = |seed| Failing {
            scenario: draw::scenario(WorkloadKind::Echo, seed),
            failure: Failure::new("lost", "something is lost"),
            shrunk: None,
        };
        let failures = (1..=failures).map(failing).collect();
        let (stalest, costliest) = (Vec::new(), Vec::new());
        let report = SwarmReport {
            workload: "echo",
            seeds: (1, 99),
            operations: 5,
            undecided: 0,
            inexact: 0,
            failures,
            stalest,
            costliest,
        };
        report.to_string()
    }

    #[test]
    fn further_failures_are_counted_and_some_of_their_seeds_are_printed() {
        assert!(page(10).contains("seed 10 ") && !page(10).contains(" more, "), "{}", page(10));
        assert!(page(12).contains("\nand 2 more, of seeds 11, 12\n"), "{}", page(12));
        let page = page(99);
        assert!(page.contains("\nand 89 more, of seeds 11, ") && page.contains(", 30, ...\n"), "{page}");
        assert!(page.contains("\nfailures        99\n"), "{page}");
    }
}
