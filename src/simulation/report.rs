//! The report of a simulation.

use std::fmt;

use super::Verdict;
use crate::time::Duration;
use crate::workbench::check::Budget;
use crate::workbench::edn::{Value, pretty};
use crate::workbench::history::History;
use crate::workbench::network::{Counts, Muted};
use crate::workbench::report::metrics::{Metrics, stable_latency_ms};
use crate::workbench::report::results::{Results, results};
use crate::workbench::report::summary::abridged;
use crate::workbench::report::violations::outcomes;
use crate::workbench::test::{Outcome, TestConfig};

/// The history and results of a simulation. Its `Debug` output begins with the builder calls that reproduce it.
pub struct Report {
    replay: String,
    results: Results,
    edn: Value,
    history: History,
    counts: Counts,
}

impl Report {
    pub(super) fn new(replay: String, config: &TestConfig, outcome: Outcome) -> Self {
        let results = results(&outcome, config, Budget::default());
        let edn = results.to_edn();
        Self { replay, results, edn, history: outcome.history, counts: outcome.counts }
    }

    /// The builder calls that reproduce the simulation, as Rust source text.
    #[must_use]
    pub fn replay(&self) -> &str {
        &self.replay
    }

    /// Maelstrom's verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.results.verdict()
    }

    /// Whether the test passed Maelstrom's checks and this crate's extended checks, as `--strict` demands.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.results.strict_verdict() == Verdict::True
    }

    /// Messages between servers, including services, per client operation; 0 if there was no operation.
    #[must_use]
    pub fn messages_per_op(&self) -> f64 {
        Metrics::of(&self.results).msgs_per_op.unwrap_or_default()
    }

    /// A quantile (0, 0.5, 0.95, 0.99 or 1) of the stable latencies: the time until all later reads contained a value.
    /// `None` for workloads other than broadcast and g-set.
    #[must_use]
    pub fn stable_latency(&self, quantile: f64) -> Option<Duration> {
        Duration::try_from_secs_f64(stable_latency_ms(&self.results, quantile)? / 1e3).ok()
    }

    /// All results, as in `results.edn`.
    #[must_use]
    pub const fn results(&self) -> &Value {
        &self.edn
    }

    /// A sentence for each failed check, extended checks included.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let failed = outcomes(&self.results, true).into_iter().filter(|outcome| outcome.verdict != Verdict::True);
        failed.map(|outcome| format!("{}: {}", outcome.check.name(), outcome.why)).collect()
    }

    #[cfg(feature = "workbench")]
    pub(crate) const fn typed(&self) -> &Results {
        &self.results
    }

    /// The results of the workload's checker: `:workload` of the results.
    ///
    /// # Panics
    /// Never: the results always have this entry.
    #[must_use]
    pub fn workload(&self) -> &Value {
        self.edn.get("workload").expect("every workload has a checker")
    }

    /// The operations of clients and nemesis.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Message counts of the network.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Nodes that printed an invalid line, after which Maelstrom ignores their output.
    #[must_use]
    pub fn muted(&self) -> &[Muted] {
        self.results.extended.as_ref().map_or(&[], |extended| &extended.muted)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replay, edn, .. } = self;
        write!(f, "{replay}\n{}", pretty(&abridged(edn)))
    }
}
