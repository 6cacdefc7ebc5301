//! The task of a subchannel: connects when it is asked to, tells of each change, and waits between attempts.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{Fuse, FusedFuture as _};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;

use super::{Line, Link, SubchannelState, health, load};
use crate::channel::backoff::{Attempt, Attempts};
use crate::channel::connectivity::Core;
use crate::status::Status;
use crate::transport::client::{self, Connection};
use crate::transport::{ConnectError, Stage};

/// How far attempts are apart at the least, even after one that succeeded: a server that takes connections and closes them at once
/// is not to be met in a loop.
const LEAST_GAP: Duration = Duration::from_millis(50);

/// Runs a subchannel until it is aborted; `tell` hears of each state.
pub(in crate::channel) async fn run(link: Arc<Link>, core: Arc<Core>, tell: impl Fn(SubchannelState)) {
    let mut attempts = Attempts::new(core.settings().backoff.clone());
    let enter = |state: SubchannelState| {
        let why = match &state {
            SubchannelState::TransientFailure(status) | SubchannelState::Unhealthy(status) => {
                Some(status.message().to_owned())
            }
            SubchannelState::Idle | SubchannelState::Connecting | SubchannelState::Ready => None,
        };
        link.stats.enter(state.connectivity(), why);
        tell(state);
    };
    let mut not_before = Instant::now();
    loop {
        link.ask.notified().await;
        enter(SubchannelState::Connecting);
        tokio::time::sleep_until(not_before).await;
        let attempt = attempts.start();
        not_before = Instant::now() + LEAST_GAP;
        match connect(&link, &core, attempt).await {
            Ok(line) => {
                attempts.reset();
                serve(&link, &core, line, &enter).await;
            }
            Err(error) => {
                let reset = core.requests().backoff_reset.notified();
                tokio::pin!(reset);
                // Listening starts before the state is seen, so that whoever saw it can end the wait.
                reset.as_mut().enable();
                enter(SubchannelState::TransientFailure(status(&error)));
                tokio::select! {
                    () = tokio::time::sleep_until(attempt.next_at) => {}
                    () = reset => attempts.reset(),
                }
            }
        }
        // Before the state is told, for whoever hears of it may ask at once.
        link.asked.store(false, Ordering::Release);
        enter(SubchannelState::Idle);
    }
}

fn status(error: &ConnectError) -> Status {
    Status::unavailable(error.to_string()).with_source(error.cause())
}

async fn connect(link: &Link, core: &Core, attempt: Attempt) -> Result<Line, ConnectError> {
    // Apart, so that a subchannel which is connected does not hold the room for it, of several KiB, as long as it lasts.
    let connecting = Box::pin(client::connect(&link.address, &core.settings().connect));
    let connection = match tokio::time::timeout_at(attempt.give_up_at, connecting).await {
        Ok(connected) => connected?,
        Err(_) => {
            let cause = "no SETTINGS from the server in time (min_connect_timeout)";
            return Err(ConnectError::new(&link.address, Stage::Http2, cause));
        }
    };
    core.watch_over(connection.closer());
    let socket = link.stats.connected(connection.local_address().cloned());
    Ok(Line { connection, id: socket.id(), socket })
}

/// Tells that the subchannel is READY, and lasts as long as one of its connections takes calls.
async fn serve(link: &Link, core: &Core, first: Line, enter: &impl Fn(SubchannelState)) {
    let mut lines = FuturesUnordered::new();
    link.lock().push(first.clone());
    lines.push(watch(first.clone(), core));
    let mut watched = first.id;
    let mut health = pin!(health(link, core, first.connection.clone(), enter));
    let mut load = pin!(load(link, core, first.connection));
    let mut further = pin!(Fuse::terminated());
    loop {
        tokio::select! {
            Some(ended) = lines.next() => {
                link.lock().retain(|line| line.id != ended);
                let Some(next) = link.lock().first().cloned() else { return };
                if watched == ended {
                    // The server is asked by way of another of its connections.
                    watched = next.id;
                    health.set(self::health(link, core, next.connection.clone(), enter));
                    load.set(self::load(link, core, next.connection));
                }
            }
            () = &mut health => {}
            () = &mut load => {}
            () = link.crowded.notified(), if further.is_terminated() => {
                if link.is_crowded() {
                    further.set(connect_further(link, core).fuse());
                }
            }
            added = &mut further => {
                if let Some(line) = added {
                    link.lock().push(line.clone());
                    lines.push(watch(line, core));
                    // Calls that asked for one meanwhile may have room on this; those that have not ask again.
                    let _ = link.crowded.notified().now_or_never();
                    core.drain();
                }
            }
        }
    }
}

/// Tells how the server is, by its health check where it has one; never ends.
async fn health(link: &Link, core: &Core, connection: Connection, enter: &impl Fn(SubchannelState)) {
    match core.health_check().filter(|_| link.watches_health.load(Ordering::Relaxed)) {
        Some(service) => {
            health::watch(&connection, core, &service, |serves| {
                enter(serves.map_or_else(SubchannelState::Unhealthy, |()| SubchannelState::Ready));
            })
            .await;
        }
        None => {
            enter(SubchannelState::Ready);
            // It does not keep the connection.
            drop(connection);
            std::future::pending().await
        }
    }
}

/// Has the server report its load, where somebody wants to know; never ends.
async fn load(link: &Link, core: &Core, connection: Connection) {
    match link.load.get() {
        Some(watch) => load::watch(&connection, core, watch.clone()).await,
        None => {
            drop(connection);
            std::future::pending().await
        }
    }
}

/// One connection more, where those that there are have all the streams that the server takes (gRFC A105).
async fn connect_further(link: &Link, core: &Core) -> Option<Line> {
    let attempt = Attempts::new(core.settings().backoff.clone()).start();
    match connect(link, core, attempt).await {
        Ok(line) => Some(line),
        Err(_) => {
            tokio::time::sleep_until(attempt.next_at).await;
            None
        }
    }
}

/// Has waiting calls sent out as streams of this connection become free, until it takes no more.
async fn watch(line: Line, core: &Core) -> u64 {
    loop {
        tokio::select! {
            () = line.connection.draining() => return line.id,
            () = line.connection.stream_freed() => core.drain(),
        }
    }
}
