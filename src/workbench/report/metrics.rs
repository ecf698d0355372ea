//! The metrics by which solutions are compared: messages per operation and stable latency.

use crate::workbench::check::net::NetReport;
use crate::workbench::report::results::Results;

/// What was measured in a run, or the limits of a challenge; `None` for a metric that does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Metrics {
    /// Messages between servers for each operation of a client.
    pub msgs_per_op: Option<f64>,
    /// The median of the stable latencies.
    pub median_ms: Option<f64>,
    /// The greatest of the stable latencies.
    pub max_ms: Option<f64>,
}

impl Metrics {
    /// The metrics of a run.
    pub fn of(results: &Results) -> Self {
        let latency = |level| stable_latency_ms(results, level);
        Self {
            msgs_per_op: results.net.as_ref().and_then(NetReport::servers_per_op).map(thousandths),
            median_ms: latency(0.5),
            max_ms: latency(1.0),
        }
    }

    /// Each metric that has a limit, with the limit and its unit.
    pub fn against(&self, limits: &Self) -> impl Iterator<Item = (Option<f64>, f64, &'static str)> + use<> {
        let all = [
            (self.msgs_per_op, limits.msgs_per_op, " msgs/op"),
            (self.median_ms, limits.median_ms, " ms median"),
            (self.max_ms, limits.max_ms, " ms max"),
        ];
        all.into_iter().filter_map(|(measured, limit, unit)| Some((measured, limit?, unit)))
    }

    /// Whether every metric that has a limit is below it.
    pub fn meet(&self, limits: &Self) -> bool {
        self.against(limits).all(|(measured, limit, _)| measured.is_some_and(|measured| measured < limit))
    }
}

/// A quantile of the stable latencies, at one of the levels that Maelstrom reports.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a test")]
pub fn stable_latency_ms(results: &Results, quantile: f64) -> Option<f64> {
    Some(results.workload.stable_latencies()?.at(quantile)? as f64)
}

/// Rounds to three decimals, the precision of a single run.
fn thousandths(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
