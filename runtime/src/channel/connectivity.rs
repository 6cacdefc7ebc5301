//! What all handles of a channel share: its state, its queue, and what a call meets in each state.
//!
//! ```text
//!            call or connect()           a server is connected
//!   IDLE ───────────────────▶ CONNECTING ─────────────────▶ READY
//!    ▲                         │      ▲                       │
//!    │      all servers failed │      │ (by the balancer)     │ connection ended, or nobody used it
//!    │                         ▼      │                       │
//!    │                    TRANSIENT_FAILURE                   │
//!    └────────────────────────────────────────────────────────┘   (with calls queued: on to CONNECTING)
//!   close() from anywhere ▶ SHUTDOWN
//! ```
//!
//! The state and the picker are the balancer's, which the channel's task runs ([`control`](super::control)). The lock is held
//! while a picker picks and a stream is opened, so that calls leave in their order.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, header};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::balancer::{Pick, PickArgs, Picker};
use super::builder::Settings;
use super::configured::{CallConfig, Configured};
use super::control::{self, Event};
use super::opened::Opened;
use super::queue::{Queue, QueuedCall, Ticket};
use super::replay::ReplayMemory;
use super::resolver::{Endpoint, ResolveError, drive::Requests};
use super::service_config::ServiceConfig;
use super::state::StateWatch;
use super::target::Target;
use crate::call::{APPLICATION_GRPC, ConnectivityState, GRPC_ACCEPT_ENCODING};
use crate::metadata::Metadata;
use crate::stats::ChannelStats;
use crate::status::Status;
use crate::transport::client::Closer;
use crate::transport::{ConnectError, Fields, Stage};

/// Keeps a channel alive: when the last one is gone, so are its connections (once its calls have ended).
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
    /// How much the calls keep of what they sent.
    replay_memory: Arc<ReplayMemory>,
    config: Configured,
    /// What the resolver's task and the subchannels' wait for.
    requests: Requests,
    /// Set once, when the channel's task has nothing more to do.
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    queue: Queue,
    picker: Option<Arc<dyn Picker>>,
    /// Every connection that may still carry calls: those in use, and those that drain.
    closers: Vec<Closer>,
    /// Why calls fail, or failed last.
    last_failure: Option<Status>,
    /// The way to the channel's task, while one runs.
    control: Option<mpsc::UnboundedSender<Event>>,
}

/// What became of a call that was given to the channel.
pub(super) enum Started {
    Open(Opened),
    Queued,
    Failed(Status),
}

/// What became of a call that the picker was asked for.
enum Tried {
    /// It has left.
    Left(Result<Opened, Status>),
    /// Its server takes no more for now.
    Full,
    /// It waits for another picker.
    Waits,
    /// It would fail, if it did not wait for ready.
    Stays,
}

/// How often a channel that nobody uses is looked at, and what was seen the last time.
#[derive(Debug)]
pub(super) struct Quiet {
    timeout: Option<Duration>,
    started: u64,
    next_look: Option<Instant>,
}

impl Quiet {
    /// When to look the next time.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }
}

/// So many calls may wait at the queue's head for servers that are full before those behind them, which may be for others, wait
/// as well.
const HELD: usize = 8;

type Deliveries = Vec<(Arc<dyn QueuedCall>, Result<Opened, Status>)>;

impl Core {
    fn new(target: Target, settings: Settings) -> Self {
        let config = Configured::default();
        if !target.gives_service_config(settings.connect.tunnel()) {
            config.set(settings.service_config.clone());
        }
        config.connections().store(settings.connections(&settings.service_config), Ordering::Relaxed);
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
            inner: Mutex::default(),
            states: watch::Sender::new(ConnectivityState::Idle),
            next_ticket: AtomicU64::new(0),
            replay_memory: Arc::new(ReplayMemory::new(settings.retry_buffer_size)),
            config,
            requests: Requests::default(),
            ended: watch::Sender::new(false),
            settings,
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

    pub(super) fn replay_memory(&self) -> &Arc<ReplayMemory> {
        &self.replay_memory
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
        let state = self.state();
        if state == ConnectivityState::Shutdown {
            return Started::Failed(closed());
        }
        // Nobody is overtaken.
        if inner.queue.is_empty() || state != ConnectivityState::Ready {
            match self.attempt(&inner, &**call, &mut Vec::new()) {
                Tried::Left(outcome) => return outcome.map_or_else(Started::Failed, Started::Open),
                Tried::Full | Tried::Waits | Tried::Stays => {}
            }
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
        call.note_wait();
        inner.queue.push(ticket, call.clone());
        if let Err(status) = self.ensure_control(&mut inner) {
            inner.queue.remove(ticket);
            return Started::Failed(status);
        }
        let behind_others = inner.queue.len() > 1;
        drop(inner);
        if behind_others && state == ConnectivityState::Ready {
            self.drain();
        }
        Started::Queued
    }

    /// Asks the picker for a call. The subchannels in `full` have turned others away.
    fn attempt(&self, inner: &Inner, call: &dyn QueuedCall, full: &mut Vec<usize>) -> Tried {
        let Some(picker) = inner.picker.as_ref().filter(|_| self.config.is_known()) else { return Tried::Waits };
        call.configure(&self.config);
        match picker.pick(&call.pick_args()) {
            Pick::Subchannel(picked) => {
                let id = picked.subchannel().id();
                if full.contains(&id) {
                    picked.give_back();
                    return Tried::Full;
                }
                match picked.open(call) {
                    Some(outcome) => Tried::Left(outcome),
                    None => {
                        full.push(id);
                        Tried::Full
                    }
                }
            }
            Pick::Queue => Tried::Waits,
            Pick::Fail(_) if call.waits_for_ready() => Tried::Stays,
            Pick::Fail(status) => Tried::Left(Err(self.unavailable(&status))),
            Pick::Drop(status) => Tried::Left(Err(status)),
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
            _ => self.ensure_control(&mut self.lock()),
        }
    }

    /// Ends the channel: queued calls and those under way end in CANCELLED.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        self.enter(ConnectivityState::Shutdown, None);
        let waiting = inner.queue.take_all();
        inner.picker = None;
        let closers = std::mem::take(&mut inner.closers);
        drop(inner);
        self.ended.send_replace(true);
        closers.iter().for_each(Closer::close);
        for call in waiting {
            call.leave_queue(Err(closed()));
        }
    }

    pub(super) fn reset_backoff(&self) {
        self.requests.backoff_reset.notify_waiters();
    }

    /// What a queued call waits for, for the message of a deadline that ran out.
    pub(super) fn describe_wait(&self) -> String {
        let inner = self.lock();
        match (self.state(), &inner.last_failure) {
            (ConnectivityState::Ready, _) => {
                format!("for a free stream to {}: the server's MAX_CONCURRENT_STREAMS are all in use", self.target)
            }
            (state, Some(failure)) => {
                format!("for a connection to {} ({state}); last error: {}", self.target, failure.message())
            }
            (state, None) => format!("for a connection to {} ({state})", self.target),
        }
    }

    /// Lets go of the connections: nobody holds the channel any more, and its calls have their streams.
    fn release(&self) {
        self.lock().picker = None;
        self.ended.send_replace(true);
    }

    /// Has the channel's task run, and the balancer connect if it is at rest.
    fn ensure_control(self: &Arc<Self>, inner: &mut Inner) -> Result<(), Status> {
        let idle = self.state() == ConnectivityState::Idle;
        match &inner.control {
            Some(control) if idle => {
                // A task that has ended has told so, or is about to.
                let _ = control.send(Event::Connect);
            }
            Some(_) => return Ok(()),
            None => {
                let runtime = runtime()?;
                let (sender, receiver) = mpsc::unbounded_channel();
                inner.control = Some(sender.clone());
                runtime.spawn(control::run(self.clone(), (sender, receiver)));
            }
        }
        self.enter(ConnectivityState::Connecting, None);
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

    /// What a call ends with that no server can take.
    fn unavailable(&self, failure: &Status) -> Status {
        let message = format!("cannot connect to {}: {}", self.target, failure.message());
        failure.clone().with_message(message)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the channel's task and its subchannels tell the channel.
impl Core {
    /// The balancer has another picker.
    pub(super) fn set_picker(&self, state: ConnectivityState, picker: Arc<dyn Picker>) {
        let mut inner = self.lock();
        if self.state() == ConnectivityState::Shutdown {
            return;
        }
        let mut why = None;
        match state {
            ConnectivityState::Ready => inner.last_failure = None,
            ConnectivityState::TransientFailure => {
                if let Pick::Fail(status) = picker.pick(&PickArgs::any(&Metadata::new())) {
                    why = Some(status.message().to_owned());
                    inner.last_failure = Some(status);
                }
            }
            ConnectivityState::Idle | ConnectivityState::Connecting | ConnectivityState::Shutdown => {}
        }
        inner.picker = Some(picker);
        self.enter(state, why);
        drop(inner);
        self.drain();
    }

    /// Sends out waiting calls, first come first served, while the servers have room; ends those that can have none.
    pub(super) fn drain(&self) {
        let mut deliveries = Deliveries::new();
        let mut inner = self.lock();
        let (mut held, mut full) = (0, Vec::new());
        let mut next = inner.queue.first();
        while let Some((ticket, call)) = next {
            match self.attempt(&inner, &*call, &mut full) {
                Tried::Left(outcome) => {
                    inner.queue.remove(ticket);
                    deliveries.push((call, outcome));
                }
                Tried::Full | Tried::Waits => held += 1,
                Tried::Stays => {}
            }
            if held == HELD {
                break;
            }
            next = inner.queue.after(ticket);
        }
        drop(inner);
        for (call, outcome) in deliveries {
            call.leave_queue(outcome);
        }
    }

    /// A connection that is to be closed with the channel.
    pub(super) fn watch_over(&self, closer: Closer) {
        let mut inner = self.lock();
        if self.state() == ConnectivityState::Shutdown {
            return closer.close();
        }
        inner.closers.retain(|closer| !closer.is_closed());
        inner.closers.push(closer);
    }

    /// The service config is this from now on; calls that wait and have none get it.
    pub(super) fn configure(&self, config: Arc<ServiceConfig>) {
        let connections = self.settings.connections(&config);
        self.config.set(config);
        let before = self.config.connections().swap(connections, Ordering::Relaxed);
        let waiting = self.lock().queue.all();
        waiting.iter().for_each(|call| call.configure(&self.config));
        if connections > before && !waiting.is_empty() {
            // Those that found all connections full ask for another.
            self.drain();
        }
    }

    /// How many connections there may be to one address, now and later.
    pub(super) fn connections(&self) -> &Arc<AtomicUsize> {
        self.config.connections()
    }

    /// What the service config says of a method's calls; `None` while that is not known.
    pub(super) fn call_config(&self, path: &HeaderValue) -> Option<CallConfig> {
        self.config.of_method(path)
    }

    /// What the servers are asked for their health, where they are asked.
    pub(super) fn health_check(&self) -> Option<String> {
        self.config.health_check()
    }

    /// Whether calls wait.
    pub(super) fn has_waiting(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    /// The target could be looked up.
    pub(super) fn resolved(&self, endpoints: &[Endpoint]) {
        self.stats.resolved(endpoints.iter().flat_map(Endpoint::addresses));
    }

    /// The target could not be looked up; gives the status that calls end with.
    pub(super) fn unresolved(&self, error: &ResolveError) -> Status {
        let error = ConnectError::new(self.target.name(), Stage::Resolve, error.cause());
        self.stats.log_warning(error.to_string());
        Status::unavailable(error.to_string()).with_source(error.cause())
    }

    /// The channel's task is gone, and with it its runtime perhaps: the next call starts another, those that wait fail.
    pub(super) fn abandoned(&self) {
        let mut inner = self.lock();
        inner.control = None;
        inner.picker = None;
        self.enter(ConnectivityState::Idle, None);
        let waiting = inner.queue.take_all();
        drop(inner);
        let status = Status::unavailable(
            "the task that connects the channel has ended: its Tokio runtime was shut down, or built without enable_all(), or its resolver or balancer panicked",
        );
        for call in waiting {
            call.leave_queue(Err(status.clone()));
        }
    }

    /// Begins to look whether the channel is used.
    pub(super) fn quiet(&self) -> Quiet {
        let timeout = self.settings.idle_timeout;
        Quiet { timeout, started: self.stats.calls().started, next_look: after(timeout) }
    }

    /// Looks whether the channel was used since the last time; if not, it is IDLE, and its task has to end (`true`).
    pub(super) fn rest(&self, quiet: &mut Quiet) -> bool {
        let mut inner = self.lock();
        let calls = self.stats.calls();
        let under_way = calls.started - calls.succeeded - calls.failed;
        if under_way == 0 && calls.started == quiet.started && inner.queue.is_empty() {
            inner.control = None;
            inner.picker = None;
            self.enter(ConnectivityState::Idle, Some("nobody uses it (idle_timeout)".into()));
            return true;
        }
        quiet.started = calls.started;
        quiet.next_look = after(quiet.timeout);
        false
    }

    /// What the resolver's task and the subchannels' wait for.
    pub(super) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Resolves when the channel is closed, or nobody holds it any more.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        let _ = ended.wait_for(|ended| *ended).await;
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

/// When so much time has passed; never, where that is further away than the clock reaches.
fn after(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}
