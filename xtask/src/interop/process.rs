//! Child processes that end: by themselves, at their timeout, or when their handle is dropped.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long a server may take until it listens.
const STARTUP: Duration = Duration::from_secs(20);

/// A running child whose output is kept; dropping it kills the child.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Both pipes, as their lines come.
    output: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// How a child ended.
pub(crate) struct Ended {
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    /// Both pipes.
    pub(crate) output: String,
}

impl Process {
    /// Starts a command, without input.
    pub(crate) fn start(command: &mut Command) -> Result<Process, String> {
        Process::spawn(command, Stdio::null())
    }

    /// Starts a command, which is told its input later.
    pub(crate) fn start_with_stdin(command: &mut Command) -> Result<Process, String> {
        Process::spawn(command, Stdio::piped())
    }

    fn spawn(command: &mut Command, stdin: Stdio) -> Result<Process, String> {
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let (output, stdout): (Arc<Mutex<String>>, Arc<Mutex<String>>) = Default::default();
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(collect(pipe, vec![output.clone(), stdout.clone()]));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(collect(pipe, vec![output.clone()]));
        }
        Ok(Process { stdin: child.stdin.take(), child, output, stdout, readers })
    }

    /// The number that the system knows it by.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        text(&self.output)
    }

    /// Writes a line to its stdin. A child that reads no more may have closed it: how it ended says more.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        }
    }

    /// Waits until what it has printed, on either pipe, holds `part`.
    pub(crate) fn until(&mut self, part: &str, timeout: Duration) -> Result<(), String> {
        let deadline = Instant::now() + timeout;
        while !self.output().contains(part) {
            if self.has_said_all() && !self.output().contains(part) {
                return Err(format!("{}\nended without {part:?}", self.output()));
            }
            if Instant::now() >= deadline {
                return Err(format!("{}\nno {part:?} after {timeout:?}", self.output()));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Closes its stdin and waits for its end, however that is.
    pub(crate) fn end(mut self, timeout: Duration) -> Result<Ended, String> {
        self.stdin = None;
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                for reader in self.readers.drain(..) {
                    // A reader only panics where the output is lost anyway.
                    let _ = reader.join();
                }
                return Ok(Ended { code: status.code(), stdout: text(&self.stdout), output: self.output() });
            }
            if Instant::now() >= deadline {
                return Err(format!("{}\nno end after {timeout:?}", self.output()));
            }
            thread::sleep(POLL);
        }
    }

    /// Waits for its end; gives its output, as an error if it failed or did not end in time.
    pub(crate) fn finish(self, timeout: Duration) -> Result<String, String> {
        match self.end(timeout)? {
            Ended { code: Some(0), output, .. } => Ok(output),
            Ended { code: Some(code), output, .. } => Err(format!("{output}\nexit code {code}")),
            Ended { code: None, output, .. } => Err(format!("{output}\nended by a signal")),
        }
    }

    /// Whether it has ended, and its output is here: what an ended child has said may still be on its way.
    fn has_said_all(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None)) && self.readers.iter().all(JoinHandle::is_finished)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A child that has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(output: &Mutex<String>) -> String {
    output.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn collect(pipe: impl Read + Send + 'static, outputs: Vec<Arc<Mutex<String>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(1..) = pipe.read_until(b'\n', &mut line) {
            for output in &outputs {
                output.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            }
            line.clear();
        }
    })
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, timeout: Duration) -> Result<String, String> {
    Process::start(command)?.finish(timeout)
}

/// A server under test; dropping it kills it.
pub(crate) struct Server {
    _process: Process,
    port: u16,
}

impl Server {
    /// Starts a server that says where it listens: `listening on ..:PORT`.
    pub(crate) fn start_announced(command: &mut Command) -> Result<Server, String> {
        let mut process = Process::start(command)?;
        let port = wait_for(&mut process, |output| {
            let line = output.lines().find_map(|line| line.strip_prefix("listening on "))?;
            line.rsplit(':').next()?.trim().parse().ok()
        })?;
        Ok(Server { _process: process, port })
    }

    /// Starts a server that takes its port and says nothing; `command` makes its command line.
    pub(crate) fn start_on_free_port(command: impl FnOnce(u16) -> Command) -> Result<Server, String> {
        let port = free_port()?;
        let mut process = Process::start(&mut command(port))?;
        wait_for(&mut process, |_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok().map(drop))?;
        Ok(Server { _process: process, port })
    }

    /// The port, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn wait_for<T>(process: &mut Process, ready: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + STARTUP;
    loop {
        if let Some(ready) = ready(&process.output()) {
            return Ok(ready);
        }
        if process.has_said_all() {
            return Err(format!("{}\nthe server ended before it listened", process.output()));
        }
        if Instant::now() >= deadline {
            return Err(format!("{}\nthe server does not listen after {STARTUP:?}", process.output()));
        }
        thread::sleep(POLL);
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16, String> {
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
    fn a_child_can_be_told_more_after_it_has_answered() {
        let mut cat = Process::start_with_stdin(&mut Command::new("cat")).unwrap();
        for line in ["one", "two"] {
            cat.tell(line);
            cat.until(line, Duration::from_secs(20)).unwrap();
        }
        let ended = cat.end(Duration::from_secs(20)).unwrap();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "one\ntwo\n"));
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
