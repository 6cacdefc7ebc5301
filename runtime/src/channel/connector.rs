//! The task that keeps a channel connected while somebody needs it.

use std::sync::Arc;

use super::backoff::{Attempt, Attempts};
use super::connectivity::Core;
use super::subchannel::Subchannel;
use crate::call::ConnectivityState;
use crate::stats::SubchannelStats;
use crate::transport::{Address, ConnectError, Stage};

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
    let mut subchannels = Subchannels::default();
    loop {
        core.connecting();
        let attempt = attempts.start();
        match connect(core, attempt, &mut subchannels).await {
            Ok(connection) => {
                attempts.reset();
                core.connected(connection.clone());
                serve(core, &connection).await;
                connection.rest();
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
async fn serve(core: &Core, connection: &Subchannel) {
    loop {
        tokio::select! {
            () = connection.draining() => return,
            () = connection.stream_freed() => core.drain(),
        }
    }
}

/// Tries the target's addresses one after the other.
async fn connect(core: &Core, attempt: Attempt, subchannels: &mut Subchannels) -> Result<Subchannel, ConnectError> {
    let timed_out = |stage| move |_| ConnectError::new(core.target(), stage, "timed out (min_connect_timeout)");
    let resolved = tokio::time::timeout_at(attempt.give_up_at, core.target().resolve()).await;
    let addresses = resolved.map_err(timed_out(Stage::Resolve))??;
    let mut errors: Vec<ConnectError> = Vec::new();
    subchannels.0.retain(|known| addresses.contains(known.address()));
    for address in &addresses {
        let stats = subchannels.to(core, address);
        match tokio::time::timeout_at(attempt.give_up_at, Subchannel::connect(&stats, &core.settings().connect)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => errors.push(error),
            Err(_) => {
                let cause = "no SETTINGS from the server in time (min_connect_timeout)";
                let error = ConnectError::new(address, Stage::Http2, cause);
                stats.enter(ConnectivityState::TransientFailure, Some(error.to_string()));
                errors.push(error);
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

/// The addresses that were tried, for as long as the target has them.
#[derive(Default)]
struct Subchannels(Vec<Arc<SubchannelStats>>);

impl Subchannels {
    fn to(&mut self, core: &Core, address: &Address) -> Arc<SubchannelStats> {
        if let Some(known) = self.0.iter().find(|known| known.address() == address) {
            return known.clone();
        }
        let made = core.stats().subchannel(address.clone());
        self.0.push(made.clone());
        made
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
