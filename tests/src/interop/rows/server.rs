//! A server in another process, for as long as its handle lives.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::{Failure, TIMEOUT, equal};

/// How often a process is looked at until it has stopped.
const POLL: Duration = Duration::from_millis(5);

/// A server that runs; dropping it kills it.
pub(super) struct Server {
    /// Its input stays open as long as this does, and the server with it.
    child: Child,
    /// Kept open: a server whose output nobody reads could not write any.
    _output: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    /// Starts a server by its command with more flags, and waits until it says where it listens.
    pub(super) async fn start(command: &[String], flags: &[&str]) -> Result<Server, Failure> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| Failure("no command of a server was given".to_owned()))?;
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
        Ok(Server { child, _output: output, port })
    }

    /// As [`start`](Server::start), on this port.
    pub(super) async fn start_on(command: &[String], port: u16) -> Result<Server, Failure> {
        Server::start(command, &[&format!("--port={port}")]).await
    }

    /// What a channel is to be built for.
    pub(super) fn target(&self) -> String {
        target(self.port)
    }

    /// Where it listens, on this machine.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Kills it; its port is closed when this returns.
    pub(super) async fn kill(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Has it stop by itself, at once, and waits for its end.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        let input = self.child.stdin.as_mut().ok_or_else(|| Failure("the server has no input".to_owned()))?;
        input.write_all(b"stop\n").await?;
        let status = tokio::time::timeout(TIMEOUT, self.child.wait()).await??;
        equal("how the server ended", status.code(), Some(0))
    }

    /// Halts the process: the kernel takes connections for it, and nobody answers on them.
    ///
    /// Its threads go on for a while after the signal, longer on a busy machine. Linux tells of each whether it has stopped.
    pub(super) async fn halt(&self) -> Result<(), Failure> {
        self.signal("-STOP").await?;
        let tasks = Path::new("/proc").join(self.id()?.to_string()).join("task");
        let stopping = async {
            while !has_stopped(&tasks)? {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(TIMEOUT, stopping).await?
    }

    /// Lets a process go on that was halted.
    pub(super) async fn go_on(&self) -> Result<(), Failure> {
        self.signal("-CONT").await
    }

    async fn signal(&self, signal: &str) -> Result<(), Failure> {
        let status = Command::new("kill").args([signal, &self.id()?.to_string()]).status().await?;
        equal("how kill ended", status.code(), Some(0))
    }

    fn id(&self) -> Result<u32, Failure> {
        self.child.id().ok_or_else(|| Failure("the server has ended".to_owned()))
    }
}

/// Whether all threads in a folder of `/proc` have stopped: the state stands behind the name, which ends with the last parenthesis.
fn has_stopped(tasks: &Path) -> Result<bool, Failure> {
    for task in std::fs::read_dir(tasks)? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        if !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T ")) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The target of a port on this machine.
pub(super) fn target(port: u16) -> String {
    format!("ipv4:127.0.0.1:{port}")
}

/// A port where nobody listens.
pub(super) fn closed_port() -> Result<u16, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
