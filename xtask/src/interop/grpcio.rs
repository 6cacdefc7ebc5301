//! grpcio, which is Python's face of gRPC's C core: the interop cases, and rows of its own tests, with our programs in
//! `tests/peers/grpcio`.
//!
//! A group of rows is one process, which prints `PASS name` or `FAIL name: why` for each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Session;
use super::command;
use super::install;
use super::mtls;
use super::ours;
use super::process::{self, Server};
use super::report::Direction;
use super::rows::{self, GROUP_TIMEOUT};
use super::tls::Certificates;

const PEER: &str = "grpcio";
/// The groups that run both ways.
const GROUPS: [Group; 3] = [
    Group { name: "wait_for_ready", program: "wait_for_ready", theirs: 36, ours: 36 },
    Group { name: "compression", program: "compression", theirs: 74, ours: 74 },
    // One more here: their server sends details with a success, ours has no way to.
    Group { name: "status", program: "status_details", theirs: 7, ours: 8 },
];
/// The groups in which their clients of standard services call our interop server.
const COMPANION_GROUPS: [(&str, &str, usize); 3] =
    [("channelz", "channelz", 13), ("health", "health", 12), ("reflection", "reflection_client", 13)];
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
/// Those of them that read the flag bytes between both, which cannot be done over TLS.
const CLEAR_CASES: [&str; 2] = ["server_compressed_unary", "server_compressed_streaming"];
/// What its server cannot answer of ours: a handler sees no flag bytes, so that it cannot refuse a probe; and our program with
/// it neither tells the client's address nor limits streams.
/// Its server reports no load either: grpcio has no API for that.
const NO_SERVER_CASES: [&str; 5] =
    ["client_compressed_unary", "client_compressed_streaming", "orca_per_rpc", "orca_oob", ours::SCALING];

/// Rows with their client, and rows with ours.
#[derive(Clone, Copy)]
struct Group {
    name: &'static str,
    /// Of their client.
    program: &'static str,
    /// How many rows their client has.
    theirs: usize,
    /// How many rows ours has.
    ours: usize,
}

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
    let groups: Vec<_> = GROUPS.into_iter().filter(|group| session.report.wants_group(group.name)).collect();
    let channel_groups: Vec<_> =
        rows::CHANNEL_GROUPS.into_iter().filter(|(group, _)| session.report.wants_group(group)).collect();
    let command_groups: Vec<_> =
        COMMAND_GROUPS.into_iter().filter(|(group, ..)| session.report.wants_group(group)).collect();
    let companions: Vec<_> =
        COMPANION_GROUPS.into_iter().filter(|(group, ..)| session.report.wants_group(group)).collect();
    let command_wanted = command::is_wanted(session) || !command_groups.is_empty();
    let restarts = session.report.wants_group(rows::RESTARTS.0);
    if groups.is_empty()
        && !restarts
        && channel_groups.is_empty()
        && companions.is_empty()
        && !command_wanted
        && !session.report.wants_group(mtls::GROUP)
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
        run_client_over_tls(session, &python);
    }
    for Group { name, program, theirs, .. } in &groups {
        let server = session.binaries.join("echo_server");
        run_program(session, &python, Direction::TheirsToOurs, (name, program, *theirs), &server);
    }
    if restarts {
        let server = rows::restarting_server(session);
        let (group, count) = rows::RESTARTS;
        run_program(session, &python, Direction::TheirsToOurs, (group, group, count), &server);
    }
    for group in companions {
        let server = session.binaries.join("interop_server");
        run_program(session, &python, Direction::TheirsToOurs, group, &server);
    }
    if wants_cases(session, &server_cases) {
        let certificates = match Certificates::make(&session.peers) {
            Ok(certificates) => certificates,
            Err(error) => return session.report.broken(PEER, &error),
        };
        for tls in [None, Some(&certificates)] {
            let mut server = python.program("interop_server");
            server.args(tls.into_iter().flat_map(Certificates::server_flags));
            match Server::start_announced(&mut server) {
                Ok(running) => {
                    let server = (running.port(), tls);
                    ours::run_our_client(session, PEER, Direction::OursToTheirs, &server_cases, server);
                }
                Err(error) => session.report.broken(PEER, &error),
            }
        }
    }
    if session.report.wants_group(mtls::GROUP) {
        let (ours, our_client) = (mtls::our_server(session), mtls::our_client(session));
        mtls::run(session, PEER, Direction::TheirsToOurs, (ours, mtls::ALL), python.program("mtls"));
        let theirs = || python.program("mtls_server");
        mtls::run(session, PEER, Direction::OursToTheirs, (theirs, mtls::NOT_OPTIONAL), our_client);
    }
    command::run(session, PEER, Direction::CommandToTheirs, |port| {
        let mut server = python.program("interop_server");
        server.arg(format!("--port={port}"));
        server
    });
    for group in command_groups {
        let binary = session.binaries.join("callwright");
        run_program(session, &python, Direction::CommandToTheirs, group, &binary);
    }
    for group in groups.iter().map(|group| (group.name, group.ours)).chain(channel_groups) {
        let mut client = rows::our_client(session, group.0);
        client.arg("--").arg(&python.interpreter).arg(python.programs.join("echo_server.py"));
        python.set_environment(&mut client);
        rows::run_group(session, PEER, Direction::OursToTheirs, group, &mut client);
    }
}

/// Runs their client's interop cases over TLS, as far as it has them there.
fn run_client_over_tls(session: &mut Session, python: &Python) {
    if session.report.case().is_some_and(|case| CLEAR_CASES.contains(&case)) {
        return;
    }
    let certificates = match Certificates::make(&session.peers) {
        Ok(certificates) => certificates,
        Err(error) => return session.report.broken(PEER, &error),
    };
    let mut client = python.program("interop_client");
    rows::add_case(&mut client, session.report.case());
    client.args(certificates.client_flags()).arg("--").arg(session.binaries.join("interop_server"));
    client.args(certificates.server_flags());
    let group = ("interop_client over TLS", CLIENT_CASES.len() - CLEAR_CASES.len());
    rows::run_group(session, PEER, Direction::TheirsToOurs, group, &mut client);
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
    rows::add_case(&mut program, session.report.case());
    program.arg(ours);
    rows::run_group(session, PEER, direction, (group, rows), &mut program);
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
