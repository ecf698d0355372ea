//! The nodes of this crate by workload: as a process, and in virtual time.

use std::process::ExitCode;

use crate::event_loop;
use crate::node::{Node, Options as _};
use crate::nodes::{Broadcast, Echo, GCounter, GSet, Kafka, LinKv, ListAppend, PnCounter, Txn, UniqueIds};
use crate::workbench::cli::options::did_you_mean;
use crate::workbench::cluster::simulated::SimulatedCluster;

/// Makes a cluster in virtual time from the number of nodes, the seed and the arguments of each node.
pub(crate) type ClusterFactory = fn(usize, u64, &[String]) -> Result<SimulatedCluster, String>;

/// A node that needs no `--bin`.
#[derive(Debug)]
pub struct Builtin {
    workload: &'static str,
    main: fn(&mut dyn Iterator<Item = String>) -> ExitCode,
    check: fn(&[String]) -> Result<(), String>,
    pub(crate) factory: ClusterFactory,
}

static NODES: [Builtin; 10] = [
    Builtin::new::<Broadcast>("broadcast"),
    Builtin::new::<Echo>("echo"),
    Builtin::new::<GCounter>("g-counter"),
    Builtin::new::<GSet>("g-set"),
    Builtin::new::<Kafka>("kafka"),
    Builtin::new::<LinKv>("lin-kv"),
    Builtin::new::<PnCounter>("pn-counter"),
    Builtin::new::<ListAppend>("txn-list-append"),
    Builtin::new::<Txn>("txn-rw-register"),
    Builtin::new::<UniqueIds>("unique-ids"),
];

impl Builtin {
    const fn new<N>(workload: &'static str) -> Self
    where
        N: Node + 'static,
        N::Options: Clone,
    {
        Self {
            workload,
            main: event_loop::main_with::<N>,
            check: |arguments| N::Options::parse(&mut arguments.iter().cloned()).map(drop),
            factory: simulated::<N>,
        }
    }

    /// The node for a workload.
    ///
    /// # Errors
    /// There is none; the text names those that exist.
    pub fn of(workload: &str) -> Result<&'static Self, String> {
        NODES.iter().find(|node| node.workload == workload).ok_or_else(|| {
            let known: Vec<_> = NODES.iter().map(|node| node.workload).collect();
            let hint = did_you_mean(workload, &known);
            format!("There is no built-in node for {workload:?}, only for {}{hint}", known.join(", "))
        })
    }

    /// Runs the node on this process's stdin and stdout until the end of input.
    pub fn main(&self, arguments: &mut dyn Iterator<Item = String>) -> ExitCode {
        (self.main)(arguments)
    }

    /// Validates the node's arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self, arguments: &[String]) -> Result<(), String> {
        (self.check)(arguments)
    }

    /// A cluster of `count` such nodes in virtual time.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub fn engines(&self, count: usize, seed: u64, arguments: &[String]) -> Result<SimulatedCluster, String> {
        (self.factory)(count, seed, arguments)
    }
}

/// [`ClusterFactory`] for nodes of one type.
pub(crate) fn simulated<N>(count: usize, seed: u64, arguments: &[String]) -> Result<SimulatedCluster, String>
where
    N: Node + 'static,
    N::Options: Clone,
{
    let options = N::Options::parse(&mut arguments.iter().cloned())?;
    Ok(SimulatedCluster::of::<N>(count, seed, &options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::workload::Kind;

    #[test]
    fn a_workload_without_a_node_is_told_those_that_have_one() {
        let error = Builtin::of("no-such").expect_err("there is none");
        assert!(error.contains("\"no-such\", only for broadcast, echo, g-counter, g-set, kafka, lin-kv, "), "{error}");
        assert!(Kind::ALL.iter().all(|kind| Builtin::of(kind.name()).is_ok()), "each workload has one");
    }

    #[test]
    fn a_node_judges_its_own_arguments() {
        let broadcast = Builtin::of("broadcast").expect("built in");
        let arguments = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(broadcast.check(&arguments("--max-staleness 1s")), Ok(()));
        assert!(broadcast.check(&arguments("--max-staleness soon")).is_err());
        assert!(broadcast.engines(1, 1, &arguments("--what")).is_err());
    }
}
