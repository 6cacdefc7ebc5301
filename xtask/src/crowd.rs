//! `cargo xtask crowd`: a server of ours with 10,000 idle connections, and 1,000 busy ones beside them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use lexopt::prelude::*;

use crate::interop::process::Process;
use crate::task;

const USAGE: &str = "\
Opens 10,000 connections to a server of ours that are idle after one call, and 1,000 beside them that make calls all
the time: each call has to be answered, and the idle connections have to be the same afterwards. Prints what memory
an idle connection takes at the server and at the client.

Usage: cargo xtask crowd [--release]

Options:
  --release   programs that are built as for use (default: as for tests)
  -h, --help  this text

Needs Linux, and some 11,100 file descriptors for each of two processes (ulimit -Hn).
Exits with 1 if a call is not answered, or a connection is lost or takes more memory than it may.";

const IDLE: usize = 10_000;
const BUSY: usize = 1_000;
/// How many calls each busy connection makes.
const CALLS: usize = 50;
/// What a process has open at most, with what is no connection.
const DESCRIPTORS: usize = IDLE + BUSY + 100;
/// What an idle connection may take at the server, in KiB.
const MOST_KIB: f64 = 12.0;
/// How long each part may take.
const TIMEOUT: Duration = Duration::from_secs(120);

struct Arguments {
    release: bool,
}

/// Runs `crowd` with the arguments that follow its name.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    task::run("crowd", USAGE, parse(args), execute)
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments { release: false };
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("release") => arguments.release = true,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

fn execute(arguments: Arguments) -> Result<ExitCode, String> {
    let binaries = build(arguments.release)?;
    let mut server = Process::start_with_stdin(&mut limited(&binaries.join("crowd_server"), &[]))?;
    server.until("listening on ", TIMEOUT)?;
    let target = server.output().lines().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let target = target.ok_or("the server does not say where it listens")?;

    // One connection brings what all of them share.
    let first = hold(&server, &binaries, &target, 1)?;
    let crowd = hold(&server, &binaries, &target, IDLE)?;
    let each = |first: f64, crowd: f64| (crowd - first) / (IDLE - 1) as f64;
    let (at_server, at_client) = (each(first.server_kib, crowd.server_kib), each(first.client_kib, crowd.client_kib));
    println!("{IDLE} idle connections: {at_server:.1} KiB each at the server, {at_client:.1} KiB at the client");
    println!(
        "{BUSY} busy connections beside them: {} of {} calls answered in {} ms, the slowest in {} ms",
        crowd.answered,
        BUSY * CALLS,
        crowd.millis,
        crowd.slowest_millis
    );
    println!("{} of {IDLE} idle connections are the same after that", crowd.same);
    server.end(TIMEOUT)?;
    let holds = crowd.answered == BUSY * CALLS && crowd.same == IDLE && at_server <= MOST_KIB;
    if !holds {
        eprintln!("all calls have to be answered, all connections to be kept, with {MOST_KIB} KiB at most for each");
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a crowd came to.
struct Crowd {
    /// What both sides had resident while it was idle.
    server_kib: f64,
    client_kib: f64,
    answered: usize,
    millis: usize,
    slowest_millis: usize,
    /// How many idle connections were the same at the end.
    same: usize,
}

/// Has a client with so many idle connections, and then with busy ones beside them.
fn hold(server: &Process, binaries: &Path, target: &str, idle: usize) -> Result<Crowd, String> {
    let [idle, busy, calls] = [idle, BUSY, CALLS].map(|number| number.to_string());
    let mut client = limited(&binaries.join("crowd_client"), &[target, &idle, &busy, &calls]);
    let mut client = Process::start_with_stdin(&mut client)?;
    client.until("idle\n", TIMEOUT)?;
    let (server_kib, client_kib) = (resident(server)?, resident(&client)?);
    client.tell("go on");
    let said = client.finish(TIMEOUT)?;
    let number = |name: &str| {
        let words: Vec<_> = said.split_whitespace().collect();
        let found = words.windows(2).find(|pair| pair.first() == Some(&name));
        let value = found.and_then(|pair| pair.get(1)).and_then(|value| value.parse().ok());
        value.ok_or_else(|| format!("{said}\nthe client does not say {name:?}"))
    };
    Ok(Crowd {
        server_kib,
        client_kib,
        answered: number("answered")?,
        millis: number("ms")?,
        slowest_millis: number("slowest_ms")?,
        same: number("same")?,
    })
}

/// A command with as many file descriptors as it needs.
fn limited(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\"")).arg(program).args(arguments);
    command
}

/// What a process has in memory, in KiB.
fn resident(process: &Process) -> Result<f64, String> {
    let path = format!("/proc/{}/status", process.id());
    let status = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.trim().parse().ok());
    kib.ok_or_else(|| format!("{path} has no VmRSS"))
}

/// Builds the programs; the folder that they are in.
fn build(release: bool) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot tell where xtask is: {error}"))?;
    let target = own.parent().and_then(Path::parent).ok_or("xtask is not in a target folder")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "--package",
        "callwright-tests",
        "--bin",
        "crowd_server",
        "--bin",
        "crowd_client",
    ]);
    command.arg("--target-dir").arg(target).current_dir(root);
    if release {
        command.arg("--release");
    }
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err("the programs do not build".to_owned());
    }
    Ok(target.join(if release { "release" } else { "debug" }))
}
