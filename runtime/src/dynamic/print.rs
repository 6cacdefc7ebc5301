//! Printing JSON: a serializer around serde_json's that writes as strings the numbers that would be `null` there, and that
//! goes no deeper than it may.

use std::fmt::Display;

use serde::ser::{Error, Impossible, Serialize, SerializeMap, SerializeSeq, Serializer};

/// How deep objects and arrays may be in each other. An Any in an Any costs a stranger a few bytes a level, and this side
/// a piece of its stack.
const DEPTH: usize = 200;

/// Writes NaN and the infinities as proto3 names them, wherever they are.
pub(super) struct Printer<S> {
    inner: S,
    depth: usize,
}

impl<S> Printer<S> {
    pub(super) fn new(inner: S) -> Printer<S> {
        Printer { inner, depth: 0 }
    }

    fn nested<T, E: Error>(self, make: impl FnOnce(S) -> Result<T, E>) -> Result<Printer<T>, E> {
        let depth = self.depth + 1;
        if depth > DEPTH {
            return Err(E::custom(format_args!("it is more than {DEPTH} levels deep")));
        }
        Ok(Printer { inner: make(self.inner)?, depth })
    }
}

/// A value inside of an object or an array.
struct Inside<'a, T: ?Sized> {
    value: &'a T,
    depth: usize,
}

impl<T: Serialize + ?Sized> Serialize for Inside<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Printer { inner: serializer, depth: self.depth })
    }
}

/// What passes through as it is.
macro_rules! forward {
    ($($method:ident($($value:ident: $type:ty)?),)*) => {
        $(fn $method(self, $($value: $type)?) -> Result<S::Ok, S::Error> {
            self.inner.$method($($value)?)
        })*
    };
}

/// What no message is.
macro_rules! impossible {
    ($($method:ident($($type:ty),*) -> $result:ty,)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<$result, S::Error> {
            Err(S::Error::custom("a message holds neither tuples nor variants"))
        })*
    };
}

impl<S: Serializer> Serializer for Printer<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Printer<S::SerializeSeq>;
    type SerializeMap = Printer<S::SerializeMap>;
    type SerializeTuple = Impossible<S::Ok, S::Error>;
    type SerializeTupleStruct = Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = Impossible<S::Ok, S::Error>;
    type SerializeStruct = Impossible<S::Ok, S::Error>;
    type SerializeStructVariant = Impossible<S::Ok, S::Error>;

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        match special(value.into()) {
            Some(name) => self.inner.serialize_str(name),
            None => self.inner.serialize_f32(value),
        }
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        match special(value) {
            Some(name) => self.inner.serialize_str(name),
            None => self.inner.serialize_f64(value),
        }
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.nested(|inner| inner.serialize_seq(length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.nested(|inner| inner.serialize_map(length))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    forward! {
        serialize_bool(value: bool),
        serialize_i8(value: i8),
        serialize_i16(value: i16),
        serialize_i32(value: i32),
        serialize_i64(value: i64),
        serialize_u8(value: u8),
        serialize_u16(value: u16),
        serialize_u32(value: u32),
        serialize_u64(value: u64),
        serialize_char(value: char),
        serialize_str(value: &str),
        serialize_bytes(value: &[u8]),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(name: &'static str),
    }

    impossible! {
        serialize_unit_variant(&'static str, u32, &'static str) -> S::Ok,
        serialize_tuple(usize) -> Self::SerializeTuple,
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_struct(&'static str, usize) -> Self::SerializeStruct,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant,
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("a message holds neither tuples nor variants"))
    }
}

impl<S: SerializeSeq> SerializeSeq for Printer<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_element(&Inside { value, depth: self.depth })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

impl<S: SerializeMap> SerializeMap for Printer<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&Inside { value, depth: self.depth })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

/// The name of a number that JSON has none for.
fn special(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_finite() => None,
        _ if number.is_nan() => Some("NaN"),
        _ if number > 0.0 => Some("Infinity"),
        _ => Some("-Infinity"),
    }
}
