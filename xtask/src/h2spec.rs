//! `cargo xtask h2spec`: our HTTP/2 engine by h2spec as a server, and by h2specd as a client.
//!
//! Both are installed from the Go registry at pinned versions, into a folder below cargo's target folder. Every case has to
//! pass: one that fails, one that is skipped and one that has gone missing are all failures.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::interop::install;
use crate::interop::process::{self, Process, Server};
use crate::task;

const USAGE: &str = "\
Runs h2spec --strict against our HTTP/2 engine as a server, and h2specd against it as a client.

Usage: cargo xtask h2spec

Needs a Go toolchain (go), and fetches packages over the network.
Exits with 1 if a case fails or is skipped, or if the tools cannot be installed.";

/// The tools and all they are made of, by version and by hash.
const MODULES: [(&str, &str); 2] =
    [("go.mod", include_str!("h2spec/go.mod")), ("go.sum", include_str!("h2spec/go.sum"))];
const COMMANDS: [&str; 2] = ["github.com/summerwind/h2spec/cmd/h2spec", "github.com/summerwind/h2spec/cmd/h2specd"];
/// How many cases they have.
const SERVER_CASES: usize = 146;
const CLIENT_CASES: usize = 57;
/// How long a whole run may take: h2specd waits up to three seconds in each case.
const TIMEOUT: Duration = Duration::from_secs(400);
/// Where the ports are looked for that h2specd listens on, one a case.
const FIRST_PORTS: std::ops::Range<u16> = 30_000..60_000;

/// How the cases of one tool ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    passed: usize,
    skipped: usize,
    failed: usize,
}

/// Runs `h2spec` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("h2spec", USAGE, task::no_arguments(args), |()| execute())
}

fn execute() -> Result<ExitCode, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    build(root, target)?;
    let (tools, binaries) = (install(&target.join("h2spec"))?, target.join("debug"));
    let results = [
        ("h2spec (our server)", SERVER_CASES, test_server(&tools, &binaries)),
        ("h2specd (our client)", CLIENT_CASES, test_client(&tools, &binaries)),
    ];
    let (mut passed, mut failed) = (0, 0);
    for (tool, cases, result) in results {
        match result {
            Ok(count) => {
                println!("{tool}: {} passed, {} skipped, {} failed", count.passed, count.skipped, count.failed);
                passed += count.passed;
                // What was skipped or is not there has not passed.
                failed += cases.saturating_sub(count.passed).max(count.failed + count.skipped);
            }
            Err(error) => {
                println!("{tool}: {error}");
                failed += cases;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(root: &Path, target: &Path) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "callwright-tests", "--bin", "h2spec_server", "--bin", "h2spec_client"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("our own binaries do not build".to_owned()) }
}

fn install(folder: &Path) -> Result<PathBuf, String> {
    let pins = MODULES.map(|(_, content)| content).concat();
    if !install::is_done(folder, &pins) {
        let write = |(name, content)| fs::write(folder.join(name), content);
        fs::create_dir_all(folder)
            .and_then(|()| MODULES.into_iter().try_for_each(write))
            .map_err(|error| format!("cannot write in {}: {error}", folder.display()))?;
        install::step("installing h2spec and h2specd", || {
            let mut go = Command::new("go");
            go.arg("install").args(COMMANDS).env("GOBIN", folder).current_dir(folder);
            go
        })?;
        install::done(folder, &pins)?;
    }
    Ok(folder.to_owned())
}

fn test_server(tools: &Path, binaries: &Path) -> Result<Count, String> {
    let server = Server::start_announced(&mut Command::new(binaries.join("h2spec_server")))?;
    let mut h2spec = Command::new(tools.join("h2spec"));
    h2spec.args(["--host", "127.0.0.1", "--strict", "--timeout", "2", "--port"]).arg(server.port().to_string());
    finish(&mut h2spec)
}

fn test_client(tools: &Path, binaries: &Path) -> Result<Count, String> {
    let mut h2specd = Command::new(tools.join("h2specd"));
    h2specd.args(["--host", "127.0.0.1", "--strict", "--from-port"]).arg(free_ports(CLIENT_CASES)?.to_string());
    h2specd.arg("--exec").arg(binaries.join("h2spec_client"));
    finish(&mut h2specd)
}

/// Runs a tool to its end; what it printed is shown where not all passed.
fn finish(command: &mut Command) -> Result<Count, String> {
    let output = Process::start(command)?.end(TIMEOUT)?.output;
    match count(&output) {
        Some(count) => {
            if count.failed + count.skipped > 0 {
                println!("{}", shown(&output));
            }
            Ok(count)
        }
        None => Err(format!("{}\nno summary", shown(&output))),
    }
}

/// What a tool printed, without what h2specd says of its own sockets whatever happens.
fn shown(output: &str) -> String {
    let lines: Vec<_> = output.lines().filter(|line| !line.contains("use of closed network connection")).collect();
    lines.join("\n")
}

/// The summary, such as `146 tests, 145 passed, 1 skipped, 0 failed`.
fn count(output: &str) -> Option<Count> {
    let line = output.lines().rev().find(|line| line.contains(" tests, ") && line.contains(" passed, "))?;
    let number = |of: &str| {
        let part = line.split(", ").find(|part| part.ends_with(of))?;
        part.split_whitespace().next()?.parse().ok()
    };
    Some(Count { passed: number("passed")?, skipped: number("skipped")?, failed: number("failed")? })
}

/// The first of so many ports in a row that nobody listens on.
fn free_ports(count: usize) -> Result<u16, String> {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let count = u16::try_from(count).map_err(|error| error.to_string())?;
    // Not the same ports twice in a row: those of the last run may not be free again yet.
    let start = process::free_port()? % 300 * 100;
    (0..FIRST_PORTS.end - FIRST_PORTS.start)
        .step_by(100)
        .map(|step| FIRST_PORTS.start + (start + step) % (FIRST_PORTS.end - FIRST_PORTS.start))
        .find(|first| (*first..first + count).all(is_free))
        .ok_or_else(|| format!("there are no {count} free ports in a row"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_the_last_one_and_has_to_be_whole() {
        let output = "x\n9 tests, 1 passed, 2 skipped, 6 failed\n146 tests, 144 passed, 1 skipped, 1 failed\n\n";
        assert_eq!(count(output), Some(Count { passed: 144, skipped: 1, failed: 1 }));
        assert_eq!(count("146 tests, 144 passed"), None);
        assert_eq!(count("Error: connection refused"), None);
    }
}
