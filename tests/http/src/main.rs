//! A server of ours inside of axum and of hyper, called by our client over HTTP/2 and by a browser over HTTP/1.1.
//!
//! Each row is printed as it ends, and the total behind all. `--chromium PROGRAM` names the browser.

mod browser;
mod calls;
mod report;
mod servers;
mod service;

use std::ffi::OsString;
use std::process::ExitCode;

use report::Report;

/// Why a row has failed.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let chromium = arguments()?;
    let mut report = Report::default();
    calls::run(&mut report).await?;
    browser::run(&mut report, &chromium).await?;
    Ok(report.total())
}

fn arguments() -> Result<OsString, lexopt::Error> {
    let mut chromium = OsString::from("chromium");
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("chromium") => chromium = parser.value()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(chromium)
}
