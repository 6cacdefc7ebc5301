//! Child processes that end: by themselves, at their timeout, or when their handle is dropped.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long a server may take until it listens.
const STARTUP: Duration = Duration::from_secs(20);

/// A running child whose output is kept; dropping it kills the child.
pub(super) struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a command, without input.
    pub(super) fn start(command: &mut Command) -> Result<Process, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let output = Arc::new(Mutex::new(String::new()));
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(collect(stdout, output.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(collect(stderr, output.clone()));
        }
        Ok(Process { child, output, readers })
    }

    /// What it has printed so far.
    pub(super) fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for its end; gives its output, as an error if it failed or did not end in time.
    pub(super) fn finish(mut self, timeout: Duration) -> Result<String, String> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                for reader in self.readers.drain(..) {
                    // A reader only panics where the output is lost anyway.
                    let _ = reader.join();
                }
                let output = self.output();
                return if status.success() { Ok(output) } else { Err(format!("{output}\n{status}")) };
            }
            if Instant::now() >= deadline {
                return Err(format!("{}\nno end after {timeout:?}", self.output()));
            }
            thread::sleep(POLL);
        }
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A child that has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(1..) = pipe.read_until(b'\n', &mut line) {
            output.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// Runs a command to its end.
pub(super) fn run(command: &mut Command, timeout: Duration) -> Result<String, String> {
    Process::start(command)?.finish(timeout)
}

/// A server under test; dropping it kills it.
pub(super) struct Server {
    _process: Process,
    port: u16,
}

impl Server {
    /// Starts a server that says where it listens: `listening on ..:PORT`.
    pub(super) fn start_announced(command: &mut Command) -> Result<Server, String> {
        let mut process = Process::start(command)?;
        let port = wait_for(&mut process, |output| {
            let line = output.lines().find_map(|line| line.strip_prefix("listening on "))?;
            line.rsplit(':').next()?.trim().parse().ok()
        })?;
        Ok(Server { _process: process, port })
    }

    /// Starts a server that takes its port and says nothing; `command` makes its command line.
    pub(super) fn start_on_free_port(command: impl FnOnce(u16) -> Command) -> Result<Server, String> {
        let port = free_port()?;
        let mut process = Process::start(&mut command(port))?;
        wait_for(&mut process, |_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok().map(drop))?;
        Ok(Server { _process: process, port })
    }

    /// The port, on 127.0.0.1.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

fn wait_for<T>(process: &mut Process, ready: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + STARTUP;
    loop {
        if let Some(ready) = ready(&process.output()) {
            return Ok(ready);
        }
        if process.has_ended() {
            return Err(format!("{}\nthe server ended before it listened", process.output()));
        }
        if Instant::now() >= deadline {
            return Err(format!("{}\nthe server does not listen after {STARTUP:?}", process.output()));
        }
        thread::sleep(POLL);
    }
}

/// A port that nobody listens on.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("no free port: {error}"))?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_exit_code_are_told() {
        let shell = |script: &str| run(Command::new("sh").args(["-c", script]), Duration::from_secs(20));
        assert_eq!(shell("echo one"), Ok("one\n".to_owned()));
        let error = shell("echo why >&2; exit 3").unwrap_err();
        assert!(error.contains("why") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_child_that_hangs_is_ended_at_its_timeout() {
        let started = Instant::now();
        let error = run(Command::new("sleep").arg("60"), Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("no end after 50ms"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_server_that_ends_is_no_server() {
        let error = Server::start_announced(Command::new("sh").args(["-c", "echo no port"])).err().unwrap();
        assert!(error.contains("no port") && error.contains("ended before it listened"), "{error}");
    }
}
