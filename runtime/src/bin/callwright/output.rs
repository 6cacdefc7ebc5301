//! Printing that does not panic, whoever reads.

use std::fmt::{Arguments, Display};
use std::io::{self, Write as _};

use crate::failure::Failure;

/// Prints a line to stdout. A pipe that nobody reads any more, as after `| head -1`, ends the command.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::Unread),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot print: {error}")).into()),
        Ok(()) => Ok(()),
    }
}

/// Says something on stderr. Where that cannot be, the exit code has to do.
pub(crate) fn say(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "callwright: {text}");
}
