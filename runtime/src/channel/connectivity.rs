//! The state machine of a channel: what a call meets in each state, and who waits for what.
//!
//! ```text
//!            call or connect()              SETTINGS seen
//!   IDLE ───────────────────▶ CONNECTING ─────────────────▶ READY
//!    ▲                         │      ▲                       │
//!    │          attempt failed │      │ backoff over          │ connection ended
//!    │                         ▼      │                       │
//!    │                    TRANSIENT_FAILURE                   │
//!    └────────────────────────────────────────────────────────┘   (with calls queued: on to CONNECTING)
//!   close() from anywhere ▶ SHUTDOWN
//! ```

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderValue, header};
use tokio::runtime::Handle;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};

use super::builder::Settings;
use super::connector;
use super::queue::{Queue, QueuedCall, Ticket};
use super::state::StateWatch;
use super::subchannel::{Opened, Subchannel};
use super::target::Target;
use crate::call::{APPLICATION_GRPC, ConnectivityState, GRPC_ACCEPT_ENCODING};
use crate::stats::ChannelStats;
use crate::status::Status;
use crate::transport::client::Closer;
use crate::transport::{ConnectError, Fields};

/// Keeps a channel alive: when the last one is gone, so is the channel's connection (once its calls have ended).
#[derive(Debug)]
pub(super) struct Lease {
    core: Arc<Core>,
}

impl Lease {
    pub(super) fn new(target: Target, settings: Settings) -> Self {
        Lease { core: Arc::new(Core::new(target, settings)) }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.core.release();
    }
}

/// What all handles of one channel share.
pub(super) struct Core {
    target: Target,
    settings: Settings,
    /// The name of the server as the `:authority` header gives it.
    authority: HeaderValue,
    /// The headers of most calls: of those without metadata, deadline and compression.
    plain_head: Fields,
    stats: Arc<ChannelStats>,
    inner: Mutex<Inner>,
    states: watch::Sender<ConnectivityState>,
    next_ticket: AtomicU64,
    /// Wakes the connector out of its backoff.
    backoff_reset: Notify,
    /// Set once, when the connector has nothing more to do.
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    queue: Queue,
    connection: Option<Subchannel>,
    /// Every connection that may still carry calls: the one in use, and those that drain.
    closers: Vec<Closer>,
    last_error: Option<Arc<ConnectError>>,
    /// Whether a connector task runs.
    connecting: bool,
}

/// What became of a call that was given to the channel.
pub(super) enum Started {
    Open(Opened),
    Queued,
    Failed(Status),
}

type Deliveries = Vec<(Arc<dyn QueuedCall>, Result<Opened, Status>)>;

impl Core {
    fn new(target: Target, settings: Settings) -> Self {
        let authority = settings.authority.as_ref().unwrap_or_else(|| target.authority()).as_str();
        Core {
            // Every authority is text that can stand in a header.
            authority: HeaderValue::from_str(authority).unwrap_or(HeaderValue::from_static("localhost")),
            plain_head: Fields::from_iter([
                (header::CONTENT_TYPE, HeaderValue::from_static(APPLICATION_GRPC)),
                (header::TE, HeaderValue::from_static("trailers")),
                (GRPC_ACCEPT_ENCODING, settings.messages.compressors.accept_header()),
                (header::USER_AGENT, settings.user_agent.clone()),
            ]),
            stats: ChannelStats::new(target.to_string()),
            target,
            settings,
            inner: Mutex::default(),
            states: watch::Sender::new(ConnectivityState::Idle),
            next_ticket: AtomicU64::new(0),
            backoff_reset: Notify::new(),
            ended: watch::Sender::new(false),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    pub(super) fn plain_head(&self) -> &Fields {
        &self.plain_head
    }

    pub(super) fn stats(&self) -> &Arc<ChannelStats> {
        &self.stats
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn state(&self) -> ConnectivityState {
        *self.states.borrow()
    }

    pub(super) fn watch(&self) -> StateWatch {
        StateWatch::new(self.states.subscribe())
    }

    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.next_ticket.fetch_add(1, Ordering::Relaxed))
    }

    /// Opens the call's stream, queues it, or says why it fails, by the state that the channel is in.
    pub(super) fn start(self: &Arc<Self>, ticket: Ticket, call: &Arc<dyn QueuedCall>) -> Started {
        let mut inner = self.lock();
        match self.state() {
            ConnectivityState::Shutdown => return Started::Failed(closed()),
            ConnectivityState::TransientFailure if !call.waits_for_ready() => {
                return Started::Failed(self.unavailable(&inner));
            }
            ConnectivityState::Ready if inner.queue.is_empty() => {
                if let Some(connection) = inner.connection.as_ref().filter(|connection| connection.has_room())
                    && let Some(outcome) = open(connection, &**call)
                {
                    return outcome.map_or_else(Started::Failed, Started::Open);
                }
            }
            _ => {}
        }
        if inner.queue.len() >= self.settings.queue_limit {
            return Started::Failed(Status::resource_exhausted(format!(
                "{} calls wait already for the channel to {} ({}): the limit is {} (queue_limit)",
                inner.queue.len(),
                self.target,
                self.state(),
                self.settings.queue_limit
            )));
        }
        inner.queue.push(ticket, call.clone());
        match self.ensure_connector(&mut inner) {
            Ok(()) => Started::Queued,
            Err(status) => {
                inner.queue.remove(ticket);
                Started::Failed(status)
            }
        }
    }

    /// Takes a call out of the queue that nobody waits for any more.
    pub(super) fn forget(&self, ticket: Ticket) {
        self.lock().queue.remove(ticket);
    }

    /// Leaves IDLE without a call.
    pub(super) fn connect(self: &Arc<Self>) -> Result<(), Status> {
        match self.state() {
            ConnectivityState::Shutdown => Err(closed()),
            _ => self.ensure_connector(&mut self.lock()),
        }
    }

    /// Ends the channel: queued calls and those under way end in CANCELLED.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        self.enter(ConnectivityState::Shutdown, None);
        let waiting = inner.queue.take_all();
        inner.connection = None;
        let closers = std::mem::take(&mut inner.closers);
        drop(inner);
        self.ended.send_replace(true);
        closers.iter().for_each(Closer::close);
        for call in waiting {
            call.leave_queue(Err(closed()));
        }
    }

    pub(super) fn reset_backoff(&self) {
        self.backoff_reset.notify_waiters();
    }

    /// What a queued call waits for, for the message of a deadline that ran out.
    pub(super) fn describe_wait(&self) -> String {
        let inner = self.lock();
        match (self.state(), &inner.last_error) {
            (ConnectivityState::Ready, _) => {
                format!("for a free stream to {}: the server's MAX_CONCURRENT_STREAMS are all in use", self.target)
            }
            (state, Some(error)) => format!("for a connection to {} ({state}); last error: {error}", self.target),
            (state, None) => format!("for a connection to {} ({state})", self.target),
        }
    }

    /// Lets go of the connection: nobody holds the channel any more, and its calls have their streams.
    fn release(&self) {
        self.lock().connection = None;
        self.ended.send_replace(true);
    }

    fn ensure_connector(self: &Arc<Self>, inner: &mut Inner) -> Result<(), Status> {
        if inner.connecting {
            return Ok(());
        }
        let runtime = runtime()?;
        inner.connecting = true;
        self.enter(ConnectivityState::Connecting, None);
        runtime.spawn(connector::run(self.clone()));
        Ok(())
    }

    /// Sets the state, which never leaves SHUTDOWN. Called with the lock held, so that states change one by one.
    fn enter(&self, state: ConnectivityState, why: Option<String>) {
        self.states.send_if_modified(|current| {
            let changes = *current != state && *current != ConnectivityState::Shutdown;
            if changes {
                *current = state;
                self.stats.enter(state, why);
            }
            changes
        });
    }

    fn unavailable(&self, inner: &Inner) -> Status {
        match &inner.last_error {
            Some(error) => {
                Status::unavailable(format!("cannot connect to {}: {error}", self.target)).with_source(error.cause())
            }
            None => Status::unavailable(format!("cannot connect to {}", self.target)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the connector task tells the channel.
impl Core {
    pub(super) fn connecting(&self) {
        let _inner = self.lock();
        self.enter(ConnectivityState::Connecting, None);
    }

    pub(super) fn connected(&self, connection: Subchannel) {
        let mut inner = self.lock();
        let closer = connection.closer();
        if self.state() == ConnectivityState::Shutdown {
            return closer.close();
        }
        inner.last_error = None;
        inner.closers.retain(|closer| !closer.is_closed());
        inner.closers.push(closer);
        inner.connection = Some(connection);
        self.enter(ConnectivityState::Ready, None);
        drop(inner);
        self.drain();
    }

    /// Sends out waiting calls, first come first served, while the connection has room.
    pub(super) fn drain(&self) {
        let mut deliveries = Deliveries::new();
        let mut inner = self.lock();
        while let Some(connection) = inner.connection.clone().filter(Subchannel::has_room) {
            let Some((ticket, call)) = inner.queue.pop() else { break };
            match open(&connection, &*call) {
                Some(outcome) => deliveries.push((call, outcome)),
                None => {
                    inner.queue.push(ticket, call);
                    break;
                }
            }
        }
        drop(inner);
        deliver(deliveries);
    }

    pub(super) fn failed(&self, error: ConnectError) {
        let mut inner = self.lock();
        let why = error.to_string();
        inner.last_error = Some(Arc::new(error));
        self.enter(ConnectivityState::TransientFailure, Some(why));
        let status = self.unavailable(&inner);
        let failing = inner.queue.take_fail_fast();
        drop(inner);
        deliver(failing.into_iter().map(|call| (call, Err(status.clone()))).collect());
    }

    /// The connection is at its end: with calls waiting, the connector goes on (`true`); else it rests until the next call.
    pub(super) fn disconnected(&self) -> bool {
        let mut inner = self.lock();
        inner.connection = None;
        self.enter(ConnectivityState::Idle, None);
        inner.connecting = !inner.queue.is_empty() && self.state() != ConnectivityState::Shutdown;
        inner.connecting
    }

    /// The connector is gone, and with it its runtime perhaps: the next call starts another, those that wait fail.
    pub(super) fn abandoned(&self) {
        let mut inner = self.lock();
        if !inner.connecting {
            return;
        }
        inner.connecting = false;
        inner.connection = None;
        self.enter(ConnectivityState::Idle, None);
        let waiting = inner.queue.take_all();
        drop(inner);
        let status = Status::unavailable(
            "the task that connects the channel has ended: its Tokio runtime was shut down, or built without enable_all()",
        );
        deliver(waiting.into_iter().map(|call| (call, Err(status.clone()))).collect());
    }

    /// Resolves when the channel is closed, or nobody holds it any more.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Resolves when a user ends the backoff.
    pub(super) fn backoff_was_reset(&self) -> Notified<'_> {
        self.backoff_reset.notified()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("target", &self.target.to_string())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The runtime that connections and timers run on.
pub(super) fn runtime() -> Result<Handle, Status> {
    Handle::try_current().map_err(|_| {
        Status::failed_precondition(
            "the channel was used outside of a Tokio runtime: it needs one for its connections and timers",
        )
    })
}

pub(super) fn closed() -> Status {
    Status::cancelled("channel closed")
}

/// Opens the call's stream, or says why it cannot have one on this connection nor on a later one; `None` when the
/// connection takes no more, so that the call may wait for the next one.
fn open(connection: &Subchannel, call: &dyn QueuedCall) -> Option<Result<Opened, Status>> {
    let (first, end) = call.first();
    match call.head(connection.header_limit()) {
        // A stream that cannot be opened never reached the server: nothing is lost, the connection is at its end.
        Ok(head) => connection.open(head, first, end).ok().map(Ok),
        Err(status) => Some(Err(status)),
    }
}

fn deliver(deliveries: Deliveries) {
    for (call, outcome) in deliveries {
        call.leave_queue(outcome);
    }
}
