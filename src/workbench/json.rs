//! Reads JSON: the members of an object as text, or the values that a history contains.
//!
//! Numbers keep their notation (an integer beyond 64 bits is still an integer), and a long array of integers is read
//! without building a value for each.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::workbench::edn::Value;

/// The maximum depth of nesting, that of `serde_json`; deeper text is an error.
const MAX_DEPTH: usize = 128;

/// Objects of at most this many members are searched for duplicate keys without a hash map.
const MAX_LINEAR: usize = 16;

/// The members of an object in the order written, each value as text. Of a duplicate key the last value counts, as in
/// Maelstrom's parser.
pub type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

struct Object<'a>(Members<'a>);

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key, value));
                }
                Ok(Object(last_of_each(members)))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// Each key once, at its first position, with its last value.
fn last_of_each(members: Members<'_>) -> Members<'_> {
    let has_table = members.len() > MAX_LINEAR;
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut kept: Members<'_> = Vec::with_capacity(members.len());
    for (key, value) in members {
        let place = if has_table {
            *places.entry(key.clone()).or_insert(kept.len())
        } else {
            kept.iter().position(|(other, _)| *other == key).unwrap_or(kept.len())
        };
        match kept.get_mut(place) {
            Some((_, earlier)) => *earlier = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

/// The members of the object that `text` begins with; what follows it is ignored.
pub fn members(text: &str) -> Result<Members<'_>, serde_json::Error> {
    members_and_rest(text).map(|(members, _)| members)
}

/// The members of the object that `text` begins with, and what follows it.
pub fn members_and_rest(text: &str) -> Result<(Members<'_>, &str), serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Object<'_>>();
    let object = values.next().unwrap_or_else(|| Err(serde_json::Error::custom("there is nothing")))?;
    Ok((object.0, &text[values.byte_offset()..]))
}

/// Whether `text` is the literal of an integer: `5`, but not `5.0` or `5e0`.
pub fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The value that JSON `text` becomes in a history: strings stay strings, also as keys of objects, and an
/// array of nothing but integers becomes [`Value::Ints`].
pub fn value(text: &str) -> Result<Value, serde_json::Error> {
    nested(text, 0)
}

fn nested(text: &str, depth: usize) -> Result<Value, serde_json::Error> {
    if depth > MAX_DEPTH {
        return Err(serde_json::Error::custom("nested too deeply"));
    }
    let text = text.trim();
    match text.as_bytes().first() {
        Some(b'{') => {
            let members = members(text)?;
            let pairs = members
                .into_iter()
                .map(|(key, member)| Ok((Value::Str(key.into_owned().into()), nested(member.get(), depth + 1)?)));
            Ok(Value::Map(pairs.collect::<Result<_, serde_json::Error>>()?))
        }
        Some(b'[') => {
            if let Some(ints) = integers(text) {
                return Ok(Value::ints(ints));
            }
            let elements: Vec<&RawValue> = serde_json::from_str(text)?;
            let values = elements.into_iter().map(|element| nested(element.get(), depth + 1));
            Ok(Value::Vector(values.collect::<Result<_, _>>()?))
        }
        Some(b'"') => Ok(Value::Str(serde_json::from_str(text)?)),
        Some(b't' | b'f') => Ok(Value::Bool(serde_json::from_str(text)?)),
        Some(b'n') => serde_json::from_str::<()>(text).map(|()| Value::Nil),
        _ if is_integer(text) => {
            let number: serde_json::Number = serde_json::from_str(text)?;
            Ok(number.as_i64().map_or_else(|| Value::Big(text.into()), Value::Int))
        }
        _ => Ok(Value::Float(serde_json::from_str(text)?)),
    }
}

/// `[1, 2, 3]` as integers, or `None` when any element is something else.
fn integers(text: &str) -> Option<Vec<i64>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?.trim();
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner
        .split(',')
        .map(|element| {
            let element = element.trim();
            let plain = is_integer(element) && !element.starts_with("00") && !element.starts_with("-00");
            if plain { element.parse().ok() } else { None }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_integers_are_kept_compact_and_others_are_not() {
        assert_eq!(value("[1, -2,3]").ok(), Some(Value::ints(vec![1, -2, 3])));
        assert_eq!(value("[]").ok(), Some(Value::ints(vec![])));
        assert_eq!(value("[1,\"2\"]").ok(), Some(Value::Vector(vec![Value::Int(1), Value::Str("2".into())])));
        assert_eq!(value("[[1],[2]]").ok(), Some(Value::Vector(vec![Value::ints(vec![1]), Value::ints(vec![2])])));
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(value("5").ok(), Some(Value::Int(5)));
        assert_eq!(value("5.0").ok(), Some(Value::Float(5.0)));
        assert_eq!(value("99999999999999999999").ok(), Some(Value::Big("99999999999999999999".into())));
        assert!(value("01").is_err());
    }

    #[test]
    fn keys_of_nested_objects_stay_strings() {
        assert_eq!(value("{\"9\": null}").ok(), Some(Value::Map(vec![(Value::Str("9".into()), Value::Nil)])));
    }

    #[test]
    fn of_a_key_given_twice_the_last_value_counts_at_every_level() {
        let text = r#"{"a":1,"b":{"c":"x","c":[2]},"\u0061":3}"#;
        let expected = [("a", "3"), ("b", r#"{"c":"x","c":[2]}"#)];
        let read: Vec<_> = members(text).expect("an object");
        assert_eq!(read.iter().map(|(key, value)| (&**key, value.get())).collect::<Vec<_>>(), expected);
        let inner = Value::Map(vec![(Value::Str("c".into()), Value::ints(vec![2]))]);
        assert_eq!(value(text).ok().and_then(|map| map.entries().map(|entries| entries[1].1.clone())), Some(inner));
        for count in [MAX_LINEAR / 2, MAX_LINEAR] {
            let twice: Vec<_> = (0..2 * count).map(|n| format!("\"k{}\":{n}", n % count)).collect();
            let read = value(&format!("{{{}}}", twice.join(","))).expect("an object");
            let values: Vec<_> = read.entries().expect("a map").iter().map(|(_, value)| value.as_int()).collect();
            assert_eq!(values, (count..2 * count).map(|n| i64::try_from(n).ok()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(value(&"[".repeat(100_000)).is_err());
        let deep = format!("{}true{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(value(&deep).is_err());
    }
}
