//! Many tests in virtual time, each generated from a seed: faults, then a heal, after which all replicas must converge.
//!
//! Each scenario prints as the command line of `gloomers test` that reproduces it. The report has the failures, each
//! shrunk to a smaller scenario that still fails, and the worst of the valid ones. It depends only on the seeds, not on
//! the number of threads.

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

pub(in crate::workbench) use case::print_command_on_panic;
pub use case::{CaseOutcome, run_case};
pub use report::SwarmReport;
pub use scenario::Scenario;

/// The maximum number of failures that are shrunk.
pub const MAX_SHRUNK: usize = 3;

/// Creates the nodes of a scenario from their number, the seed and their arguments.
pub type NodeFactory<'a> = dyn Fn(usize, u64, &[String]) -> Result<SimulatedCluster, String> + Sync + 'a;

/// The parameters of a swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swarm {
    /// The workload.
    pub workload: WorkloadKind,
    /// The number of seeds.
    pub seeds: u64,
    /// The first seed; the others follow it.
    pub first_seed: u64,
    /// The number of threads.
    pub jobs: usize,
    /// The length of the main phase in seconds; `None` to draw one for each seed.
    pub time_limit: Option<u64>,
    /// Arguments for the nodes.
    pub arguments: Vec<String>,
}

impl Swarm {
    /// The scenario of a seed.
    #[must_use]
    pub fn scenario(&self, seed: u64) -> Scenario {
        let drawn = draw::scenario(self.workload, seed);
        let time_limit_s = self.time_limit.unwrap_or(drawn.time_limit_s);
        Scenario { time_limit_s, arguments: self.arguments.clone(), ..drawn }
    }

    /// Runs every seed, or those that have begun when `is_over` becomes true. Calls `on_outcome` for each that is done,
    /// in any order.
    pub fn run(
        &self,
        nodes: &NodeFactory<'_>,
        on_outcome: &(dyn Fn(&CaseOutcome) + Sync),
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> SwarmReport {
        let seeds: Vec<u64> = (0..self.seeds).map(|more| self.first_seed.wrapping_add(more)).collect();
        let outcomes = workers::parallel_map(self.jobs, &seeds, is_over, |seed| {
            let scenario = self.scenario(*seed);
            let outcome = run_case(&scenario, nodes);
            on_outcome(&outcome);
            (scenario, outcome)
        });
        let mut report = SwarmReport::of(self, outcomes);
        let first = report.failures.len().min(MAX_SHRUNK);
        let shrunk = workers::parallel_map(self.jobs, &report.failures[..first], is_over, |failing| {
            shrink::shrink(&failing.scenario, &failing.failure, |scenario| run_case(scenario, nodes).failure)
        });
        for (failing, shrunk) in report.failures.iter_mut().zip(shrunk) {
            failing.shrunk = Some(shrunk);
        }
        report
    }
}

#[cfg(test)]
mod tests;
