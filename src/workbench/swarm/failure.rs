//! What is wrong with a trial: in words, and of which kind.
//!
//! Two flaws are of one kind if the same check found the same anomalies, in whatever values: what has another one is
//! another failure.

use std::fmt;

use crate::workbench::check::Verdict;
use crate::workbench::edn::Value;

/// How much of a checker's finding is quoted.
const MAX_QUOTE: usize = 120;

/// What of a checker's result says what it found, the most telling first.
const TELLING: [&str; 10] = [
    "error",
    "lost",
    "duplicated",
    "invented",
    "failed",
    "missing",
    "bad-error-types",
    "anomaly-types",
    "errors",
    "failures",
];

/// What is wrong with a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check that found it, and the names of the anomalies.
    kind: String,
    /// What it found, for people.
    told: String,
}

impl Failure {
    pub(super) fn new(kind: impl Into<String>, told: impl Into<String>) -> Self {
        Self { kind: kind.into(), told: told.into() }
    }

    /// Whether the same check found the same anomalies.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

/// What a checker says.
pub(super) enum Finding {
    Valid,
    /// There was nothing to judge, or too much to search.
    Undecided,
    Invalid(Failure),
}

impl Finding {
    /// What `check` says in its result. That nothing succeeded which could be judged is an anomaly to Jepsen; here most
    /// nodes may have been away.
    pub(super) fn of(check: &str, result: &Value) -> Self {
        let is_telling = |value: &&Value| {
            let is_empty = value.items().is_some_and(|items| items.len() == 0);
            !value.is_nil() && !is_empty && value.entries().is_none_or(|entries| !entries.is_empty())
        };
        let mut told = TELLING.iter().filter_map(|key| Some((*key, result.get(key).filter(is_telling)?)));
        match Verdict::of(result) {
            Verdict::True => Self::Valid,
            Verdict::Unknown => Self::Undecided,
            Verdict::False => {
                let Some((key, value)) = told.next() else { return Self::Invalid(Failure::new(check, check)) };
                let first = names(value);
                if first == "empty-transaction-graph" {
                    return Self::Undecided;
                }
                let others: Vec<_> = told.map(|(key, value)| format!(", {key} {}", names(value))).collect();
                let others = others.concat();
                Self::Invalid(Failure::new(
                    format!("{check} {key} {first}{others}"),
                    format!("{check}, {key}: {}", quote(&value.to_string())),
                ))
            }
        }
    }

    pub(super) fn flaw(&self) -> Option<Failure> {
        if let Self::Invalid(flaw) = self { Some(flaw.clone()) } else { None }
    }
}

/// The anomalies that a list names; none if it lists what has one.
fn names(value: &Value) -> String {
    let items = value.items().into_iter().flatten();
    let names: Vec<_> = items.filter_map(|item| item.as_keyword().map(str::to_owned)).collect();
    names.join(" ")
}

/// The beginning of a text that may be long.
pub(super) fn quote(text: &str) -> String {
    let short: String = text.chars().take(MAX_QUOTE).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("{short}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::edn::read;

    fn flaw(check: &str, result: &str) -> Failure {
        Finding::of(check, &read(result).expect("valid EDN")).flaw().expect("invalid")
    }

    #[test]
    fn the_same_anomalies_in_other_values_are_of_one_kind() {
        let lost = flaw("invalid", "{:valid? false, :lost (1 2), :stale (9)}");
        assert!(lost.is_like(&flaw("invalid", "{:valid? false, :lost (7)}")));
        assert_eq!(lost.to_string(), "invalid, lost: (1 2)");
    }

    #[test]
    fn another_check_and_another_anomaly_are_of_another_kind() {
        let unseen = flaw("invalid", "{:valid? false, :bad-error-types (:unseen)}");
        assert!(!unseen.is_like(&flaw("invalid", "{:valid? false, :bad-error-types (:lost-write)}")));
        assert!(!unseen.is_like(&flaw("invalid", "{:valid? false, :bad-error-types (:lost-write :unseen)}")));
        assert!(!unseen.is_like(&flaw("ours", "{:valid? false, :bad-error-types (:unseen)}")));
        assert!(!unseen.is_like(&flaw("invalid", "{:valid? false, :errors (:unseen)}")));
    }

    #[test]
    fn what_a_set_does_wrong_is_of_as_many_kinds_as_there_are() {
        let ours = |found: &str| flaw("invalid to us", &format!("{{:valid? false, {found}}}"));
        let kinds = [":duplicated {7 2}", ":invented (9)", ":failed (9)", ":missing (9)", ":failed (9), :missing (9)"];
        for (place, found) in kinds.iter().enumerate() {
            for (other, another) in kinds.iter().enumerate() {
                assert_eq!(ours(found).is_like(&ours(another)), place == other, "{found}, {another}");
            }
        }
        assert!(ours(":duplicated {7 2}").is_like(&ours(":lost (), :duplicated {8 3}, :missing ()")));
    }

    #[test]
    fn a_graph_without_transactions_decides_nothing_but_beside_a_cycle_counts() {
        let finding = |types: &str| {
            let result = format!("{{:valid? false, :anomaly-types ({types})}}");
            Finding::of("invalid", &read(&result).expect("valid EDN"))
        };
        assert!(matches!(finding(":empty-transaction-graph"), Finding::Undecided));
        assert!(matches!(finding(":empty-transaction-graph :G1a"), Finding::Invalid(_)));
    }

    #[test]
    fn a_long_finding_is_cut() {
        let many: Vec<_> = (0..1000).map(|value| value.to_string()).collect();
        let told = flaw("invalid", &format!("{{:valid? false, :lost ({})}}", many.join(" "))).to_string();
        assert!(told.ends_with("...") && told.len() < 2 * MAX_QUOTE, "{told}");
    }
}
