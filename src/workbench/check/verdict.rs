//! What every checker's report says: whether the run was valid, and what is wrong with it.

use std::fmt;

use crate::workbench::edn::Value;
use crate::workbench::quote::cut;

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

    /// What results that were read from a file say under `:valid?`; a map that does not say is not decided.
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

/// What one checker found. Summary, page, `JUnit`, `--strict` and the swarm read it through this trait alone, so that a
/// new checker touches none of them.
pub trait CheckReport: fmt::Debug + Send + Sync {
    /// The verdict, which is Maelstrom's.
    fn verdict(&self) -> Verdict;

    /// The report as `results.edn` has it.
    fn to_edn(&self) -> Value;

    /// What the verdict rests on; nothing if it is [`Verdict::True`].
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// Our own verdict, where it can differ from Maelstrom's.
    fn extended_verdict(&self) -> Option<Verdict> {
        None
    }

    /// What is wrong that Maelstrom does not see.
    fn unseen(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// What is wrong at length, for people: a paragraph of lines for each case.
    fn explanation(&self) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// How long values took to be everywhere, where the checker knows.
    fn stable_latencies(&self) -> Option<&Quantiles> {
        None
    }
}

/// All cases of one anomaly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The name of the anomaly, as in the results.
    pub anomaly: &'static str,
    /// How many cases there are.
    pub count: usize,
    /// All of it in one sentence, which tells the first cases.
    pub sentence: String,
}

/// As many values of a list are told, so many characters of each, and so many of all.
const TOLD: usize = 8;
const LETTERS: usize = 60;
const ALL_LETTERS: usize = 160;

impl Violation {
    /// A violation that lists values: what they are, and the first of them; none if there are no values.
    pub(super) fn listed<'a>(
        anomaly: &'static str,
        what: &str,
        count: usize,
        values: impl IntoIterator<Item = &'a Value>,
    ) -> Option<Self> {
        let told: Vec<_> = values.into_iter().take(TOLD).map(brief).collect();
        let more = if count > told.len() { ", …" } else { "" };
        let sentence = format!("{what} ({count}): {}{more}", cut(&told.join(", "), ALL_LETTERS));
        (count > 0).then_some(Self { anomaly, count, sentence })
    }
}

/// The beginning of a value.
pub(super) fn brief(value: &Value) -> String {
    cut(&value.to_json(), LETTERS)
}

/// Some values with commas between, or the beginning of that.
pub(super) fn brief_list<T: AsRef<str>>(values: &[T], separator: &str) -> String {
    let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    cut(&values.join(separator), ALL_LETTERS)
}

/// The quantiles of some latencies that Maelstrom reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles([i64; Self::LEVELS.len()]);

impl From<[i64; Quantiles::LEVELS.len()]> for Quantiles {
    fn from(ms: [i64; Self::LEVELS.len()]) -> Self {
        Self(ms)
    }
}

impl Quantiles {
    /// Which quantiles.
    pub const LEVELS: [f64; 5] = [0.0, 0.5, 0.95, 0.99, 1.0];

    /// The quantiles of some milliseconds; none if there are none.
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

    /// One of them, in milliseconds; none if that level is not reported.
    #[must_use]
    pub fn at(&self, level: f64) -> Option<i64> {
        self.iter().find(|(known, _)| (known - level).abs() < 1e-9).map(|(_, ms)| ms)
    }

    /// Each level with its milliseconds.
    pub fn iter(&self) -> impl Iterator<Item = (f64, i64)> + '_ {
        Self::LEVELS.into_iter().zip(self.0)
    }

    /// A map by level; Maelstrom writes the outermost as integers.
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
