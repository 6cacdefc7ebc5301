//! `cargo xtask fuzz`: the fuzz targets of the HTTP/2 engine, each for a part of the time, from the corpus in the tree.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use lexopt::prelude::*;

use crate::interop::install;
use crate::interop::process::{self, Process};
use crate::task;

const USAGE: &str = "\
Fuzzes the HTTP/2 engine: bytes of a peer without rules, header blocks against another decoder, and operations on both sides
of a wire.

Usage: cargo xtask fuzz [--seconds N]

Options:
  --seconds N  how long in total (default: 600)
  -h, --help   this text

Needs a nightly toolchain of rustup's, and installs cargo-fuzz below the target folder.
Exits with 1 if a target finds something; the input is kept in tests/fuzz/artifacts.";

const CARGO_FUZZ: &str = "0.13.2";
const TARGETS: [&str; 3] = ["frames", "hpack", "operations"];
const BUILD_TIMEOUT: Duration = Duration::from_secs(1800);
/// How long a target may take beyond its time, for its last input and its report.
const GRACE: Duration = Duration::from_secs(120);
const SHOWN_LINES: usize = 40;

/// Runs `fuzz` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("fuzz", USAGE, parse(args), execute)
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<u64>, lexopt::Error> {
    let mut seconds = 600;
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seconds") => seconds = parser.value()?.parse()?,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(seconds))
}

fn execute(seconds: u64) -> Result<ExitCode, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?.join("fuzz");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    let folder = root.join("tests/fuzz");
    let tool = target.join("tool");
    if !install::is_done(&tool, CARGO_FUZZ) {
        install::step("installing cargo-fuzz", || {
            let mut cargo = Command::new("cargo");
            cargo.args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(&tool);
            cargo.arg("--target-dir").arg(target.join("install"));
            cargo
        })?;
        install::done(&tool, CARGO_FUZZ)?;
    }
    let fuzz = |verb: &str| {
        // By rustup, since this process runs in the toolchain that the other crates are built with.
        let mut cargo = Command::new("rustup");
        cargo.args(["run", "nightly"]).arg(tool.join("bin/cargo-fuzz")).arg(verb).arg("--fuzz-dir").arg(&folder);
        cargo.arg("--target-dir").arg(target.join("build")).current_dir(&folder).env_remove("RUSTUP_TOOLCHAIN");
        cargo
    };
    process::run(&mut fuzz("build"), BUILD_TIMEOUT)?;
    let (mut passed, mut failed) = (0, 0);
    let each = (seconds / TARGETS.len() as u64).max(1);
    for name in TARGETS {
        // New inputs go below the target folder; those in the tree are small and chosen.
        let found = target.join("corpus").join(name);
        fs::create_dir_all(&found).map_err(|error| format!("cannot make {}: {error}", found.display()))?;
        let mut command = fuzz("run");
        command.arg(name).arg(&found).arg(folder.join("corpus").join(name)).arg("--");
        command.args([format!("-max_total_time={each}"), "-timeout=20".to_owned(), "-rss_limit_mb=2000".to_owned()]);
        let ended = Process::start(&mut command)?.end(Duration::from_secs(each) + GRACE)?;
        let runs = ended.output.lines().rev().find_map(|line| line.strip_prefix("Done ")).unwrap_or("no runs");
        if ended.code == Some(0) && runs != "no runs" {
            passed += 1;
            println!("PASS {name}: {runs}");
        } else {
            failed += 1;
            println!("FAIL {name}");
            let lines: Vec<_> = ended.output.lines().collect();
            lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().for_each(|line| println!("    {line}"));
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_ten_minutes_unless_said() {
        let parsed = |args: &[&str]| parse(args.iter().map(OsString::from));
        assert_eq!(parsed(&[]).unwrap(), Some(600));
        assert_eq!(parsed(&["--seconds", "30"]).unwrap(), Some(30));
        assert!(parsed(&["--seconds", "soon"]).is_err() && parsed(&["30"]).is_err());
        assert_eq!(parsed(&["--help"]).unwrap(), None);
    }
}
