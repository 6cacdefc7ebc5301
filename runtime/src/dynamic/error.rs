//! What can go wrong between a `.proto` file, a name, or JSON, and a call.

use crate::status::Status;

/// Why something dynamic cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DynamicError {
    /// A `.proto` file is not there, or is wrong: where it was looked for, or `file:line:column: text`.
    #[error(transparent)]
    Proto(#[from] callwright_build::Error),
    /// The descriptors make no sense to the library that reads them.
    #[error("the descriptors cannot be used: {0}")]
    Descriptors(String),
    /// There is no such service, method or message.
    #[error("there is no {kind} {name:?}{}", suggestion(.nearest))]
    Unknown {
        /// What was looked for: `service`, `method of helloworld.Greeter`, `message`.
        kind: String,
        /// The name that was given.
        name: String,
        /// The names that come nearest, nearest first.
        nearest: Vec<String>,
    },
    /// JSON that does not fit the message: where in it, and why.
    #[error("JSON does not fit message {message}{}: {source}", place(.path))]
    Json {
        /// The full name of the message.
        message: String,
        /// The field, as `items[2].price`; empty for the message itself.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A message of another type than the method takes.
    #[error("the method takes {expected}, and was given {given}")]
    WrongMessage {
        /// The full name of the message that it takes.
        expected: String,
        /// The full name of the message that it was given.
        given: String,
    },
    /// The bytes of a message are not of the type that the method takes.
    #[error("the message cannot be read as {message}: {source}")]
    Decode {
        /// The full name of the message that was expected.
        message: String,
        /// What is wrong with the bytes.
        source: prost::DecodeError,
    },
    /// A method is used as another kind than it is.
    #[error("method {method} is {kind}: {instead}")]
    WrongKind {
        /// The method's path.
        method: String,
        /// What it is.
        kind: &'static str,
        /// What to use in its place.
        instead: &'static str,
    },
    /// A server's reflection service did not say what was asked.
    #[error("the server's reflection service cannot be used: {0}")]
    Reflection(#[source] Status),
}

impl From<DynamicError> for Status {
    /// INVALID_ARGUMENT for what does not fit, UNIMPLEMENTED for what is not there.
    fn from(error: DynamicError) -> Status {
        let text = error.to_string();
        match error {
            DynamicError::Reflection(status) => status,
            DynamicError::Unknown { .. } | DynamicError::WrongKind { .. } => Status::unimplemented(text),
            _ => Status::invalid_argument(text),
        }
    }
}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => "; there are none at all".to_owned(),
        names => format!("; the nearest: {}", names.join(", ")),
    }
}

fn place(path: &str) -> String {
    match path {
        "" | "." => String::new(),
        path => format!(" at {path}"),
    }
}
