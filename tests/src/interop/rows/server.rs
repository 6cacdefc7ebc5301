//! A server in another process, for as long as its handle lives.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::{Failure, Rows, TIMEOUT};

/// A server that runs; dropping it kills it.
pub(super) struct Server {
    /// Its input stays open as long as this does, and the server with it.
    _child: Child,
    /// Kept open: a server whose output nobody reads could not write any.
    _output: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    /// Starts the rows' server with more flags, and waits until it says where it listens.
    pub(super) async fn start(rows: &Rows, flags: &[&str]) -> Result<Server, Failure> {
        let (program, arguments) =
            rows.server.split_first().ok_or_else(|| Failure("no command of a server was given".to_owned()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .args(flags)
            .arg("--until_stdin_closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure("the server has no output".to_owned()))?;
        let mut output = BufReader::new(stdout);
        let mut line = String::new();
        tokio::time::timeout(TIMEOUT, output.read_line(&mut line)).await??;
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.rsplit(':').next());
        let port = address.and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| Failure(format!("the server does not say where it listens: {line:?}")))?;
        Ok(Server { _child: child, _output: output, port })
    }

    /// What a channel is to be built for.
    pub(super) fn target(&self) -> String {
        target(self.port)
    }
}

/// The target of a port on this machine.
pub(super) fn target(port: u16) -> String {
    format!("ipv4:127.0.0.1:{port}")
}

/// A port where nobody listens.
pub(super) fn closed_port() -> Result<u16, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
