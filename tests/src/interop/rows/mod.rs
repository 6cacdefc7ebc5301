//! Rows of grpcio's own tests, and of what channels and calls do by themselves, with our client against an echo server in
//! another language.

mod attempts;
mod backoff;
mod channel_states;
mod compression;
mod mtls;
mod pings;
mod retries;
mod server;
mod status;
mod wait_for_ready;
mod waits;

use std::fmt::{Debug, Display};
use std::future::Future;
use std::time::Duration;

use callwright::{Channel, ConnectivityState};

pub use self::mtls::{Asks, Tells};
use crate::echo::Blob;

/// How long any call of a row may take, so that nothing hangs.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why a row failed.
#[derive(Debug)]
pub struct Failure(String);

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

/// Runs rows, prints `PASS name` or `FAIL name: why` for each, and counts those that fail.
#[derive(Debug)]
pub struct Rows {
    case: String,
    server: Vec<String>,
    aio: bool,
    failed: usize,
}

impl Rows {
    /// The groups of rows that there are.
    pub const GROUPS: [&str; 7] =
        ["wait_for_ready", "compression", "status", "channel_states", "backoff", "retries", "pings"];

    /// Rows of this name or group, all if it is empty, against the server that this command starts.
    pub fn new(case: impl Into<String>, server: Vec<String>) -> Rows {
        Rows { case: case.into(), server, aio: true, failed: 0 }
    }

    /// Whether the server can be one of grpcio's asyncio; it can unless set.
    pub fn with_aio(mut self, aio: bool) -> Rows {
        self.aio = aio;
        self
    }

    /// Runs one group, and says how many of its rows failed.
    ///
    /// # Errors
    /// [`Failure`] when the group cannot be run: there is none of the name, or the server does not start.
    pub async fn run_group(mut self, group: &str) -> Result<usize, Failure> {
        match group {
            "wait_for_ready" => wait_for_ready::run(&mut self).await?,
            "compression" => compression::run(&mut self).await?,
            "status" => status::run(&mut self).await?,
            "channel_states" => channel_states::run(&mut self).await,
            "backoff" => backoff::run(&mut self).await,
            "retries" => retries::run(&mut self).await?,
            "pings" => pings::run(&mut self).await?,
            other => return Err(Failure(format!("no group {other:?}; there are: {}", Rows::GROUPS.join(", ")))),
        }
        Ok(self.failed)
    }

    fn wants(&self, name: &str) -> bool {
        name.strip_prefix(self.case.as_str())
            .is_some_and(|rest| self.case.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }

    async fn run(&mut self, name: &str, row: impl Future<Output = Result<(), Failure>>) {
        if !self.wants(name) {
            return;
        }
        let outcome = tokio::time::timeout(2 * TIMEOUT, row).await;
        match outcome.unwrap_or_else(|_| Err(Failure(format!("no end after {:?}", 2 * TIMEOUT)))) {
            Ok(()) => println!("PASS {name}"),
            Err(failure) => {
                self.failed += 1;
                println!("FAIL {name}: {}", failure.to_string().replace('\n', " "));
            }
        }
    }
}

fn equal<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Result<(), Failure> {
    if seen == expected {
        return Ok(());
    }
    Err(Failure(format!("{what}: saw {seen:?}, expected {expected:?}")))
}

fn blob(size: usize) -> Blob {
    Blob { body: vec![0; size] }
}

/// Waits until a channel that was READY has lost its connection.
async fn left_ready(channel: &Channel) -> Result<(), Failure> {
    let mut states = channel.watch_state();
    let left = async { while states.current() == ConnectivityState::Ready && states.changed().await.is_some() {} };
    Ok(tokio::time::timeout(TIMEOUT, left).await?)
}
