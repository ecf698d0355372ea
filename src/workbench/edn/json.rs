//! Values from JSON and to JSON.
//!
//! From: objects become maps with string keys, arrays of integers [`Value::Ints`]. A message body is then
//! given keywords for its top-level keys only, as Maelstrom does (reference §1.4). To: keywords and symbols
//! become strings, keys lose the `?` of `:valid?`, and tags vanish, so that scripts can read a result.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

use super::Value;

/// The key under which `serde_json`, told to keep any precision, hands over a number that is no 64-bit
/// integer.
const NUMBER_KEY: &str = "$serde_json::private::Number";

impl Value {
    /// A message body as Maelstrom shows it: keywords for the keys of the outermost map only.
    #[must_use]
    pub fn from_body(body: Self) -> Self {
        let Self::Map(mut entries) = body else { return body };
        for (key, _) in &mut entries {
            if let Self::Str(name) = key {
                *key = Self::Keyword(String::from(std::mem::take(name)).into());
            }
        }
        Self::Map(entries)
    }

    /// The value as JSON text of one line.
    ///
    /// # Panics
    /// Never: there is no value that JSON cannot show.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every value has a form in JSON")
    }

    /// The key that stands for this value in a JSON object.
    fn json_key(&self) -> String {
        if let Self::Keyword(name) = self {
            return name.strip_suffix('?').unwrap_or(name).to_owned();
        }
        if let Self::Str(text) | Self::Symbol(text) = self { text.to_string() } else { self.to_string() }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| Value::Big(number.to_string().into()), Value::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::str(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut ints = Vec::new();
        let first_other = loop {
            match seq.next_element()? {
                None => return Ok(Value::Ints(ints)),
                Some(Value::Int(int)) => ints.push(int),
                Some(other) => break other,
            }
        };
        let mut values: Vec<_> = ints.into_iter().map(Value::Int).collect();
        values.push(first_other);
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Vector(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if let (NUMBER_KEY, Some(number)) = (&*key, value.as_str().and_then(long_number)) {
                return Ok(number);
            }
            entries.push((Value::str(key), value));
        }
        Ok(Value::Map(entries))
    }
}

/// A JSON number that is no 64-bit integer.
fn long_number(text: &str) -> Option<Value> {
    Number::from_str(text).ok()?;
    let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if whole { Some(Value::Big(text.into())) } else { text.parse().ok().map(Value::Float) }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Big(digits) => match Number::from_str(digits) {
                Ok(number) => number.serialize(serializer),
                Err(_) => serializer.serialize_str(digits),
            },
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Str(text) | Self::Symbol(text) => serializer.serialize_str(text),
            Self::Keyword(name) => serializer.serialize_str(name),
            Self::List(values) | Self::Vector(values) | Self::Set(values) => serializer.collect_seq(values),
            Self::Ints(ints) => serializer.collect_seq(ints),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&key.json_key(), value)?;
                }
                map.end()
            }
            Self::Tagged(_, value) => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read;
    use super::*;

    fn from_json(text: &str) -> Value {
        serde_json::from_str(text).expect("valid JSON")
    }

    #[test]
    fn only_the_outermost_keys_of_a_body_become_keywords() {
        let body = Value::from_body(from_json(r#"{"type":"read_ok","msgs":{"9":[[0,1],[1,"x"]]},"in_reply_to":4}"#));
        assert_eq!(body.to_string(), r#"{:type "read_ok", :msgs {"9" [[0 1] [1 "x"]]}, :in_reply_to 4}"#);
    }

    #[test]
    fn numbers_of_every_size_are_kept() {
        let numbers = from_json("[1, -2.5, 1e3, 9223372036854775808, -123456789012345678901234567890]");
        assert_eq!(numbers.to_string(), "[1 -2.5 1000.0 9223372036854775808N -123456789012345678901234567890N]");
        assert_eq!(numbers.to_json(), "[1,-2.5,1000.0,9223372036854775808,-123456789012345678901234567890]");
    }

    #[test]
    fn an_array_of_integers_is_compact() {
        assert_eq!(from_json("[3,1,2]"), Value::Ints(vec![3, 1, 2]));
        assert_eq!(from_json("[3,null]"), Value::Vector(vec![Value::Int(3), Value::Nil]));
        assert_eq!(from_json("[]"), Value::Ints(vec![]));
    }

    #[test]
    fn results_are_easy_to_query_as_json() {
        let text = "{:valid? :unknown, :net {:servers {:msgs-per-op 1.5}},
                     :workload {:stable-latencies {0 0, 0.5 7, 1 9}, :lost (), :op #jepsen.history.Op{:f :add}}}";
        let json = read(text).expect("valid EDN").to_json();
        let expected = r#"{"valid":"unknown","net":{"servers":{"msgs-per-op":1.5}},"workload":{"stable-latencies":{"0":0,"0.5":7,"1":9},"lost":[],"op":{"f":"add"}}}"#;
        assert_eq!(json, expected);
    }

    proptest! {
        #[test]
        fn text_survives_both_ways(text in any::<String>()) {
            let value = Value::str(text);
            prop_assert_eq!(from_json(&value.to_json()), value);
        }
    }
}
