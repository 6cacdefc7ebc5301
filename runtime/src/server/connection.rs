//! One client's connection: its calls, until it or the server ends.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::call::Call;
use super::request::Requested;
use super::shared::Shared;
use crate::stats::SocketStats;
use crate::transport::Address;
use crate::transport::server::{Connection, Incoming};

/// Resolves when the server is asked to drain.
pub(super) async fn drains(draining: &mut watch::Receiver<bool>) {
    if draining.wait_for(|draining| *draining).await.is_err() {
        // Nobody holds the server, so nobody will ask.
        std::future::pending::<()>().await;
    }
}

/// Serves a connection until the client closes it, or until `draining` and its calls are done.
pub(super) async fn serve(
    connection: Connection,
    local: Option<Address>,
    peer: Address,
    shared: Arc<Shared>,
    mut draining: watch::Receiver<bool>,
) {
    let record = shared.stats.accepted(local, peer.clone());
    let mut calls =
        Calls { shared, peer, socket: record.socket().clone(), waiting: JoinSet::new(), requested: Vec::new() };
    // Dropped before the calls, whose clients then see a connection that broke and not calls that were cancelled.
    let mut connection = connection;
    let mut drain = pin!(drains(&mut draining));
    let mut told = false;
    poll_fn(|cx| {
        if !told && drain.as_mut().poll(cx).is_ready() {
            told = true;
            connection.graceful_shutdown();
        }
        let over = connection.poll_serve(cx, &mut |incoming, cx| calls.begin(incoming, cx));
        calls.forget_ended(cx);
        over
    })
    .await;
    // The connection is gone, so every call that is left learns of that and ends by itself.
    while calls.waiting.join_next().await.is_some() {}
}

/// The calls of a connection.
struct Calls {
    shared: Arc<Shared>,
    peer: Address,
    socket: Arc<SocketStats>,
    /// Those that have waited for something, or may: each on a task of its own.
    waiting: JoinSet<()>,
    /// What the requests that come again and again ask for.
    requested: Vec<Arc<Requested>>,
}

/// How many of them are kept.
const KEPT: usize = 8;

impl Calls {
    /// Runs a call until it waits for something, and from then on beside the connection.
    fn begin(&mut self, incoming: Incoming, cx: &mut Context<'_>) {
        let requested = self.requested(&incoming);
        let Some(mut call) = Call::new(incoming, requested, &self.socket, &self.peer, &self.shared) else { return };
        if call.is_quick() && call.poll_at_once(cx).is_ready() {
            return;
        }
        self.waiting.spawn(call);
    }

    fn requested(&mut self, incoming: &Incoming) -> Arc<Requested> {
        if let Some(known) = self.requested.iter().find(|known| known.is_of(&incoming.head)) {
            return known.clone();
        }
        let requested = Arc::new(Requested::new(&incoming.head, &self.shared));
        // The connection shares headers that it will see again.
        if Arc::strong_count(&incoming.head) > 2 {
            if self.requested.len() == KEPT {
                self.requested.remove(0);
            }
            self.requested.push(requested.clone());
        }
        requested
    }

    fn forget_ended(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(_)) = self.waiting.poll_join_next(cx) {}
    }
}
