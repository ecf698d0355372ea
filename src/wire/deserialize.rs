//! A serde deserializer over the tape: any `Deserialize` type can be read from a [`Json`] value.

use std::fmt;

use serde::de::{self, Expected, IntoDeserializer, Unexpected, Visitor, value::BorrowedStrDeserializer};
use simd_json::{Node, StaticNode};

use super::json::{Entries, Items, Json};
use super::quote::{ErrorText, Quote};

/// A value does not have the expected shape; with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl de::Error for Malformed {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(ErrorText(&text.to_string()).to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("invalid type: {}, expected {expected}", Found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("invalid value: {}, expected {expected}", Found(found)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("unknown variant {}, expected one of {expected:?}", Quote::of(variant)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("unknown field {}, expected one of {expected:?}", Quote::of(field)))
    }
}

/// The unexpected value, as serde prints it; a string is quoted and truncated.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Unexpected::Str(text) = self.0 { write!(f, "string {}", Quote::of(text)) } else { self.0.fmt(f) }
    }
}

impl<'a> de::Deserializer<'a> for Json<'a> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.head() {
            Node::String(text) => visitor.visit_borrowed_str(text),
            Node::Static(StaticNode::I64(number)) => visitor.visit_i64(number),
            Node::Static(StaticNode::U64(number)) => visitor.visit_u64(number),
            Node::Static(StaticNode::F64(number)) => visitor.visit_f64(number),
            Node::Static(StaticNode::Bool(truth)) => visitor.visit_bool(truth),
            Node::Static(StaticNode::Null) => visitor.visit_unit(),
            Node::Array { count, .. } => visitor.visit_seq(Elements(Items(self.inside(count)))),
            Node::Object { count, .. } => visitor.visit_map(Fields::of(Entries(self.inside(count)), &[])),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Malformed> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    /// A string names a unit variant; `{"Variant": content}` any other.
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        if let Some(variant) = self.as_str() {
            return visitor.visit_enum(BorrowedStrDeserializer::new(variant));
        }
        let mut entries = self.entries().ok_or_else(|| de::Error::custom("expected a variant"))?;
        let only = entries.next().and_then(|(variant, content)| {
            let content = entries.try_fold(content, |_, (key, last)| (key == variant).then_some(last))?;
            Some(Variant { variant, content })
        });
        let no_variant = || de::Error::custom("expected an object with one key, the variant's name");
        visitor.visit_enum(only.ok_or_else(no_variant)?)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        match self.entries() {
            Some(entries) => visitor.visit_map(Fields::of(entries, fields)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier
    }
}

struct Elements<'a>(Items<'a>);

impl<'a> de::SeqAccess<'a> for Elements<'a> {
    type Error = Malformed;

    fn next_element_seed<T: de::DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        self.0.next().map(|item| seed.deserialize(item)).transpose()
    }
}

/// The entries of an object. A map keeps the last value of a repeated key by itself; a derived struct would reject the
/// repetition, so only the last value of each of its fields is visited.
struct Fields<'a> {
    entries: Entries<'a>,
    value: Option<Json<'a>>,
    /// The fields of the struct.
    known: &'static [&'static str],
}

impl<'a> Fields<'a> {
    fn of(entries: Entries<'a>, known: &'static [&'static str]) -> Self {
        Self { entries, value: None, known }
    }

    /// Whether the field occurs again later. A search ends at the next occurrence, so all searches together visit each
    /// entry at most once per field.
    fn is_repeated(&self, key: &str) -> bool {
        self.known.contains(&key) && self.entries.clone().any(|(next, _)| next == key)
    }
}

impl<'a> de::MapAccess<'a> for Fields<'a> {
    type Error = Malformed;

    fn next_key_seed<K: de::DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Malformed> {
        while let Some((key, value)) = self.entries.next() {
            if !self.is_repeated(key) {
                self.value = Some(value);
                return seed.deserialize(Key(key)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: de::DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        let value = self.value.take().ok_or_else(|| de::Error::custom("a value was read before its key"))?;
        seed.deserialize(value)
    }
}

/// A key of an object: a string, or the number or boolean it was written from.
struct Key<'a>(&'a str);

macro_rules! parsed {
    ($($method:ident => $visit:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Malformed> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'a> de::Deserializer<'a> for Key<'a> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    parsed! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_f32 => visit_f32,
        deserialize_f64 => visit_f64,
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'a>>
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

struct Variant<'a> {
    variant: &'a str,
    content: Json<'a>,
}

impl<'a> de::EnumAccess<'a> for Variant<'a> {
    type Error = Malformed;
    type Variant = Json<'a>;

    fn variant_seed<V: de::DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Json<'a>), Malformed> {
        let variant = seed.deserialize(IntoDeserializer::<Malformed>::into_deserializer(self.variant))?;
        Ok((variant, self.content))
    }
}

impl<'a> de::VariantAccess<'a> for Json<'a> {
    type Error = Malformed;

    fn unit_variant(self) -> Result<(), Malformed> {
        if self.is_null() { Ok(()) } else { Err(de::Error::custom("this variant has no content")) }
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Malformed> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Malformed> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Malformed> {
        de::Deserializer::deserialize_any(self, visitor)
    }
}
