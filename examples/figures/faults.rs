//! The cost of faults: 25 nodes with partitions, losses and variable latencies.

use crate::measure::{Error, average, measure, median, total, worst};
use crate::page::Table;

const SEEDS: u64 = 100;
const BASE: &str = "-w broadcast --node-count 25 --time-limit 60 --rate 100 --latency 100";
const FAULTS: [&str; 7] = [
    "",
    "--nemesis partition --nemesis-interval 10",
    "--nemesis partition --nemesis-interval 3",
    "--loss 0.1",
    "--duplication 0.1",
    "--latency-dist uniform",
    "--latency-dist exponential",
];

/// Measures each fault.
pub(crate) fn faults() -> Result<String, Error> {
    let mut table = Table::new(&[
        "options",
        "msgs/op, average / worst",
        "median ms, median / worst",
        "maximum ms, median / worst",
        "lost",
        "never read",
    ]);
    for fault in FAULTS {
        let runs = measure(&format!("{BASE} {fault}"), SEEDS)?;
        let latency = |of: fn(&_) -> f64| format!("{:.0} / {:.0}", median(&runs, of), worst(&runs, of));
        let messages = |run: &crate::measure::Metrics| run.messages_per_op;
        table.row(vec![
            if fault.is_empty() { "(no fault)".into() } else { format!("`{fault}`") },
            format!("{:.2} / {:.2}", average(&runs, messages), worst(&runs, messages)),
            latency(|run| run.median_ms),
            latency(|run| run.maximum_ms),
            format!("{:.0}", total(&runs, |run| run.lost)),
            format!("{:.0}", total(&runs, |run| run.never_read)),
        ]);
    }
    Ok(table.text())
}
