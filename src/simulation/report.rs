//! What a simulation came to.

use std::fmt;

use super::Verdict;
use crate::time::Duration;
use crate::workbench::check::Budget;
use crate::workbench::edn::{Value, pretty};
use crate::workbench::history::History;
use crate::workbench::network::{Counts, Muted};
use crate::workbench::report::finish::results;
use crate::workbench::report::metrics::{Metrics, stable_latency_ms};
use crate::workbench::report::results::Results;
use crate::workbench::report::summary::abridged;
use crate::workbench::report::violations::outcomes;
use crate::workbench::test::{Outcome, TestConfig};

/// The history of a simulation and what the judge makes of it. Its `Debug` text begins with the calls that repeat it.
pub struct Report {
    replay: String,
    results: Results,
    edn: Value,
    history: History,
    counts: Counts,
    muted: Vec<Muted>,
}

impl Report {
    pub(super) fn new(replay: String, config: &TestConfig, mut outcome: Outcome) -> Self {
        let history: History = std::mem::take(&mut outcome.history).into_iter().collect();
        let results = results(&history, &outcome, config, Budget::default());
        let edn = results.to_edn();
        Self { replay, results, edn, history, counts: outcome.counts, muted: outcome.muted }
    }

    /// The calls that repeat it.
    #[must_use]
    pub fn replay(&self) -> &str {
        &self.replay
    }

    /// Maelstrom's verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.results.verdict()
    }

    /// Whether the test is valid, and nothing is wrong either that Maelstrom does not see: what `--strict` demands.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.verdict().merge(self.results.strict()) == Verdict::True
    }

    /// Messages between servers, services among them, for each operation of a client; 0 if there was none.
    #[must_use]
    pub fn messages_per_op(&self) -> f64 {
        Metrics::of(&self.results).msgs_per_op.unwrap_or_default()
    }

    /// How long values took to be everywhere: the quantile 0, 0.5, 0.95, 0.99 or 1. Only broadcast and g-set know.
    #[must_use]
    pub fn stable_latency(&self, quantile: f64) -> Option<Duration> {
        Duration::try_from_secs_f64(stable_latency_ms(&self.results, quantile)? / 1e3).ok()
    }

    /// The whole map of results, as in `results.edn`.
    #[must_use]
    pub const fn results(&self) -> &Value {
        &self.edn
    }

    /// What is wrong, a sentence for each kind of violation: what makes the test invalid, and what Maelstrom does not
    /// see.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let failed = outcomes(&self.results, true).into_iter().filter(|outcome| outcome.verdict != Verdict::True);
        failed.map(|outcome| format!("{}: {}", outcome.check.name(), outcome.why)).collect()
    }

    #[cfg(feature = "workbench")]
    pub(crate) const fn typed(&self) -> &Results {
        &self.results
    }

    /// What the checker of the workload found: `:workload` of the results.
    ///
    /// # Panics
    /// Never: there always is such a part.
    #[must_use]
    pub fn workload(&self) -> &Value {
        self.edn.get("workload").expect("every judge looks at the workload")
    }

    /// What clients and nemesis did and saw.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What the network counted.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Nodes that printed a bad line, after which Maelstrom hears them no more.
    #[must_use]
    pub fn muted(&self) -> &[Muted] {
        &self.muted
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replay, edn, .. } = self;
        write!(f, "{replay}\n{}", pretty(&abridged(edn)))
    }
}
