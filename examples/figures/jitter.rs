//! The cost of jitter: challenge 3d without it, and with that of a quiet and of a busy machine.

use crate::measure::{Error, Metrics, average, measure, median, worst};
use crate::page::Table;

const SEEDS: u64 = 100;
const BASE: &str = "-w broadcast --node-count 25 --time-limit 20 --rate 100 --latency 100";
const JITTERS: [&str; 3] = ["none", "quiet", "busy"];

/// The limits of challenge 3d: messages per operation, and the median and maximum stable latency.
const LIMITS: (f64, f64, f64) = (30.0, 400.0, 600.0);

/// Measures each jitter.
pub(crate) fn jitter() -> Result<String, Error> {
    let mut table = Table::new(&[
        "`--jitter`",
        "within the limits",
        "msgs/op, average / worst",
        "median ms, median / worst",
        "maximum ms, median / worst",
    ]);
    for jitter in JITTERS {
        let runs = measure(&format!("{BASE} --jitter {jitter}"), SEEDS)?;
        let latency = |of: fn(&Metrics) -> f64| format!("{:.0} / {:.0}", median(&runs, of), worst(&runs, of));
        let messages = |run: &Metrics| run.messages_per_op;
        table.row(vec![
            jitter.to_owned(),
            format!("{} of {SEEDS}", runs.iter().filter(|run| is_within(run)).count()),
            format!("{:.2} / {:.2}", average(&runs, messages), worst(&runs, messages)),
            latency(|run| run.median_ms),
            latency(|run| run.maximum_ms),
        ]);
    }
    Ok(table.text())
}

fn is_within(run: &Metrics) -> bool {
    let (messages, median_ms, maximum_ms) = LIMITS;
    run.messages_per_op < messages && run.median_ms < median_ms && run.maximum_ms < maximum_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_within_the_limits_if_every_metric_is() {
        let good = Metrics {
            messages_per_op: 1.1,
            bytes_per_op: 0.0,
            longest_line_bytes: 0.0,
            median_ms: 250.0,
            maximum_ms: 500.0,
            lost: 0.0,
            never_read: 0.0,
        };
        assert!(is_within(&good));
        assert!(!is_within(&Metrics { maximum_ms: 600.0, ..good.clone() }));
        assert!(!is_within(&Metrics { median_ms: 400.0, ..good.clone() }));
        assert!(!is_within(&Metrics { messages_per_op: 30.0, ..good }));
    }
}
