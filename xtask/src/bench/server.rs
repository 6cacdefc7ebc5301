//! A server under test: it says what it has used whenever it is asked, and ends with its stdin.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::interop::process::{self, Process};

/// How often it is tried whether it listens.
const POLL: Duration = Duration::from_millis(5);
/// How long it may take to listen: under a profiler that is seconds.
const STARTUP: Duration = Duration::from_secs(60);
/// How long an answer may take: a server under load answers as soon as a thread of its own gets the core.
const ANSWER: Duration = Duration::from_secs(60);

/// What it has used, by its own accounting.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu_ns: f64,
    pub(super) allocations: f64,
    pub(super) rss_kib: f64,
}

/// Running; dropping it kills it.
pub(super) struct Server {
    process: Process,
    port: u16,
    reports: usize,
}

impl Server {
    /// Starts a server with the flags that all have, and waits until it listens.
    pub(super) fn start(mut command: Command, threads: usize) -> Result<Server, String> {
        let port = process::free_port()?;
        command.args(["--port", &port.to_string(), "--threads", &threads.to_string(), "--control"]);
        let mut server = Server { process: Process::start_with_stdin(&mut command)?, port, reports: 0 };
        let deadline = Instant::now() + STARTUP;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() >= deadline {
                return Err(format!("{command:?} does not listen after {STARTUP:?}:\n{}", server.process.output()));
            }
            thread::sleep(POLL);
        }
        // The first answer takes what later ones do not: it is not one of those that are compared.
        server.report()?;
        Ok(server)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What it has used so far.
    pub(super) fn report(&mut self) -> Result<Usage, String> {
        self.reports += 1;
        self.process.tell("report");
        let end = format!(" report={}", self.reports);
        self.process.until(&format!("{end}\n"), ANSWER)?;
        let output = self.process.output();
        let line = output.lines().find(|line| line.ends_with(&end)).unwrap_or_default();
        parse(line).ok_or_else(|| format!("a server reported {line:?}"))
    }

    /// Closes its stdin, and waits for its end.
    pub(super) fn end(self) -> Result<(), String> {
        self.process.finish(STARTUP).map(drop)
    }
}

impl Usage {
    /// What was used since `before`; the memory is what came to it.
    pub(super) fn since(self, before: Usage) -> Usage {
        Usage {
            cpu_ns: self.cpu_ns - before.cpu_ns,
            allocations: self.allocations - before.allocations,
            rss_kib: self.rss_kib - before.rss_kib,
        }
    }
}

/// A line such as `cpu_ns=1 allocations=2 rss_kib=3 report=4`.
fn parse(line: &str) -> Option<Usage> {
    let value = |key: &str| {
        let mut parts = line.split_whitespace().filter_map(|part| part.split_once('='));
        parts.find(|(name, _)| *name == key)?.1.parse().ok()
    };
    Some(Usage { cpu_ns: value("cpu_ns")?, allocations: value("allocations")?, rss_kib: value("rss_kib")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_three_figures() {
        let usage = Usage { cpu_ns: 1.0, allocations: 2.0, rss_kib: 3.0 };
        assert_eq!(parse("cpu_ns=1 allocations=2 rss_kib=3 report=4"), Some(usage));
        assert_eq!(parse("cpu_ns=1 allocations=2"), None);
    }
}
