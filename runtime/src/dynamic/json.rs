//! JSON as proto3's mapping has it, where prost-reflect takes less, or more, than that.
//!
//! - The largest `float` is written as `3.4028235e38`, which as a `double` is a little more than that.
//! - An integer may be a string with an exponent: `"1e3"`.
//! - A number that a 64-bit integer does not hold is refused, not brought down to the largest that it does.
//! - An `Any` of an `Empty` has no `value`: so other languages write it.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Number, Value};

/// Integers up to this are exact as `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes what the mapping allows, and prost-reflect does not take, in another way that it takes; and what it should not
/// take in a way that it refuses.
pub(super) fn adapt(json: &mut Value, message: &MessageDescriptor) {
    match message.full_name() {
        "google.protobuf.Any" => adapt_any(json, message),
        name if is_wrapper(name) => {
            if let Some(field) = message.get_field(1) {
                adapt_value(json, &field.kind());
            }
        }
        name if is_special(name) => {}
        _ => adapt_fields(json, message),
    }
}

fn adapt_fields(json: &mut Value, message: &MessageDescriptor) {
    for (key, value) in json.as_object_mut().into_iter().flatten() {
        if let Some(field) = message.get_field_by_json_name(key).or_else(|| message.get_field_by_name(key)) {
            adapt_field(value, &field);
        }
    }
}

fn adapt_field(json: &mut Value, field: &FieldDescriptor) {
    let kind = field.kind();
    if field.is_list() {
        json.as_array_mut().into_iter().flatten().for_each(|item| adapt_value(item, &kind));
    } else if let Some(entry) = kind.as_message().filter(|_| field.is_map()) {
        let kind = entry.map_entry_value_field().kind();
        json.as_object_mut().into_iter().flatten().for_each(|(_, value)| adapt_value(value, &kind));
    } else {
        adapt_value(json, &kind);
    }
}

fn adapt_any(json: &mut Value, any: &MessageDescriptor) {
    let name = json.get("@type").and_then(Value::as_str).and_then(|url| url.rsplit_once('/')).map(|(_, name)| name);
    let Some(message) = name.and_then(|name| any.parent_pool().get_message_by_name(name)) else { return };
    if !is_special(message.full_name()) && !is_wrapper(message.full_name()) {
        return adapt_fields(json, &message);
    }
    if let Some(map) = json.as_object_mut() {
        if message.full_name() == "google.protobuf.Empty" && map.len() == 1 {
            map.insert("value".to_owned(), Value::Object(Map::new()));
        }
        if let Some(value) = map.get_mut("value") {
            adapt(value, &message);
        }
    }
}

fn adapt_value(json: &mut Value, kind: &Kind) {
    let two_to = |power: i32| 2f64.powi(power);
    match kind {
        Kind::Message(message) => adapt(json, message),
        Kind::Float => {
            let float = json.as_f64().map(|number| number as f32);
            if let Some(float) = float.filter(|float| float.abs() == f32::MAX).filter(|_| json.is_f64()) {
                *json = Value::from(f64::from(float));
            }
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => adapt_integer(json, |number| number.abs() < two_to(63)),
        Kind::Uint64 | Kind::Fixed64 => adapt_integer(json, |number| number < two_to(64)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => adapt_integer(json, |_| true),
        _ => {}
    }
}

/// `fits` tells of a number that JSON does not show as an integer whether it may be one of this type.
fn adapt_integer(json: &mut Value, fits: impl Fn(f64) -> bool) {
    match json {
        // As a string it is no integer to anybody.
        Value::Number(number) if number.is_f64() && !number.as_f64().is_some_and(fits) => {
            *json = Value::String(number.to_string());
        }
        Value::String(text) if text.contains(['.', 'e', 'E']) && !text.contains(char::is_whitespace) => {
            let number = serde_json::from_str::<Number>(text).ok().and_then(|number| number.as_f64());
            if let Some(number) = number.filter(|number| number.fract() == 0.0 && number.abs() <= EXACT) {
                *json = Value::String(format!("{number:.0}"));
            }
        }
        _ => {}
    }
}

fn is_wrapper(name: &str) -> bool {
    let wrapped = name.strip_prefix("google.protobuf.").and_then(|name| name.strip_suffix("Value"));
    wrapped.is_some_and(|name| {
        ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].contains(&name)
    })
}

/// Whether a message has a JSON of its own, beside the wrappers.
fn is_special(name: &str) -> bool {
    name.strip_prefix("google.protobuf.").is_some_and(|name| {
        ["Any", "Duration", "Empty", "FieldMask", "ListValue", "Struct", "Timestamp", "Value"].contains(&name)
    })
}
