//! A server of ours inside of axum and of hyper, called by our client over HTTP/2, and over HTTP/1.1 by a browser and by others'
//! clients of gRPC-Web.
//!
//! Each row is printed as it ends, and the total behind all. `--chromium PROGRAM` names the browser, and `--clients FOLDER` where npm
//! has installed the clients.

mod browser;
mod calls;
mod clients;
mod report;
mod servers;
mod service;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use report::Report;

/// Why a row has failed.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let Arguments { chromium, clients } = arguments()?;
    let mut report = Report::default();
    calls::run(&mut report).await?;
    clients::run(&mut report, &clients).await?;
    browser::run(&mut report, &chromium).await?;
    Ok(report.total())
}

struct Arguments {
    chromium: OsString,
    clients: PathBuf,
}

fn arguments() -> Result<Arguments, lexopt::Error> {
    let (mut chromium, mut clients) = (None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("chromium") => chromium = Some(parser.value()?),
            lexopt::Arg::Long("clients") => clients = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    let chromium = chromium.ok_or("--chromium PROGRAM is missing")?;
    Ok(Arguments { chromium, clients: clients.ok_or("--clients FOLDER is missing")? })
}
