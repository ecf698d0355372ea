//! Verdicts, violations, and the interface of every checker's report.

use std::fmt;

use crate::workbench::edn::Value;
use crate::workbench::quote::cut;

/// The outcome of a checker or of a whole run, ordered from best to worst.
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

    /// `:valid?` of results that were read from a file; unknown if there is none.
    #[must_use]
    pub fn of(result: &Value) -> Self {
        if let Some(Value::Bool(valid)) = result.get("valid?") { Self::from(*valid) } else { Self::Unknown }
    }

    /// The word for the summary.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::True => "valid",
            Self::Unknown => "unknown",
            Self::False => "invalid",
        }
    }

    /// The value of `:valid?`: `true`, `:unknown` or `false`.
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

/// The report of one checker: all that the summary, the page, `JUnit`, `--strict` and the swarm know of it.
pub trait CheckReport: fmt::Debug + Send + Sync {
    /// Maelstrom's verdict.
    fn verdict(&self) -> Verdict;

    /// The report as it is written to `results.edn`.
    fn to_edn(&self) -> Value;

    /// The reasons for the verdict; none if it is [`Verdict::True`].
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// The verdict of the extended checks, if the workload has any that can differ from Maelstrom's.
    fn extended_verdict(&self) -> Option<Verdict> {
        None
    }

    /// Violations that Maelstrom does not report.
    fn extended_violations(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// Explains the violations: for each case a paragraph, as lines.
    fn explanation(&self) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// The latencies until values were visible on every node, if the checker measures them.
    fn stable_latencies(&self) -> Option<&Quantiles> {
        None
    }
}

/// All cases of one anomaly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The name of the anomaly in the results.
    pub anomaly: &'static str,
    /// How many cases there are.
    pub count: usize,
    /// A sentence that names the first cases.
    pub sentence: String,
}

/// Limits on a list of values in a sentence: how many, and how many characters of each and of all.
const MAX_VALUES: usize = 8;
const MAX_VALUE_CHARS: usize = 60;
const MAX_LIST_CHARS: usize = 160;

impl Violation {
    /// A violation of `count` values, of which it lists the first after a description; `None` if there are none.
    pub(super) fn listed<'a>(
        anomaly: &'static str,
        what: &str,
        count: usize,
        values: impl IntoIterator<Item = &'a Value>,
    ) -> Option<Self> {
        let brief = |value: &Value| cut(&value.to_json(), MAX_VALUE_CHARS);
        let listed_values: Vec<_> = values.into_iter().take(MAX_VALUES).map(brief).collect();
        let more = if count > listed_values.len() { ", …" } else { "" };
        let sentence = format!("{what} ({count}): {}{more}", cut(&listed_values.join(", "), MAX_LIST_CHARS));
        (count > 0).then_some(Self { anomaly, count, sentence })
    }
}

/// The entry `:in-words`: for each anomaly, by its name, the paragraphs that explain it.
pub(super) fn in_words(anomalies: impl Iterator<Item = (&'static str, Vec<Vec<String>>)>) -> (&'static str, Value) {
    let paragraphs = |of: Vec<Vec<String>>| Value::Vector(of.into_iter().map(Value::lines).collect());
    ("in-words", Value::record(anomalies.map(|(name, of)| (name, paragraphs(of)))))
}

/// Values joined by a separator, cut to [`MAX_LIST_CHARS`].
pub(super) fn brief_list<T: AsRef<str>>(values: &[T], separator: &str) -> String {
    let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    cut(&values.join(separator), MAX_LIST_CHARS)
}

/// Quantiles of latencies in milliseconds, at the levels that Maelstrom reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles([i64; Self::LEVELS.len()]);

impl From<[i64; Quantiles::LEVELS.len()]> for Quantiles {
    fn from(ms: [i64; Self::LEVELS.len()]) -> Self {
        Self(ms)
    }
}

impl Quantiles {
    /// The levels.
    pub const LEVELS: [f64; 5] = [0.0, 0.5, 0.95, 0.99, 1.0];

    /// The quantiles of latencies in milliseconds; `None` if there are none.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index below the number of latencies"
    )]
    pub fn of(mut ms: Vec<i64>) -> Option<Self> {
        let last = ms.len().checked_sub(1)?;
        ms.sort_unstable();
        Some(Self(Self::LEVELS.map(|level| ms[last.min((ms.len() as f64 * level) as usize)])))
    }

    /// The quantile at a level, in milliseconds; `None` if it is not one of [`Self::LEVELS`].
    #[must_use]
    pub fn at(&self, level: f64) -> Option<i64> {
        self.iter().find(|(known, _)| (known - level).abs() < 1e-9).map(|(_, ms)| ms)
    }

    /// Each level with its milliseconds.
    pub fn iter(&self) -> impl Iterator<Item = (f64, i64)> + '_ {
        Self::LEVELS.into_iter().zip(self.0)
    }

    /// A map by level; Maelstrom writes the levels 0 and 1 as integers.
    pub(super) fn to_edn(self) -> Value {
        Value::Map(self.iter().map(|(level, ms)| (level_to_edn(level), Value::Int(ms))).collect())
    }
}

fn level_to_edn(level: f64) -> Value {
    match level {
        0.0 => Value::Int(0),
        1.0 => Value::Int(1),
        _ => Value::Float(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_wins_and_each_survives_the_map_that_carries_it() {
        let verdicts = [Verdict::True, Verdict::Unknown, Verdict::False];
        for (place, verdict) in verdicts.into_iter().enumerate() {
            assert_eq!(verdicts.map(|other| verdict.merge(other)), [0, 1, 2].map(|other| verdicts[place.max(other)]));
            assert_eq!(Verdict::of(&Value::record([("valid?", verdict.to_value())])), verdict);
        }
        assert_eq!(Verdict::of(&Value::Map(vec![])), Verdict::Unknown);
    }

    #[test]
    fn quantiles_take_the_element_at_the_floor() {
        let quantiles = Quantiles::of((0..100).rev().collect()).expect("not empty");
        assert_eq!(quantiles.to_edn().to_string(), "{0 0, 0.5 50, 0.95 95, 0.99 99, 1 99}");
        assert_eq!((quantiles.at(0.95), quantiles.at(0.9)), (Some(95), None));
        assert_eq!(Quantiles::of(vec![]), None);
    }

    #[test]
    fn a_long_list_of_values_is_cut_and_counted() {
        let values: Vec<_> = (1..10).map(Value::Int).collect();
        let violation = Violation::listed("lost", "values lost", values.len(), &values).expect("there are some");
        assert_eq!(violation.sentence, "values lost (9): 1, 2, 3, 4, 5, 6, 7, 8, …");
        assert_eq!(Violation::listed("lost", "values lost", 0, &[]), None);
        let map = Value::Map(vec![("a".into(), Value::Nil)]);
        let violation = Violation::listed("lost", "values lost", 1, [&map]).expect("there is one");
        assert_eq!(violation.sentence, "values lost (1): {\"a\":null}");
    }
}
