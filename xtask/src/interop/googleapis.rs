//! googleapis' pubsub.proto, a file of the size and with the imports that people have, through both doors: the macros in a
//! crate of a user's own, and the command `callwright`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Session;
use super::command::{check, command};
use super::install;
use super::ours::CASE_TIMEOUT;
use super::process::{self, Process, Server};
use super::report::Direction;

const PEER: &str = "googleapis";
/// The package of the registry that holds the protos.
const PACKAGE: &str = "google-proto-files@6.0.1";
const PROTO: &str = "google/pubsub/v1/pubsub.proto";
/// How long the crate may take: all of callwright is built for it.
const BUILD_TIMEOUT: Duration = Duration::from_secs(500);

/// What only looks at the file: the arguments of the command, and what it says of them.
const LOOKS: [(&str, &[&str], &str); 4] = [
    (
        "pubsub/list",
        &["list"],
        "google.pubsub.v1.Publisher\ngoogle.pubsub.v1.SchemaService\ngoogle.pubsub.v1.Subscriber\n",
    ),
    ("pubsub/list_methods", &["list", "google.pubsub.v1.Publisher"], "\ngoogle.pubsub.v1.Publisher/Publish\n"),
    (
        "pubsub/describe_service",
        &["describe", "google.pubsub.v1.Publisher"],
        "  rpc Publish(google.pubsub.v1.PublishRequest) returns (google.pubsub.v1.PublishResponse);\n",
    ),
    (
        "pubsub/describe_message",
        &["describe", "google.pubsub.v1.PubsubMessage"],
        "  map<string, string> attributes = 2;\n  string message_id = 3;\n  google.protobuf.Timestamp publish_time = 4;\n",
    ),
];
/// The crate, and calls to its two servers.
const MACROS: &str = "pubsub/macros";
const CALLS: [(&str, Option<&str>); 2] = [("pubsub/call_generated", None), ("pubsub/call_dynamic", Some("--dynamic"))];

pub(super) fn run(session: &mut Session) {
    let looks: Vec<_> = LOOKS.into_iter().filter(|(row, ..)| session.report.wants(row)).collect();
    let calls: Vec<_> = CALLS.into_iter().filter(|(row, _)| session.report.wants(row)).collect();
    let builds = session.report.wants(MACROS) || !calls.is_empty();
    if looks.is_empty() && !builds {
        return;
    }
    let protos = match install(&session.peers) {
        Ok(protos) => protos,
        Err(error) => return session.report.broken(PEER, &error),
    };
    let folder = protos.to_string_lossy().into_owned();
    for (row, arguments, part) in looks {
        let arguments = [arguments, &["--proto", PROTO, "-I", &folder]].concat();
        let result = Process::start(&mut command(session, 0, &arguments))
            .and_then(|process| process.end(CASE_TIMEOUT))
            .and_then(|ended| check(&ended, 0, |ended| ended.stdout.contains(part)));
        session.report.note(PEER, Direction::OursAndTheirs, row, result);
    }
    if !builds {
        return;
    }
    let user = match build_crate(session, &protos) {
        Ok(user) => user,
        Err(error) => return session.report.note(PEER, Direction::OursToOurs, MACROS, Err(error)),
    };
    if session.report.wants(MACROS) {
        // It listens once its stub and its servicer have talked.
        let result = Server::start_announced(&mut Command::new(&user)).map(drop);
        session.report.note(PEER, Direction::OursToOurs, MACROS, result);
    }
    for (row, flag) in calls {
        let result = Server::start_announced(Command::new(&user).args(flag))
            .and_then(|server| calls_pubsub(session, server.port(), &folder));
        session.report.note(PEER, Direction::CommandToOurs, row, result);
    }
}

/// A topic with a bit of everything comes back as it went, and messages are published.
fn calls_pubsub(session: &Session, port: u16, folder: &str) -> Result<(), String> {
    let call = |method: &str, data: &str, printed: &str| {
        let path = format!("google.pubsub.v1.Publisher/{method}");
        let arguments = ["call", "TARGET", &path, "--proto", PROTO, "-I", folder, "-d", data];
        let ended = Process::start(&mut command(session, port, &arguments))?.end(CASE_TIMEOUT)?;
        check(&ended, 0, |ended| ended.stdout.trim_end() == printed)
    };
    let topic =
        r#"{"name":"projects/p/topics/t","labels":{"a":"b"},"messageRetentionDuration":"600s","state":"ACTIVE"}"#;
    call("CreateTopic", topic, topic)?;
    let messages = r#"{"topic": "t", "messages": [{"data": "AAAA", "message_id": "1"}, {"messageId": "2",
        "publishTime": "2026-11-23T10:00:00.5Z"}]}"#;
    call("Publish", messages, r#"{"messageIds":["1","2"]}"#)
}

/// The folder of the protos, out of the registry.
fn install(peers: &Path) -> Result<PathBuf, String> {
    let folder = peers.join(PEER);
    if !install::is_done(&folder, PACKAGE) {
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        install::step(&format!("installing {PACKAGE}"), || {
            let mut npm = Command::new("npm");
            npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix"])
                .arg(&folder)
                .arg(PACKAGE);
            npm
        })?;
        install::done(&folder, PACKAGE)?;
    }
    Ok(folder.join("node_modules/google-proto-files"))
}

/// A crate outside of this workspace, built with the versions that this one has; gives its program.
fn build_crate(session: &Session, protos: &Path) -> Result<PathBuf, String> {
    let folder = session.peers.join(PEER).join("crate");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(folder.join("src")).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    write(
        "Cargo.toml",
        format!(
            "[package]\nname = \"pubsub-user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             callwright = {{ path = {:?}, features = [\"macros\", \"dynamic\"] }}\n\
             tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\n\n[workspace]\n",
            session.root.join("runtime")
        ),
    )?;
    let read = |path: PathBuf| fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()));
    write("Cargo.lock", read(session.root.join("Cargo.lock"))?)?;
    let main = read(session.root.join("tests/peers/googleapis/main.rs"))?;
    write("src/main.rs", main.replace("PUBSUB_INCLUDE", &protos.to_string_lossy()))?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the registry has is here already, since this workspace was built with it.
    cargo.args(["build", "--quiet", "--offline", "--target-dir"]).arg(folder.join("target")).current_dir(&folder);
    process::run(cargo.env_remove("PROTOC"), BUILD_TIMEOUT)?;
    Ok(folder.join("target/debug/pubsub-user"))
}
