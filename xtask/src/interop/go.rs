//! grpc-go's interop client and server, its server with reflection for the command, and its own descriptors of the test protos, which ours must equal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Session;
use super::command;
use super::install;
use super::ours::{self, CASE_TIMEOUT};
use super::process::{self, Server};
use super::report::Direction;

const PEER: &str = "grpc-go";
const VERSION: &str = "v1.85.0";

/// The plaintext cases of grpc-go's own script, without load reports and soaks.
const CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];
/// What its client has beside them, without cloud credentials.
const CLIENT_CASES: [&str; 1] = ["pick_first_unary"];
/// What its server can answer beside them: it has no compression, no names and no caching.
const SERVER_CASES: [&str; 4] = ["half_duplex", "slow_consumer", "concurrent_large_unary", "very_large_request"];

/// The comparison of the protos.
const PROTOS: &str = "protos";

pub(super) fn run(session: &mut Session) {
    let as_client = [&CASES[..], &CLIENT_CASES].concat();
    let as_server = [&CASES[..], &SERVER_CASES].concat();
    let cases = as_client.iter().chain(&as_server).chain(&command::ROWS);
    if !cases.chain(&[PROTOS]).any(|case| session.report.wants(case)) {
        return;
    }
    let folder = match install(&session.peers) {
        Ok(folder) => folder,
        Err(error) => return session.report.broken(PEER, &error),
    };
    if session.report.wants(PROTOS) {
        let result = compare_protos(&session.root, &folder);
        session.report.note(PEER, Direction::OursAndTheirs, PROTOS, result);
    }
    match ours::server(&session.binaries) {
        Ok(server) => run_client(session, &folder, &as_client, server.port()),
        Err(error) => session.report.broken(PEER, &error),
    }
    let server = Server::start_on_free_port(|port| {
        let mut server = Command::new(folder.join("server"));
        server.arg(format!("--port={port}"));
        server
    });
    match server {
        Ok(server) => ours::run_our_client(session, PEER, Direction::OursToTheirs, &as_server, server.port()),
        Err(error) => session.report.broken(PEER, &error),
    }
    if command::is_wanted(session) {
        match build(&session.root, &folder, "reflecting") {
            Ok(server) => command::run(session, PEER, |port| {
                let mut command = Command::new(&server);
                command.arg(format!("--port={port}"));
                command
            }),
            Err(error) => session.report.broken(PEER, &error),
        }
    }
}

fn run_client(session: &mut Session, folder: &Path, cases: &[&str], port: u16) {
    for case in cases {
        if session.report.wants(case) {
            let mut client = Command::new(folder.join("client"));
            client.args(["--server_host=127.0.0.1", &format!("--server_port={port}"), &format!("--test_case={case}")]);
            let result = process::run(&mut client, CASE_TIMEOUT).map(drop);
            session.report.note(PEER, Direction::TheirsToOurs, case, result);
        }
    }
}

fn install(peers: &Path) -> Result<PathBuf, String> {
    let folder = peers.join(format!("grpc-go-{VERSION}"));
    if install::is_done(&folder, VERSION) {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let packages = ["client", "server"].map(|name| format!("google.golang.org/grpc/interop/{name}@{VERSION}"));
    install::step(&format!("installing grpc-go {VERSION}"), || {
        let mut go = Command::new("go");
        go.arg("install").args(&packages).env("GOBIN", &folder).current_dir(&folder);
        go
    })?;
    install::done(&folder, VERSION)?;
    Ok(folder)
}

/// Compares our restated protos with those in grpc-go, field by field, in a program of its own.
fn compare_protos(root: &Path, folder: &Path) -> Result<(), String> {
    let protos = root.join("tests/proto");
    let generated = callwright_build::configure()
        .emit_rerun_if_changed(false)
        .generate(&[protos.join("grpc/testing/test.proto")], &[protos])
        .map_err(|error| format!("{error:?}"))?;
    let set = folder.join("protos.binpb");
    fs::write(&set, generated.file_descriptor_set()).map_err(|error| format!("cannot write {set:?}: {error}"))?;
    let program = build(root, folder, ".")?;
    process::run(Command::new(program).arg(set), CASE_TIMEOUT).map(drop)
}

/// Builds a program of ours that is made with grpc-go: its package is a folder of `tests/peers/grpc-go`.
fn build(root: &Path, folder: &Path, package: &str) -> Result<PathBuf, String> {
    let name = if package == "." { "protos" } else { package };
    let program = folder.join(name);
    install::step(&format!("building {name} with grpc-go"), || {
        let mut go = Command::new("go");
        go.args(["build", "-buildvcs=false", "-o"])
            .arg(&program)
            .arg(format!("./{package}"))
            .current_dir(root.join("tests/peers/grpc-go"));
        go
    })?;
    Ok(program)
}
