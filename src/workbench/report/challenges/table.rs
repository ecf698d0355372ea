//! The table of the challenges, a line at a time, as text or Markdown.

use super::{ALL, Challenge, ChallengeResult};
use crate::workbench::check::Verdict;
use crate::workbench::report::metrics::Metrics;

/// The format of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Aligned columns for a terminal, with the long commands last.
    Text,
    /// Markdown, as in docs/results.md.
    Markdown,
}

/// The titles of the columns, in order.
const COLUMNS: [&str; 6] = ["challenge", "command", "verdict", "limit", "measured", "best published"];

/// The widths of the columns whose contents are not known when the first line is printed.
const MEASURED_WIDTH: usize = 29;
const VERDICT_WIDTH: usize = 14;

/// Formats the lines of the table.
#[derive(Debug, Clone, Copy)]
pub struct Table(pub TableFormat);

impl Table {
    /// The header.
    pub fn head(self) -> String {
        let titles = self.line(COLUMNS.map(str::to_owned));
        match self.0 {
            TableFormat::Text => titles,
            TableFormat::Markdown => format!("{titles}{}\n", "|---".repeat(COLUMNS.len()) + "|"),
        }
    }

    /// The line of a challenge, run by this command; instead of an attempt, why there is none.
    pub fn row(self, challenge: &Challenge, command: &str, attempt: Result<&ChallengeResult, &'static str>) -> String {
        let command = if self.0 == TableFormat::Markdown { format!("`{command}`") } else { command.to_owned() };
        let verdict = attempt.map_or_else(|why| why, |attempt| verdict(challenge, attempt)).to_owned();
        let measured = attempt.map(measured).unwrap_or_default();
        self.line([challenge.name.to_owned(), command, verdict, limit(challenge), measured, challenge.best.to_owned()])
    }

    fn line(self, [name, command, verdict, limit, measured, best]: [String; 6]) -> String {
        if self.0 == TableFormat::Markdown {
            let cells = [name, command, verdict, limit, measured, best];
            return cells.map(|cell| format!("| {cell} ").replace("|  ", "| ")).concat() + "|\n";
        }
        let widest = |of: &dyn Fn(&Challenge) -> usize, title: &str| {
            ALL.iter().map(of).chain([title.len()]).max().unwrap_or_default()
        };
        let names = widest(&|challenge| challenge.name.len(), COLUMNS[0]);
        let limits = widest(&|challenge| super::table::limit(challenge).len(), COLUMNS[3]);
        let bests = widest(&|challenge| challenge.best.len(), COLUMNS[5]);
        format!(
            "{name:<names$}  {verdict:<VERDICT_WIDTH$}  {limit:<limits$}  {measured:<MEASURED_WIDTH$}  {best:<bests$}  \
             {command}\n"
        )
    }
}

/// The verdict, and whether the limits are met.
fn verdict(challenge: &Challenge, attempt: &ChallengeResult) -> &'static str {
    let limited = challenge.limits != Metrics::default();
    match (attempt.verdict, challenge.is_met(attempt)) {
        (Verdict::False, _) => "invalid",
        (Verdict::Unknown, _) => "unknown",
        (Verdict::True, true) if limited => "valid, met",
        (Verdict::True, true) => "valid",
        (Verdict::True, false) => "valid, missed",
    }
}

fn limit(challenge: &Challenge) -> String {
    let metrics = format_metrics(&challenge.limits);
    if metrics.is_empty() { challenge.demand.to_owned() } else { metrics }
}

/// The metrics, if any; and how many operations succeeded, if there are none or not all did.
fn measured(attempt: &ChallengeResult) -> String {
    let ChallengeResult { metrics: found, answered: (ok, count), .. } = attempt;
    let costs = found.msgs_per_op.is_some_and(|cost| cost > 0.0) || found.median_ms.is_some();
    let metrics = costs.then(|| format_metrics(found));
    let answered = (!costs || ok < count).then(|| format!("{ok} of {count} ok"));
    let short = (!attempt.complete).then(|| "too few operations".to_owned());
    metrics.into_iter().chain(answered).chain(short).collect::<Vec<_>>().join(", ")
}

fn format_metrics(Metrics { msgs_per_op, median_ms, max_ms }: &Metrics) -> String {
    let cost = msgs_per_op.map(|cost| format!("{cost} msgs/op"));
    let latency = median_ms.zip(*max_ms).map(|(median, max)| format!("{median} / {max} ms"));
    cost.into_iter().chain(latency).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(msgs_per_op: f64) -> ChallengeResult {
        let metrics = Metrics { msgs_per_op: Some(msgs_per_op), median_ms: Some(232.0), max_ms: Some(459.0) };
        ChallengeResult { verdict: Verdict::True, metrics, complete: true, answered: (53, 53) }
    }

    fn challenge(name: &str) -> &'static Challenge {
        ALL.iter().find(|challenge| challenge.name == name).expect("there is one")
    }

    fn line_of(table: Table, challenge: &Challenge, attempt: Result<&ChallengeResult, &'static str>) -> String {
        table.row(challenge, &challenge.command(), attempt)
    }

    #[test]
    fn a_row_has_the_limits_the_measured_metrics_and_the_best_published_ones() {
        let table = Table(TableFormat::Markdown);
        let row = line_of(table, challenge("3d"), Ok(&attempt(1.138)));
        let expected = "| 3d | `-w broadcast --node-count 25 --time-limit 20 --rate 100 --latency 100` | valid, met \
                        | 30 msgs/op, 400 / 600 ms | 1.138 msgs/op, 232 / 459 ms | 7.75 msgs/op, 333 / 533 ms |\n";
        assert_eq!(row, expected);
        assert!(line_of(table, challenge("3d"), Ok(&attempt(30.0))).contains("| valid, missed |"));
        let unanswered = line_of(table, challenge("3d"), Ok(&ChallengeResult { answered: (52, 53), ..attempt(1.138) }));
        assert!(
            unanswered.contains("| valid, missed |") && unanswered.contains("459 ms, 52 of 53 ok |"),
            "{unanswered}"
        );
        let short = line_of(table, challenge("3d"), Ok(&ChallengeResult { complete: false, ..attempt(1.138) }));
        assert!(short.contains("| valid, missed |") && short.contains("459 ms, too few operations |"), "{short}");
        assert!(line_of(table, challenge("3e"), Err("not run")).contains("100 -- --max-staleness 1700ms` | not run |"));
        let none = Metrics { msgs_per_op: Some(0.0), ..Metrics::default() };
        let echoed = |ok| {
            line_of(table, challenge("1"), Ok(&ChallengeResult { metrics: none, answered: (ok, 53), ..attempt(0.0) }))
        };
        assert!(echoed(53).ends_with("| valid | every request answered | 53 of 53 ok | |\n"), "{}", echoed(53));
        assert!(echoed(52).contains("| valid, missed |"), "{}", echoed(52));
        let row = line_of(table, challenge("1"), Ok(&ChallengeResult { verdict: Verdict::Unknown, ..attempt(0.0) }));
        assert!(row.contains("| unknown |"), "{row}");
    }

    #[test]
    fn every_line_has_the_columns_of_the_header() {
        let lines = |form| {
            let table = Table(form);
            let rows = ALL.iter().map(move |challenge| line_of(table, challenge, Ok(&attempt(12.345))));
            std::iter::once(table.head()).chain(rows).collect::<String>()
        };
        let markdown = lines(TableFormat::Markdown);
        assert_eq!(markdown.lines().nth(1), Some("|---|---|---|---|---|---|"));
        assert!(markdown.lines().all(|line| line.matches('|').count() == 7), "{markdown}");
        let text = lines(TableFormat::Text);
        let place = text.lines().next().and_then(|head| head.find("command")).expect("a column of commands");
        assert!(text.lines().skip(1).all(|line| line[place..].starts_with("-w ")), "{text}");
    }
}
