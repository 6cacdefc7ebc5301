//! grpcio, which is Python's face of gRPC's C core: the interop cases, and rows of its own tests, with our programs in
//! `tests/peers/grpcio`.
//!
//! A group of rows is one process, which prints `PASS name` or `FAIL name: why` for each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Session;
use super::command;
use super::install;
use super::ours;
use super::process::{self, Server};
use super::report::Direction;

const PEER: &str = "grpcio";
/// How long a whole group may take; each call in it has a limit of its own.
const GROUP_TIMEOUT: Duration = Duration::from_secs(180);
/// The groups: their names, and how many rows each has.
const GROUPS: [(&str, usize); 2] = [("wait_for_ready", 36), ("compression", 74)];
/// The groups in which the command calls their server.
const COMMAND_GROUPS: [(&str, &str, usize); 2] = [("json", "json_mapping", 48), ("editions", "editions", 3)];

/// What its client has of the interop cases: it cannot send one message of a stream plain.
const CLIENT_CASES: [&str; 22] = [
    "empty_unary",
    "large_unary",
    "cacheable_unary",
    "pick_first_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "half_duplex",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "client_compressed_unary",
    "server_compressed_unary",
    "server_compressed_streaming",
    "concurrent_large_unary",
    "very_large_request",
];
/// What its server cannot answer of ours: a handler sees no flag bytes, so that it cannot refuse a probe.
const NO_SERVER_CASES: [&str; 2] = ["client_compressed_unary", "client_compressed_streaming"];

/// A Python that has grpcio, and the stubs made for it.
struct Python {
    interpreter: PathBuf,
    stubs: PathBuf,
    programs: PathBuf,
}

pub(super) fn run(session: &mut Session) {
    let our_cases = match ours::cases(&session.binaries) {
        Ok(cases) => cases,
        Err(error) => return session.report.broken(PEER, &error),
    };
    let server_cases: Vec<_> = our_cases.lines().filter(|case| !NO_SERVER_CASES.contains(case)).collect();
    let wants_cases = |session: &Session, cases: &[&str]| cases.iter().any(|case| session.report.wants(case));
    let groups: Vec<_> = GROUPS.into_iter().filter(|(group, _)| session.report.wants_group(group)).collect();
    let command_groups: Vec<_> =
        COMMAND_GROUPS.into_iter().filter(|(group, ..)| session.report.wants_group(group)).collect();
    let command_wanted = command::is_wanted(session) || !command_groups.is_empty();
    if groups.is_empty()
        && !command_wanted
        && !wants_cases(session, &CLIENT_CASES)
        && !wants_cases(session, &server_cases)
    {
        return;
    }
    let python = match Python::install(&session.root, &session.peers) {
        Ok(python) => python,
        Err(error) => return session.report.broken(PEER, &error),
    };
    if wants_cases(session, &CLIENT_CASES) {
        let server = session.binaries.join("interop_server");
        run_program(
            session,
            &python,
            Direction::TheirsToOurs,
            ("interop_client", "interop_client", CLIENT_CASES.len()),
            &server,
        );
    }
    for (group, rows) in &groups {
        let server = session.binaries.join("echo_server");
        run_program(session, &python, Direction::TheirsToOurs, (group, group, *rows), &server);
    }
    if wants_cases(session, &server_cases) {
        match Server::start_announced(&mut python.program("interop_server")) {
            Ok(server) => ours::run_our_client(session, PEER, Direction::OursToTheirs, &server_cases, server.port()),
            Err(error) => session.report.broken(PEER, &error),
        }
    }
    command::run(session, PEER, |port| {
        let mut server = python.program("interop_server");
        server.arg(format!("--port={port}"));
        server
    });
    for group in command_groups {
        let binary = session.binaries.join("callwright");
        run_program(session, &python, Direction::CommandToTheirs, group, &binary);
    }
    for (group, rows) in &groups {
        let mut client = Command::new(session.binaries.join("echo_client"));
        client.arg(format!("--group={group}"));
        add_case(&mut client, session.report.case());
        client.arg("--").arg(&python.interpreter).arg(python.programs.join("echo_server.py"));
        python.set_environment(&mut client);
        run_group(session, Direction::OursToTheirs, group, *rows, &mut client);
    }
}

/// Runs a program of theirs against a program of ours; `group` is its name, the program's, and how many rows it has.
fn run_program(
    session: &mut Session,
    python: &Python,
    direction: Direction,
    (group, program, rows): (&str, &str, usize),
    ours: &Path,
) {
    let mut program = python.program(program);
    add_case(&mut program, session.report.case());
    program.arg(ours);
    run_group(session, direction, group, rows, &mut program);
}

fn add_case(command: &mut Command, case: Option<&str>) {
    if let Some(case) = case {
        command.arg(format!("--case={case}"));
    }
}

/// Runs a group, and notes each of its rows.
fn run_group(session: &mut Session, direction: Direction, group: &str, rows: usize, command: &mut Command) {
    let result = process::run(command, GROUP_TIMEOUT);
    let (Ok(output) | Err(output)) = &result;
    let (mut passed, mut failed) = (0, 0);
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("PASS ") {
            session.report.note(PEER, direction, name, Ok(()));
            passed += 1;
        } else if let Some((name, why)) = line.strip_prefix("FAIL ").and_then(|rest| rest.split_once(": ")) {
            session.report.note(PEER, direction, name, Err(why.to_owned()));
            failed += 1;
        }
    }
    // A program that ends before its last row, or fails without saying where, must not pass.
    let complete = if session.report.case().is_some() { passed + failed > 0 } else { passed + failed == rows };
    if !complete || (result.is_err() && failed == 0) {
        let why = format!("{output}\n{} of {rows} rows of {group} were run", passed + failed);
        session.report.note(PEER, direction, group, Err(why));
    }
}

impl Python {
    /// A virtual environment with the pinned packages, and stubs of our protos.
    fn install(root: &Path, peers: &Path) -> Result<Python, String> {
        let programs = root.join("tests/peers/grpcio");
        let requirements = programs.join("requirements.txt");
        let pins = fs::read_to_string(&requirements)
            .map_err(|error| format!("cannot read {}: {error}", requirements.display()))?;
        let folder = peers.join("grpcio");
        let python = Python { interpreter: folder.join("bin/python"), stubs: folder.join("stubs"), programs };
        if !install::is_done(&folder, &pins) {
            install::step("making a virtual environment for grpcio", || {
                let mut venv = Command::new("python3");
                venv.args(["-m", "venv", "--clear"]).arg(&folder);
                venv
            })?;
            install::step("installing grpcio", || {
                let mut pip = Command::new(&python.interpreter);
                pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--requirement"])
                    .arg(&requirements);
                pip
            })?;
            install::done(&folder, &pins)?;
        }
        python.generate(root)?;
        Ok(python)
    }

    fn generate(&self, root: &Path) -> Result<(), String> {
        fs::create_dir_all(&self.stubs).map_err(|error| format!("cannot make {}: {error}", self.stubs.display()))?;
        let mut protoc = Command::new(&self.interpreter);
        protoc.args(["-m", "grpc_tools.protoc", "--proto_path=tests/proto", "--proto_path=tests/peers/grpcio/proto"]);
        protoc.args(["callwright/tests/echo.proto", "everything.proto", "edition.proto"]);
        protoc.args(["empty", "messages", "test"].map(|file| format!("grpc/testing/{file}.proto")));
        for option in ["--python_out", "--grpc_python_out"] {
            protoc.arg(format!("{option}={}", self.stubs.display()));
        }
        process::run(protoc.current_dir(root), GROUP_TIMEOUT).map(drop)
    }

    /// One of our programs in Python.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg(self.programs.join(format!("{name}.py")));
        self.set_environment(&mut command);
        command
    }

    fn set_environment(&self, command: &mut Command) {
        command.env("PYTHONPATH", &self.stubs).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    }
}
