//! What every task that takes arguments does with them.

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::prelude::*;

/// Reads the arguments of a task that takes none; `None` is a user who asks for help.
pub(crate) fn no_arguments(args: impl Iterator<Item = OsString>) -> Result<Option<()>, lexopt::Error> {
    match lexopt::Parser::from_args(args).next()? {
        None => Ok(Some(())),
        Some(Short('h') | Long("help")) => Ok(None),
        Some(argument) => Err(argument.unexpected()),
    }
}

/// Runs the task `name` with its arguments; `None` is a user who asked for help.
pub(crate) fn run<T>(
    name: &str,
    usage: &str,
    arguments: Result<Option<T>, lexopt::Error>,
    execute: impl FnOnce(T) -> Result<ExitCode, String>,
) -> ExitCode {
    let arguments = match arguments {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{usage}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("cargo xtask {name}: {error}\n\n{usage}");
            return ExitCode::FAILURE;
        }
    };
    execute(arguments).unwrap_or_else(|error| {
        eprintln!("cargo xtask {name}: {error}");
        ExitCode::FAILURE
    })
}
