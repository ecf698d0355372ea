//! What a run leaves for people to look at: `report.html`, one page with everything in it, and its row in the list of
//! all runs.
//!
//! The page is a function of the history, the journal of messages and the results: the same seed in virtual time
//! gives the same bytes. Every chart has a bound on what it shows and says how much it left out.

pub mod challenges;
pub mod escape;
#[cfg(feature = "workbench")]
mod faults;
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
mod setting;
#[cfg(feature = "workbench")]
pub mod store;
pub mod summary;
pub mod violations;

use crate::workbench::check::Verdict;

use crate::workbench::history::History;
use crate::workbench::network::{Counts, Journal};
use crate::workbench::report::results::Results;
#[cfg(feature = "workbench")]
use crate::workbench::report::store::Store;
use crate::workbench::test::{TestConfig, Throughput};
#[cfg(feature = "workbench")]
use faults::faults;
#[cfg(feature = "workbench")]
use index::Row;
#[cfg(feature = "workbench")]
use operations::Operations;

/// What there is to show of a run.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What clients and nemesis did and saw.
    pub history: &'a History,
    /// The messages.
    pub journal: &'a Journal,
    /// How many there were.
    pub counts: &'a Counts,
    /// What the checkers found; nothing, if there is no verdict.
    pub results: Option<&'a Results>,
    /// What was asked for.
    pub options: &'a TestConfig,
    /// What the main phase did of it.
    pub throughput: &'a Throughput,
    /// The verdict to announce, which may be stricter than the results.
    pub verdict: Option<Verdict>,
    /// What people must know beside the verdict: nodes that crashed or were muted, violations in words.
    pub remarks: &'a [String],
}

/// Writes every picture of a run.
#[cfg(feature = "workbench")]
pub fn write(run: &Run<'_>, store: &mut Store) {
    let operations = Operations::of(run.history);
    let faults = faults(run.history);
    store.write("report.html", |file| page::write(run, &operations, &faults, file));
    store.write(index::ROW, |file| Ok(serde_json::to_writer(file, &Row::of(run))?));
    store.update_index();
}

#[cfg(all(test, feature = "workbench"))]
mod tests;
