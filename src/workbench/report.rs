//! Pictures of a run: `report.html`, which is one page with everything in it, and the files that Maelstrom's users know
//! (reference §14.1).
//!
//! All of it is a function of the history, the journal of messages and the results: the same seed in virtual time
//! gives the same bytes. Every picture has a bound on what it shows and says how much it left out.

pub mod challenges;
pub mod escape;
mod faults;
pub mod finish;
pub mod junit;
mod lamport;
pub mod metrics;
mod operations;
mod page;
mod plots;
mod setting;
pub mod store;
pub mod summary;
mod timeline;
pub mod violations;

use crate::workbench::check::{Results, Verdict};
use crate::workbench::cli::options::Options;
use crate::workbench::history::History;
use crate::workbench::network::{Counts, Journal};
use crate::workbench::report::store::Store;
use crate::workbench::test::Throughput;
use faults::faults;
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
    pub options: &'a Options,
    /// What decided every random choice.
    pub seed: u64,
    /// What the main phase did of it.
    pub throughput: &'a Throughput,
    /// The verdict to announce, which may be stricter than the results.
    pub verdict: Option<Verdict>,
    /// What people must know beside the verdict: nodes that crashed or were muted, violations in words.
    pub remarks: &'a [String],
}

/// Writes every picture of a run.
pub fn write(run: &Run<'_>, store: &mut Store) {
    let operations = Operations::of(run.history);
    let faults = faults(run.history);
    store.write("report.html", |file| page::write(run, &operations, &faults, file));
    store.write("latency-raw.svg", |file| plots::latency(&operations, &faults, file));
    store.write("latency-quantiles.svg", |file| plots::quantiles(&operations, &faults, file));
    store.write("rate.svg", |file| plots::rate(&operations, &faults, file));
    store.write("messages.svg", |file| lamport::write(run.journal, &run.options.nodes, file));
    store.write("timeline.html", |file| timeline::write(run.history, file));
}

#[cfg(test)]
mod tests;
