//! A serde serializer for JSON.

use super::push_json_string;
use crate::secret_text::SecretText;
use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt::{self, Display, Write as _};

/// Room for most texts.
const ROOM: usize = 2 << 10;

/// The value cannot be represented in JSON. The caller knows which value it was.
#[derive(Debug, thiserror::Error)]
#[error("it has no form in JSON")]
pub(super) struct NotJson;

impl serde::ser::Error for NotJson {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type WriteResult = Result<(), NotJson>;

/// Writes one value.
pub(super) struct JsonWriter {
    pub(super) out: SecretText,
    /// The nesting depth, if each member goes on its own line.
    depth: Option<usize>,
}

impl JsonWriter {
    pub(super) fn compact() -> Self {
        Self { out: SecretText::with_capacity(ROOM), depth: None }
    }

    pub(super) fn pretty() -> Self {
        Self { depth: Some(0), ..Self::compact() }
    }

    fn show(&mut self, value: impl Display) -> WriteResult {
        write!(self.out, "{value}").map_err(|fmt::Error| NotJson)
    }

    fn open(&mut self, bracket: char, close: &'static str) -> JsonCompound<'_> {
        self.out.push(bracket);
        self.depth = self.depth.map(|depth| depth + 1);
        JsonCompound { writer: self, close, is_empty: true }
    }

    fn next_line(&mut self) {
        if let Some(depth) = self.depth {
            self.out.push('\n');
            (0..depth).for_each(|_| self.out.push_str("  "));
        }
    }

    fn colon(&mut self) {
        self.out.push_str(if self.depth.is_some() { ": " } else { ":" });
    }

    /// A variant with contents is an object with one member.
    fn variant(&mut self, name: &str) -> WriteResult {
        self.open('{', "}").key(name)
    }
}

/// A list or an object being written.
pub(super) struct JsonCompound<'a> {
    writer: &'a mut JsonWriter,
    /// The closing brackets.
    close: &'static str,
    is_empty: bool,
}

impl JsonCompound<'_> {
    fn separate(&mut self) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.writer.out.push(',');
        }
        self.writer.next_line();
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> WriteResult {
        self.separate();
        value.serialize(&mut *self.writer)
    }

    fn key(&mut self, name: &str) -> WriteResult {
        self.separate();
        name.serialize(&mut *self.writer)?;
        self.writer.colon();
        Ok(())
    }

    fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> WriteResult {
        self.key(name)?;
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> WriteResult {
        for (nth, bracket) in self.close.chars().enumerate() {
            self.writer.depth = self.writer.depth.map(|depth| depth - 1);
            // The object around it holds the name of the variant.
            if !self.is_empty || nth > 0 {
                self.writer.next_line();
            }
            self.writer.out.push(bracket);
        }
        Ok(())
    }
}

macro_rules! shown {
    ($($name:ident: $kind:ty),*) => {$(
        fn $name(self, value: $kind) -> WriteResult {
            self.show(value)
        }
    )*};
}

impl<'a> Serializer for &'a mut JsonWriter {
    type Ok = ();
    type Error = NotJson;
    type SerializeSeq = JsonCompound<'a>;
    type SerializeTuple = JsonCompound<'a>;
    type SerializeTupleStruct = JsonCompound<'a>;
    type SerializeTupleVariant = JsonCompound<'a>;
    type SerializeMap = JsonCompound<'a>;
    type SerializeStruct = JsonCompound<'a>;
    type SerializeStructVariant = JsonCompound<'a>;

    shown! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    }

    // serde_json knows how many digits identify a number. No number here is a secret.
    fn serialize_f32(self, value: f32) -> WriteResult {
        self.show(serde_json::to_string(&value).map_err(NotJson::custom)?)
    }

    fn serialize_f64(self, value: f64) -> WriteResult {
        self.show(serde_json::to_string(&value).map_err(NotJson::custom)?)
    }

    fn serialize_char(self, value: char) -> WriteResult {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> WriteResult {
        push_json_string(&mut self.out, value, |_| false);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> WriteResult {
        value.serialize(self)
    }

    fn serialize_none(self) -> WriteResult {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> WriteResult {
        value.serialize(self)
    }

    fn serialize_unit(self) -> WriteResult {
        self.show("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> WriteResult {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> WriteResult {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> WriteResult {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> WriteResult {
        let mut inside = self.open('{', "}");
        inside.member(name, value)?;
        inside.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<JsonCompound<'a>, NotJson> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<JsonCompound<'a>, NotJson> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<JsonCompound<'a>, NotJson> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<JsonCompound<'a>, NotJson> {
        self.variant(name)?;
        Ok(self.open('[', "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<JsonCompound<'a>, NotJson> {
        Ok(self.open('{', "}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<JsonCompound<'a>, NotJson> {
        Ok(self.open('{', "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<JsonCompound<'a>, NotJson> {
        self.variant(name)?;
        Ok(self.open('{', "}}"))
    }
}

macro_rules! lists {
    ($($kind:ident: $add:ident),*) => {$(
        impl $kind for JsonCompound<'_> {
            type Ok = ();
            type Error = NotJson;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> WriteResult {
                self.item(value)
            }

            fn end(self) -> WriteResult {
                self.close()
            }
        }
    )*};
}

lists! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

macro_rules! objects {
    ($($kind:ident),*) => {$(
        impl $kind for JsonCompound<'_> {
            type Ok = ();
            type Error = NotJson;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> WriteResult {
                self.member(name, value)
            }

            fn end(self) -> WriteResult {
                self.close()
            }
        }
    )*};
}

objects!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for JsonCompound<'_> {
    type Ok = ();
    type Error = NotJson;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> WriteResult {
        self.separate();
        let start = self.writer.out.as_str().len();
        key.serialize(&mut *self.writer)?;
        // A key must be a string.
        if !self.writer.out.as_str()[start..].starts_with('"') {
            return Err(NotJson);
        }
        self.writer.colon();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> WriteResult {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> WriteResult {
        self.close()
    }
}
