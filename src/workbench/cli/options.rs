//! The options of `gloomers test`: Maelstrom's (reference §4), and a few of ours.

mod check;
mod table;
mod typo;

use std::ffi::OsString;
use std::path::PathBuf;

pub(in crate::workbench) use check::{check_timeout, demanded_availability, models, workload_named};
pub(in crate::workbench) use table::{CHECK_TIMEOUT, command as table, workloads};
pub use typo::{Refusal, typographic_dash};
pub(in crate::workbench) use typo::{did_you_mean, matches};

use crate::time::Duration;
use crate::workbench::check::Availability;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Conditions, Delivery, Latency};
use crate::workbench::test::Plan;
use crate::workbench::workload::topology::Topology;
use crate::workbench::workload::{self, Terms};

/// What the command line asks for, checked.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[non_exhaustive]
pub struct Options {
    /// The workload.
    pub workload: workload::Kind,
    /// The node's executable, or the built-in node.
    pub bin: Option<PathBuf>,
    /// Arguments for the node.
    pub arguments: Vec<String>,
    /// The nodes' ids.
    pub nodes: Vec<String>,
    /// How many client threads.
    pub concurrency: usize,
    /// Operations of all clients together, per second.
    pub rate: f64,
    /// The length of the main phase.
    pub time_limit: Duration,
    /// How long nodes may take to answer `init`.
    pub init_timeout: Duration,
    /// Latency between servers.
    pub latency: Latency,
    /// Whom broadcast's nodes are told to be neighbours of.
    pub topology: Topology,
    /// What goes wrong.
    pub nemesis: Vec<Fault>,
    /// The mean time between faults beginning and ending.
    pub nemesis_interval: Duration,
    /// How many operations must succeed, if that matters.
    pub availability: Option<Availability>,
    /// Names of consistency models, as given.
    pub consistency_models: Vec<String>,
    /// How long the checkers may search when the run is over.
    pub check_timeout: Duration,
    /// Live keys of transactions and logs.
    pub key_count: u64,
    /// The longest transaction.
    pub max_txn_length: u64,
    /// Writes to a key before it is retired.
    pub max_writes_per_key: u64,
    /// Whether to repeat what nodes write to stderr.
    pub log_stderr: bool,
    /// Whether to report each message sent.
    pub log_net_send: bool,
    /// Whether to report each message received.
    pub log_net_recv: bool,
    /// How many tests to run, at most.
    pub test_count: u64,
    /// The seed of the first test; without one, the caller makes one up.
    pub seed: Option<u64>,
    /// How messages reach nodes.
    pub delivery: Delivery,
    /// The probability that a message between servers is lost.
    pub loss: f64,
    /// The probability that a message between servers arrives twice.
    pub duplication: f64,
    /// How late everything is, in virtual time.
    pub jitter: Jitter,
    /// Whether to run the built-in nodes in this process, or programs under control of it, in no time.
    pub virtual_time: bool,
    /// Whether what Maelstrom does not see makes the test a failure.
    pub strict: bool,
    /// Whether to show no progress.
    pub quiet: bool,
    /// Whether to print the whole map of results before the summary.
    pub verbose: bool,
    /// Whether to print the results as JSON, and nothing else.
    pub json: bool,
    /// Where to leave what the checks found as `JUnit` XML.
    pub junit: Option<PathBuf>,
    /// Remarks on options that change nothing here.
    pub notes: Vec<String>,
}

impl Options {
    /// Reads the arguments that follow `gloomers test`.
    ///
    /// # Errors
    ///
    /// What to print instead of running a test.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Refusal> {
        check::options(&typo::matches(table::command(), arguments)?)
    }

    /// What matters to the workload.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            topology: self.topology,
            latency: Duration::from_millis(self.latency.mean_ms),
            key_count: self.key_count,
            max_txn_length: self.max_txn_length,
            max_writes_per_key: self.max_writes_per_key,
        }
    }

    /// The test that these options describe, with the given seed.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        Plan {
            nodes: self.nodes.clone(),
            threads: self.concurrency,
            rate: self.rate,
            time_limit: self.time_limit,
            init_timeout: self.init_timeout,
            faults: self.nemesis.clone(),
            nemesis_interval: self.nemesis_interval,
            conditions: Conditions {
                latency: self.latency,
                delivery: self.delivery,
                loss: self.loss,
                duplication: self.duplication,
            },
            jitter: self.jitter,
            seed,
            log_send: self.log_net_send,
            log_recv: self.log_net_recv,
            compare: self.virtual_time,
        }
    }
}

#[cfg(test)]
mod tests;
