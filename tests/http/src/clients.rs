//! Clients of gRPC-Web that others have written, run by Node: grpc-web itself, and connect-web.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use callwright::grpc_web::GrpcWeb;
use tokio::process::Command;

use crate::Failure;
use crate::report::{ROW_TIMEOUT, Report};
use crate::servers;
use crate::service::server;

/// A client: its name, its script, and the rows that the script tells of.
struct Client {
    name: &'static str,
    script: &'static str,
    rows: &'static [&'static str],
}

const CLIENTS: [Client; 2] = [
    Client {
        name: "grpc-web",
        script: "grpc_web.cjs",
        rows: &[
            "text/unary",
            "text/status_without_messages",
            "text/streaming",
            "text/status_behind_messages",
            "binary/unary",
            "binary/status_without_messages",
            "binary/streaming",
            "binary/status_behind_messages",
        ],
    },
    Client {
        name: "connect-web",
        script: "connect.mjs",
        rows: &["unary", "streaming", "status_without_messages", "status_behind_messages", "deadline"],
    },
];

/// The scripts: they find what they need where they are.
const SCRIPTS: [(&str, &str); 3] = [
    ("grpc_web.cjs", include_str!("clients/grpc_web.cjs")),
    ("connect.mjs", include_str!("clients/connect.mjs")),
    ("report.cjs", include_str!("clients/report.cjs")),
];

/// Runs them in the folder where they are installed.
pub(crate) async fn run(report: &mut Report, folder: &Path) -> Result<(), Failure> {
    for (name, content) in SCRIPTS {
        fs::write(folder.join(name), content).map_err(|error| format!("cannot write {name}: {error}"))?;
    }
    for client in CLIENTS {
        let notes = Arc::default();
        let service = server(&notes).into_http_service()?.grpc_web(GrpcWeb::new());
        let running = servers::axum_web(service).await?;
        let url = format!("http://{}", running.address);
        let mut node = Command::new("node");
        node.arg(client.script).arg(url).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
        let said = match tokio::time::timeout(ROW_TIMEOUT, node.output()).await {
            Ok(Ok(output)) => text(&output),
            Ok(Err(error)) => format!("cannot run node: {error}"),
            Err(_) => format!("no end after {ROW_TIMEOUT:?}"),
        };
        for row in client.rows {
            report.note(&format!("{}/{row}", client.name), result(row, &said));
        }
    }
    Ok(())
}

/// What a row came to.
fn result(row: &str, said: &str) -> Result<(), String> {
    let passed = format!("PASS {row}");
    let failed = format!("FAIL {row} ");
    match said.lines().find(|line| *line == passed || line.starts_with(&failed)) {
        Some(line) if line == passed => Ok(()),
        Some(line) => Err(line.to_owned()),
        None => Err(format!("it was not told of\n{said}")),
    }
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}
