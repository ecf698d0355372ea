//! Whether a run was valid.

use crate::workbench::edn::Value;

/// The outcome of a checker or of a whole run; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Valid.
    True,
    /// Not decided.
    Unknown,
    /// Invalid.
    False,
}

impl Verdict {
    /// The worse of two.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    /// What a result map says under `:valid?`; a map that does not say is not decided.
    #[must_use]
    pub fn of(result: &Value) -> Self {
        if let Some(Value::Bool(valid)) = result.get("valid?") { Self::from(*valid) } else { Self::Unknown }
    }

    /// For people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::True => "valid",
            Self::Unknown => "unknown",
            Self::False => "invalid",
        }
    }

    /// `true`, `:unknown` or `false`.
    #[must_use]
    pub const fn to_value(self) -> Value {
        match self {
            Self::True => Value::Bool(true),
            Self::Unknown => Value::keyword("unknown"),
            Self::False => Value::Bool(false),
        }
    }
}

impl From<bool> for Verdict {
    fn from(valid: bool) -> Self {
        if valid { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_wins() {
        assert_eq!(Verdict::True.merge(Verdict::Unknown), Verdict::Unknown);
        assert_eq!(Verdict::False.merge(Verdict::Unknown), Verdict::False);
        assert_eq!(Verdict::True.merge(Verdict::True), Verdict::True);
    }

    #[test]
    fn a_verdict_survives_the_map_that_carries_it() {
        for verdict in [Verdict::True, Verdict::Unknown, Verdict::False] {
            assert_eq!(Verdict::of(&Value::record([("valid?", verdict.to_value())])), verdict);
        }
        assert_eq!(Verdict::of(&Value::Map(vec![])), Verdict::Unknown);
    }
}
