//! A node of this crate: as a process, and in virtual time.

use std::process::ExitCode;

use crate::event_loop;
use crate::node::{Node, Options as _};
use crate::workbench::cluster::simulated::SimulatedCluster;

/// Makes a cluster in virtual time: the number of nodes, the seed and the command line of each are given.
pub(crate) type Factory = fn(usize, u64, &[String]) -> Result<SimulatedCluster, String>;

/// A node that needs no `--bin`.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    main: fn(&mut dyn Iterator<Item = String>) -> ExitCode,
    check: fn(&[String]) -> Result<(), String>,
    pub(crate) factory: Factory,
    /// The factory of nodes with disks; `None` if the node stores nothing.
    durable: Option<Factory>,
}

impl Builtin {
    /// The node of this type.
    #[must_use]
    pub const fn new<N>() -> Self
    where
        N: Node + 'static,
        N::Options: Clone,
    {
        Self {
            main: event_loop::main_with::<N>,
            check: |arguments| N::Options::parse(&mut arguments.iter().cloned()).map(drop),
            factory: factory::<N>,
            durable: if N::STORES { Some(durable::<N>) } else { None },
        }
    }

    /// Runs the node on this process's stdin and stdout until the end of input.
    pub fn main(&self, arguments: &mut dyn Iterator<Item = String>) -> ExitCode {
        (self.main)(arguments)
    }

    /// What is wrong with the node's arguments, if anything.
    pub fn check(&self, arguments: &[String]) -> Result<(), String> {
        (self.check)(arguments)
    }

    /// Whether the node can store what it must remember.
    #[must_use]
    pub const fn stores(&self) -> bool {
        self.durable.is_some()
    }

    /// A cluster of `count` such nodes in virtual time, with disks if `durable` is set and they use them.
    pub fn engines(
        &self,
        count: usize,
        seed: u64,
        arguments: &[String],
        durable: bool,
    ) -> Result<SimulatedCluster, String> {
        self.durable.filter(|_| durable).unwrap_or(self.factory)(count, seed, arguments)
    }
}

/// The [`Factory`] of nodes of one type.
pub(crate) fn factory<N>(count: usize, seed: u64, arguments: &[String]) -> Result<SimulatedCluster, String>
where
    N: Node + 'static,
    N::Options: Clone,
{
    let options = N::Options::parse(&mut arguments.iter().cloned())?;
    Ok(SimulatedCluster::of::<N>(count, seed, &options))
}

/// The [`Factory`] of nodes of one type with disks.
fn durable<N>(count: usize, seed: u64, arguments: &[String]) -> Result<SimulatedCluster, String>
where
    N: Node + 'static,
    N::Options: Clone,
{
    let options = N::Options::parse(&mut arguments.iter().cloned())?;
    Ok(SimulatedCluster::durable::<N>(count, seed, &options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Broadcast;

    #[test]
    fn a_node_judges_its_own_arguments() {
        let broadcast = Builtin::new::<Broadcast>();
        let arguments = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(broadcast.check(&arguments("--max-staleness 1s")), Ok(()));
        assert!(broadcast.check(&arguments("--max-staleness soon")).is_err());
        assert!(broadcast.engines(1, 1, &arguments("--what"), false).is_err());
    }
}
