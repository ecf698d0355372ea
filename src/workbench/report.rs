//! The reports of a run: summary, JSON, `JUnit` XML, the page `report.html`, and a row in the list of all runs.
//!
//! The page is a function of the history, the journal of messages and the results: the same seed in virtual time
//! gives the same bytes. Every chart has a limit on what it shows and states how much it leaves out.

pub mod challenges;
pub mod escape;
#[cfg(feature = "workbench")]
mod faults;
#[cfg(feature = "workbench")]
pub mod finish;
#[cfg(feature = "workbench")]
mod index;
#[cfg(feature = "workbench")]
pub mod junit;
pub mod metrics;
#[cfg(feature = "workbench")]
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
use crate::workbench::report::results::Results;
use crate::workbench::test::{Outcome, TestConfig};

/// A finished run, as the page shows it.
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
}

/// Writes the page of a run, and its row in the list of all runs.
#[cfg(feature = "workbench")]
pub fn write(run: &Run<'_>, store: &mut store::RunFolder) {
    store.write("report.html", |file| page::write(run, file));
    store.write(index::ROW, |file| Ok(serde_json::to_writer(file, &index::Row::of(run))?));
    store.update_index();
}

#[cfg(all(test, feature = "workbench"))]
mod tests;
