//! Many tests in virtual time, each generated from a seed: faults, then a heal, after which all replicas must converge.
//!
//! Each scenario prints as the command line of `gloomers test` that reproduces it. The report has the failures, each
//! shrunk to a smaller scenario that still fails, and the worst of the valid ones. It depends only on the seeds, not on
//! the number of threads. A swarm of programs runs one simulator on each core.

mod case;
mod discount;
mod draw;
mod failure;
mod report;
mod scenario;
mod seeds;
mod shrink;
mod workers;

use std::ops::RangeInclusive;

use crate::workbench::cluster::Cluster;
use crate::workbench::nemesis::Fault;
use crate::workbench::workload::WorkloadKind;

pub(in crate::workbench) use case::print_command_on_panic;
pub use case::{CaseOutcome, run_case};
pub use report::SwarmReport;
pub use scenario::Scenario;
pub use seeds::{Seeds, Shard};
use shrink::Shrunk;

/// The maximum number of failures that are shrunk.
pub const MAX_SHRUNK: usize = 3;

/// A cluster is not shrunk below this, unless fewer nodes were asked for.
const LEAST_NODES: usize = 2;

/// Creates the nodes of a scenario from their number, the seed and their arguments.
pub type NodeFactory<'a, C> = dyn Fn(usize, u64, &[String]) -> Result<C, String> + Sync + 'a;

/// Whether a swarm is to end before all is done.
pub type IsCancelled<'a> = dyn Fn() -> bool + Sync + 'a;

/// The parameters of a swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swarm {
    /// The workload.
    pub workload: WorkloadKind,
    /// Its seeds.
    pub seeds: Seeds,
    /// The number of threads.
    pub jobs: usize,
    /// The length of the main phase in seconds; `None` to draw one for each seed.
    pub time_limit: Option<u64>,
    /// How many nodes a cluster may have; `None` for what suits the workload.
    pub nodes: Option<RangeInclusive<usize>>,
    /// The faults that may be drawn; `None` for all that suit the workload.
    pub faults: Option<Vec<Fault>>,
    /// Whether nodes keep what they store when they are killed, and nothing acknowledged may be lost.
    pub durable: bool,
    /// The nodes' executable; `None` for the built-in node.
    pub bin: Option<String>,
    /// Arguments for the nodes.
    pub arguments: Vec<String>,
}

impl Swarm {
    /// The scenario of a seed.
    #[must_use]
    pub fn scenario(&self, seed: u64) -> Scenario {
        let mut scenario = draw::scenario(self.workload, seed);
        if let Some(nodes) = &self.nodes {
            scenario.nodes = nodes.start() + scenario.nodes % (nodes.end() - nodes.start() + 1);
        }
        if let Some(faults) = &self.faults {
            scenario.faults.retain(|fault| faults.contains(fault));
        }
        scenario.time_limit_s = self.time_limit.unwrap_or(scenario.time_limit_s);
        let (bin, arguments) = (self.bin.clone(), self.arguments.clone());
        Scenario { durable: self.durable, bin, arguments, ..scenario }
    }

    /// Runs the tests of all seeds and shrinks the first that fail. No further test begins once `ends` is true; once
    /// `is_cancelled` is true, those that run are given up as well. Calls `on_outcome` for each that is done, in any
    /// order.
    pub fn run<C: Cluster>(
        &self,
        nodes: &NodeFactory<'_, C>,
        on_outcome: &(dyn Fn(&CaseOutcome) + Sync),
        ends: &IsCancelled<'_>,
        is_cancelled: &IsCancelled<'_>,
    ) -> SwarmReport {
        let outcomes = workers::parallel_map(self.jobs, self.seeds.iter(), &|| ends() || is_cancelled(), |seed| {
            let scenario = self.scenario(seed);
            let outcome = run_case(&scenario, nodes, is_cancelled)?;
            on_outcome(&outcome);
            Some((scenario, outcome))
        });
        let shrunk = self.shrink(&outcomes, nodes, is_cancelled);
        SwarmReport::of(self, &outcomes, shrunk)
    }

    /// Shrinks the first failures.
    fn shrink<C: Cluster>(
        &self,
        outcomes: &[(Scenario, CaseOutcome)],
        nodes: &NodeFactory<'_, C>,
        is_cancelled: &IsCancelled<'_>,
    ) -> Vec<Shrunk> {
        let failing = outcomes.iter().filter_map(|(scenario, outcome)| Some((scenario, outcome.failure.as_ref()?)));
        let least_nodes = self.nodes.as_ref().map_or(LEAST_NODES, |nodes| *nodes.start());
        workers::parallel_map(self.jobs, failing.take(MAX_SHRUNK), is_cancelled, |(scenario, failure)| {
            let run = |scenario: &Scenario| run_case(scenario, nodes, is_cancelled)?.failure;
            Some(shrink::shrink(scenario, failure, least_nodes, run, is_cancelled))
        })
    }
}

#[cfg(test)]
mod tests;
