//! The task that keeps a channel connected while somebody needs it.

use std::sync::Arc;

use super::backoff::{Attempt, Attempts};
use super::connectivity::Core;
use crate::transport::client::{self, Connection};
use crate::transport::{ConnectError, Stage};

/// Connects, and connects again, until the channel ends or nobody waits for a connection that was lost.
pub(super) async fn run(core: Arc<Core>) {
    let abandon = AbandonOnDrop(Some(core.clone()));
    tokio::select! {
        () = core.ended() => {}
        // It has told the channel so; what the channel has by now belongs to another connector.
        () = keep_connected(&core) => abandon.disarm(),
    }
}

async fn keep_connected(core: &Core) {
    let mut attempts = Attempts::new(core.settings().backoff.clone());
    loop {
        core.connecting();
        let attempt = attempts.start();
        match connect(core, attempt).await {
            Ok(connection) => {
                attempts.reset();
                core.connected(connection.clone());
                serve(core, &connection).await;
                if !core.disconnected() {
                    return;
                }
            }
            Err(error) => {
                let reset = core.backoff_was_reset();
                tokio::pin!(reset);
                // Listening starts before the state is seen, so that whoever saw it can end the wait.
                reset.as_mut().enable();
                core.failed(error);
                tokio::select! {
                    () = tokio::time::sleep_until(attempt.next_at) => {}
                    () = reset => attempts.reset(),
                }
            }
        }
    }
}

/// Sends out waiting calls as streams become free, until the connection takes no more.
async fn serve(core: &Core, connection: &Connection) {
    loop {
        tokio::select! {
            () = connection.draining() => return,
            () = connection.stream_freed() => core.drain(),
        }
    }
}

/// Tries the target's addresses one after the other.
async fn connect(core: &Core, attempt: Attempt) -> Result<Connection, ConnectError> {
    let timed_out = |stage| move |_| ConnectError::new(core.target(), stage, "timed out (min_connect_timeout)");
    let resolved = tokio::time::timeout_at(attempt.give_up_at, core.target().resolve()).await;
    let addresses = resolved.map_err(timed_out(Stage::Resolve))??;
    let mut errors: Vec<ConnectError> = Vec::new();
    for address in &addresses {
        match tokio::time::timeout_at(attempt.give_up_at, client::connect(address)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => errors.push(error),
            Err(_) => {
                errors.push(ConnectError::new(
                    address,
                    Stage::Http2,
                    "no SETTINGS from the server in time (min_connect_timeout)",
                ));
                break;
            }
        }
    }
    match errors.len() {
        1 => Err(errors.remove(0)),
        _ => {
            let list = errors.iter().map(ConnectError::to_string).collect::<Vec<_>>().join("; ");
            Err(ConnectError::new("all addresses failed", Stage::Connect, list))
        }
    }
}

/// Tells the channel when its connector went away without being told to.
struct AbandonOnDrop(Option<Arc<Core>>);

impl AbandonOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        if let Some(core) = &self.0 {
            core.abandoned();
        }
    }
}
