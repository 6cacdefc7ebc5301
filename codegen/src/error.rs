//! What can go wrong between a `.proto` file and the Rust that it becomes.
//!
//! A build script prints the error that `main` returns with `Debug`, so `Debug` here reads like `Display` followed by
//! the causes.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why nothing was generated.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is wrong: one line for each [`Problem`].
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),

    /// An input file is not there, or lies outside every include path.
    #[error("{0}")]
    NotFound(String),

    /// A file or a folder could not be read or written.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was tried: "read", "write", ..
        doing: &'static str,
        /// What it was tried on.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },

    /// A descriptor set or a plugin request is not what it should be.
    #[error("cannot decode {what}")]
    Decode {
        /// What was decoded.
        what: String,
        /// Where decoding stopped.
        source: prost::DecodeError,
    },

    /// protoc was asked for and could not do its work.
    #[error("{what}")]
    Protoc {
        /// What was tried, and what would help.
        what: String,
        /// What the system answered, if it was asked.
        source: Option<io::Error>,
    },

    /// A setting or a plugin parameter is unknown or has a wrong value.
    #[error("{0}")]
    Setting(String),

    /// prost-build, or a parser below it, gave up on this input.
    #[error("{0}")]
    Backend(String),
}

impl Error {
    /// An error about one place.
    pub(crate) fn at(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, path: path.into(), source }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// One thing that is wrong with the input, and where: `file:line:column: text`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, as it was found on disk, or as the descriptor names it.
    pub file: String,
    /// Line and column, both counted from 1; missing when the input does not tell (a descriptor set without source info).
    pub position: Option<(u32, u32)>,
    /// What is wrong.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(file: impl Into<String>, position: Option<(u32, u32)>, text: impl Into<String>) -> Self {
        Self { file: file.into(), position, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
