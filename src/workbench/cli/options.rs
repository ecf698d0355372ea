//! The options of `gloomers test`: Maelstrom's (protocol §4), and further ones.

mod arguments;
mod read;
mod typo;

use std::ffi::OsString;
use std::path::PathBuf;

pub(super) use arguments::{JudgementArguments, TestArguments, workloads};
pub(super) use read::{cannot_store, faults, invalid, judgement, options as read, workload_named};
pub use typo::Rejection;
pub(super) use typo::{did_you_mean, parse};

use crate::simulation::Simulation;
use crate::time::Duration;
use crate::workbench::report::finish::ReportOptions;
use crate::workbench::test::{TestConfig, TestError};

/// The validated options of a command line.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Options {
    /// The configuration of the test.
    pub config: TestConfig,
    /// How its results are reported.
    pub report: ReportOptions,
    /// The node's executable; `None` for the built-in node.
    pub bin: Option<PathBuf>,
    /// Whether to copy the stderr of nodes to stderr.
    pub log_stderr: bool,
    /// Whether to report each message sent.
    pub log_net_send: bool,
    /// Whether to report each message received.
    pub log_net_recv: bool,
    /// The maximum number of tests to run.
    pub test_count: u64,
    /// The seed of the first test; `None` for a random one.
    pub seed: Option<u64>,
    /// Whether to run each test twice and compare the runs.
    pub check_determinism: bool,
    /// Where the test stops first.
    pub until: Option<Duration>,
    /// Whether it then asks what to do.
    pub interactive: bool,
    /// Whether to show no progress.
    pub quiet: bool,
    /// Notes on options that have no effect.
    pub notes: Vec<String>,
}

impl Options {
    /// Parses and validates the arguments after `gloomers test`.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Rejection> {
        read::options(&parse(arguments)?)
    }
}

impl Simulation {
    /// What `gloomers test --virtual-time` does with these options, on the node of this crate for their workload, which
    /// is [`Simulation::workload`].
    ///
    /// # Errors
    /// [`TestError::InvalidConfig`] with all errors in the options.
    pub fn command(line: &str) -> Result<Self, TestError> {
        let words = std::iter::once("--virtual-time").chain(line.split_whitespace());
        let options = Options::parse(words.map(Into::into));
        let config = options.map_err(|rejection| TestError::InvalidConfig(rejection.to_string()))?.config;
        Ok(Self::configured(config, format!("Simulation::command({line:?})?")))
    }
}

#[cfg(test)]
mod tests;
