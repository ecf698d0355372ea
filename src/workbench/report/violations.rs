//! The outcome of each check of a run: its verdict, the reason, and the files that show more.

use crate::workbench::check::stats::StatsReport;
use crate::workbench::check::{CheckReport, Verdict, Violation};
use crate::workbench::network::{Muted, Unread};
use crate::workbench::report::results::{Check, Results};
use crate::workbench::test::{Convergence, Extended};

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOutcome {
    /// The check.
    pub check: Check,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it is not valid; empty if it is.
    pub why: String,
    /// Files in the folder of the run that show more.
    pub look_at: Vec<String>,
}

/// The outcome of each check, in the order of the results, followed by the strict checks if `strict` is set.
pub fn outcomes(results: &Results, strict: bool) -> Vec<CheckOutcome> {
    let extended = results.extended.as_ref();
    let mut outcomes: Vec<_> = results.reports().map(|(check, report)| outcome(check, report, results)).collect();
    if strict {
        outcomes.extend(results.workload.extended_verdict().map(|verdict| of_workload(verdict, &*results.workload)));
        outcomes.extend(extended.into_iter().flat_map(of_run));
    }
    outcomes
}

fn outcome(check: Check, report: &dyn CheckReport, results: &Results) -> CheckOutcome {
    let extended = results.extended.as_ref();
    let mut why = joined(&report.violations());
    if check == Check::Stats {
        why = with_reasons(&results.stats, extended);
    }
    if check == Check::Workload && !why.is_empty() {
        // Outdated reads can explain an invalid workload; to a valid one they do no harm.
        let outdated = extended.into_iter().flat_map(|extended| &extended.outdated);
        why.extend(outdated.map(|outdated| format!("; {outdated}")));
    }
    let of_operations = matches!(check, Check::Stats | Check::Availability | Check::Exceptions);
    let look_at = if of_operations {
        ["history.txt", "report.html", "node-logs"]
    } else {
        ["report.html", "history.txt", "results.edn"]
    };
    CheckOutcome { check, verdict: report.verdict(), why, look_at: files(&look_at) }
}

/// The operations that never succeeded, each with its errors.
fn with_reasons(stats: &StatsReport, extended: Option<&Extended>) -> String {
    let sentences = stats.never_succeeded().zip(stats.violations()).map(|((f, _), violation)| {
        let errors = extended.into_iter().flat_map(|extended| extended.errors.iter());
        let reasons: Vec<_> = errors.filter(|error| error.f == f).map(ToString::to_string).collect();
        let colon = if reasons.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", violation.sentence, reasons.join("; "))
    });
    sentences.collect::<Vec<_>>().join("; ")
}

/// The strict check of the workload, which counts only violations that Maelstrom does not report.
fn of_workload(verdict: Verdict, workload: &dyn CheckReport) -> CheckOutcome {
    let violations = workload.extended_violations();
    let verdict = if violations.is_empty() { Verdict::True } else { verdict };
    let why = if verdict == Verdict::True {
        String::new()
    } else {
        format!("what Maelstrom does not see: {}", joined(&violations))
    };
    CheckOutcome { check: Check::Gloomers, verdict, why, look_at: files(&["results.edn", "report.html"]) }
}

/// The strict checks that do not depend on the workload: convergence, muted nodes, unread output.
fn of_run(extended: &Extended) -> Vec<CheckOutcome> {
    let outcome =
        |check, why: String, look_at| CheckOutcome { check, verdict: Verdict::from(why.is_empty()), why, look_at };
    let Extended { muted, unread, convergence, .. } = extended;
    let converged = convergence.as_ref().map(|convergence| {
        let why = match convergence {
            Convergence::Equal => String::new(),
            Convergence::Different(first) => format!("the replicas differ, first: {first}"),
        };
        outcome(Check::Converged, why, files(&["results.edn", "node-logs"]))
    });
    let logs = muted.iter().map(|muted| format!("node-logs/{}.log", muted.node)).collect();
    let why: Vec<_> = muted.iter().map(Muted::in_words).collect();
    let muted = outcome(Check::Muted, why.join("\n"), logs);
    let why: Vec<_> = unread.iter().map(Unread::in_words).collect();
    converged.into_iter().chain([muted, outcome(Check::Unread, why.join("\n"), Vec::new())]).collect()
}

fn joined(violations: &[Violation]) -> String {
    violations.iter().map(|violation| &*violation.sentence).collect::<Vec<_>>().join("; ")
}

fn files(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
