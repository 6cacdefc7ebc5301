//! `cargo xtask interop`: our client and our server against real peers, and against each other.
//!
//! Peers are installed from their registries, at pinned versions, into a folder below cargo's target folder. A peer that
//! cannot be installed is a failure: silence would look like success.

mod command;
mod generator;
mod go;
mod googleapis;
mod grpcio;
pub(crate) mod install;
mod mtls;
mod ours;
pub(crate) mod process;
mod report;
mod rows;
mod tls;
mod tools;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lexopt::prelude::*;
use report::Report;

use crate::task;

const USAGE: &str = "\
Runs gRPC's interoperability cases, and rows of grpcio's own tests, between this and real peers, both ways;
what our channels do by themselves (states, backoff, retries, signs of life) and the command callwright against
their servers; their clients against our server while it restarts; other languages' tools against ours.

Usage: cargo xtask interop [--only PEERS] [--case NAME]

Options:
  --only PEERS  the peers to run, separated by commas: ours, grpc-go, grpcio, tools, generator,
                googleapis (default: all)
  --case NAME   the case to run; a group of rows, such as compression, runs all of them (default: all)
  -h, --help    this text

grpc-go needs a Go toolchain (go), grpcio needs Python (python3) with venv, tools need Go and npm, the generator
npm and Python, googleapis npm, cases over TLS openssl; all fetch packages over the network.
Exits with 1 if a case fails, or a peer cannot be installed.";

/// Every peer, in the order in which they run.
const PEERS: [&str; 6] = ["ours", "grpc-go", "grpcio", "tools", "generator", "googleapis"];

struct Arguments {
    only: Option<Vec<String>>,
    case: Option<String>,
}

/// Where things are, and what is to be run.
struct Session {
    /// The folder of the repository.
    root: PathBuf,
    /// Where peers are installed.
    peers: PathBuf,
    /// Where our own binaries are.
    binaries: PathBuf,
    report: Report,
}

/// Runs `interop` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("interop", USAGE, parse(args), execute)
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments { only: None, case: None };
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("only") => {
                let names: Vec<_> = parser.value()?.string()?.split(',').map(str::to_owned).collect();
                if let Some(unknown) = names.iter().find(|name| !PEERS.contains(&name.as_str())) {
                    return Err(format!("no peer {unknown:?}; there are: {}", PEERS.join(", ")).into());
                }
                arguments.only = Some(names);
            }
            Long("case") => arguments.case = Some(parser.value()?.string()?),
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

fn execute(arguments: Arguments) -> Result<ExitCode, String> {
    let target = target_folder()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?.to_owned();
    build(&root, &target)?;
    let session = &mut Session {
        root,
        peers: target.join("interop-peers"),
        binaries: target.join("debug"),
        report: Report::new(arguments.case),
    };
    let runs = |peer: &str| arguments.only.as_ref().is_none_or(|only| only.iter().any(|name| name == peer));
    let runners: [fn(&mut Session); 6] = [ours::run, go::run, grpcio::run, tools::run, generator::run, googleapis::run];
    for (peer, run) in PEERS.into_iter().zip(runners) {
        if runs(peer) {
            run(session);
        }
    }
    session.report.total()
}

/// The target folder that this program itself was built into.
fn target_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let folder = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?;
    Ok(folder.to_owned())
}

fn build(root: &Path, target: &Path) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "callwright-tests", "--package", "callwright", "--bins"])
        .args(["--features", "callwright/cli", "--target-dir"])
        .arg(target)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("our own binaries do not build".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Arguments>, lexopt::Error> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn peers_are_named_with_commas() {
        let arguments = parsed(&["--only", "ours,grpcio"]).unwrap().unwrap();
        assert_eq!(arguments.only, Some(vec!["ours".to_owned(), "grpcio".to_owned()]));
        assert!(parsed(&["--only", "nobody"]).is_err());
        assert!(parsed(&["--what"]).is_err());
        assert!(parsed(&["--help"]).unwrap().is_none());
    }
}
