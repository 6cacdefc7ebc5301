//! Groups of rows: programs that print `PASS name` or `FAIL name: why` for each.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Session;
use super::process;
use super::report::Direction;

/// How long a whole group may take; each call in it has a limit of its own.
pub(super) const GROUP_TIMEOUT: Duration = Duration::from_secs(180);

/// Groups of what our channels do by themselves: what calls meet in each state of theirs, when they connect again, calls that
/// are made again, signs of life that come too often. Any peer's echo server will do, and how many rows there are.
pub(super) const CHANNEL_GROUPS: [(&str, usize); 4] =
    [("channel_states", 45), ("backoff", 2), ("retries", 9), ("pings", 3)];

/// Clients under load, of our server that restarts gracefully again and again: the group, and how many rows each has.
pub(super) const RESTARTS: (&str, usize) = ("restarts", 4);

/// Our server that restarts again and again.
pub(super) fn restarting_server(session: &Session) -> PathBuf {
    session.binaries.join("restarting_server")
}

/// Our client in a group, which is to be told the command of a server.
pub(super) fn our_client(session: &Session, group: &str) -> Command {
    let mut client = Command::new(session.binaries.join("echo_client"));
    client.arg(format!("--group={group}"));
    add_case(&mut client, session.report.case());
    client
}

/// Runs a group, which has this name and so many rows, and notes each.
pub(super) fn run_group(
    session: &mut Session,
    peer: &str,
    direction: Direction,
    (group, rows): (&str, usize),
    command: &mut Command,
) {
    let result = process::run(command, GROUP_TIMEOUT);
    let (Ok(output) | Err(output)) = &result;
    let (mut passed, mut failed) = (0, 0);
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("PASS ") {
            session.report.note(peer, direction, name, Ok(()));
            passed += 1;
        } else if let Some((name, why)) = line.strip_prefix("FAIL ").and_then(|rest| rest.split_once(": ")) {
            session.report.note(peer, direction, name, Err(why.to_owned()));
            failed += 1;
        }
    }
    // A program that ends before its last row, or fails without saying where, must not pass.
    let complete = if session.report.case().is_some() { passed + failed > 0 } else { passed + failed == rows };
    if !complete || (result.is_err() && failed == 0) {
        let why = format!("{output}\n{} of {rows} rows of {group} were run", passed + failed);
        session.report.note(peer, direction, group, Err(why));
    }
}

/// Tells the program what `--case` asked for.
pub(super) fn add_case(command: &mut Command, case: Option<&str>) {
    if let Some(case) = case {
        command.arg(format!("--case={case}"));
    }
}
