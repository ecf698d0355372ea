//! The data of the charts of operations: points, latency quantiles and rates.

use std::collections::HashSet;

use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind, Process};

/// The maximum number of operations that are all drawn. Of more, the first [`FIRST`] are drawn, and then one for each
/// name, outcome and cell of a grid with this many columns and rows; quantiles and rates still count all.
pub(super) const MAX_DRAWN: usize = 20_000;
const FIRST: usize = 10_000;
const COLUMNS: i64 = 400;
const ROWS_PER_DECADE: f64 = 8.0;

/// Time is divided into at most this many windows of one of these lengths.
const MAX_WINDOWS: i64 = 50;
const WINDOW_LENGTHS_MS: [i64; 12] =
    [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000];

/// The latency quantiles of each window.
pub(super) const QUANTILES: [f64; 4] = [0.5, 0.95, 0.99, 1.0];

/// The outcomes of operations, in the order of the legend.
pub(super) const OUTCOMES: [OpKind; 3] = [OpKind::Ok, OpKind::Info, OpKind::Fail];

/// One operation of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point<'a> {
    /// Index of its name in [`Operations::names`].
    pub(super) name: usize,
    /// Index of its outcome in [`OUTCOMES`].
    pub(super) outcome: usize,
    /// The time of its invocation in the history.
    pub(super) start_us: i64,
    /// Its latency; until the end of the history if it never completed.
    pub(super) took_us: i64,
    /// The index of its invocation in the history, and that of its completion, if there is one.
    pub(super) begun: u64,
    pub(super) ended: Option<u64>,
    /// The client process.
    pub(super) process: u64,
    /// The value of its completion.
    pub(super) value: &'a Value,
    /// The error of an operation that did not succeed.
    pub(super) error: Option<&'a Value>,
}

/// All operations of clients.
#[derive(Debug)]
pub(super) struct Operations<'a> {
    /// Names, in the order in which they first occur.
    pub(super) names: Vec<&'a str>,
    /// In the order of their invocations.
    pub(super) points: Vec<Point<'a>>,
    /// The time of the last line of the history.
    pub(super) end_us: i64,
}

/// A value for each window of time.
#[derive(Debug, PartialEq, serde::Serialize)]
pub(super) struct Windows<T> {
    /// The length of a window.
    pub(super) window_us: i64,
    /// For each window, from time zero of the history.
    pub(super) values: Vec<T>,
}

impl<'a> Operations<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let end_us = history.ops().last().map_or(0, |op| op.time / 1000);
        let mut names: Vec<&str> = Vec::new();
        let mut points = Vec::with_capacity(history.ops().len() / 2);
        for (begun, ended) in history.pairs() {
            let name = names.iter().position(|name| *name == begun.f).unwrap_or_else(|| {
                names.push(&begun.f);
                names.len() - 1
            });
            let kind = ended.map_or(OpKind::Info, |op| op.kind);
            let outcome = OUTCOMES.iter().position(|outcome| *outcome == kind).unwrap_or_default();
            let Process::Client(process) = begun.process else { continue };
            let start_us = begun.time / 1000;
            let took_us = ended.map_or(end_us, |op| op.time / 1000) - start_us;
            let (value, error) = ended.map_or((&begun.value, None), |op| (&op.value, op.error.as_ref()));
            let (begun, ended) = (begun.index, ended.map(|op| op.index));
            points.push(Point { name, outcome, start_us, took_us, begun, ended, process, value, error });
        }
        Self { names, points, end_us }
    }

    /// The operations to draw; see [`MAX_DRAWN`].
    pub(super) fn drawn(&self) -> Vec<&Point<'a>> {
        if self.points.len() <= MAX_DRAWN {
            return self.points.iter().collect();
        }
        let mut taken = HashSet::new();
        let column = |point: &Point<'_>| point.start_us.saturating_mul(COLUMNS) / self.end_us.max(1);
        let cell = |point: &Point<'_>| (point.name, point.outcome, column(point), row(point.took_us));
        let (first, rest) = self.points.split_at(FIRST);
        first.iter().chain(rest.iter().filter(|point| taken.insert(cell(point)))).collect()
    }

    /// The [`QUANTILES`] of the latencies of the operations invoked in each window; `None` where there were none.
    pub(super) fn quantiles(&self) -> Windows<Option<[i64; QUANTILES.len()]>> {
        let window_us = self.window_us();
        let mut values = vec![Vec::new(); self.windows()];
        for point in &self.points {
            values[index(point.start_us / window_us)].push(point.took_us);
        }
        let of = |mut took: Vec<i64>| {
            took.sort_unstable();
            let last = took.len().checked_sub(1)?;
            Some(QUANTILES.map(|quantile| took[last.min(place(took.len(), quantile))]))
        };
        Windows { window_us, values: values.into_iter().map(of).collect() }
    }

    /// Completions a second of each name and outcome, by the window of the completion.
    pub(super) fn rates(&self) -> Windows<Vec<[f64; OUTCOMES.len()]>> {
        let window_us = self.window_us();
        let mut values = vec![vec![[0.0; OUTCOMES.len()]; self.names.len()]; self.windows()];
        for point in &self.points {
            let window = index((point.start_us + point.took_us) / window_us).min(values.len() - 1);
            values[window][point.name][point.outcome] += 1.0 / seconds(window_us);
        }
        Windows { window_us, values }
    }

    fn window_us(&self) -> i64 {
        let fits = |length_ms: &i64| self.end_us / (length_ms * 1000) < MAX_WINDOWS;
        WINDOW_LENGTHS_MS.into_iter().find(fits).unwrap_or(self.end_us / MAX_WINDOWS / 1000 + 1) * 1000
    }

    fn windows(&self) -> usize {
        index(self.end_us / self.window_us()) + 1
    }
}

/// The row of a latency on the grid, whose axis is logarithmic.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a row is small and need not be exact"
)]
fn row(took_us: i64) -> i64 {
    ((took_us.max(1) as f64).log10() * ROWS_PER_DECADE) as i64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an index below the number of operations"
)]
fn place(count: usize, quantile: f64) -> usize {
    (count as f64 * quantile) as usize
}

/// A time as fractional seconds.
#[expect(clippy::cast_precision_loss, reason = "for plots")]
pub(super) fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

fn index(window: i64) -> usize {
    usize::try_from(window).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(count: usize) -> History {
        let line = |i: usize| {
            let (start, end) = (i * 1_000_000, i * 1_000_000 + i % 1_000 * 1_000);
            format!(
                "{{:index {}, :time {start}, :type :invoke, :process 0, :f :read, :value nil}}\n\
                 {{:index {}, :time {end}, :type :ok, :process 0, :f :read, :value 1}}\n",
                2 * i,
                2 * i + 1
            )
        };
        (0..count).map(line).collect::<String>().parse().expect("a history")
    }

    #[test]
    fn quantiles_and_rates_are_taken_in_windows_of_a_round_length() {
        let history = history(1000);
        let operations = Operations::of(&history);
        assert_eq!((operations.points.len(), operations.drawn().len(), operations.end_us), (1000, 1000, 999_999));
        let quantiles = operations.quantiles();
        assert_eq!((quantiles.window_us, quantiles.values.len()), (50_000, 20));
        assert_eq!(quantiles.values[1], Some([75, 97, 99, 99]));
        let rates = operations.rates();
        assert!(rates.values.iter().all(|names| (names[0][0] - 1000.0).abs() < 1e-6), "{rates:?}");
    }

    #[test]
    fn of_very_many_operations_one_is_drawn_for_each_cell_of_the_grid() {
        let history = history(MAX_DRAWN + 1);
        let operations = Operations::of(&history);
        let drawn = operations.drawn().len();
        assert!(drawn > FIRST + 200 && drawn < FIRST + 1_000, "{drawn}");
    }

    #[test]
    fn an_operation_that_never_ends_is_indeterminate_until_the_end() {
        let text = "{:index 0, :time 1000, :type :invoke, :process 0, :f :add, :value 5}
                    {:index 1, :time 9000, :type :info, :process :nemesis, :f :kill, :value nil}";
        let history = text.parse().expect("a history");
        let operations = Operations::of(&history);
        let [point] = operations.points[..] else { panic!("{operations:?}") };
        assert_eq!((OUTCOMES[point.outcome], point.took_us), (OpKind::Info, 8));
    }

    #[test]
    fn without_operations_there_are_no_windows_to_divide_by() {
        let history = History::default();
        let operations = Operations::of(&history);
        assert_eq!(operations.quantiles().values, [None]);
        assert!(operations.rates().values.concat().is_empty());
    }
}
