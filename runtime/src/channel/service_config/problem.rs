//! What a service config may not say, be it read from JSON or made in Rust.

use std::fmt;
use std::time::Duration;

/// A field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The field, as JSON has it: `retryPolicy.maxAttempts`.
    pub(super) path: String,
    pub(super) problem: String,
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, problem: impl fmt::Display) -> Problem {
        Problem { path: path.into(), problem: problem.to_string() }
    }

    /// The same, of a field within another one.
    pub(super) fn within(self, outer: &str) -> Problem {
        Problem { path: format!("{outer}.{}", self.path), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

pub(super) fn attempts(given: u32) -> Result<(), Problem> {
    match given {
        0 | 1 => Err(Problem::new("maxAttempts", format_args!("{given} is less than 2"))),
        _ => Ok(()),
    }
}

pub(super) fn above_zero(field: &str, duration: Duration) -> Result<(), Problem> {
    match duration {
        Duration::ZERO => Err(Problem::new(field, "\"0s\" is not above zero")),
        _ => Ok(()),
    }
}
