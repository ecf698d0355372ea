//! EDN, the format of Maelstrom's histories and results.
//!
//! Maps keep the order of their entries, since people read the results; the available EDN crates sort them. Characters,
//! and numbers in notations that no checker needs (ratios, decimals, hexadecimal), are kept as symbols, so that they
//! print as they were read.

mod ints;
mod json;
mod lists;
mod order;
mod read;
mod write;

use std::borrow::Cow;

pub use ints::Ints;
pub use lists::{Lists, Separator};
pub use order::{Identity, Incomparable};
pub use read::{ReadError, Reader, read};
pub use write::pretty;

/// One EDN value; also what a JSON value becomes in a history (protocol §1.4: only the top-level keys of
/// a body turn into keywords).
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `nil`
    #[default]
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// `42`
    Int(i64),
    /// An integer that an `i64` cannot hold, by its digits.
    Big(Box<str>),
    /// `0.5`
    Float(f64),
    /// `"text"`
    Str(Box<str>),
    /// `:valid?`, without the colon
    Keyword(Cow<'static, str>),
    /// `clojure.lang.ExceptionInfo`
    Symbol(Box<str>),
    /// `(1 2)`
    List(Vec<Value>),
    /// `[1 2]`
    Vector(Vec<Value>),
    /// `[1 2]` with integers only: for the long reads of broadcast, which share common prefixes.
    Ints(Ints),
    /// `{:a 1}`, in the order written
    Map(Vec<(Value, Value)>),
    /// `#{1 2}`
    Set(Vec<Value>),
    /// `#tag value`
    Tagged(Box<str>, Box<Value>),
}

impl Value {
    /// The keyword of that name, given without its colon.
    #[must_use]
    pub const fn keyword(name: &'static str) -> Self {
        Self::Keyword(Cow::Borrowed(name))
    }

    /// A string.
    pub fn str(text: impl Into<Box<str>>) -> Self {
        Self::Str(text.into())
    }

    /// A vector of integers.
    pub fn ints(elements: impl Into<Ints>) -> Self {
        Self::Ints(elements.into())
    }

    /// A vector of strings.
    pub fn lines(lines: Vec<String>) -> Self {
        Self::Vector(lines.into_iter().map(Self::str).collect())
    }

    /// A count as an integer.
    #[must_use]
    pub fn count(n: usize) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// A 32-bit float as Clojure prints it: the shortest decimal that identifies it.
    #[must_use]
    pub fn single(number: f32) -> Self {
        Self::Float(number.to_string().parse().unwrap_or_else(|_| f64::from(number)))
    }

    /// A map with keywords for keys, in the order given.
    pub fn record(entries: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (Self::keyword(key), value)).collect())
    }

    /// The value of a keyword in a map.
    #[must_use]
    pub fn get(&self, keyword: &str) -> Option<&Self> {
        self.entries()?.iter().find_map(|(key, value)| (key.as_keyword() == Some(keyword)).then_some(value))
    }

    /// The value of any key in a map.
    #[must_use]
    pub fn entry(&self, wanted: &Self) -> Option<&Self> {
        self.entries()?.iter().find_map(|(key, value)| key.same(wanted).then_some(value))
    }

    /// The entries of a map, also of a tagged one.
    #[must_use]
    pub fn entries(&self) -> Option<&[(Self, Self)]> {
        if let Self::Tagged(_, inner) = self {
            return inner.entries();
        }
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// The elements of a list, a vector or a set.
    #[must_use]
    pub fn items(&self) -> Option<Items<'_>> {
        if let Self::Ints(ints) = self {
            return Some(Items::Ints(ints.iter()));
        }
        let (Self::List(values) | Self::Vector(values) | Self::Set(values)) = self else { return None };
        Some(Items::Values(values.iter()))
    }

    /// The name of a keyword.
    #[must_use]
    pub fn as_keyword(&self) -> Option<&str> {
        if let Self::Keyword(name) = self { Some(name) } else { None }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// An integer.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// A number, rounded to a float.
    #[expect(clippy::cast_precision_loss, reason = "for statistics shown to people")]
    #[must_use]
    pub const fn as_float(&self) -> Option<f64> {
        if let Self::Float(number) = self {
            return Some(*number);
        }
        if let Self::Int(number) = self { Some(*number as f64) } else { None }
    }

    /// Whether it is `nil`.
    #[must_use]
    pub const fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

/// A vector: [`Value::Ints`] if all values are integers.
impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(values: I) -> Self {
        let mut values = values.into_iter();
        let mut ints = Vec::new();
        while let Some(value) = values.next() {
            if let Self::Int(int) = value {
                ints.push(int);
            } else {
                let before = ints.into_iter().map(Self::Int);
                return Self::Vector(before.chain([value]).chain(values).collect());
            }
        }
        Self::ints(ints)
    }
}

/// The elements of a collection; see [`Value::items`].
#[derive(Debug, Clone)]
pub enum Items<'a> {
    /// Of [`Value::Ints`].
    Ints(ints::Iter<'a>),
    /// Of any other.
    Values(std::slice::Iter<'a, Value>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Cow<'a, Value>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Ints(ints) => ints.next().map(|int| Cow::Owned(Value::Int(int))),
            Self::Values(values) => values.next().map(Cow::Borrowed),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Ints(ints) => ints.size_hint(),
            Self::Values(values) => values.size_hint(),
        }
    }
}

impl ExactSizeIterator for Items<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_of_integers_is_kept_compact() {
        let ints: Value = [1, 2, 3].into_iter().map(Value::Int).collect();
        assert_eq!(ints, Value::ints(vec![1, 2, 3]));
        let mixed: Value = [Value::Int(1), Value::Nil, Value::Int(2)].into_iter().collect();
        assert_eq!(mixed, Value::Vector(vec![Value::Int(1), Value::Nil, Value::Int(2)]));
    }

    #[test]
    fn a_float_of_32_bits_keeps_its_short_decimal() {
        assert_eq!(Value::single(2.107_143).to_string(), "2.107143");
        assert_eq!(Value::single(1.0).to_string(), "1.0");
    }

    #[test]
    fn get_looks_into_a_tagged_map() {
        let op = read("#jepsen.history.Op{:index 3}").expect("valid");
        assert_eq!(op.get("index").and_then(Value::as_int), Some(3));
    }
}
