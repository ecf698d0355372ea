//! The figures by which solutions are compared: what a run cost, and how fresh it was.

use crate::workbench::edn::Value;

/// What a run came to, or what a challenge allows: as far as there is such a figure.
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
    /// The figures in a whole map of results.
    #[must_use]
    pub fn of(results: &Value) -> Self {
        let servers = results.get("net").and_then(|net| net.get("servers"));
        Self {
            msgs_per_op: servers.and_then(|servers| servers.get("msgs-per-op")?.as_float()).map(thousandths),
            median_ms: stable_latency_ms(results, 0.5),
            max_ms: stable_latency_ms(results, 1.0),
        }
    }

    /// Each figure beside its limit and its unit, where there is a limit.
    pub fn against(&self, limits: &Self) -> impl Iterator<Item = (Option<f64>, f64, &'static str)> + use<> {
        let all = [
            (self.msgs_per_op, limits.msgs_per_op, " msgs/op"),
            (self.median_ms, limits.median_ms, " ms median"),
            (self.max_ms, limits.max_ms, " ms max"),
        ];
        all.into_iter().filter_map(|(measured, limit, unit)| Some((measured, limit?, unit)))
    }

    /// Whether every figure that is limited stays below its limit.
    #[must_use]
    pub fn meet(&self, limits: &Self) -> bool {
        self.against(limits).all(|(measured, limit, _)| measured.is_some_and(|measured| measured < limit))
    }
}

/// A quantile of the stable latencies, of those that Maelstrom reports.
#[must_use]
pub fn stable_latency_ms(results: &Value, quantile: f64) -> Option<f64> {
    let latencies = stable_latencies(results)?.entries()?;
    let close = |key: &Value| key.as_float().is_some_and(|key| (key - quantile).abs() < 1e-9);
    latencies.iter().find(|(key, _)| close(key))?.1.as_float()
}

/// The stable latencies by quantile.
#[must_use]
pub fn stable_latencies(results: &Value) -> Option<&Value> {
    results.get("workload")?.get("stable-latencies")
}

/// Rounded to three decimals, as much as one run can tell.
fn thousandths(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
