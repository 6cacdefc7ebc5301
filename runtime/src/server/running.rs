//! A server that serves: where it listens, and how it is stopped.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::accept;
use super::builder::Settings;
use super::methods::{Methods, OnShutdown};
use super::shared::Shared;
use crate::stats::ServerStats;
use crate::transport::{Address, Listener};

/// A server that serves in the background; made by [`ServerBuilder::bind`](crate::ServerBuilder::bind).
///
/// Dropping it leaves the server running until the process or its Tokio runtime ends.
#[must_use = "a server that nobody holds cannot be stopped"]
pub struct RunningServer {
    local: Address,
    locals: Vec<Address>,
    draining: watch::Sender<bool>,
    task: JoinHandle<()>,
    on_shutdown: Vec<OnShutdown>,
}

impl RunningServer {
    /// Serves on these listeners, which have these addresses; `None` where there is none.
    pub(super) fn start(
        listeners: Vec<Listener>,
        locals: Vec<Address>,
        settings: Settings,
        mut methods: Methods,
    ) -> Option<Self> {
        let local = locals.first()?.clone();
        let on_shutdown = methods.take_on_shutdown();
        let (draining, drained) = watch::channel(false);
        let stats = ServerStats::new(locals.iter().cloned());
        let task = tokio::spawn(accept(listeners, Arc::new(Shared::new(settings, methods, stats)), drained));
        Some(RunningServer { local, locals, draining, task, on_shutdown })
    }

    /// Where the server listens: the address of [`bind`](crate::ServerBuilder::bind), or else the first. As text it is a target for
    /// a client: `127.0.0.1:50051`, `unix:/path`.
    pub fn local_addr(&self) -> &Address {
        &self.local
    }

    /// All that it listens on: the same and then those of [`listen`](crate::ServerBuilder::listen), in their order. A `systemd:` of
    /// several sockets has several.
    pub fn local_addrs(&self) -> &[Address] {
        &self.locals
    }

    /// Stops gracefully: takes no more connections and calls, waits until those under way are done or `grace` has
    /// passed, then ends what is left as [`stop`](Self::stop) does.
    ///
    /// Each client is told in two steps, so that no call is lost which it had sent before it knew; one that does not answer in
    /// between for 5 s is told the second all the same. The listeners are shut at once, and those who wait in their backlogs refused.
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
        f.debug_struct("RunningServer").field("local_addrs", &self.locals).finish_non_exhaustive()
    }
}
