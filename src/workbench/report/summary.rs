//! The summary of a run for the terminal.

use std::fmt::Write;
use std::path::PathBuf;

use crate::workbench::check::Verdict;
use crate::workbench::check::stats::OutcomeCounts;
use crate::workbench::edn::Value;
use crate::workbench::network::Muted;
use crate::workbench::report::challenges::Challenge;
use crate::workbench::report::metrics::Metrics;
use crate::workbench::report::results::{Check, Results};
use crate::workbench::report::violations::CheckOutcome;
use crate::workbench::test::{Convergence, Throughput};

/// What the summary shows beside the results.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The warning of a test that was cut short.
    pub cut_short: Option<String>,
    /// Whether the limits of the challenges apply to the run.
    pub is_measured: bool,
    /// Whether the run wrote its files to `folder`; a stored history that is checked may be there alone.
    pub has_files: bool,
    /// The folder of the run.
    pub folder: PathBuf,
    /// The files that could not be written, and why.
    pub missing: Vec<String>,
}

/// A list of more than [`MAX_LISTED`] values is abridged to [`LISTED`].
const MAX_LISTED: usize = 16;
const LISTED: usize = 8;

/// The column at which the values of the summary begin.
const LABEL_WIDTH: usize = 16;

/// Aligned lines, each with its newline, in ANSI colours if `colours` is set.
pub fn summary(results: &Results, outcomes: &[CheckOutcome], facts: &Facts, colours: bool) -> String {
    let mut summary = SummaryText { text: String::new(), colours };
    if let Some(cut_short) = &facts.cut_short {
        let alarm = summary.paint(Colour::Alarm, "!!! CUT SHORT");
        writeln!(summary.text, "{alarm}: {cut_short}\n").expect("a string takes everything");
    }
    let extended = results.extended.as_ref();
    for muted in extended.into_iter().flat_map(|extended| &extended.muted) {
        summary.muted(muted);
    }
    let failed = outcomes.iter().filter(|outcome| outcome.verdict != Verdict::True);
    let (strict, invalid): (Vec<_>, Vec<_>) = failed.partition(|outcome| outcome.check.is_strict());
    summary.verdict(results.verdict(), &invalid);
    for outcome in &strict {
        let failed = summary.paint(Colour::Red, "failed");
        let shorter = [(Check::Muted, "a node was muted"), (Check::Unread, "a node printed more after a message")];
        let why = shorter.iter().find(|(check, _)| *check == outcome.check).map_or(&*outcome.why, |(_, why)| why);
        summary.line("--strict", &format!("{failed}: {why}"));
    }
    let is_judged = outcomes.iter().any(|outcome| outcome.check == Check::Gloomers);
    let found = results.workload.extended_verdict().filter(|_| !is_judged && results.verdict() == Verdict::True);
    if found == Some(Verdict::False) {
        summary.line("note", "Maelstrom does not see the anomalies above; --strict fails the test, and explains them");
    }
    if let Some(extended) = extended {
        summary.main_phase(&extended.throughput);
    }
    let OutcomeCounts { ok, fail, info } = results.stats.total;
    summary.line("operations", &format!("{ok} ok, {fail} fail, {info} info"));
    for error in extended.into_iter().flat_map(|extended| extended.errors.iter()) {
        summary.line("", &error.to_string());
    }
    for unread in extended.into_iter().flat_map(|extended| &extended.unread) {
        summary.line("unread output", &unread.in_words());
    }
    let metrics = Metrics::of(results);
    if let Some(latencies) = results.workload.stable_latencies() {
        let shown = latencies.iter().filter(|(level, _)| *level > 0.0).map(|(level, ms)| format!("{level}: {ms}"));
        summary.line("stable latency", &format!("{} ms", shown.collect::<Vec<_>>().join(", ")));
    }
    if let Some(msgs_per_op) = metrics.msgs_per_op {
        summary.line("server messages", &format!("{msgs_per_op} per operation"));
    }
    if facts.is_measured {
        for challenge in Challenge::efficiency() {
            summary.challenge(challenge, &metrics);
        }
    }
    if let Some(extended) = extended {
        summary.convergence(extended.convergence.as_ref());
        let [mean, p99, max] = extended.lateness.in_ms();
        if max > 0.0 {
            summary.line("delivery error", &format!("{mean} ms mean, {p99} ms p99, {max} ms max"));
        }
        for remark in &extended.remarks {
            summary.line("note", remark);
        }
    }
    summary.line("results", &facts.folder.display().to_string());
    for why in &facts.missing {
        let why = summary.paint(Colour::Red, why);
        summary.line("missing", &why);
    }
    let mut look_at: Vec<&str> = Vec::new();
    for file in invalid.into_iter().chain(strict).flat_map(|outcome| &outcome.look_at) {
        if !look_at.contains(&&**file) {
            look_at.push(file);
        }
    }
    if facts.has_files && !look_at.is_empty() {
        summary.line("look at", &look_at.join(", "));
    }
    summary.text
}

/// Maelstrom's last line, on which scripts rely (protocol §14.4).
pub const fn closing_line(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::True => "Everything looks good! ヽ(‘ー`)ノ",
        Verdict::Unknown => "Errors occurred during analysis, but no anomalies found. ಠ~ಠ",
        Verdict::False => "Analysis invalid! (ﾉಥ益ಥ）ﾉ ┻━┻",
    }
}

#[derive(Clone, Copy)]
enum Colour {
    Green,
    Yellow,
    Red,
    Alarm,
}

struct SummaryText {
    text: String,
    colours: bool,
}

impl SummaryText {
    fn line(&mut self, label: &str, value: &str) {
        writeln!(self.text, "{label:<LABEL_WIDTH$}{value}").expect("a string takes everything");
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
            Colour::Alarm => "1;97;41",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn muted(&mut self, muted: &Muted) {
        let alarm = self.paint(Colour::Alarm, &format!("!!! NODE {} WAS MUTED", muted.node));
        self.text.push_str(&alarm);
        writeln!(
            self.text,
            ": it printed {}:\n    {}\nNothing that it printed afterwards was read.\n",
            muted.reason, muted.line
        )
        .expect("a string takes everything");
    }

    fn verdict(&mut self, verdict: Verdict, invalid: &[&CheckOutcome]) {
        let colour = match verdict {
            Verdict::True => Colour::Green,
            Verdict::Unknown => Colour::Yellow,
            Verdict::False => Colour::Red,
        };
        let mut text = self.paint(colour, verdict.word());
        if !invalid.is_empty() {
            let checks: Vec<_> = invalid.iter().map(|outcome| outcome.check.name()).collect();
            text = format!("{text}, because of {}", checks.join(", "));
        }
        self.line("verdict", &text);
        for CheckOutcome { check, why, .. } in invalid.iter().filter(|outcome| !outcome.why.is_empty()) {
            self.line("", &format!("{}: {why}", check.name()));
        }
    }

    fn main_phase(&mut self, throughput: &Throughput) {
        let mut text = throughput.in_words();
        if let Some(why) = throughput.shortfall() {
            let alarm = self.paint(Colour::Alarm, "!!! SHORTER THAN ASKED FOR");
            text = format!("{text} {alarm}: {why}");
        }
        self.line("main phase", &text);
    }

    /// Whether all replicas were equal at the end.
    fn convergence(&mut self, convergence: Option<&Convergence>) {
        let text = match convergence {
            None => return,
            Some(Convergence::Equal) => "equal".to_owned(),
            Some(Convergence::Different(first)) => {
                format!("{}, first: {first}", self.paint(Colour::Red, "different"))
            }
        };
        self.line("replicas", &text);
    }

    fn challenge(&mut self, challenge: &Challenge, metrics: &Metrics) {
        let parts = metrics.against(&challenge.limits).map(|(measured, limit, unit)| match measured {
            Some(measured) if measured < limit => format!("{measured} < {limit}{unit}"),
            Some(measured) => self.paint(Colour::Red, &format!("{measured} ≥ {limit}{unit}")),
            None => self.paint(Colour::Red, &format!("? < {limit}{unit}")),
        });
        let parts: Vec<_> = parts.collect();
        let met = metrics.meet(&challenge.limits);
        let outcome = if met { self.paint(Colour::Green, "met") } else { self.paint(Colour::Red, "not met") };
        self.line(&format!("challenge {}", challenge.name), &format!("{outcome}: {}", parts.join(", ")));
    }
}

/// The results with long lists abridged; `results.edn` has them in full.
pub fn abridged(results: &Value) -> Value {
    if let Value::Map(entries) = results {
        return Value::Map(entries.iter().map(|(key, value)| (key.clone(), abridged(value))).collect());
    }
    if let Value::List(values) = results
        && values.len() > MAX_LISTED
    {
        let left_out = format!("...and-{}-more", values.len() - LISTED);
        let shown = values.iter().take(LISTED).cloned();
        return Value::List(shown.chain([Value::Symbol(left_out.into())]).collect());
    }
    results.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;
    use crate::workbench::check::Quantiles;
    use crate::workbench::network::BadLine;
    use crate::workbench::quote::quote;
    use crate::workbench::report::tests::{FixedReport, results, undecided_results};
    use crate::workbench::report::violations::outcomes;

    fn facts() -> Facts {
        Facts { is_measured: true, has_files: true, folder: "store/here".into(), ..Facts::default() }
    }

    fn summarized(results: &Results, facts: &Facts) -> String {
        summary(results, &outcomes(results, false), facts, false)
    }

    #[test]
    fn a_run_of_challenge_3d_is_compared_with_its_limits() {
        let expected = "\
verdict         valid
main phase      0 of about 0 operations in 0.0 s
operations      1979 ok, 0 fail, 2 info
stable latency  0.5: 232, 0.95: 429, 0.99: 447, 1: 459 ms
server messages 1.138 per operation
challenge 3d    met: 1.138 < 30 msgs/op, 232 < 400 ms median, 459 < 600 ms max
challenge 3e    met: 1.138 < 20 msgs/op, 232 < 1000 ms median, 459 < 2000 ms max
results         store/here
";
        assert_eq!(summarized(&results(FixedReport::default()), &facts()), expected);
    }

    #[test]
    fn a_main_phase_with_too_few_operations_is_marked() {
        let phase = |begun| {
            let limit = Duration::from_secs(20);
            let throughput = Throughput { asked: 2000.0, begun, lasted: limit, limit, ..Throughput::default() };
            let mut results = results(FixedReport::default());
            results.extended.as_mut().expect("a run").throughput = throughput;
            let text = summarized(&results, &facts());
            text.lines().find(|line| line.starts_with("main phase")).expect("a line").to_owned()
        };
        assert_eq!(phase(1969), "main phase      1969 of about 2000 operations in 20.0 s");
        let short = phase(12);
        assert!(short.starts_with("main phase      12 of about 2000 operations in 20.0 s !!! SHORTER"), "{short}");
    }

    #[test]
    fn a_limit_that_is_reached_is_not_met() {
        let latencies = Some(Quantiles::from([0, 232, 429, 447, 600]));
        let text = summarized(&results(FixedReport { latencies, ..FixedReport::default() }), &facts());
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("challenge")).collect();
        assert_eq!(lines[0], "challenge 3d    not met: 1.138 < 30 msgs/op, 232 < 400 ms median, 600 ≥ 600 ms max");
        assert!(lines[1].contains(" met:") && !lines[1].contains("not met"), "{}", lines[1]);
        assert!(!summarized(&results(FixedReport::default()), &Facts::default()).contains("challenge"));
    }

    #[test]
    fn a_muted_node_is_announced_first_with_the_line_that_muted_it() {
        let line = quote("hello\x1b \"x\"");
        let muted = Muted { node: "n1".into(), line, reason: BadLine::Empty, late_reply: false };
        let mut results = results(FixedReport::default());
        results.extended.as_mut().expect("a run").muted.push(muted);
        let text = summarized(&results, &facts());
        let expected = concat!(
            "!!! NODE n1 WAS MUTED: it printed an empty line on stdout; ",
            "write exactly one line end after each message:\n    hello\\u{1b} \"x\"\n"
        );
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn an_invalid_verdict_names_the_failed_checks_and_why() {
        let text = summarized(&undecided_results(), &facts());
        assert!(text.starts_with("verdict         invalid, because of stats, workload\n"), "{text}");
        assert!(text.contains("                workload: the operation at index 0 is :cas nil: "), "{text}");
        assert!(text.ends_with("\nlook at         history.txt, report.html, node-logs, results.edn\n"), "{text}");
    }

    #[test]
    fn a_long_list_is_abridged_for_the_page() {
        let list = |count: i64| Value::record([("lost", Value::List((0..count).map(Value::Int).collect()))]);
        assert_eq!(abridged(&list(16)), list(16));
        assert_eq!(abridged(&list(17)).to_string(), "{:lost (0 1 2 3 4 5 6 7 ...and-9-more)}");
    }

    #[test]
    fn colours_appear_only_if_asked() {
        let results = results(FixedReport::default());
        assert!(!summarized(&results, &facts()).contains('\x1b'));
        assert!(summary(&results, &[], &facts(), true).contains("\x1b[32mvalid\x1b[0m"));
    }

    #[test]
    fn the_closing_line_begins_like_maelstroms() {
        assert!(closing_line(Verdict::True).starts_with("Everything looks good!"));
        assert!(closing_line(Verdict::False).starts_with("Analysis invalid!"));
    }
}
