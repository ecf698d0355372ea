//! What is left of a test when it is over: files, a report, and an exit status.

use std::io::{self, Write};
use std::time::Instant;

use super::check::{self, Budget, Verdict, judge};
use super::edn::{self, Value};
use super::findings::findings;
use super::history::History;
use super::junit::Suite;
use super::network::{Delivery, Muted};
use super::options::Options;
use super::report;
use super::run::{Convergence, Crash, Outcome};
use super::store::Store;
use super::summary::{Facts, abridged, closing_line, summary};
use crate::time::Duration;

/// Every test was valid.
pub const VALID: u8 = 0;
/// A test was invalid.
pub const INVALID: u8 = 1;
/// A test could not be decided.
pub const UNKNOWN: u8 = 2;
/// A test could not be run to its end.
pub const BROKEN: u8 = 255;

/// Writes the files of the run, reports its outcome to `page` and returns the exit status of reference §4.7.
///
/// A node that died leaves a history without a verdict. Everything under `:gloomers` is ours; `:valid?` stays what
/// Maelstrom would say, also where a muted node makes the test a failure.
///
/// # Errors
/// When a file or the report cannot be written.
pub fn conclude(
    mut outcome: Outcome,
    options: &Options,
    seed: u64,
    store: &Store,
    page: &mut dyn Write,
    colours: bool,
) -> io::Result<u8> {
    let history: History = std::mem::take(&mut outcome.history).into_iter().collect();
    store.write_history(&history).map_err(io::Error::other)?;
    let picture = |results: Option<&Value>, verdict: Option<Verdict>, remarks: &[String]| {
        let (history, journal, counts) = (&history, &outcome.journal, &outcome.counts);
        let run = report::Run { history, journal, counts, results, options, seed, verdict, remarks };
        report::write(&run, store).map_err(io::Error::other)
    };
    if !outcome.crashes.is_empty() {
        let remarks: Vec<_> =
            outcome.crashes.iter().map(|crash| format!("{} crashed with {}.", crash.node, crash.status)).collect();
        picture(None, None, &remarks)?;
        broken(options, seed, &remarks.join(" "), page)?;
        if options.json {
            return Ok(BROKEN);
        }
        for crash in &outcome.crashes {
            report_crash(crash, page)?;
        }
        writeln!(page, "There is no verdict. The history is in {}", store.folder().display())?;
        return Ok(BROKEN);
    }
    let results = results(&history, &outcome, options, seed, time_limit(options.check_timeout));
    let failed = options.strict && strict(&results) == Verdict::False;
    store.write_results(&results).map_err(io::Error::other)?;
    let (verdict, status) = ruling(&results, failed);
    let words = check::in_words(&results);
    let findings = findings(&results, &outcome.muted, options.strict);
    let failed = findings.iter().filter(|finding| finding.verdict != Verdict::True && finding.check != "muted");
    let remarks = failed.map(|finding| format!("{} is {}: {}", finding.check, finding.verdict.word(), finding.why));
    let remarks: Vec<_> =
        outcome.muted.iter().map(Muted::in_words).chain(remarks).chain(words.iter().cloned()).collect();
    picture(Some(&results), Some(verdict), &remarks)?;
    if let Some(file) = &options.junit {
        let seconds = history.ops().last().map_or(0.0, |op| Duration::from_nanos(op.time.unsigned_abs()).as_secs_f64());
        let workload = options.workload.name();
        Suite { workload, seed, seconds, findings: &findings, broken: None }.write(file)?;
    }
    if options.json {
        writeln!(page, "{}", results.to_json())?;
        return Ok(status);
    }
    let facts = Facts {
        workload: options.workload.name().to_owned(),
        node_count: options.nodes.len(),
        latency_ms: options.latency.mean_ms,
        rate: options.rate,
        muted: outcome.muted,
        strict: options.strict,
        folder: store.folder().to_owned(),
    };
    write!(page, "{}", summary(&results, &facts, colours))?;
    for line in words {
        writeln!(page, "{line}")?;
    }
    writeln!(page, "\n{}\n\n{}", edn::pretty(&abridged(&results)), closing_line(verdict))?;
    Ok(status)
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
    let apart = ours("converged") == Some(&Value::Bool(false));
    Verdict::from(!muted && !apart && check::ours(results) != Some(Verdict::False))
}

/// Tells programs that a test has no verdict and why: as JSON, or as `JUnit` XML, if that was asked for.
///
/// # Errors
/// When it cannot be written.
pub fn broken(options: &Options, seed: u64, why: &str, page: &mut dyn Write) -> io::Result<()> {
    if let Some(file) = &options.junit {
        let workload = options.workload.name();
        Suite { workload, seed, seconds: 0.0, findings: &[], broken: Some(why) }.write(file)?;
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
    let Outcome { muted, lateness, convergence, .. } = outcome;
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
        ("delivery", Value::keyword(delivery)),
        ("delivery-error", Value::record(error)),
        ("muted", Value::Vector(muted.collect())),
    ];
    let told = told.into_iter().chain(converged);
    Value::Map(told.map(|(key, value)| (Value::keyword(key), value)).collect())
}

/// Tells how a node died, as Maelstrom does (reference §1.9).
fn report_crash(crash: &Crash, page: &mut dyn Write) -> io::Result<()> {
    writeln!(page, "Node {} crashed with {}. Before crashing, it wrote to STDOUT:", crash.node, crash.status)?;
    for line in &crash.last_words.stdout {
        writeln!(page, "    {line}")?;
    }
    writeln!(page, "And to STDERR:")?;
    for line in &crash.last_words.stderr {
        writeln!(page, "    {line}")?;
    }
    writeln!(page)
}

#[cfg(test)]
mod tests;
