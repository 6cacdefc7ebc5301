//! Certificates of clients, both ways: one that is good, one without further names, one by an authority that the server does
//! not know, and none, against servers that demand one, that ask for one, and that do not ask.
//!
//! Handlers tell whom they saw, so that a client can check it. Every program takes the same flags, in any language.

use std::process::Command;

use super::Session;
use super::process::Server;
use super::report::Direction;
use super::rows;
use super::tls::{self, Certificates};

/// The group of the rows.
pub(super) const GROUP: &str = "mtls";

/// What a server asks of its clients, as its flag says it, and how many rows a client has for that.
const REQUIRE: (&str, usize) = ("require", 4);
const REQUEST: (&str, usize) = ("request", 4);
const NONE: (&str, usize) = ("none", 1);
/// All that a server can ask.
pub(super) const ALL: &[(&str, usize)] = &[REQUIRE, REQUEST, NONE];
/// What grpcio's server can: it has no API for certificates that are optional.
pub(super) const NOT_OPTIONAL: &[(&str, usize)] = &[REQUIRE, NONE];

/// What clients are called by, beside the common name.
const NAMES: &str = "subjectAltName=DNS:me.example,URI:spiffe://example/me\n";
const NO_NAMES: &str = "keyUsage=digitalSignature\n";

/// Runs the rows of a client against servers that ask each of this; `server` and `client` are without those flags.
pub(super) fn run(
    session: &mut Session,
    peer: &str,
    direction: Direction,
    (server, asked): (impl Fn() -> Command, &[(&str, usize)]),
    mut client: Command,
) {
    let certificates = match make(session) {
        Ok(certificates) => certificates,
        Err(error) => return session.report.broken(peer, &error),
    };
    let folder = format!("--certificates={}", certificates.folder().display());
    // They run as long as the client does.
    let mut servers = Vec::new();
    let mut count = 0;
    for (asks, rows) in asked {
        match Server::start_announced(server().args([&folder, &format!("--client_certificates={asks}")])) {
            Ok(server) => {
                client.arg(format!("--{asks}={}", server.port()));
                servers.push(server);
                count += rows;
            }
            Err(error) => return session.report.broken(peer, &error),
        }
    }
    client.arg(folder);
    rows::add_case(&mut client, session.report.case());
    rows::run_group(session, peer, direction, (GROUP, count), &mut client);
}

/// Our server.
pub(super) fn our_server(session: &Session) -> impl Fn() -> Command + use<> {
    let program = session.binaries.join("mtls_server");
    move || Command::new(&program)
}

/// Our client.
pub(super) fn our_client(session: &Session) -> Command {
    Command::new(session.binaries.join("mtls_client"))
}

/// The server's certificate as the other cases have it, and those of clients: `client`, `plain` and `stranger`, of which the
/// authority `clients` has signed the first two.
fn make(session: &Session) -> Result<Certificates, String> {
    let certificates = Certificates::make(&session.peers)?;
    let folder = certificates.folder();
    tls::make_authority(folder, "clients", "/CN=interop clients")?;
    tls::make_authority(folder, "strangers", "/CN=strangers")?;
    tls::make_certificate(folder, "client", "/CN=me", ("clients", NAMES))?;
    tls::make_certificate(folder, "plain", "/CN=plain me", ("clients", NO_NAMES))?;
    tls::make_certificate(folder, "stranger", "/CN=me", ("strangers", NAMES))?;
    Ok(certificates)
}
