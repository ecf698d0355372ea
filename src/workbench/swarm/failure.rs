//! The failure of a case: its kind and its description.
//!
//! Two failures are of one kind if the same check found the same anomalies, whatever the values.

use std::fmt;

use crate::workbench::check::txn::Anomaly;
use crate::workbench::check::{Verdict, Violation};
use crate::workbench::quote::cut;

/// The maximum length of a quotation from a checker's report, in characters.
const MAX_QUOTE: usize = 120;

/// The failure of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check that failed.
    check: &'static str,
    /// The names of the anomalies.
    anomalies: Vec<&'static str>,
    /// The description.
    description: String,
}

impl Failure {
    pub(super) fn new(check: &'static str, description: impl Into<String>) -> Self {
        Self { check, anomalies: Vec::new(), description: description.into() }
    }

    /// The failure of a checker that found violations.
    pub(super) fn of(check: &'static str, violations: &[Violation]) -> Self {
        let sentences: Vec<_> = violations.iter().map(|violation| &*violation.sentence).collect();
        let description = format!("{check}: {}", quote(&sentences.join("; ")));
        Self { check, anomalies: violations.iter().map(|violation| violation.anomaly).collect(), description }
    }

    /// Whether the same check found the same anomalies.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (self.check, &self.anomalies) == (other.check, &other.anomalies)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

/// The judgement of a checker.
#[derive(Debug, PartialEq)]
pub(super) enum CheckerJudgement {
    Valid,
    /// There was nothing to check, or too much to search.
    Undecided,
    Invalid(Failure),
}

impl CheckerJudgement {
    /// The judgement of `check`. Elle reports it as an anomaly if no transaction could be checked; here, where most
    /// nodes may have been down, that is undecided.
    pub(super) fn of(check: &'static str, verdict: Verdict, violations: &[Violation]) -> Self {
        match verdict {
            Verdict::True => Self::Valid,
            Verdict::Unknown => Self::Undecided,
            Verdict::False => {
                let only = |anomaly| violations.len() == 1 && violations[0].anomaly == anomaly;
                if only(Anomaly::EmptyGraph.name()) {
                    return Self::Undecided;
                }
                Self::Invalid(Failure::of(check, violations))
            }
        }
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        if let Self::Invalid(failure) = self { Some(failure.clone()) } else { None }
    }
}

/// A text, cut to [`MAX_QUOTE`].
pub(super) fn quote(text: &str) -> String {
    cut(text, MAX_QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(anomaly: &'static str, sentence: &str) -> Violation {
        Violation { anomaly, count: 1, sentence: sentence.to_owned() }
    }

    fn failure(check: &'static str, anomalies: &[&'static str]) -> Failure {
        let violations: Vec<_> = anomalies.iter().map(|anomaly| violation(anomaly, anomaly)).collect();
        CheckerJudgement::of(check, Verdict::False, &violations).failure().expect("invalid")
    }

    #[test]
    fn the_same_anomalies_with_other_values_are_of_one_kind() {
        let lost = |sentence| Failure::of("invalid", &[violation("lost", sentence)]);
        assert!(lost("values lost (2): 1, 2").is_like(&lost("values lost (1): 7")));
        assert_eq!(lost("values lost (2): 1, 2").to_string(), "invalid: values lost (2): 1, 2");
    }

    #[test]
    fn other_checks_and_other_anomalies_are_of_another_kind() {
        let unseen = failure("invalid", &["unseen"]);
        assert!(!unseen.is_like(&failure("invalid", &["lost-write"])));
        assert!(!unseen.is_like(&failure("invalid", &["lost-write", "unseen"])));
        assert!(!unseen.is_like(&failure("extended checks", &["unseen"])));
    }

    #[test]
    fn an_empty_graph_is_undecided_unless_there_are_other_anomalies() {
        let judgement = |anomalies: &[&'static str]| {
            let violations: Vec<_> = anomalies.iter().map(|anomaly| violation(anomaly, anomaly)).collect();
            CheckerJudgement::of("invalid", Verdict::False, &violations)
        };
        assert_eq!(judgement(&["empty-transaction-graph"]), CheckerJudgement::Undecided);
        assert!(judgement(&["G1a", "empty-transaction-graph"]).failure().is_some());
    }

    #[test]
    fn a_long_description_is_cut() {
        let description = Failure::of("invalid", &[violation("lost", &"1, ".repeat(1000))]).to_string();
        assert!(description.ends_with('…') && description.len() < 2 * MAX_QUOTE, "{description}");
    }
}
