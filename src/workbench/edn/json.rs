//! Values to JSON: keywords and symbols become strings, keys lose the `?` of `:valid?`, and tags are dropped, so that
//! scripts can read a result. The inverse is [`json`](crate::workbench::json).

use std::str::FromStr;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

use super::Value;

impl Value {
    /// The value as JSON on one line.
    ///
    /// # Panics
    /// Never: every value has a JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every value has a form in JSON")
    }

    /// The key of this value in a JSON object.
    fn json_key(&self) -> String {
        if let Self::Keyword(name) = self {
            return name.strip_suffix('?').unwrap_or(name).to_owned();
        }
        if let Self::Str(text) | Self::Symbol(text) = self { text.to_string() } else { self.to_string() }
    }
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
    use crate::workbench::json;

    fn from_json(text: &str) -> Value {
        json::value(text).expect("valid JSON")
    }

    #[test]
    fn numbers_of_every_size_are_kept() {
        let numbers = from_json("[1, -2.5, 1e3, 9223372036854775808, -123456789012345678901234567890]");
        assert_eq!(numbers.to_string(), "[1 -2.5 1000.0 9223372036854775808N -123456789012345678901234567890N]");
        assert_eq!(numbers.to_json(), "[1,-2.5,1000.0,9223372036854775808,-123456789012345678901234567890]");
    }

    #[test]
    fn results_are_easy_to_query_as_json() {
        let text = "{:valid? :unknown, :net {:servers {:msgs-per-op 1.5}},
                     :workload {:stable-latencies {0 0, 0.5 7, 1 9}, :lost (), :op #jepsen.history.Op{:f :add}}}";
        let json = read(text).expect("valid EDN").to_json();
        let expected = [
            r#"{"valid":"unknown","net":{"servers":{"msgs-per-op":1.5}},"#,
            r#""workload":{"stable-latencies":{"0":0,"0.5":7,"1":9},"lost":[],"op":{"f":"add"}}}"#,
        ]
        .concat();
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
