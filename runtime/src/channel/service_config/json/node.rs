//! Values of JSON that know where they stand.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::problem::Problem;
use super::super::retry::NO_ERROR;
use super::ServiceConfigError;
use crate::status::Code;

/// The longest duration that protobuf knows, in seconds.
const MAX_SECONDS: u64 = 315_576_000_000;

/// No more of a value than this is shown in an error, in characters.
const MAX_SHOWN: usize = 60;

/// A value, and its place: `methodConfig[2].timeout`.
#[derive(Debug)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
}

/// An object, and its place.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Node { value, path: String::new() }
    }

    pub(super) fn error(&self, problem: impl fmt::Display) -> ServiceConfigError {
        ServiceConfigError { path: self.path.clone(), problem: problem.to_string() }
    }

    /// What is wrong within it.
    pub(super) fn problem(&self, problem: Problem) -> ServiceConfigError {
        let Problem { path, problem } = problem.within(&self.path);
        ServiceConfigError { path, problem }
    }

    /// That it is not what it must be.
    fn not(&self, wanted: &str) -> ServiceConfigError {
        self.error(format_args!("{} is no {wanted}", Shown(self.value)))
    }

    #[cfg(feature = "dns")]
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn object(&self) -> Result<Fields<'a>, ServiceConfigError> {
        let map = self.value.as_object().ok_or_else(|| self.not("object"))?;
        Ok(Fields { map, path: self.path.clone() })
    }

    /// The same, with another one in the place of `null`.
    pub(super) fn object_or(&self, other: &'a Map<String, Value>) -> Result<Fields<'a>, ServiceConfigError> {
        match self.value {
            Value::Null => Ok(Fields { map: other, path: self.path.clone() }),
            _ => self.object(),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<Node<'a>>, ServiceConfigError> {
        let items = self.value.as_array().ok_or_else(|| self.not("list"))?;
        let item = |(index, value)| Node { value, path: format!("{}[{index}]", self.path) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn string(&self) -> Result<&'a str, ServiceConfigError> {
        self.value.as_str().ok_or_else(|| self.not("string"))
    }

    pub(super) fn bool(&self) -> Result<bool, ServiceConfigError> {
        self.value.as_bool().ok_or_else(|| self.not("true or false"))
    }

    /// A number; as proto3's mapping has it, it may be a string.
    pub(super) fn number(&self) -> Result<f64, ServiceConfigError> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            // Rust takes "inf", and "+1", which are no JSON.
            Value::String(text) => serde_json::from_str::<serde_json::Number>(text).ok().and_then(|it| it.as_f64()),
            _ => None,
        };
        number.filter(|number| number.is_finite()).ok_or_else(|| self.not("number"))
    }

    pub(super) fn u32(&self) -> Result<u32, ServiceConfigError> {
        let number = self.number()?;
        if number.fract() != 0.0 {
            return Err(self.not("whole number"));
        }
        if number < 0.0 {
            return Err(self.error(format_args!("{number} is less than 0")));
        }
        if number > f64::from(u32::MAX) {
            return Err(self.error(format_args!("{number} is more than {}", u32::MAX)));
        }
        Ok(number as u32)
    }

    pub(super) fn at_least(&self, least: u32) -> Result<u32, ServiceConfigError> {
        match self.u32()? {
            number if number < least => Err(self.error(format_args!("{number} is less than {least}"))),
            number => Ok(number),
        }
    }

    pub(super) fn percentage(&self) -> Result<u32, ServiceConfigError> {
        match self.u32()? {
            number if number > 100 => Err(self.error(format_args!("{number} is more than 100"))),
            number => Ok(number),
        }
    }

    /// A duration as proto3's mapping has it, exact to the nanosecond.
    pub(super) fn duration(&self) -> Result<Duration, ServiceConfigError> {
        let no_duration = || self.error(format_args!("{} is no duration; they look like \"1.5s\"", Shown(self.value)));
        let text = self.value.as_str().ok_or_else(no_duration)?;
        let number = text.strip_suffix('s').ok_or_else(no_duration)?;
        let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
        let (seconds, fraction) =
            number.split_once('.').map_or((number, "0"), |(seconds, fraction)| (seconds, fraction));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // gRFC A6 itself writes ".1s".
        if !is_number(seconds) || !is_number(fraction) || fraction.is_empty() {
            return Err(no_duration());
        }
        if fraction.len() > 9 {
            return Err(self.error(format_args!("{} has more than nine decimals", Shown(self.value))));
        }
        let nanos = fraction.bytes().chain(*b"000000000").take(9);
        let nanos = nanos.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
        let seconds = match seconds.trim_start_matches('0') {
            "" => 0,
            seconds => seconds.parse().unwrap_or(u64::MAX),
        };
        if seconds > MAX_SECONDS || seconds == MAX_SECONDS && nanos > 0 {
            return Err(self.error(format_args!("{} is more than {MAX_SECONDS}s", Shown(self.value))));
        }
        let duration = Duration::new(seconds, nanos);
        if is_negative && !duration.is_zero() {
            return Err(self.error(format_args!("{} is negative", Shown(self.value))));
        }
        Ok(duration)
    }

    /// The status code of an error, by its number, or by its name in whatever case.
    fn error_code(&self) -> Result<Code, ServiceConfigError> {
        let code = match self.value {
            Value::String(name) => Code::ALL.into_iter().find(|code| code.name().eq_ignore_ascii_case(name)),
            Value::Number(_) => Code::ALL.get(self.u32()? as usize).copied(),
            _ => None,
        };
        match code {
            Some(Code::Ok) => Err(self.error(NO_ERROR)),
            Some(code) => Ok(code),
            None => Err(self
                .error(format_args!("{} is no status code; they look like \"UNAVAILABLE\", or 14", Shown(self.value)))),
        }
    }

    pub(super) fn error_codes(&self) -> Result<Vec<Code>, ServiceConfigError> {
        self.list()?.iter().map(Node::error_code).collect()
    }
}

impl<'a> Fields<'a> {
    /// A field; one that is `null` is not there.
    pub(super) fn get(&self, name: &str) -> Option<Node<'a>> {
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Node { value, path: self.path_of(name) })
    }

    pub(super) fn require(&self, name: &str) -> Result<Node<'a>, ServiceConfigError> {
        self.get(name).ok_or_else(|| self.missing(name))
    }

    /// The items of a field that is a list; none where it is not there.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Node<'a>>, ServiceConfigError> {
        self.get(name).map_or(Ok(Vec::new()), |node| node.list())
    }

    /// The text of a field; empty where it is not there, which to proto3 is the same.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, ServiceConfigError> {
        self.get(name).map_or(Ok(""), |node| node.string())
    }

    /// All fields, `null` included.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, Node<'a>)> + '_ {
        self.map.iter().map(|(name, value)| (name.as_str(), Node { value, path: self.path_of(name) }))
    }

    pub(super) fn to_json(&self) -> String {
        Value::Object(self.map.clone()).to_string()
    }

    pub(super) fn error(&self, problem: impl fmt::Display) -> ServiceConfigError {
        ServiceConfigError { path: self.path.clone(), problem: problem.to_string() }
    }

    fn missing(&self, name: &str) -> ServiceConfigError {
        ServiceConfigError { path: self.path_of(name), problem: "it is missing".to_owned() }
    }

    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}

/// The beginning of a value.
struct Shown<'a>(&'a Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => write!(f, "{}...", &text[..end]),
            None => f.write_str(&text),
        }
    }
}
