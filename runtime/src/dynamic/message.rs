//! Messages without generated types: from JSON, from another message, and back to JSON.

use std::fmt;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, SerializeOptions};
use serde::Deserialize as _;
use serde_json::Value;
use serde_path_to_error::Track;

use super::DynamicError;
use super::codec::check_type;
use super::json;
use super::print::Printer;
use crate::unique_json::Unique;

/// What a dynamic call can send: JSON as text or as a value, a [`DynamicMessage`], or any prost message.
#[derive(Clone)]
pub struct Payload {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Text(String),
    Json(Value),
    Dynamic(DynamicMessage),
    Encoded(Bytes),
}

impl Payload {
    /// Any prost message, of generated code for instance: it is sent as the method's own type.
    pub fn message(message: &impl Message) -> Payload {
        Payload { form: Form::Encoded(message.encode_to_vec().into()) }
    }

    /// The message of this type that is meant.
    pub(super) fn into_message(self, descriptor: &MessageDescriptor) -> Result<DynamicMessage, DynamicError> {
        match self.form {
            Form::Text(text) => from_json_text(descriptor, &text),
            Form::Json(value) => from_json(descriptor, value),
            Form::Dynamic(message) => check_type(descriptor, &message).map(|()| message),
            Form::Encoded(bytes) => DynamicMessage::decode(descriptor.clone(), bytes)
                .map_err(|source| DynamicError::Decode { message: descriptor.full_name().to_owned(), source }),
        }
    }
}

impl From<&str> for Payload {
    fn from(json: &str) -> Payload {
        Payload { form: Form::Text(json.to_owned()) }
    }
}

impl From<String> for Payload {
    fn from(json: String) -> Payload {
        Payload { form: Form::Text(json) }
    }
}

impl From<Value> for Payload {
    fn from(json: Value) -> Payload {
        Payload { form: Form::Json(json) }
    }
}

impl From<DynamicMessage> for Payload {
    fn from(message: DynamicMessage) -> Payload {
        Payload { form: Form::Dynamic(message) }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Text(text) => f.debug_tuple("Payload").field(text).finish(),
            Form::Json(value) => f.debug_tuple("Payload").field(value).finish(),
            Form::Dynamic(message) => f.debug_tuple("Payload").field(message).finish(),
            Form::Encoded(bytes) => f.debug_tuple("Payload").field(bytes).finish(),
        }
    }
}

/// The message as JSON, by proto3's mapping: fields at their default are left out.
///
/// What has no JSON at all (a Timestamp past the year 9999) is shown as text that says so.
pub fn to_json(message: &DynamicMessage) -> String {
    let mut serializer = serde_json::Serializer::new(Vec::new());
    match message.serialize_with_options(Printer::new(&mut serializer), &SerializeOptions::new()) {
        Ok(()) => String::from_utf8_lossy(&serializer.into_inner()).into_owned(),
        Err(error) => Value::String(format!("{} has no JSON: {error}", message.descriptor().full_name())).to_string(),
    }
}

fn from_json_text(descriptor: &MessageDescriptor, text: &str) -> Result<DynamicMessage, DynamicError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let value = Unique::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let Unique(value) = value.map_err(|source| not_fitting(descriptor, track.path().to_string(), source))?;
    json.end().map_err(|source| not_fitting(descriptor, String::new(), source))?;
    from_json(descriptor, value)
}

fn from_json(descriptor: &MessageDescriptor, mut value: Value) -> Result<DynamicMessage, DynamicError> {
    json::adapt(&mut value, descriptor);
    let mut track = Track::new();
    let value = serde_path_to_error::Deserializer::new(value, &mut track);
    DynamicMessage::deserialize(descriptor.clone(), value)
        .map_err(|source| not_fitting(descriptor, track.path().to_string(), source))
}

fn not_fitting(descriptor: &MessageDescriptor, path: String, source: serde_json::Error) -> DynamicError {
    DynamicError::Json { message: descriptor.full_name().to_owned(), path, source }
}
