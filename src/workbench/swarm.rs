//! Many tests in virtual time, each drawn from its seed: faults, then a heal, and then everyone must agree.
//!
//! A scenario prints the command line of `gloomers test` that repeats it, so that anyone can replay what it shows. The
//! worst of all are reported, and for a failure a smaller scenario that fails too. Results depend on the seeds alone:
//! threads only share them out.

mod case;
mod discount;
mod draw;
mod failure;
mod report;
mod scenario;
mod shrink;
mod workers;

use crate::workbench::cluster::simulated::SimulatedCluster;
use crate::workbench::workload::WorkloadKind;

pub(in crate::workbench) use case::tell_of_panics;
pub use case::{CaseOutcome, attempt};
pub use report::SwarmReport;
pub use scenario::Scenario;

/// So many failures are shrunk; of more, the command alone is told.
pub const MAX_SHRUNK: usize = 3;

/// Makes the nodes of a scenario: how many, the seed, and their arguments.
pub type NodeFactory<'a> = dyn Fn(usize, u64, &[String]) -> Result<SimulatedCluster, String> + Sync + 'a;

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swarm {
    /// The workload.
    pub workload: WorkloadKind,
    /// How many seeds.
    pub seeds: u64,
    /// The first of them; the others follow.
    pub first_seed: u64,
    /// How many threads share them.
    pub jobs: usize,
    /// The length of the main phase in seconds; without it, each seed draws one.
    pub time_limit: Option<u64>,
    /// Arguments for the nodes.
    pub arguments: Vec<String>,
}

impl Swarm {
    /// What a seed draws.
    #[must_use]
    pub fn scenario(&self, seed: u64) -> Scenario {
        let drawn = draw::scenario(self.workload, seed);
        let time_limit_s = self.time_limit.unwrap_or(drawn.time_limit_s);
        Scenario { time_limit_s, arguments: self.arguments.clone(), ..drawn }
    }

    /// Runs every seed, or as many as have begun when `is_over` becomes true; `on_outcome` is told of each that is done,
    /// in any order.
    pub fn run(
        &self,
        nodes: &NodeFactory<'_>,
        on_outcome: &(dyn Fn(&CaseOutcome) + Sync),
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> SwarmReport {
        let seeds: Vec<u64> = (0..self.seeds).map(|more| self.first_seed.wrapping_add(more)).collect();
        let outcomes = workers::share(self.jobs, &seeds, is_over, |seed| {
            let scenario = self.scenario(*seed);
            let outcome = attempt(&scenario, nodes);
            on_outcome(&outcome);
            (scenario, outcome)
        });
        let mut report = SwarmReport::of(self, outcomes);
        let first = report.failures.len().min(MAX_SHRUNK);
        let shrunk = workers::share(self.jobs, &report.failures[..first], is_over, |failing| {
            shrink::shrink(&failing.scenario, &failing.fault, |scenario| attempt(scenario, nodes).fault)
        });
        for (failing, shrunk) in report.failures.iter_mut().zip(shrunk) {
            failing.shrunk = Some(shrunk);
        }
        report
    }
}

#[cfg(test)]
mod tests;
