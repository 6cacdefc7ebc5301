//! grpc-go's interop client and server, its server with reflection for the command, its error details, an echo server for
//! rows of our client, and the descriptors of standard protos that it and genproto have, which ours must equal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Session;
use super::command;
use super::install;
use super::mtls;
use super::ours::{self, CASE_TIMEOUT};
use super::process::{self, Server};
use super::report::Direction;
use super::rows;
use super::tls::Certificates;

const PEER: &str = "grpc-go";
const VERSION: &str = "v1.85.0";

/// The plaintext cases of grpc-go's own script.
const CASES: [&str; 18] = [
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
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];
/// What its client has beside them, without cloud credentials.
const CLIENT_CASES: [&str; 1] = ["pick_first_unary"];
/// What its server can answer beside them: it has no compression, no names and no caching.
const SERVER_CASES: [&str; 4] = ["half_duplex", "slow_consumer", "concurrent_large_unary", "very_large_request"];

/// The comparisons of protos: of those that tests use, and of those that the runtime has.
const PROTOS: [(&str, &str); 2] = [("protos/testing", "tests/proto"), ("protos/standard", "runtime/proto")];
/// The package of the protos that tests use: there are others in their folder, which are our own.
const TESTING: &str = "grpc/testing";
/// Error details: the group of rows, and how many their client and ours have. Theirs takes the code out of the details, and
/// so cannot tell whether these are inconsistent.
const DETAILS: (&str, usize, usize) = ("status", 5, 8);
/// grpcio's rows of calls that wait, without those of its asyncio: the group, and how many there are.
const WAITING: (&str, usize) = ("wait_for_ready", 24);

pub(super) fn run(session: &mut Session) {
    let as_client = [&CASES[..], &CLIENT_CASES].concat();
    let as_server = [&CASES[..], &SERVER_CASES].concat();
    let groups = [WAITING].into_iter().chain(rows::CHANNEL_GROUPS);
    let groups: Vec<_> = groups.filter(|(group, _)| session.report.wants_group(group)).collect();
    let mut cases = as_client.iter().chain(&as_server).chain(&command::ROWS);
    if !cases.any(|case| session.report.wants(case))
        && !PROTOS.iter().any(|(case, _)| session.report.wants(case))
        && !session.report.wants_group(DETAILS.0)
        && !session.report.wants_group(mtls::GROUP)
        && !session.report.wants_group(rows::RESTARTS.0)
        && groups.is_empty()
    {
        return;
    }
    let folder = match install(&session.peers) {
        Ok(folder) => folder,
        Err(error) => return session.report.broken(PEER, &error),
    };
    for (case, protos) in PROTOS {
        if session.report.wants(case) {
            let result = compare_protos(&session.root, &folder, protos);
            session.report.note(PEER, Direction::OursAndTheirs, case, result);
        }
    }
    if session.report.wants_group(DETAILS.0) {
        run_details(session, &folder);
    }
    if session.report.wants_group(mtls::GROUP) {
        run_mtls(session, &folder);
    }
    if session.report.wants_group(rows::RESTARTS.0) {
        run_restarts(session, &folder);
    }
    if !groups.is_empty() {
        run_groups(session, &folder, &groups);
    }
    let certificates = match Certificates::make(&session.peers) {
        Ok(certificates) => certificates,
        Err(error) => return session.report.broken(PEER, &error),
    };
    for tls in [None, Some(&certificates)] {
        let flags = tls.map(Certificates::server_flags).unwrap_or_default();
        let mut ours = Command::new(session.binaries.join("interop_server"));
        ours.args(["--port=0", "--address=127.0.0.1"]).args(&flags);
        match Server::start_announced(&mut ours) {
            Ok(server) => run_client(session, &folder, &as_client, (server.port(), tls)),
            Err(error) => session.report.broken(PEER, &error),
        }
        let server = Server::start_on_free_port(|port| {
            let mut server = Command::new(folder.join("server"));
            server.arg(format!("--port={port}")).args(&flags);
            server
        });
        match server {
            Ok(server) => {
                ours::run_our_client(session, PEER, Direction::OursToTheirs, &as_server, (server.port(), tls));
            }
            Err(error) => session.report.broken(PEER, &error),
        }
    }
    if command::is_wanted(session) {
        match build(&session.root, &folder, "reflecting") {
            Ok(server) => command::run(session, PEER, Direction::CommandToTheirs, |port| {
                let mut command = Command::new(&server);
                command.arg(format!("--port={port}"));
                command
            }),
            Err(error) => session.report.broken(PEER, &error),
        }
    }
}

fn run_client(session: &mut Session, folder: &Path, cases: &[&str], (port, tls): (u16, Option<&Certificates>)) {
    for case in cases {
        if session.report.wants(case) {
            let mut client = Command::new(folder.join("client"));
            client.args(["--server_host=127.0.0.1", &format!("--server_port={port}"), &format!("--test_case={case}")]);
            client.args(tls.into_iter().flat_map(Certificates::client_flags));
            if tls.is_some() {
                // Without it the file is not looked at.
                client.arg("--use_test_ca=true");
            }
            if case.starts_with("orca_") {
                client.arg(ours::LOAD_BALANCER);
            }
            let result = process::run(&mut client, CASE_TIMEOUT).map(drop);
            session.report.note(PEER, Direction::TheirsToOurs, &ours::name(case, tls), result);
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

/// Error details: their client against our echo server, and our client against theirs.
fn run_details(session: &mut Session, folder: &Path) {
    let (group, theirs, ours) = DETAILS;
    let program = match build(&session.root, folder, "details") {
        Ok(program) => program,
        Err(error) => return session.report.broken(PEER, &error),
    };
    match Server::start_announced(&mut Command::new(session.binaries.join("echo_server"))) {
        Ok(server) => {
            let mut client = Command::new(&program);
            client.arg(format!("--client={}", server.port()));
            rows::add_case(&mut client, session.report.case());
            rows::run_group(session, PEER, Direction::TheirsToOurs, (group, theirs), &mut client);
        }
        Err(error) => session.report.broken(PEER, &error),
    }
    let mut client = rows::our_client(session, group);
    client.arg("--").arg(&program);
    rows::run_group(session, PEER, Direction::OursToTheirs, (group, ours), &mut client);
}

/// Certificates of clients: their client against our server, and our client against theirs.
fn run_mtls(session: &mut Session, folder: &Path) {
    let program = match build(&session.root, folder, mtls::GROUP) {
        Ok(program) => program,
        Err(error) => return session.report.broken(PEER, &error),
    };
    let (ours, mut our_client) = (mtls::our_server(session), mtls::our_client(session));
    mtls::run(session, PEER, Direction::TheirsToOurs, (ours, mtls::ALL), Command::new(&program));
    // Go tells the names of a certificate, and has no notion of which of them is the identity.
    our_client.arg("--auth_context=false");
    mtls::run(session, PEER, Direction::OursToTheirs, (|| Command::new(&program), mtls::ALL), our_client);
}

/// Their client under load, of our server that restarts gracefully again and again.
fn run_restarts(session: &mut Session, folder: &Path) {
    let program = match build(&session.root, folder, rows::RESTARTS.0) {
        Ok(program) => program,
        Err(error) => return session.report.broken(PEER, &error),
    };
    let start = |flags: &[&str]| Server::start_announced(Command::new(rows::restarting_server(session)).args(flags));
    // Those that hand their socket on go the more often, so that clients are met in every moment of a connection.
    match (start(&[]), start(&["--keep_socket", "--calls=50"])) {
        (Ok(server), Ok(kept)) => {
            let mut client = Command::new(&program);
            client.args([format!("--server={}", server.port()), format!("--kept={}", kept.port())]);
            rows::add_case(&mut client, session.report.case());
            rows::run_group(session, PEER, Direction::TheirsToOurs, rows::RESTARTS, &mut client);
        }
        (Err(error), _) | (_, Err(error)) => session.report.broken(PEER, &error),
    }
}

/// Groups of rows: our client against an echo server made with grpc-go.
fn run_groups(session: &mut Session, folder: &Path, groups: &[(&str, usize)]) {
    let program = match build(&session.root, folder, "echo") {
        Ok(program) => program,
        Err(error) => return session.report.broken(PEER, &error),
    };
    for group in groups {
        let mut client = rows::our_client(session, group.0);
        client.args(["--aio=false", "--"]).arg(&program);
        rows::run_group(session, PEER, Direction::OursToTheirs, *group, &mut client);
    }
}

/// Compares restated protos with those that grpc-go and genproto have, field by field, in a program of its own.
fn compare_protos(root: &Path, folder: &Path, protos: &str) -> Result<(), String> {
    let protos = root.join(protos);
    let restated = match protos.join(TESTING) {
        testing if testing.is_dir() => testing,
        _ => protos.clone(),
    };
    let files = files_below(&restated).map_err(|error| format!("cannot list {}: {error}", restated.display()))?;
    let generated = callwright_build::configure()
        .emit_rerun_if_changed(false)
        .generate(&files, &[protos])
        .map_err(|error| format!("{error:?}"))?;
    let set = folder.join("protos.binpb");
    fs::write(&set, generated.file_descriptor_set()).map_err(|error| format!("cannot write {set:?}: {error}"))?;
    let program = build(root, folder, ".")?;
    process::run(Command::new(program).arg(set), CASE_TIMEOUT).map(|said| print!("{said}"))
}

/// All files in a folder and those in it.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    Ok(files)
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
