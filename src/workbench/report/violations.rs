//! What each check of a run came to: whether it failed, why, and where to look.

use crate::workbench::check::stats::StatsReport;
use crate::workbench::check::{CheckReport, Verdict, Violation};
use crate::workbench::network::{Muted, Unread};
use crate::workbench::report::results::{Check, Extended, Results};
use crate::workbench::test::Convergence;

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOutcome {
    /// The check.
    pub check: Check,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it is not valid.
    pub why: String,
    /// Files that show more, in the folder of the run.
    pub look_at: Vec<String>,
}

/// The outcome of each check in the results, in their order; in a strict test, our own verdict, replicas that differ,
/// muted nodes and output that nobody read are checks, too.
#[must_use]
pub fn outcomes(results: &Results, strict: bool) -> Vec<CheckOutcome> {
    let extended = results.extended.as_ref();
    let mut outcomes: Vec<_> = results.reports().map(|(check, report)| outcome(check, report, results)).collect();
    if strict {
        outcomes.extend(results.workload.extended_verdict().map(|verdict| unseen(verdict, &*results.workload)));
        outcomes.extend(extended.into_iter().flat_map(strictly));
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
        // Reads of the past explain a workload that is not valid; one that is can bear them.
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

/// The operations that never succeeded, each with the errors that they met.
fn with_reasons(stats: &StatsReport, extended: Option<&Extended>) -> String {
    let told = stats.never_succeeded().zip(stats.violations()).map(|((f, _), violation)| {
        let errors = extended.into_iter().flat_map(|extended| extended.errors.iter());
        let reasons: Vec<_> = errors.filter(|error| error.f == f).map(ToString::to_string).collect();
        let colon = if reasons.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", violation.sentence, reasons.join("; "))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Our own verdict on the workload, as far as it rests on what Maelstrom does not see.
fn unseen(verdict: Verdict, workload: &dyn CheckReport) -> CheckOutcome {
    let unseen = workload.unseen();
    let verdict = if unseen.is_empty() { Verdict::True } else { verdict };
    let why = if verdict == Verdict::True {
        String::new()
    } else {
        format!("what Maelstrom does not see: {}", joined(&unseen))
    };
    CheckOutcome { check: Check::Gloomers, verdict, why, look_at: files(&["results.edn", "report.html"]) }
}

fn strictly(extended: &Extended) -> Vec<CheckOutcome> {
    let Extended { muted, unread, convergence, .. } = extended;
    let mut outcomes = Vec::new();
    if let Some(convergence) = convergence {
        let (verdict, why) = match convergence {
            Convergence::Equal => (Verdict::True, String::new()),
            Convergence::Different(first) => (Verdict::False, format!("the replicas differ, first: {first}")),
        };
        let look_at = files(&["results.edn", "node-logs"]);
        outcomes.push(CheckOutcome { check: Check::Converged, verdict, why, look_at });
    }
    let why: Vec<_> = muted.iter().map(Muted::in_words).collect();
    outcomes.push(CheckOutcome {
        check: Check::Muted,
        verdict: Verdict::from(muted.is_empty()),
        why: why.join("\n"),
        look_at: muted.iter().map(|muted| format!("node-logs/{}.log", muted.node)).collect(),
    });
    let why: Vec<_> = unread.iter().map(Unread::in_words).collect();
    outcomes.push(CheckOutcome {
        check: Check::Unread,
        verdict: Verdict::from(unread.is_empty()),
        why: why.join("\n"),
        look_at: Vec::new(),
    });
    outcomes
}

fn joined(violations: &[Violation]) -> String {
    violations.iter().map(|violation| &*violation.sentence).collect::<Vec<_>>().join("; ")
}

fn files(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
