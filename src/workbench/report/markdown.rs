//! Markdown, for the summaries of jobs in continuous integration.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use crate::workbench::check::Verdict;
use crate::workbench::check::stats::OutcomeCounts;
use crate::workbench::report::metrics::Metrics;
use crate::workbench::report::results::Results;
use crate::workbench::report::violations::CheckOutcome;
use crate::workbench::test::TestConfig;

/// Why text can be appended to a string.
const INFALLIBLE: &str = "a string takes everything";

/// One run.
#[derive(Debug)]
pub struct RunSummary<'a> {
    /// Its workload, seed and number of nodes are named.
    pub config: &'a TestConfig,
    /// Its results, if there are any.
    pub results: Option<&'a Results>,
    /// The outcomes of its checks.
    pub outcomes: &'a [CheckOutcome],
    /// Why the test broke off, if it did.
    pub broken: Option<&'a str>,
    /// The lines that explain what went wrong.
    pub explained: &'a [String],
}

impl RunSummary<'_> {
    /// Appends the summary to the file, if one is wanted; returns the error.
    pub fn write(&self, file: Option<&Path>) -> Option<String> {
        let error = append(file?, &self.text()).err()?;
        Some(format!("cannot write {}: {error}", file?.display()))
    }

    fn text(&self) -> String {
        let Self { config, results, outcomes, broken, explained } = self;
        let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.verdict != Verdict::True).collect();
        let verdict = match (broken, failed.iter().map(|outcome| outcome.verdict).max()) {
            (Some(_), None) => "no verdict",
            (_, worst) => worst.unwrap_or(Verdict::True).word(),
        };
        let mark = if verdict == Verdict::True.word() { "✅" } else { "❌" };
        let (workload, nodes, seed) = (config.workload.name(), config.nodes.len(), config.seed);
        let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
        let mut text = format!("### {mark} {workload}, {nodes}, seed {seed}: {verdict}\n\n");
        if let Some(why) = broken {
            writeln!(text, "{}\n", escape(why)).expect(INFALLIBLE);
        }
        if let Some(results) = results {
            text.push_str(&table(results));
        }
        for CheckOutcome { check, why, .. } in failed {
            writeln!(text, "- **{}**: {}", check.name(), escape(why)).expect(INFALLIBLE);
        }
        if !explained.is_empty() {
            text.push('\n');
            text.push_str(&code("text", explained.join("\n").trim()));
        }
        text.push('\n');
        text
    }
}

/// What was measured in a run.
fn table(results: &Results) -> String {
    let OutcomeCounts { ok, fail, info } = results.stats.total;
    let Metrics { msgs_per_op, median_ms, max_ms } = Metrics::of(results);
    let mut columns = vec![("ok", ok.to_string()), ("fail", fail.to_string()), ("info", info.to_string())];
    let measured = [
        ("server messages per operation", msgs_per_op),
        ("median stable latency, ms", median_ms),
        ("maximum, ms", max_ms),
    ];
    columns.extend(measured.into_iter().filter_map(|(name, number)| Some((name, number?.to_string()))));
    let (names, cells): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    format!("| {} |\n|{}\n| {} |\n\n", names.join(" | "), "--:|".repeat(names.len()), cells.join(" | "))
}

/// Appends text to a file, which is created if it does not exist.
pub fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// A text that reads the same in a paragraph or a cell of a table, on one line.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '#' | '&' | '$' => {
                escaped.extend(['\\', letter]);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A block of code in a language; its fence is longer than any in it.
pub fn code(language: &str, text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::report::tests::undecided_results;
    use crate::workbench::report::violations::outcomes;

    #[test]
    fn a_failed_run_is_summarized_with_what_failed_and_why() {
        let config = &TestConfig { seed: 7, ..TestConfig::default() };
        let results = undecided_results();
        let outcomes = &outcomes(&results, false);
        let explained = &[String::new(), "lost: 4 is lost".to_owned()];
        let text = RunSummary { config, results: Some(&results), outcomes, broken: None, explained }.text();
        let workload = config.workload.name();
        assert!(text.starts_with(&format!("### ❌ {workload}, 5 nodes, seed 7: invalid\n\n")), "{text}");
        assert!(text.contains("| ok | fail | info | server messages per operation |"), "{text}");
        assert!(text.contains("\n- **workload**: the operation at index 0 is :cas nil: "), "{text}");
        assert!(text.ends_with("\n```text\nlost: 4 is lost\n```\n\n"), "{text}");
    }

    #[test]
    fn a_run_without_a_verdict_is_summarized_with_the_reason() {
        let config = &TestConfig::default();
        let text =
            RunSummary { config, results: None, outcomes: &[], broken: Some("n1 <died>"), explained: &[] }.text();
        assert!(text.contains(": no verdict\n\nn1 \\<died\\>\n"), "{text}");
    }

    #[test]
    fn markup_in_a_text_is_escaped() {
        assert_eq!(escape("a|b *c*\n<d> `e`"), "a\\|b \\*c\\* \\<d\\> \\`e\\`");
    }

    #[test]
    fn a_fence_is_longer_than_those_inside() {
        assert_eq!(code("console", "ls"), "```console\nls\n```\n");
        assert!(code("console", "```` `").starts_with("`````console\n"));
    }

    #[test]
    fn a_file_is_appended_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("summary.md");
        append(&path, "a").and_then(|()| append(&path, "b")).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "ab");
    }
}
