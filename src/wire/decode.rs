//! Decoding of a body into a typed request, dispatched on `type` before any other field is read.

use std::fmt;

use serde::de::{self, Visitor};

use super::deserialize::Malformed;
use super::json::Json;

/// Why a body is not a request of the node; the engine replies with the matching error code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The node does not handle this `type` (error 10).
    UnknownType,
    /// The body does not have the shape its type demands (error 12); with the reason.
    Malformed(String),
}

impl DecodeError {
    /// A field is missing or has the wrong type.
    #[must_use]
    pub fn field(name: &str, why: &dyn fmt::Display) -> Self {
        Self::Malformed(format!("{name}: {why}"))
    }
}

/// A request that can be decoded from a message; [`requests!`](crate::requests) generates the implementation.
pub trait Decode<'a>: Sized {
    /// Decodes a body of type `kind`.
    ///
    /// # Errors
    /// The type is unknown, or the body does not have its shape.
    fn decode(kind: &str, body: Json<'a>) -> Result<Self, DecodeError>;
}

/// A field of a request: any `Deserialize` type, or [`Json`] for an arbitrary value.
pub trait Field<'a>: Sized {
    /// Reads the field.
    ///
    /// # Errors
    /// The value has the wrong type.
    fn read(value: Json<'a>) -> Result<Self, Malformed>;

    /// The value of an absent field.
    ///
    /// # Errors
    /// The field is required.
    fn absent() -> Result<Self, Malformed>;
}

impl<'a> Field<'a> for Json<'a> {
    fn read(value: Json<'a>) -> Result<Self, Malformed> {
        Ok(value)
    }

    fn absent() -> Result<Self, Malformed> {
        missing("it is")
    }
}

impl<'a, T: de::Deserialize<'a>> Field<'a> for T {
    fn read(value: Json<'a>) -> Result<Self, Malformed> {
        T::deserialize(value)
    }

    fn absent() -> Result<Self, Malformed> {
        T::deserialize(Absent)
    }
}

/// The error for an absent required field.
///
/// # Errors
/// Always.
pub fn missing<T>(what: &str) -> Result<T, Malformed> {
    Err(de::Error::custom(format_args!("{what} missing")))
}

/// Deserializes as `None` only.
struct Absent;

impl<'a> de::Deserializer<'a> for Absent {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Malformed> {
        missing("it is")
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_none()
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
