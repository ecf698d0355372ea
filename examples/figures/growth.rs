//! The cost of larger clusters, with a load in proportion to their size.

use crate::measure::{Error, average, measure, worst};
use crate::page::Table;

const SEEDS: u64 = 5;
/// Operations per second and node.
const RATE: u32 = 4;

/// Measures clusters of 5 to 100 nodes.
pub(crate) fn growth() -> Result<String, Error> {
    let mut table = Table::new(&[
        "nodes",
        "operations per second",
        "msgs/op",
        "bytes/op",
        "bytes/op and other node",
        "longest message, bytes",
        "median ms",
    ]);
    for nodes in [5, 10, 25, 50, 100] {
        let rate = RATE * nodes;
        let options = format!("-w broadcast --node-count {nodes} --time-limit 20 --rate {rate} --latency 100");
        let runs = measure(&options, SEEDS)?;
        let bytes = average(&runs, |run| run.bytes_per_op);
        table.row(vec![
            nodes.to_string(),
            rate.to_string(),
            format!("{:.2}", average(&runs, |run| run.messages_per_op)),
            format!("{bytes:.0}"),
            format!("{:.1}", bytes / f64::from(nodes - 1)),
            format!("{:.0}", worst(&runs, |run| run.longest_line_bytes)),
            format!("{:.0}", average(&runs, |run| run.median_ms)),
        ]);
    }
    Ok(table.text())
}
