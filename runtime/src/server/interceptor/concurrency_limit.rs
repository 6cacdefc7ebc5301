//! How many calls run at once.

use tokio::sync::Semaphore;

use super::selection::Selection;
use super::{Next, ServerInterceptor};
use crate::server::ServerContext;
use crate::status::Status;

/// Lets so many calls run at once, has some more wait for their turn, and refuses the rest with RESOURCE_EXHAUSTED.
///
/// Those that wait get their turn in the order in which they came; one that is cancelled or whose deadline passes leaves at once. A
/// call that streams counts for as long as it lasts. Around all calls of a server it is a limit of the server; for some of them,
/// of those together. Several can be set.
///
/// ```
/// use callwright::Server;
/// use callwright::server::interceptor::ConcurrencyLimit;
///
/// let builder = Server::builder()
///     .interceptor(ConcurrencyLimit::new(1000).queue(5000).except(["grpc.health.v1.Health"]))
///     .interceptor(ConcurrencyLimit::new(4).only(["shop.v1.Reports/Yearly"]));
/// ```
#[derive(Debug)]
pub struct ConcurrencyLimit {
    calls: usize,
    queue: usize,
    only: Option<Selection>,
    except: Selection,
    /// Of those that run.
    turns: Semaphore,
    /// Of those that run or wait.
    places: Semaphore,
}

impl ConcurrencyLimit {
    /// At most so many calls run at once; none waits unless [`queue`](Self::queue) says so.
    pub fn new(calls: usize) -> Self {
        let calls = calls.min(Semaphore::MAX_PERMITS);
        ConcurrencyLimit {
            calls,
            queue: 0,
            only: None,
            except: Selection::default(),
            turns: Semaphore::new(calls),
            places: Semaphore::new(calls),
        }
    }

    /// At most so many calls more wait for their turn; 0 unless set.
    pub fn queue(mut self, calls: usize) -> Self {
        self.queue = calls.min(Semaphore::MAX_PERMITS - self.calls);
        self.places = Semaphore::new(self.calls + self.queue);
        self
    }

    /// Counts calls of these alone: services (`package.Service`) or methods (`package.Service/Method`). All unless set. One that is
    /// not served is an error when the server starts.
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.only = Some(Selection::new(names));
        self
    }

    /// Lets calls of these pass without counting them.
    pub fn except<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.except = Selection::new(names);
        self
    }

    fn counts(&self, path: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.has(path)) && !self.except.has(path)
    }

    fn full(&self) -> Status {
        let queue = if self.queue > 0 { format!(" and {} waiting", self.queue) } else { String::new() };
        Status::resource_exhausted(format!(
            "the server has {} calls{queue}, which is as many as it takes (ConcurrencyLimit); try again later",
            self.calls
        ))
    }
}

impl ServerInterceptor for ConcurrencyLimit {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        if !self.counts(context.method()) {
            return next.run(context).await;
        }
        let _place = self.places.try_acquire().map_err(|_| self.full())?;
        // It is never closed.
        let _turn = self.turns.acquire().await.map_err(|_| self.full())?;
        next.run(context).await
    }

    fn names(&self) -> Vec<&str> {
        self.only.as_ref().map(Selection::names).unwrap_or_default()
    }
}
