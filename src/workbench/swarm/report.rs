//! What a swarm found: how many tests failed, and the worst of those that did not.

use std::cmp::Reverse;
use std::fmt;

use super::Swarm;
use super::case::CaseOutcome;
use super::failure::Failure;
use super::scenario::Scenario;
use super::shrink::Shrunk;

/// So many of the worst cases are told.
const WORST: usize = 3;
/// So many failures are told.
const MAX_TOLD: usize = 10;
/// Of so many more, the seeds.
const MAX_NAMED: usize = 20;

/// A scenario that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// What was run.
    pub scenario: Scenario,
    /// What is wrong.
    pub fault: Failure,
    /// A smaller one.
    pub shrunk: Option<Shrunk>,
}

/// What came of all seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmReport {
    /// The workload's name.
    pub workload: &'static str,
    /// The first seed, and how many.
    pub seeds: (u64, u64),
    /// How many operations clients began.
    pub operations: usize,
    /// How many tests left the checkers nothing to judge, or too much to search.
    pub undecided: usize,
    /// Those that failed, in the order of their seeds.
    pub failures: Vec<Failing>,
    /// The valid ones with the stalest news, by milliseconds.
    pub stalest: Vec<(i64, Scenario)>,
    /// The valid ones with the most messages between servers for each operation.
    pub dearest: Vec<(f64, Scenario)>,
}

impl SwarmReport {
    pub(super) fn of(swarm: &Swarm, outcomes: Vec<(Scenario, CaseOutcome)>) -> Self {
        let seeds = (swarm.first_seed, outcomes.len() as u64);
        let operations = outcomes.iter().map(|(_, outcome)| outcome.operations).sum();
        let undecided = outcomes.iter().filter(|(_, outcome)| outcome.is_undecided).count();
        let (mut failures, mut stalest, mut dearest) = (Vec::new(), Vec::new(), Vec::new());
        for (scenario, outcome) in outcomes {
            if let Some(fault) = outcome.fault {
                failures.push(Failing { scenario, fault, shrunk: None });
                continue;
            }
            stalest.extend(outcome.staleness_ms.map(|ms| (ms, scenario.clone())));
            dearest.extend(outcome.messages.filter(|messages| *messages > 0.0).map(|messages| (messages, scenario)));
        }
        stalest.sort_by_key(|(ms, scenario)| (Reverse(*ms), scenario.seed));
        dearest.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        stalest.truncate(WORST);
        dearest.truncate(WORST);
        Self { workload: swarm.workload.name(), seeds, operations, undecided, failures, stalest, dearest }
    }
}

/// The table for people.
impl fmt::Display for SwarmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, count) = self.seeds;
        let last = first.wrapping_add(count).wrapping_sub(1);
        for failing in self.failures.iter().take(MAX_TOLD) {
            let Failing { scenario, fault, shrunk } = failing;
            writeln!(f, "seed {:<11}{fault}\n    {scenario}", scenario.seed)?;
            if let Some(Shrunk { scenario, fault, tries }) = shrunk {
                writeln!(f, "  shrunk in {tries} tries: {fault}\n    {scenario}")?;
            }
            writeln!(f)?;
        }
        if let Some(more) = self.failures.get(MAX_TOLD..).filter(|more| !more.is_empty()) {
            let named: Vec<_> = more.iter().take(MAX_NAMED).map(|failing| failing.scenario.seed.to_string()).collect();
            let rest = if more.len() > MAX_NAMED { ", ..." } else { "" };
            writeln!(f, "and {} more, of seeds {}{rest}\n", more.len(), named.join(", "))?;
        }
        if !self.stalest.is_empty() {
            writeln!(f, "stable latency at worst")?;
        }
        for (ms, scenario) in &self.stalest {
            writeln!(f, "{ms:>8} ms    {scenario}")?;
        }
        if !self.dearest.is_empty() {
            writeln!(f, "server messages per operation at worst")?;
        }
        for (messages, scenario) in &self.dearest {
            writeln!(f, "{messages:>11.2}    {scenario}")?;
        }
        writeln!(f, "\n{:<16}{}", "workload", self.workload)?;
        writeln!(f, "{:<16}{count}, {first} to {last}", "seeds")?;
        writeln!(f, "{:<16}{}", "operations", self.operations)?;
        if self.undecided > 0 {
            writeln!(f, "{:<16}{}", "undecided", self.undecided)?;
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
            fault: Failure::new("lost", "something is lost"),
            shrunk: None,
        };
        let failures = (1..=failures).map(failing).collect();
        let (stalest, dearest) = (Vec::new(), Vec::new());
        let findings =
            SwarmReport { workload: "echo", seeds: (1, 99), operations: 5, undecided: 0, failures, stalest, dearest };
        findings.to_string()
    }

    #[test]
    fn failures_that_are_not_shown_are_counted_and_some_named() {
        assert!(page(10).contains("seed 10 ") && !page(10).contains(" more, "), "{}", page(10));
        assert!(page(12).contains("\nand 2 more, of seeds 11, 12\n"), "{}", page(12));
        let page = page(99);
        assert!(page.contains("\nand 89 more, of seeds 11, ") && page.contains(", 30, ...\n"), "{page}");
        assert!(page.contains("\nfailures        99\n"), "{page}");
    }
}
