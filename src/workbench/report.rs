//! The reports of a run: summary, JSON, `JUnit` XML, the page `report.html`, and a row in the list of all runs.
//!
//! The page is a function of the history, the journal of messages and the results: the same seed in virtual time
//! gives the same bytes. Every chart states how much it leaves out, if it does.

pub mod challenges;
pub mod escape;
mod faults;
#[cfg(feature = "workbench")]
pub mod finish;
pub mod junit;
pub mod markdown;
pub mod metrics;
mod operations;
#[cfg(feature = "workbench")]
mod page;
#[cfg(test)]
mod recorded_runs;
pub mod results;
#[cfg(feature = "workbench")]
pub mod store;
pub mod summary;
pub mod violations;

use crate::workbench::check::Verdict;
#[cfg(feature = "workbench")]
use crate::workbench::explain::Explanation;
use crate::workbench::report::results::Results;
use crate::workbench::test::{Outcome, TestConfig};

/// A finished run, as the page shows it.
#[cfg(feature = "workbench")]
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What happened.
    pub outcome: &'a Outcome,
    /// The results; `None` if there is no verdict.
    pub results: Option<&'a Results>,
    /// The configuration.
    pub config: &'a TestConfig,
    /// The verdict, in which `--strict` counts.
    pub verdict: Option<Verdict>,
    /// Notes beside the verdict: nodes that crashed or were muted, explanations of violations.
    pub remarks: &'a [String],
    /// Why it failed: the first explanations.
    pub explanations: &'a [Explanation],
    /// How many more there are.
    pub unexplained: usize,
}

#[cfg(test)]
mod tests;
