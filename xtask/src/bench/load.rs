//! What a client does in one measurement, and what it printed of it.

use std::process::Command;
use std::time::Duration;

/// Load before anything counts, in seconds: caches, and windows that grow.
const WARMUP: &str = "0.3";

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Load {
    connections: usize,
    concurrency: usize,
    mode: &'static str,
    size: usize,
    messages: usize,
    calls: Option<usize>,
    rate: Option<f64>,
}

impl Load {
    /// Small unary calls, so many at once on each of so many connections.
    pub(super) fn unary(connections: usize, concurrency: usize) -> Load {
        Load { connections, concurrency, mode: "unary", size: 100, messages: 1000, calls: None, rate: None }
    }

    /// Streams of 1,000 small messages each, so many at once on one connection.
    pub(super) fn streams(mode: &'static str, concurrency: usize) -> Load {
        Load { mode, ..Load::unary(1, concurrency) }
    }

    /// Connections that are held.
    pub(super) fn idle(connections: usize) -> Load {
        Load { mode: "idle", ..Load::unary(connections, 1) }
    }

    /// With messages of this size.
    pub(super) fn size(self, size: usize) -> Load {
        Load { size, ..self }
    }

    /// Streams of so many messages.
    pub(super) fn messages(self, messages: usize) -> Load {
        Load { messages, ..self }
    }

    /// So many calls, in place of a time.
    pub(super) fn calls(self, calls: usize) -> Load {
        Load { calls: Some(calls), ..self }
    }

    /// So many calls a second, whatever becomes of them.
    pub(super) fn rate(self, rate: f64) -> Load {
        Load { rate: Some(rate), ..self }
    }

    /// The command line of a client.
    pub(super) fn tell(&self, client: &mut Command, port: u16, duration: Duration) {
        let mut flag = |name: &str, value: String| {
            client.args([name, &value]);
        };
        flag("--port", port.to_string());
        flag("--connections", self.connections.to_string());
        flag("--concurrency", self.concurrency.to_string());
        flag("--mode", self.mode.to_owned());
        flag("--size", self.size.to_string());
        flag("--messages", self.messages.to_string());
        flag("--duration", duration.as_secs_f64().to_string());
        match (self.calls, self.rate) {
            (Some(calls), _) => flag("--calls", calls.to_string()),
            (None, Some(rate)) => flag("--rate", rate.to_string()),
            (None, None) => {}
        }
        if self.calls.is_none() {
            flag("--warmup", WARMUP.to_owned());
        }
    }
}

/// The `key: value` lines of a client.
#[derive(Clone, Debug)]
pub(super) struct Printed(String);

impl Printed {
    pub(super) fn new(output: String) -> Result<Printed, String> {
        let printed = Printed(output);
        match printed.value("errors") {
            Some(0.0) if printed.value("calls") > Some(0.0) => Ok(printed),
            _ => Err(format!("{}\na client made no calls, or some failed", printed.0)),
        }
    }

    /// A figure, without its unit.
    pub(super) fn value(&self, key: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// A figure that every client prints.
    pub(super) fn number(&self, key: &str) -> f64 {
        self.value(key).unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_with_failures_is_an_error() {
        let printed = Printed::new("calls: 7\nerrors: 0\np50: 12.5 us\n".to_owned()).unwrap();
        assert_eq!(printed.value("p50"), Some(12.5));
        assert!(printed.number("p5").is_nan());
        assert!(Printed::new("calls: 7\nerrors: 1\n".to_owned()).is_err());
        assert!(Printed::new("calls: 0\nerrors: 0\n".to_owned()).is_err() && Printed::new(String::new()).is_err());
    }
}
