//! One line a row, and the total.

use std::fmt::Debug;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use crate::Failure;

/// How long a row may take.
pub(crate) const ROW_TIMEOUT: Duration = Duration::from_secs(60);

/// Counts the rows as they end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    /// Runs a row, and notes how it ends.
    pub(crate) async fn run(&mut self, row: &str, test: impl Future<Output = Result<(), Failure>>) {
        let result = match tokio::time::timeout(ROW_TIMEOUT, test).await {
            Ok(result) => result.map_err(|failure| failure.to_string()),
            Err(_) => Err(format!("no end after {ROW_TIMEOUT:?}")),
        };
        self.note(row, result);
    }

    /// Notes how a row has ended.
    pub(crate) fn note(&mut self, row: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("PASS {row}");
            }
            Err(failure) => {
                self.failed += 1;
                println!("FAIL {row}");
                failure.lines().for_each(|line| println!("    {line}"));
            }
        }
    }

    /// Prints the total.
    pub(crate) fn total(&self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// An error unless both are the same.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Result<(), Failure> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: got {got:?}, wanted {wanted:?}").into()) }
}
