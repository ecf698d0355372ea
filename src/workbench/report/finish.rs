//! What is left of a test when it is over: files, a report, and an exit status.

use std::io::{self, Write};
use std::time::Instant;

use crate::time::Duration;
use crate::workbench::check::{self, Budget, Verdict, judge};
use crate::workbench::cli::options::Options;
use crate::workbench::cluster::Halt;
use crate::workbench::edn::{self, Value};
use crate::workbench::history::History;
use crate::workbench::network::{Delivery, Muted, Unread};
use crate::workbench::report;
use crate::workbench::report::junit::Suite;
use crate::workbench::report::store::Store;
use crate::workbench::report::summary::{Facts, abridged, closing_line, summary};
use crate::workbench::report::violations::{Finding, findings};
use crate::workbench::test::{Convergence, Crash, OperationError, Outcome, TestError, Throughput};

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

/// As many nodes that died are named in the last line.
const NAMED: usize = 3;

/// What came of a run.
#[derive(Debug)]
pub struct Conclusion {
    /// The exit status.
    pub status: u8,
    /// The results, unless a node died.
    pub results: Option<Value>,
}

/// Writes the files of the run, reports its outcome to `page` and finds the exit status of reference §4.7. Files that
/// cannot be written are named there, and change nothing else.
///
/// A node that died leaves a history without a verdict. What a test that was cut short had gathered is judged all the
/// same. Everything under `:gloomers` is ours; `:valid?` stays what Maelstrom would say, also where a muted node makes
/// the test a failure.
///
/// # Errors
/// When the page cannot be written.
pub fn conclude(
    mut outcome: Outcome,
    options: &Options,
    seed: u64,
    store: &mut Store,
    page: &mut dyn Write,
    colours: bool,
) -> io::Result<Conclusion> {
    let history: History = std::mem::take(&mut outcome.history).into_iter().collect();
    let seconds = history.ops().last().map_or(0.0, |op| Duration::from_nanos(op.time.unsigned_abs()).as_secs_f64());
    let cut_short = outcome.cut_short.as_ref().map(|failure| cut_short(failure, seconds));
    let compressed = store.write_history(&history);
    let picture = |store: &mut Store, results: Option<&Value>, verdict: Option<Verdict>, remarks: Vec<String>| {
        let (history, journal, counts) = (&history, &outcome.journal, &outcome.counts);
        let throughput = &outcome.throughput;
        let remarks: Vec<_> = cut_short.iter().chain(&outcome.remarks).cloned().chain(remarks).collect();
        let remarks = &*remarks;
        let run = report::Run { history, journal, counts, results, options, seed, throughput, verdict, remarks };
        report::write(&run, store);
    };
    if !outcome.crashes.is_empty() {
        let crashed = |crash: &Crash| format!("{} crashed with {}.", crash.node, crash.status);
        picture(store, None, None, outcome.crashes.iter().map(crashed).collect());
        let why = deaths(&outcome.crashes, options.nodes.len());
        broken(options, seed, &why, page)?;
        if !options.json {
            for crash in &outcome.crashes {
                report_crash(crash, page)?;
            }
            for line in cut_short.iter().chain(&outcome.remarks).chain(&compressed).chain(store.missing()) {
                writeln!(page, "{line}")?;
            }
            writeln!(page, "There is no verdict: {why}. The history is in {}", store.folder().display())?;
        }
        let status = outcome.cut_short.as_ref().map_or(BROKEN, status_of);
        return Ok(Conclusion { status, results: None });
    }
    let results = results(&history, &outcome, options, seed, time_limit(options.check_timeout));
    let failed = options.strict && strict(&results) == Verdict::False;
    store.write_results(&results);
    let (verdict, status) = ruling(&results, failed);
    let status = outcome.cut_short.as_ref().map_or(status, status_of);
    let words = check::in_words(&results);
    let mut facts = Facts {
        workload: options.workload.name().to_owned(),
        node_count: options.nodes.len(),
        latency_ms: options.latency.mean_ms,
        rate: options.rate,
        cut_short: cut_short.clone(),
        throughput: Some(outcome.throughput.clone()),
        muted: outcome.muted.clone(),
        unread: outcome.unread.clone(),
        errors: outcome.errors.clone(),
        outdated: outcome.outdated.clone(),
        remarks: outcome.remarks.iter().cloned().chain(compressed).collect(),
        strict: options.strict,
        folder: store.folder().to_owned(),
        missing: Vec::new(),
    };
    let findings = findings(&results, &facts);
    let told_apart = |finding: &&Finding| matches!(&*finding.check, "muted" | "unread");
    let failed = findings.iter().filter(|finding| finding.verdict != Verdict::True && !told_apart(finding));
    let remarks = failed.map(|finding| format!("{} is {}: {}", finding.check, finding.verdict.word(), finding.why));
    let short = outcome.throughput.shortfall().map(|why| format!("The test is shorter than asked for: {why}."));
    let muted = outcome.muted.iter().map(Muted::in_words);
    let unread = outcome.unread.iter().map(Unread::in_words);
    let told = |error: &&OperationError| verdict != Verdict::True || !error.is_ordinary;
    let errors: Vec<_> = outcome.errors.iter().filter(told).map(ToString::to_string).collect();
    let remarks = short.into_iter().chain(muted).chain(unread).chain(remarks).chain(errors.iter().cloned());
    picture(store, Some(&results), Some(verdict), remarks.chain(words.iter().cloned()).collect());
    if let Some(file) = &options.junit {
        let workload = options.workload.name();
        let broken = cut_short.as_deref();
        let suite = Suite { workload, seed, seconds, findings: &findings, broken, output: &errors };
        if let Err(error) = suite.write(file) {
            store.miss(error.to_string());
        }
    }
    if options.json {
        writeln!(page, "{}", results.to_json())?;
        for why in store.missing() {
            writeln!(io::stderr(), "{why}").ok();
        }
        return Ok(Conclusion { status, results: Some(results) });
    }
    facts.missing = store.missing().to_vec();
    let closing = match &outcome.cut_short {
        None => closing_line(verdict).to_owned(),
        Some(TestError::Halt(Halt::Interrupted)) => "Interrupted; all nodes have been ended.".to_owned(),
        Some(failure) => format!("The test could not be run to its end: {failure}"),
    };
    let printed = options.verbose.then_some(&results);
    tell(page, &words, printed, &summary(&results, &facts, colours), &closing)?;
    Ok(Conclusion { status, results: Some(results) })
}

/// Prints what a run came to, the summary last, where people look: before it what the checker of the workload has to
/// say, and the whole map of `results` if that is wanted; after it the line on which scripts rely.
///
/// # Errors
/// When it cannot be written.
pub fn tell(
    page: &mut dyn Write,
    words: &[String],
    results: Option<&Value>,
    summary: &str,
    closing: &str,
) -> io::Result<()> {
    if let Some(results) = results {
        writeln!(page, "\n{}", edn::pretty(&abridged(results)))?;
    }
    for line in words {
        writeln!(page, "{line}")?;
    }
    if results.is_some() || !words.is_empty() {
        writeln!(page)?;
    }
    writeln!(page, "{summary}\n{closing}")
}

/// What people must know of results that end before the test did.
fn cut_short(failure: &TestError, seconds: f64) -> String {
    format!(
        "The test was cut short after {seconds:.1} s ({failure}). What it had gathered is judged, but faults were not \
         healed and the last operations are missing: what looks lost may only be late."
    )
}

const fn status_of(failure: &TestError) -> u8 {
    if let TestError::Halt(Halt::Interrupted) = failure { INTERRUPTED } else { BROKEN }
}

/// Which nodes died, how and when, in one line.
fn deaths(crashes: &[Crash], nodes: usize) -> String {
    let died =
        |crash: &Crash| format!("{} died after {:.1} s ({})", crash.node, crash.after.as_secs_f64(), crash.status);
    let named: Vec<_> = crashes.iter().take(NAMED).map(died).collect();
    let more = crashes.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let all = if crashes.len() == nodes && nodes > 1 { "every node is dead: " } else { "" };
    format!("{all}{}{more}", named.join(", "))
}

/// The whole map of results, ours under `:gloomers`; the history has been taken out of the outcome.
#[must_use]
pub fn results(history: &History, outcome: &Outcome, options: &Options, seed: u64, budget: Budget) -> Value {
    let (availability, consistency_models) = (options.availability, options.consistency_models.clone());
    let rules = check::Options { availability, consistency_models, budget };
    let mut results = judge(options.workload.name(), history, &rules, &outcome.counts);
    if let Value::Map(parts) = &mut results {
        let ours = ours(options, seed, outcome);
        parts.insert(parts.len().saturating_sub(1), (Value::keyword("gloomers"), ours));
    }
    results
}

/// A budget that is spent so long from now, by the clock of this machine.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a host: no state machine runs any more, and checkers read no clock")]
pub fn time_limit(limit: Duration) -> Budget {
    let begun = Instant::now();
    Budget::until(move || begun.elapsed() >= limit)
}

/// What `--strict` says of the results: whether anything is wrong that Maelstrom does not see.
#[must_use]
pub fn strict(results: &Value) -> Verdict {
    let ours = |key| results.get("gloomers").and_then(|ours| ours.get(key));
    let muted = ours("muted").and_then(Value::items).is_some_and(|muted| muted.len() > 0);
    let unread = ours("unread").and_then(Value::items).is_some_and(|unread| unread.len() > 0);
    let apart = ours("converged") == Some(&Value::Bool(false));
    Verdict::from(!muted && !unread && !apart && check::ours(results) != Some(Verdict::False))
}

/// Tells programs that a test has no verdict and why: as JSON, or as `JUnit` XML, if that was asked for.
///
/// # Errors
/// When the page cannot be written.
pub fn broken(options: &Options, seed: u64, why: &str, page: &mut dyn Write) -> io::Result<()> {
    if let Some(file) = &options.junit {
        let workload = options.workload.name();
        let suite = Suite { workload, seed, seconds: 0.0, findings: &[], broken: Some(why), output: &[] };
        if let Err(error) = suite.write(file) {
            writeln!(io::stderr(), "{error}").ok();
        }
    }
    if options.json {
        let document = Value::record([("valid?", Value::Nil), ("error", Value::str(why))]);
        writeln!(page, "{}", document.to_json())?;
    }
    Ok(())
}

/// The verdict to announce and its exit status; `failed` if something else than the results says no.
#[must_use]
pub fn ruling(results: &Value, failed: bool) -> (Verdict, u8) {
    let verdict = if failed { Verdict::False } else { Verdict::of(results) };
    let status = match verdict {
        Verdict::True => VALID,
        Verdict::False => INVALID,
        Verdict::Unknown => UNKNOWN,
    };
    (verdict, status)
}

/// What Maelstrom does not report.
fn ours(options: &Options, seed: u64, outcome: &Outcome) -> Value {
    let Outcome { muted, unread, errors, outdated, lateness, throughput, convergence, .. } = outcome;
    let delivery = match options.delivery {
        Delivery::Held => "held",
        Delivery::Free => "free",
    };
    let muted = muted.iter().map(|muted| {
        Value::record([
            ("node", Value::str(&*muted.node)),
            ("line", Value::str(muted.line.as_str())),
            ("reason", Value::str(muted.reason.to_string())),
        ])
    });
    let unread = unread.iter().map(|unread| {
        Value::record([
            ("node", Value::str(&*unread.node)),
            ("lines", Value::count(unread.lines)),
            ("first", Value::str(unread.first.as_str())),
        ])
    });
    let errors = errors.iter().map(|error| {
        Value::record([
            ("f", Value::keyword(error.f)),
            ("count", Value::count(error.count)),
            ("example", Value::str(error.example.as_str())),
        ])
    });
    let outdated = outdated.iter().map(|outdated| Value::str(outdated.to_string()));
    let clock = if options.virtual_time { "virtual" } else { "real" };
    let seed = i64::try_from(seed).map_or_else(|_| Value::Big(seed.to_string().into()), Value::Int);
    let ms = |late: Duration| Value::Float((late.as_secs_f64() * 1e6).round() / 1e3);
    let error = [("mean", ms(lateness.mean())), ("p99", ms(lateness.p99())), ("max", ms(lateness.max))];
    let converged = match convergence {
        None => Vec::new(),
        Some(Convergence::Equal) => vec![("converged", true.into())],
        Some(Convergence::Different(first)) => vec![("converged", false.into()), ("difference", first.clone())],
    };
    let told = [
        ("seed", seed),
        ("clock", Value::keyword(clock)),
        ("main-phase", main_phase(throughput)),
        ("delivery", Value::keyword(delivery)),
        ("delivery-error", Value::record(error)),
        ("muted", Value::Vector(muted.collect())),
        ("unread", Value::Vector(unread.collect())),
        ("operation-errors", Value::Vector(errors.collect())),
        ("stale-reads", Value::Vector(outdated.collect())),
    ];
    let cut_short = outcome.cut_short.as_ref().map(|failure| ("cut-short", Value::str(failure.to_string())));
    let remarks = outcome.remarks.iter().map(|remark| Value::str(&**remark)).collect::<Vec<_>>();
    let remarks = (!remarks.is_empty()).then_some(("remarks", Value::Vector(remarks)));
    let told = told.into_iter().chain(converged).chain(cut_short).chain(remarks);
    Value::Map(told.map(|(key, value)| (Value::keyword(key), value)).collect())
}

/// What the main phase did of what was asked, times in seconds.
fn main_phase(throughput: &Throughput) -> Value {
    let Throughput { asked, begun, lasted, saturated, .. } = throughput;
    let seconds = |time: &Duration| Value::Float((time.as_secs_f64() * 1e3).round() / 1e3);
    let shortfall = throughput.shortfall().map(|why| ("shortfall", Value::str(why)));
    let told = [
        ("lasted", seconds(lasted)),
        ("asked", Value::Float(*asked)),
        ("begun", Value::Int(i64::try_from(*begun).unwrap_or(i64::MAX))),
        ("saturated", seconds(saturated)),
    ];
    Value::Map(told.into_iter().chain(shortfall).map(|(key, value)| (Value::keyword(key), value)).collect())
}

/// Tells how a node died, as Maelstrom does (reference §1.9).
fn report_crash(crash: &Crash, page: &mut dyn Write) -> io::Result<()> {
    writeln!(page, "Node {} crashed with {}. Before crashing, it wrote to STDOUT:", crash.node, crash.status)?;
    for line in &crash.output_tail.stdout {
        writeln!(page, "    {line}")?;
    }
    writeln!(page, "And to STDERR:")?;
    for line in &crash.output_tail.stderr {
        writeln!(page, "    {line}")?;
    }
    writeln!(page)
}

#[cfg(test)]
mod tests;
