//! Where a server's connections come from: its listeners, each in turn, as long as there is a place for one more.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::auth::AuthContext;
use super::connection::{self, Client};
use super::shared::Shared;
use crate::transport::server::{Connection, Socket};
use crate::transport::{Address, Listener};

/// How long an accept that failed (out of file descriptors, say) is left alone before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Says that the server is stopped when the task that accepts has ended.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.send_replace(true);
    }
}

/// Accepts connections until the server drains, then waits for those that are left.
pub(super) async fn accept(listeners: Vec<Listener>, shared: Arc<Shared>, mut draining: watch::Receiver<bool>) {
    let mut listeners = Listeners { all: listeners, next: 0 };
    let most = shared.settings.max_connections.map_or(Semaphore::MAX_PERMITS, |most| most.max(1));
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let mut place = None;
    let mut connections = JoinSet::new();
    let _stop = StopOnDrop(shared.clone());
    loop {
        if place.is_none() {
            place = places.clone().try_acquire_owned().ok();
        }
        let has_place = place.is_some();
        tokio::select! {
            (at, accepted) = poll_fn(|cx| listeners.poll_accept(cx, has_place)) => match accepted {
                Ok((socket, peer)) => {
                    // Clients in the same process take no place.
                    let place = if let Socket::Io(_) = socket { place.take() } else { None };
                    let local = socket.local_address().or_else(|| listener_address(&shared, at));
                    connections.spawn(serve(socket, local, peer, shared.clone(), draining.clone(), place));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            freed = places.clone().acquire_owned(), if !has_place => place = freed.ok(),
            Some(_) = connections.join_next() => {}
            () = connection::drains(&mut draining) => break,
        }
    }
    drop(listeners);
    while connections.join_next().await.is_some() {}
}

fn listener_address(shared: &Shared, at: usize) -> Option<Address> {
    shared.stats.listeners().get(at).and_then(|listener| listener.local().cloned())
}

/// What a server listens on.
struct Listeners {
    all: Vec<Listener>,
    /// Which one is asked first the next time, so that none has to wait for the others.
    next: usize,
}

impl Listeners {
    /// The next client, and which listener it came by. Those of other processes are left in their backlogs without a place.
    fn poll_accept(&mut self, cx: &mut Context<'_>, has_place: bool) -> Poll<(usize, io::Result<(Socket, Address)>)> {
        let count = self.all.len();
        for at in (self.next..count).chain(0..self.next.min(count)) {
            let Some(listener) = self.all.get_mut(at).filter(|listener| has_place || !listener.is_socket()) else {
                continue;
            };
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.next = at + 1;
                return Poll::Ready((at, accepted));
            }
        }
        Poll::Pending
    }
}

/// Serves one connection, from its handshake to its end.
async fn serve(
    socket: Socket,
    local: Option<Address>,
    peer: Address,
    shared: Arc<Shared>,
    mut draining: watch::Receiver<bool>,
    _place: Option<OwnedSemaphorePermit>,
) {
    // Apart, so that a connection which has begun does not hold the room for it, of several KiB, as long as it lasts.
    let handshake = Box::pin(Connection::handshake(socket, &shared.settings.serve, connection::drains(&mut draining)));
    // A peer that does not speak HTTP/2 cannot be told anything in it.
    if let Ok(Ok((connection, properties))) = tokio::time::timeout(shared.settings.handshake_timeout, handshake).await {
        let places = shared.settings.serve.max_concurrent_streams as usize;
        let lingering = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        let client = Client { peer, auth: AuthContext::new(properties), lingering };
        connection::serve(connection, local, client, shared, draining).await;
    }
}
