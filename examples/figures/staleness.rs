//! The trade-off between messages and staleness on challenge 3d, one point for each `--max-staleness`.

use crate::measure::{Error, Metrics, average, measure, worst};
use crate::page::Table;

const SEEDS: u64 = 5;
const BASE: &str = "-w broadcast --node-count 25 --time-limit 20 --rate 100 --latency 100";
const MAX_STALENESS_MS: [u64; 10] = [0, 250, 350, 450, 600, 800, 1100, 1700, 2500, 4000];

/// A configuration and its metrics under Maelstrom's delivery.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// `None` for the default.
    pub(crate) max_staleness_ms: Option<u64>,
    /// The mean of the runs' medians.
    pub(crate) median_ms: f64,
    /// The mean of the runs' messages per operation.
    pub(crate) messages_per_op: f64,
}

/// Measures the curve: the table, and the points in the order of `--max-staleness`, the default last.
pub(crate) fn staleness() -> Result<(String, Vec<Point>), Error> {
    let mut table = Table::new(&[
        "`--max-staleness`",
        "msgs/op, held",
        "median ms, held",
        "maximum ms, held",
        "msgs/op, free",
        "median ms, free",
        "maximum ms, free",
    ]);
    let mut points = Vec::new();
    for max_staleness_ms in MAX_STALENESS_MS.map(Some).into_iter().chain([None]) {
        let arguments = max_staleness_ms.map(|ms| format!(" -- --max-staleness {ms}ms")).unwrap_or_default();
        let mut cells = vec![max_staleness_ms.map_or("(default)".into(), label)];
        for delivery in ["held", "free"] {
            let runs = measure(&format!("{BASE} --delivery {delivery}{arguments}"), SEEDS)?;
            if delivery == "held" {
                points.push(Point {
                    max_staleness_ms,
                    median_ms: average(&runs, |run| run.median_ms),
                    messages_per_op: average(&runs, |run| run.messages_per_op),
                });
            }
            cells.extend([
                both(&runs, 2, |run| run.messages_per_op),
                both(&runs, 0, |run| run.median_ms),
                both(&runs, 0, |run| run.maximum_ms),
            ]);
        }
        table.row(cells);
    }
    Ok((table.text(), points))
}

/// The label of a value of `--max-staleness`.
pub(crate) fn label(ms: u64) -> String {
    if ms == 0 { "0".into() } else { format!("{ms} ms") }
}

fn both(runs: &[Metrics], decimals: usize, of: fn(&Metrics) -> f64) -> String {
    format!("{:.decimals$} / {:.decimals$}", average(runs, of), worst(runs, of))
}
