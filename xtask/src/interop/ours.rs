//! Our client and our command against our server, and our client against any other: every case that it has.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Session;
use super::command;
use super::mtls;
use super::process::{self, Server};
use super::report::Direction;
use super::tls::Certificates;

/// How long one case may take.
pub(super) const CASE_TIMEOUT: Duration = Duration::from_secs(30);

/// It needs a server that allows no more than two calls on a connection.
pub(super) const SCALING: &str = "max_concurrent_streams_connection_scaling";
/// With this its client may have a second connection.
const SCALES: &str = r#"--service_config_json={"connectionScaling":{"maxConnectionsPerSubchannel":2}}"#;

/// By this balancer clients get at load reports.
pub(super) const LOAD_BALANCER: &str =
    r#"--service_config_json={"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

pub(super) fn run(session: &mut Session) {
    let binary = session.binaries.join("interop_server");
    command::run(session, "ours", Direction::CommandToOurs, |port| server_on(&binary, port));
    if session.report.wants_group(mtls::GROUP) {
        let (server, client) = (mtls::our_server(session), mtls::our_client(session));
        mtls::run(session, "ours", Direction::OursToOurs, (server, mtls::ALL), client);
    }
    let cases = match cases(&session.binaries) {
        Ok(cases) => cases,
        Err(error) => return session.report.broken("ours", &error),
    };
    let cases: Vec<_> = cases.lines().collect();
    if !cases.iter().any(|case| session.report.wants(case)) {
        return;
    }
    let certificates = match Certificates::make(&session.peers) {
        Ok(certificates) => certificates,
        Err(error) => return session.report.broken("ours", &error),
    };
    for tls in [None, Some(&certificates)] {
        let (scaling, others): (Vec<_>, Vec<_>) = cases.iter().copied().partition(|case| *case == SCALING);
        for (cases, limit) in [(others, None), (scaling, Some("--max_concurrent_streams_limit=2"))] {
            let mut server = server_on(&binary, 0);
            server.args(limit).args(tls.into_iter().flat_map(Certificates::server_flags));
            match Server::start_announced(&mut server) {
                Ok(server) => run_our_client(session, "ours", Direction::OursToOurs, &cases, (server.port(), tls)),
                Err(error) => session.report.broken("ours", &error),
            }
        }
    }
}

/// The names of all cases, one a line.
pub(super) fn cases(binaries: &Path) -> Result<String, String> {
    process::run(Command::new(binaries.join("interop_client")).arg("--list_cases"), CASE_TIMEOUT)
}

/// Our interop server, started.
pub(super) fn server(binaries: &Path) -> Result<Server, String> {
    Server::start_announced(&mut server_on(&binaries.join("interop_server"), 0))
}

fn server_on(binary: &Path, port: u16) -> Command {
    let mut server = Command::new(binary);
    server.args([&format!("--port={port}"), "--address=127.0.0.1"]);
    server
}

/// Our interop client, case by case, against the server on a port, with TLS where there are certificates.
pub(super) fn run_our_client(
    session: &mut Session,
    peer: &str,
    direction: Direction,
    cases: &[&str],
    (port, tls): (u16, Option<&Certificates>),
) {
    for case in cases {
        if session.report.wants(case) {
            let mut client = Command::new(session.binaries.join("interop_client"));
            client.args(["--server_host=127.0.0.1", &format!("--server_port={port}"), &format!("--test_case={case}")]);
            client.args(tls.into_iter().flat_map(Certificates::client_flags));
            if *case == SCALING {
                client.arg(SCALES);
            }
            if case.starts_with("orca_") {
                client.arg(LOAD_BALANCER);
            }
            let result = process::run(&mut client, CASE_TIMEOUT).map(drop);
            session.report.note(peer, direction, &name(case, tls), result);
        }
    }
}

/// What a case is called in the report.
pub(super) fn name(case: &str, tls: Option<&Certificates>) -> String {
    if tls.is_some() { format!("{case} over TLS") } else { case.to_owned() }
}
