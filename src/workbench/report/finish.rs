//! Finishes a test: writes its files, prints the report, and determines the exit status.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::time::Duration;
use crate::workbench::check::{Budget, Verdict};
use crate::workbench::cluster::Halt;
use crate::workbench::edn::{self, Value};
use crate::workbench::explain::{self, Cases, Evidence, Explanation, Setting};
use crate::workbench::network::{Muted, Unread};
use crate::workbench::report::Run;
use crate::workbench::report::challenges::Challenge;
use crate::workbench::report::junit::Suite;
use crate::workbench::report::markdown::RunSummary;
use crate::workbench::report::results::{Check, Results, results};
use crate::workbench::report::store::RunFolder;
use crate::workbench::report::summary::{Facts, abridged, closing_line, summary};
use crate::workbench::report::violations::{CheckOutcome, outcomes};
use crate::workbench::test::{Crash, OperationError, Outcome, TestConfig, TestError};
use crate::workbench::workload::Data;

/// Every test was valid.
pub const VALID: u8 = 0;
/// A test was invalid.
pub const INVALID: u8 = 1;
/// A test could not be decided.
pub const UNKNOWN: u8 = 2;
/// The user pressed Ctrl-C.
pub const INTERRUPTED: u8 = 130;
/// A test could not be run to its end.
pub const BROKEN: u8 = 255;

/// How many explanations the page of a failed test has.
const MAX_ON_PAGE: usize = 100;

/// How many of them the terminal has, and how many lines of each.
const MAX_EXPLAINED: usize = 3;
const MAX_LINES: usize = 12;

/// The maximum number of crashed nodes that the last line names.
const MAX_NAMED: usize = 3;

/// How results are judged and reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportOptions {
    /// Whether violations that Maelstrom does not report fail the test.
    pub strict: bool,
    /// Whether to print the results as JSON and nothing else.
    pub json: bool,
    /// Whether to print the whole map of results before the summary.
    pub verbose: bool,
    /// The file for the outcomes of the checks as `JUnit` XML.
    pub junit: Option<PathBuf>,
    /// The file that a summary is appended to as Markdown.
    pub markdown: Option<PathBuf>,
    /// How long the checkers may search after the run.
    pub check_timeout: Duration,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            strict: false,
            json: false,
            verbose: false,
            junit: None,
            markdown: None,
            check_timeout: Duration::from_secs(60),
        }
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// The exit status.
    pub status: u8,
    /// The results, unless a node crashed.
    pub results: Option<Results>,
}

/// Writes the files of a run, prints the report to `page` and returns the exit status of protocol §4.7. Files that
/// cannot be written are named in the report, and change nothing else.
///
/// If a node crashed, there is a history but no verdict. If the test was cut short, the history up to then is checked.
/// `:valid?` is always Maelstrom's verdict, also where `--strict` fails the test.
pub fn finish(
    mut outcome: Outcome,
    config: &TestConfig,
    report: &ReportOptions,
    store: &mut RunFolder,
    page: &mut dyn Write,
    colours: bool,
) -> io::Result<Finished> {
    let ops = outcome.history.ops();
    let seconds = ops.last().map_or(0.0, |op| Duration::from_nanos(op.time.unsigned_abs()).as_secs_f64());
    let cut_short = outcome.cut_short.as_ref().map(|failure| cut_short(failure, seconds));
    outcome.extended.remarks.extend(store.write_history(&outcome.history));
    let TestConfig { workload, concurrency, .. } = *config;
    let (nodes, models) = (config.nodes.clone(), config.consistency_models.clone());
    let setting = Setting { workload, nodes, concurrency, models };
    store.write(explain::file::NAME, |file| explain::file::write(&setting, &outcome.journal, file));
    let Outcome { extended, crashes, .. } = &outcome;
    let write_page = |store: &mut RunFolder, judged: Option<(&Results, Verdict)>, why: &Why, remarks: Vec<String>| {
        let remarks: Vec<_> = cut_short.iter().chain(&extended.remarks).cloned().chain(remarks).collect();
        let (results, verdict) = judged.unzip();
        let Why { explanations, left: unexplained } = why;
        let (remarks, unexplained) = (&remarks, *unexplained);
        store.write_page(&Run { outcome: &outcome, results, config, verdict, remarks, explanations, unexplained });
    };
    if !crashes.is_empty() {
        let crashed = |crash: &Crash| format!("{} crashed with {}.", crash.node, crash.status);
        write_page(store, None, &Why::default(), crashes.iter().map(crashed).collect());
        let why = deaths(crashes, config.nodes.len());
        report_broken(config, report, &why, page)?;
        if !report.json {
            for crash in crashes {
                report_crash(crash, page)?;
            }
            for line in cut_short.iter().chain(&extended.remarks).chain(store.missing()) {
                writeln!(page, "{line}")?;
            }
            writeln!(page, "There is no verdict: {why}. The history is in {}", store.folder().display())?;
        }
        let status = outcome.cut_short.as_ref().map_or(BROKEN, status_of);
        return Ok(Finished { status, results: None });
    }
    let results = results(&outcome, config, time_limit(report.check_timeout));
    let edn = results.to_edn();
    store.write_results(&edn);
    let (verdict, status) = verdict_and_status(&results, report.strict);
    let status = outcome.cut_short.as_ref().map_or(status, status_of);
    let explanation = results.explanation();
    let outcomes = outcomes(&results, report.strict);
    let is_reported_below = |outcome: &&CheckOutcome| matches!(outcome.check, Check::Muted | Check::Unread);
    let failed = outcomes.iter().filter(|outcome| outcome.verdict != Verdict::True && !is_reported_below(outcome));
    let failed =
        failed.map(|outcome| format!("{} is {}: {}", outcome.check.name(), outcome.verdict.word(), outcome.why));
    let short = extended.throughput.shortfall().map(|why| format!("The test is shorter than asked for: {why}."));
    let muted = extended.muted.iter().map(Muted::in_words);
    let unread = extended.unread.iter().map(Unread::in_words);
    let is_relevant = |error: &&OperationError| verdict != Verdict::True || !error.is_ordinary;
    let errors: Vec<_> = extended.errors.iter().filter(is_relevant).map(ToString::to_string).collect();
    let remarks = short.into_iter().chain(muted).chain(unread).chain(failed).chain(errors.iter().cloned());
    let why = match verdict {
        Verdict::True => Why::default(),
        Verdict::False | Verdict::Unknown => Why::of(&setting, &outcome, report),
    };
    // What is explained says the same of sets, and more.
    let is_explained = workload.descriptor().data == Data::Set;
    let violations = if is_explained && !why.explanations.is_empty() { &[] } else { &*explanation };
    write_page(store, Some((&results, verdict)), &why, remarks.chain(violations.iter().cloned()).collect());
    let suite = Suite { config, seconds, outcomes: &outcomes, broken: cut_short.as_deref(), output: &errors };
    if let Some(error) = suite.write(report.junit.as_deref()) {
        store.miss(error);
    }
    let explained = why.lines(&store.latest());
    let markdown = RunSummary {
        config,
        results: Some(&results),
        outcomes: &outcomes,
        broken: cut_short.as_deref(),
        explained: &explained,
    };
    if let Some(error) = markdown.write(report.markdown.as_deref()) {
        store.miss(error);
    }
    if report.json {
        writeln!(page, "{}", edn.to_json())?;
        for why in store.missing() {
            writeln!(io::stderr(), "{why}").ok();
        }
        return Ok(Finished { status, results: Some(results) });
    }
    let explanation = if is_explained { &[] } else { &*explanation };
    for line in &explained {
        writeln!(page, "{line}")?;
    }
    let closing = match &outcome.cut_short {
        None => closing_line(verdict).to_owned(),
        Some(TestError::Halt(Halt::Interrupted)) => "Interrupted; all nodes have been ended.".to_owned(),
        Some(TestError::Halt(Halt::Stopped)) => "Stopped where it was to; all nodes have been ended.".to_owned(),
        Some(failure) => format!("The test could not be run to its end: {failure}"),
    };
    let facts = Facts {
        is_measured: Challenge::measures(config),
        has_files: true,
        folder: store.folder().to_owned(),
        missing: store.missing().to_vec(),
        cut_short,
    };
    let printed = report.verbose.then_some(&edn);
    print_report(page, explanation, printed, &summary(&results, &outcomes, &facts, colours), &closing)?;
    Ok(Finished { status, results: Some(results) })
}

/// The first explanations of what went wrong.
#[derive(Default)]
struct Why {
    explanations: Vec<Explanation>,
    /// How many more there are.
    left: usize,
}

impl Why {
    fn of(setting: &Setting, outcome: &Outcome, report: &ReportOptions) -> Self {
        let evidence = Evidence::new(setting, &outcome.history, &outcome.journal);
        let cases = Cases::of(&evidence, &time_limit(report.check_timeout));
        let explanations = cases.explain(&evidence, MAX_ON_PAGE);
        Self { left: cases.count().saturating_sub(explanations.len()), explanations }
    }

    /// The first of them, each after an empty line, and how to see the others.
    fn lines(&self, run: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        for explanation in self.explanations.iter().take(MAX_EXPLAINED) {
            lines.push(String::new());
            lines.extend(explanation.lines(MAX_LINES));
        }
        let left = (self.explanations.len() + self.left).saturating_sub(MAX_EXPLAINED);
        if left > 0 {
            lines.extend([String::new(), format!("{left} more: gloomers explain {}", run.display())]);
        }
        lines
    }
}

/// Prints the report of a run: the whole map of `results` if given, the explanations of the violations, the summary,
/// and the closing line on which scripts rely.
pub fn print_report(
    page: &mut dyn Write,
    explanation: &[String],
    results: Option<&Value>,
    summary: &str,
    closing: &str,
) -> io::Result<()> {
    if let Some(results) = results {
        writeln!(page, "\n{}", edn::pretty(&abridged(results)))?;
    }
    for line in explanation {
        writeln!(page, "{line}")?;
    }
    if results.is_some() || !explanation.is_empty() {
        writeln!(page)?;
    }
    writeln!(page, "{summary}\n{closing}")
}

/// The warning above the results of a test that was cut short.
fn cut_short(failure: &TestError, seconds: f64) -> String {
    format!(
        "The test was cut short after {seconds:.1} s ({failure}). What it had gathered is judged, but faults were not \
         healed and the last operations are missing: what looks lost may only be late."
    )
}

const fn status_of(failure: &TestError) -> u8 {
    let TestError::Halt(halt) = failure else { return BROKEN };
    match halt {
        Halt::Interrupted => INTERRUPTED,
        Halt::Stopped => UNKNOWN,
        Halt::Io(_) => BROKEN,
    }
}

/// Which nodes crashed, how and when, in one line.
fn deaths(crashes: &[Crash], nodes: usize) -> String {
    let died =
        |crash: &Crash| format!("{} died after {:.1} s ({})", crash.node, crash.after.as_secs_f64(), crash.status);
    let named: Vec<_> = crashes.iter().take(MAX_NAMED).map(died).collect();
    let more = crashes.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let all = if crashes.len() == nodes && nodes > 1 { "every node is dead: " } else { "" };
    format!("{all}{}{more}", named.join(", "))
}

/// A budget that is exhausted after this real time from now on.
#[expect(clippy::disallowed_methods, reason = "part of a host: no state machine is running, checkers read no clock")]
pub fn time_limit(limit: Duration) -> Budget {
    let begun = Instant::now();
    Budget::until(move || begun.elapsed() >= limit)
}

/// Reports as JSON, `JUnit` XML and Markdown, where requested, that a test has no verdict and why.
pub fn report_broken(config: &TestConfig, report: &ReportOptions, why: &str, page: &mut dyn Write) -> io::Result<()> {
    let suite = Suite { config, seconds: 0.0, outcomes: &[], broken: Some(why), output: &[] };
    let markdown = RunSummary { config, results: None, outcomes: &[], broken: Some(why), explained: &[] };
    let written = [suite.write(report.junit.as_deref()), markdown.write(report.markdown.as_deref())];
    for error in written.into_iter().flatten() {
        writeln!(io::stderr(), "{error}").ok();
    }
    if report.json { print_json_error(why, page) } else { Ok(()) }
}

/// The JSON document of a test or history without a verdict.
pub fn print_json_error(why: &str, page: &mut dyn Write) -> io::Result<()> {
    writeln!(page, "{}", Value::record([("valid?", Value::Nil), ("error", Value::str(why))]).to_json())
}

/// The verdict, in which the strict checks count if `strict` is set, and its exit status.
pub fn verdict_and_status(results: &Results, strict: bool) -> (Verdict, u8) {
    let verdict = if strict { results.strict_verdict() } else { results.verdict() };
    let status = match verdict {
        Verdict::True => VALID,
        Verdict::False => INVALID,
        Verdict::Unknown => UNKNOWN,
    };
    (verdict, status)
}

/// Prints how a node crashed, as Maelstrom does (protocol §1.9).
fn report_crash(crash: &Crash, page: &mut dyn Write) -> io::Result<()> {
    let Crash { node, status, output_tail, .. } = crash;
    writeln!(page, "Node {node} crashed with {status}. Before crashing, it wrote to STDOUT:")?;
    write_indented(&output_tail.stdout, page)?;
    writeln!(page, "And to STDERR:")?;
    write_indented(&output_tail.stderr, page)?;
    writeln!(page)
}

/// Prints what a node wrote.
pub fn write_indented(lines: &[String], page: &mut dyn Write) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(page, "    {line}"))
}

#[cfg(test)]
mod tests;
