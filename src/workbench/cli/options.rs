//! The options of `gloomers test`: Maelstrom's (protocol §4), and a few of ours.

mod arguments;
mod read;
mod typo;

use std::ffi::OsString;
use std::path::PathBuf;

pub(super) use arguments::{JudgementArguments, TestArguments, workloads};
pub(super) use read::{judgement, options as read, workload_named};
pub use typo::Refusal;
pub(super) use typo::{did_you_mean, parse};

use crate::simulation::Simulation;
use crate::workbench::report::finish::ReportOptions;
use crate::workbench::test::{TestConfig, TestError};

/// What the command line asks for, checked.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Options {
    /// The test.
    pub config: TestConfig,
    /// What is wanted of its results.
    pub report: ReportOptions,
    /// The node's executable, or the built-in node.
    pub bin: Option<PathBuf>,
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
    /// Whether to show no progress.
    pub quiet: bool,
    /// Remarks on options that change nothing here.
    pub notes: Vec<String>,
}

impl Options {
    /// Reads the arguments after `gloomers test`.
    ///
    /// # Errors
    ///
    /// What to print instead of running a test.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Refusal> {
        read::options(&parse(arguments)?)
    }
}

impl Simulation {
    /// What `gloomers test --virtual-time` does with these options, on the node of this crate for their workload, which
    /// is [`Simulation::workload`].
    ///
    /// # Errors
    /// [`TestError::Unfit`] says everything that is wrong with them.
    pub fn command(line: &str) -> Result<Self, TestError> {
        let words = std::iter::once("--virtual-time").chain(line.split_whitespace());
        let options = Options::parse(words.map(Into::into));
        let config = options.map_err(|refusal| TestError::Unfit(refusal.to_string()))?.config;
        Ok(Self::configured(config, format!("Simulation::command({line:?})?")))
    }
}

#[cfg(test)]
mod tests;
