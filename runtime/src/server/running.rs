//! A server that serves: where it listens, and how it is stopped.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::auth::AuthContext;
use super::builder::Settings;
use super::connection::{self, Client};
use super::methods::{Methods, OnShutdown};
use super::shared::Shared;
use crate::stats::ServerStats;
use crate::transport::server::Connection;
use crate::transport::{Address, Listener};

/// How long an accept that failed (out of file descriptors, say) is left alone before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a new connection may take for its TLS handshake and its HTTP/2 preface.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// A server that serves in the background; made by [`ServerBuilder::bind`](crate::ServerBuilder::bind).
///
/// Dropping it leaves the server running until the process or its Tokio runtime ends.
#[must_use = "a server that nobody holds cannot be stopped"]
pub struct RunningServer {
    local: Address,
    draining: watch::Sender<bool>,
    task: JoinHandle<()>,
    on_shutdown: Vec<OnShutdown>,
}

impl RunningServer {
    pub(super) fn start(listener: Listener, local: Address, settings: Settings, mut methods: Methods) -> Self {
        let on_shutdown = methods.take_on_shutdown();
        let (draining, drained) = watch::channel(false);
        let stats = ServerStats::new([local.clone()]);
        let task = tokio::spawn(accept(listener, Arc::new(Shared::new(settings, methods, stats)), drained));
        RunningServer { local, draining, task, on_shutdown }
    }

    /// Where the server listens. As text it is a target for a client: `127.0.0.1:50051`, `unix:/path`.
    pub fn local_addr(&self) -> &Address {
        &self.local
    }

    /// Stops gracefully: takes no more connections and calls, waits until those under way are done or `grace` has
    /// passed, then ends what is left as [`stop`](Self::stop) does.
    ///
    /// Services that asked to know ([`Methods::on_shutdown`](crate::server::Methods::on_shutdown)) are told first: the
    /// health service says NOT_SERVING to all who watch.
    pub async fn shutdown(mut self, grace: Duration) {
        self.on_shutdown.drain(..).for_each(|callback| callback());
        self.draining.send_replace(true);
        if tokio::time::timeout(grace, self.wait()).await.is_err() {
            self.stop_now().await;
        }
    }

    /// Stops at once: connections are closed and their clients see UNAVAILABLE; handlers are dropped, the last of them
    /// perhaps just after this returns.
    pub async fn stop(mut self) {
        self.stop_now().await;
    }

    /// Waits until the server has ended, which it does only when it is [aborted](Self::abort) or its Tokio runtime ends.
    pub async fn wait(&mut self) {
        // What has ended cannot be awaited again.
        if !self.task.is_finished() {
            let _ = (&mut self.task).await;
        }
    }

    /// Stops at once, as [`stop`](Self::stop) does, and does not wait.
    pub fn abort(&self) {
        self.task.abort();
    }

    async fn stop_now(&mut self) {
        self.abort();
        self.wait().await;
    }
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningServer").field("local_addr", &self.local).finish_non_exhaustive()
    }
}

/// Says that the server is stopped when the task that accepts has ended.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.send_replace(true);
    }
}

/// Accepts connections until the server drains, then waits for those that are left.
async fn accept(mut listener: Listener, shared: Arc<Shared>, mut draining: watch::Receiver<bool>) {
    let local = shared.stats.listeners().first().and_then(|listener| listener.local().cloned());
    let mut connections = JoinSet::new();
    let _stop = StopOnDrop(shared.clone());
    loop {
        let (socket, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
            () = connection::drains(&mut draining) => break,
        };
        let (shared, mut draining) = (shared.clone(), draining.clone());
        let local = socket.local_address().or_else(|| local.clone());
        connections.spawn(async move {
            // In memory of its own, since the task stays when that is over.
            let handshake = Box::pin(Connection::handshake(socket, &shared.settings.serve));
            let connection = tokio::select! {
                connection = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake) => connection,
                // A client that has not said a word has no calls to wait for.
                () = connection::drains(&mut draining) => return,
            };
            // A peer that does not speak HTTP/2 cannot be told anything in it.
            if let Ok(Ok((connection, properties))) = connection {
                let places = shared.settings.serve.max_concurrent_streams as usize;
                let lingering = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
                let client = Client { peer, auth: AuthContext::new(properties), lingering };
                connection::serve(connection, local, client, shared, draining).await;
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
