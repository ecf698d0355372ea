//! The configuration of a run as names and values for the page.

use super::Run;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::{Delivery, Shape};

/// Names and values; rarely used options appear only if they are not at their defaults.
pub(super) fn setting(run: &Run<'_>) -> Vec<(&'static str, String)> {
    let options = run.options;
    let latency = match (options.latency.mean_ms, options.latency.shape) {
        (0, _) => "none".to_owned(),
        (mean, Shape::Constant) => format!("{mean} ms"),
        (mean, Shape::Uniform) => format!("{mean} ms, uniform"),
        (mean, Shape::Exponential) => format!("{mean} ms, exponential"),
    };
    let mut setting = vec![
        ("nodes", options.nodes.len().to_string()),
        ("clients", options.concurrency.to_string()),
        ("rate", format!("{} operations a second", options.rate)),
        ("time limit", format!("{} s", options.time_limit.as_secs())),
        ("main phase", run.throughput.in_words()),
        ("latency", latency),
    ];
    if !options.nemesis.is_empty() {
        let faults: Vec<_> = options.nemesis.iter().copied().map(Fault::name).collect();
        let every = options.nemesis_interval.as_secs_f64();
        setting.push(("faults", format!("{}, every {every} s", faults.join(", "))));
    }
    for (name, probability) in [("loss", options.loss), ("duplication", options.duplication)] {
        if probability > 0.0 {
            setting.push((name, probability.to_string()));
        }
    }
    if options.delivery == Delivery::Free {
        setting.push(("delivery", "free".to_owned()));
    }
    if !options.arguments.is_empty() {
        setting.push(("node arguments", options.arguments.join(" ")));
    }
    let clock = if options.virtual_time { "virtual" } else { "real" };
    setting.extend([("time", clock.to_owned()), ("seed", options.seed.to_string())]);
    setting
}
