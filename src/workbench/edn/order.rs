//! Equality and order of values, as in Clojure.

use std::cmp::Ordering;
use std::fmt::{self, Display};

use thiserror::Error;

use super::Value;

/// Two values that cannot be compared, such as a string and a number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} and {1} cannot be compared")]
pub struct Incomparable(Box<str>, Box<str>);

/// A value as a key of maps: equal for values that are the [`same`](Value::same), in an arbitrary order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(Box<str>);

impl Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value {
    /// Equality: lists and vectors with the same elements are equal, and so are maps or sets with the same
    /// entries in any order; an integer never equals a float.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        if let (Self::Ints(ours), Self::Ints(theirs)) = (self, other) {
            return ours == theirs;
        }
        if let (Self::Str(ours), Self::Str(theirs)) = (self, other) {
            return ours == theirs;
        }
        self.identity() == other.identity()
    }

    /// The value as a key of maps.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut text = String::new();
        self.write_identity(&mut text);
        Identity(text.into())
    }

    fn write_identity(&self, out: &mut String) {
        if let Self::List(values) | Self::Vector(values) = self {
            out.push('[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                value.write_identity(out);
            }
            out.push(']');
        } else if let Self::Set(values) = self {
            out.push_str("#{");
            push_sorted(values.iter().map(|value| value.identity().to_string()).collect(), out);
        } else if let Self::Map(entries) = self {
            out.push('{');
            push_sorted(entries.iter().map(|(k, v)| format!("{} {}", k.identity().0, v.identity().0)).collect(), out);
        } else if let Self::Tagged(tag, value) = self {
            out.push('#');
            out.push_str(tag);
            out.push(' ');
            value.write_identity(out);
        } else {
            self.write(out);
        }
    }

    /// Clojure's `compare`: nil before everything, numbers by value, texts by UTF-16 code units, false
    /// before true, shorter vectors before longer.
    pub(crate) fn compare(&self, other: &Self) -> Result<Ordering, Incomparable> {
        if self.is_nil() || other.is_nil() {
            return Ok(other.is_nil().cmp(&self.is_nil()));
        }
        let order = if let (Self::Int(ours), Self::Int(theirs)) = (self, other) {
            Some(ours.cmp(theirs))
        } else if let (Self::Bool(ours), Self::Bool(theirs)) = (self, other) {
            Some(ours.cmp(theirs))
        } else if let (Some(ours), Some(theirs)) = (self.text(), other.text()) {
            let same_kind = std::mem::discriminant(self) == std::mem::discriminant(other);
            same_kind.then(|| ours.encode_utf16().cmp(theirs.encode_utf16()))
        } else if let (Some(ours), Some(theirs)) = (self.magnitude(), other.magnitude()) {
            Some(ours.partial_cmp(&theirs).unwrap_or(Ordering::Equal))
        } else if self.is_vector() && other.is_vector() {
            return self.compare_elements(other);
        } else {
            None
        };
        order.ok_or_else(|| Incomparable(self.to_string().into(), other.to_string().into()))
    }

    fn compare_elements(&self, other: &Self) -> Result<Ordering, Incomparable> {
        let (Some(ours), Some(theirs)) = (self.items(), other.items()) else { return Ok(Ordering::Equal) };
        let mut order = ours.len().cmp(&theirs.len());
        for (ours, theirs) in ours.zip(theirs) {
            if order.is_ne() {
                break;
            }
            order = ours.compare(&theirs)?;
        }
        Ok(order)
    }

    const fn is_vector(&self) -> bool {
        matches!(self, Self::Vector(_) | Self::Ints(_))
    }

    fn text(&self) -> Option<&str> {
        if let Self::Keyword(name) = self {
            return Some(name);
        }
        if let Self::Str(text) | Self::Symbol(text) = self { Some(text) } else { None }
    }

    fn magnitude(&self) -> Option<f64> {
        if let Self::Big(digits) = self { digits.parse().ok() } else { self.as_float() }
    }

    /// The values in the order of [`compare`](Self::compare), by a stable sort. Those of the standard library cannot
    /// return an error from a comparison.
    pub(crate) fn sorted(mut values: Vec<Self>) -> Result<Vec<Self>, Incomparable> {
        if values.len() < 2 {
            return Ok(values);
        }
        let right = Self::sorted(values.split_off(values.len() / 2))?;
        let left = Self::sorted(values)?;
        let mut merged = Vec::with_capacity(left.len() + right.len());
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
            let first = if r.compare(l)?.is_lt() { &mut right } else { &mut left };
            merged.extend(first.next());
        }
        merged.extend(left.chain(right));
        Ok(merged)
    }
}

fn push_sorted(mut parts: Vec<String>, out: &mut String) {
    parts.sort_unstable();
    out.push_str(&parts.join(", "));
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn value(text: &str) -> Value {
        read(text).expect("valid EDN")
    }

    #[test]
    fn collections_are_equal_by_their_elements() {
        assert!(value("[1 2]").same(&value("(1 2)")));
        assert!(Value::Vector(vec![Value::Int(1)]).same(&Value::ints(vec![1])));
        assert!(Value::Vector(vec![]).same(&Value::ints(vec![])));
        assert!(value("{:a 1, :b #{1 2}}").same(&value("{:b #{2 1}, :a 1}")));
        assert!(!value("[1 2]").same(&value("[2 1]")));
        assert!(!value("1").same(&value("1.0")));
        assert!(!value("\"a\"").same(&value(":a")));
    }

    #[test]
    fn values_of_one_kind_have_an_order() {
        for (less, more) in [
            ("nil", "0"),
            ("1", "2"),
            ("1", "1.5"),
            ("9", "18446744073709551616"),
            ("false", "true"),
            ("\"n0-9\"", "\"n1-0\""),
            ("\"n1-10\"", "\"n1-9\""),
            ("[9 9]", "[1 1 1]"),
            ("[1 2]", "[1 3]"),
            ("[1 \"a\"]", "[1 \"b\"]"),
        ] {
            assert_eq!(value(less).compare(&value(more)), Ok(Ordering::Less), "{less} {more}");
            assert_eq!(value(more).compare(&value(less)), Ok(Ordering::Greater), "{more} {less}");
        }
    }

    #[test]
    fn values_of_different_kinds_have_none() {
        for (a, b) in [("1", "\"1\""), ("{}", "{:a 1}"), ("[1]", "1"), ("\"a\"", ":a"), ("[1 2]", "[1 \"a\"]")] {
            assert!(value(a).compare(&value(b)).is_err(), "{a} {b}");
        }
    }

    #[test]
    fn sorting_rejects_a_mixture() {
        let sorted =
            |text| Value::sorted(value(text).items().expect("a list").map(std::borrow::Cow::into_owned).collect());
        assert_eq!(sorted("(3 1 2 1.5 nil)").map(Value::List), Ok(value("(nil 1 1.5 2 3)")));
        assert_eq!(sorted("(1 \"a\" 2)").expect_err("mixed").to_string(), "2 and \"a\" cannot be compared");
    }
}
