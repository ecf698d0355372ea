//! Why operations did not succeed: each reason once, with a count and an example.

use std::fmt::{self, Display};

use crate::workbench::workload::client::Reason;

/// How many reasons are distinguished: a node with ever new ones must not fill the summary.
const MOST: usize = 40;

/// The errors of operations, grouped by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperationErrors(Vec<OperationError>);

/// Operations of one name that did not succeed for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationError {
    /// Their name.
    pub f: &'static str,
    /// How many there were.
    pub count: usize,
    /// The reason of the first of them, in words.
    pub example: String,
    /// Whether a correct node may answer like this.
    pub is_ordinary: bool,
    kind: String,
}

impl OperationErrors {
    /// Records an operation that did not succeed for this reason.
    pub fn note(&mut self, f: &'static str, reason: &Reason) {
        let kind = if self.0.len() < MOST { reason.kind() } else { "whatever else".to_owned() };
        if let Some(error) = self.0.iter_mut().find(|error| error.f == f && error.kind == kind) {
            error.count += 1;
        } else {
            let (example, is_ordinary) = (reason.to_string(), reason.is_ordinary());
            self.0.push(OperationError { f, count: 1, example, is_ordinary, kind });
        }
    }

    /// All of them, in the order of their first occurrence.
    pub fn iter(&self) -> impl Iterator<Item = &OperationError> {
        self.0.iter()
    }
}

impl Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}: {}", self.count, self.f, self.example)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::edn::Value;
    use crate::workbench::workload::client::TimeoutHints;

    #[test]
    fn each_operation_and_reason_has_a_count_and_its_first_example() {
        let mut errors = OperationErrors::default();
        let error = |text: &str| Reason::Error { code: Some(11), text: text.into() };
        errors.note("read", &error("no leader"));
        errors.note("write", &error("no leader"));
        errors.note("read", &error("still no leader"));
        errors.note("read", &Reason::TimeoutHints(TimeoutHints::default()));
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let expected = [
            "2 × read: error 11 (temporarily-unavailable): no leader",
            "1 × write: error 11 (temporarily-unavailable): no leader",
            "1 × read: no reply within 0 s",
        ];
        assert_eq!(text, expected);
    }

    #[test]
    fn reasons_without_end_have_a_bound_and_all_are_counted() {
        let mut errors = OperationErrors::default();
        for code in 0..1_000 {
            errors.note("read", &Reason::Error { code: Some(code), text: Value::Nil });
        }
        assert_eq!(errors.iter().count(), MOST + 1);
        assert_eq!(errors.iter().map(|error| error.count).sum::<usize>(), 1_000);
    }
}
