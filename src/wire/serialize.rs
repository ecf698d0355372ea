//! serde into a byte buffer: JSON text without white space.

use std::fmt;

use serde::ser::{self, Serialize};

use super::quote::Sentence;
use super::writer::{Unwritable, write_f64, write_int, write_signed, write_str};

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(Sentence(&text.to_string()).to_string())
    }
}

pub(super) struct Serializer<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

/// The elements or entries of something that ends with `end`.
pub(super) struct Sequence<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    end: &'static [u8],
}

impl<'o> Sequence<'o> {
    fn begin(out: &'o mut Vec<u8>, start: u8, end: &'static [u8]) -> Self {
        out.push(start);
        Self { out, first: true, end }
    }

    fn variant(out: &'o mut Vec<u8>, variant: &str, start: u8, end: &'static [u8]) -> Self {
        out.push(b'{');
        write_str(out, variant);
        out.push(b':');
        Self::begin(out, start, end)
    }

    fn separate(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.separate();
        value.serialize(Serializer { out: self.out })
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Unwritable> {
        self.separate();
        write_str(self.out, key);
        self.out.push(b':');
        value.serialize(Serializer { out: self.out })
    }

    fn finish(self) {
        self.out.extend_from_slice(self.end);
    }
}

/// Numbers that a wider type holds are written as that.
macro_rules! widened {
    ($($method:ident($narrow:ty) => $wide:ident),*) => {$(
        fn $method(self, value: $narrow) -> Result<(), Unwritable> {
            self.$wide(value.into())
        }
    )*};
}

impl<'o> ser::Serializer for Serializer<'o> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Sequence<'o>;
    type SerializeTuple = Sequence<'o>;
    type SerializeTupleStruct = Sequence<'o>;
    type SerializeTupleVariant = Sequence<'o>;
    type SerializeMap = Sequence<'o>;
    type SerializeStruct = Sequence<'o>;
    type SerializeStructVariant = Sequence<'o>;

    fn serialize_bool(self, value: bool) -> Result<(), Unwritable> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    widened! {
        serialize_i8(i8) => serialize_i64, serialize_i16(i16) => serialize_i64, serialize_i32(i32) => serialize_i64,
        serialize_u8(u8) => serialize_u64, serialize_u16(u16) => serialize_u64, serialize_u32(u32) => serialize_u64,
        serialize_f32(f32) => serialize_f64
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unwritable> {
        write_signed(self.out, value);
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unwritable> {
        write_int(self.out, value);
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unwritable> {
        write_f64(self.out, value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unwritable> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unwritable> {
        write_str(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unwritable> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Unwritable> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unwritable> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unwritable> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Unwritable> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        let mut object = Sequence::begin(self.out, b'{', b"}");
        object.entry(variant, value)?;
        object.finish();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'o>, Unwritable> {
        Ok(Sequence::begin(self.out, b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence<'o>, Unwritable> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Sequence<'o>, Unwritable> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence<'o>, Unwritable> {
        Ok(Sequence::variant(self.out, variant, b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Sequence<'o>, Unwritable> {
        Ok(Sequence::begin(self.out, b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Sequence<'o>, Unwritable> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence<'o>, Unwritable> {
        Ok(Sequence::variant(self.out, variant, b'{', b"}}"))
    }
}

impl ser::SerializeMap for Sequence<'_> {
    type Ok = ();
    type Error = Unwritable;

    /// Keys are strings; a number or a boolean becomes one.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        self.separate();
        let start = self.out.len();
        key.serialize(Serializer { out: self.out })?;
        match self.out.get(start) {
            Some(b'"') => Ok(()),
            Some(b'[' | b'{') | None => Err(ser::Error::custom("the key of a map must be a string or a number")),
            Some(_) => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
                Ok(())
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.out.push(b':');
        value.serialize(Serializer { out: self.out })
    }

    fn end(self) -> Result<(), Unwritable> {
        self.finish();
        Ok(())
    }
}

macro_rules! elements {
    ($($seq:ident :: $method:ident),*) => {$(
        impl ser::$seq for Sequence<'_> {
            type Ok = ();
            type Error = Unwritable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
                self.element(value)
            }

            fn end(self) -> Result<(), Unwritable> {
                self.finish();
                Ok(())
            }
        }
    )*};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! entries {
    ($($map:ident),*) => {$(
        impl ser::$map for Sequence<'_> {
            type Ok = ();
            type Error = Unwritable;

            fn serialize_field<T>(&mut self, key: &'static str, value: &T) -> Result<(), Unwritable>
            where
                T: Serialize + ?Sized,
            {
                self.entry(key, value)
            }

            fn end(self) -> Result<(), Unwritable> {
                self.finish();
                Ok(())
            }
        }
    )*};
}

entries!(SerializeStruct, SerializeStructVariant);
