//! The way to one address: connected when its balancer asks for it, and again after that.
//!
//! ```text
//!            connect()            SETTINGS seen
//!   IDLE ──────────────▶ CONNECTING ───────────▶ READY (or, by its health check, CONNECTING and TRANSIENT_FAILURE)
//!    ▲ ▲                     │                     │
//!    │ │  backoff over       │ attempt failed      │ connection ended
//!    │ └─── TRANSIENT_FAILURE ◀┘                   │
//!    └─────────────────────────────────────────────┘
//! ```

mod health;
mod load;
mod stream;
mod task;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::balancer::{CallOutcome, OnDone};
use super::connectivity::Core;
use super::opened::{CallRecord, Opened};
use super::queue::{QueuedCall, Traced};
use crate::address::Address;
use crate::call::{ConnectivityState, MessageEvent};
use crate::metadata;
use crate::stats::{Moment, SocketStats, SubchannelStats};
use crate::status::Status;
use crate::transport::client::{self, Connection};

pub(super) use load::{LoadReport, LoadWatch};
pub(super) use task::run;

/// The way to one address. Clones are handles of the same; when the last is dropped, its connection takes no more calls, and
/// closes when those that it has are done.
#[derive(Clone)]
pub struct Subchannel {
    handle: Arc<Handle>,
}

/// How a subchannel stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubchannelState {
    /// Not connected, and not about to be.
    Idle,
    /// On the way, or connected and not yet known to serve.
    Connecting,
    /// It takes calls.
    Ready,
    /// It could not connect; IDLE follows when its backoff is over.
    TransientFailure(Status),
    /// It is connected, but is not to be given calls for now: its health check says so (gRFC A17), or it stands out by failures
    /// (gRFC A50). READY may follow at any time.
    Unhealthy(Status),
}

/// What a subchannel's task and its handles share.
pub(super) struct Link {
    address: Address,
    stats: Arc<SubchannelStats>,
    connections: Mutex<Vec<Line>>,
    /// Whether it was asked to connect, or is at it.
    asked: AtomicBool,
    ask: Notify,
    /// All connections are full, and there may be more.
    crowded: Notify,
    /// How many connections there may be: the service config's, which may change (gRFC A105).
    max_connections: Arc<AtomicUsize>,
    /// Whether its server's health is watched.
    watches_health: AtomicBool,
    /// Who wants to know its server's load.
    load: OnceLock<LoadWatch>,
}

struct Handle {
    link: Arc<Link>,
    id: usize,
    task: OnceLock<AbortHandle>,
}

/// One connection.
#[derive(Clone, Debug)]
struct Line {
    connection: Connection,
    socket: Arc<SocketStats>,
    id: u64,
}

static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

/// Tells a subchannel without keeping it.
#[derive(Clone, Debug)]
pub(super) struct WeakSubchannel(Weak<Handle>);

impl WeakSubchannel {
    pub(super) fn upgrade(&self) -> Option<Subchannel> {
        self.0.upgrade().map(|handle| Subchannel { handle })
    }
}

impl Subchannel {
    /// A subchannel of this channel; its task has still to be started.
    pub(super) fn new(core: &Arc<Core>, address: &Address) -> Subchannel {
        let link = Link {
            stats: core.stats().subchannel(address.clone()),
            address: address.clone(),
            connections: Mutex::default(),
            asked: AtomicBool::new(false),
            ask: Notify::new(),
            crowded: Notify::new(),
            max_connections: core.connections().clone(),
            watches_health: AtomicBool::new(false),
            load: OnceLock::new(),
        };
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Subchannel { handle: Arc::new(Handle { link: Arc::new(link), id, task: OnceLock::new() }) }
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.handle.link
    }

    pub(super) fn downgrade(&self) -> WeakSubchannel {
        WeakSubchannel(Arc::downgrade(&self.handle))
    }

    /// Ends this task with the last handle.
    pub(super) fn runs_as(&self, task: AbortHandle) {
        let _ = self.handle.task.set(task);
    }

    /// Where it leads.
    pub fn address(&self) -> &Address {
        &self.handle.link.address
    }

    /// Connects, if it is IDLE.
    pub fn connect(&self) {
        self.handle.link.ask();
    }

    /// Has the server's health watched from its next connection on, where the service config says how (gRFC A17): the subchannel
    /// is READY only while the server says that it serves, and [unhealthy](SubchannelState::Unhealthy) otherwise. For balancers
    /// that have other servers to go to.
    pub fn watch_health(&self) {
        self.handle.link.watches_health.store(true, Ordering::Relaxed);
    }

    /// Has the server report its load from its next connection on.
    pub(super) fn watch_load(&self, watch: LoadWatch) {
        let _ = self.handle.link.load.set(watch);
    }

    /// Whether it is connected, and the server takes one more call now. A picker that has a choice prefers one that does.
    pub fn has_room(&self) -> bool {
        self.handle.link.lock().iter().any(|line| line.connection.has_room())
    }

    /// A number that no other subchannel of this process has.
    pub fn id(&self) -> usize {
        self.handle.id
    }

    /// Opens the call's stream, or says why it cannot have one, here or elsewhere; `None` where there is no room for it now.
    pub(super) fn open(&self, call: &dyn QueuedCall, on_done: Option<OnDone>) -> Option<Result<Opened, Status>> {
        let link = &self.handle.link;
        let lines = link.lock();
        let mut refused = None;
        for line in lines.iter().filter(|line| line.connection.has_room()) {
            let (first, end) = call.first();
            let mut head = match call.head(line.connection.header_limit()) {
                Ok(head) => head,
                Err(status) => {
                    refused = Some(Err(status));
                    break;
                }
            };
            let (tracers, first_size) = match call.trace(line.connection.address()) {
                Some(Traced { tracers, metadata, first_size }) => {
                    metadata.append_to(&mut head.headers);
                    if !metadata.is_empty()
                        && let Err(error) = metadata::check_size(head.size(), line.connection.header_limit())
                    {
                        let status = Status::from(error);
                        tracers.ended(&status);
                        refused = Some(Err(status));
                        break;
                    }
                    (tracers, first_size)
                }
                None => Default::default(),
            };
            let sends = first.as_ref().map(|first| MessageEvent::of_frame(first, first_size));
            let opened = match line.connection.open(head, first, end) {
                Ok(opened) => opened,
                // It never reached the server: nothing is lost, the connection is at its end.
                Err(error) => {
                    tracers.ended(&error.to_status(line.connection.address()));
                    continue;
                }
            };
            let now = Moment::now();
            link.stats.counter().start(now);
            let record = CallRecord::new(link.stats.clone(), line.socket.open_local(now), on_done, tracers);
            if let Some(message) = sends {
                record.message_sent(message);
            }
            let client::Opened { send, recv, permit, peer } = opened;
            return Some(Ok(Opened { send, recv, peer, record, _permit: permit }));
        }
        if refused.is_none() && !lines.is_empty() && lines.len() < link.max_connections() {
            link.crowded.notify_one();
        }
        drop(lines);
        if let Some(done) = on_done {
            done(&CallOutcome { code: None, trailing_metadata: None });
        }
        refused
    }
}

impl PartialEq for Subchannel {
    fn eq(&self, other: &Subchannel) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }
}

impl Eq for Subchannel {}

impl fmt::Debug for Subchannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subchannel").field("address", self.address()).field("id", &self.id()).finish()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
        self.link.lock().clear();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Link {
    fn ask(&self) {
        if !self.asked.swap(true, Ordering::AcqRel) {
            self.ask.notify_one();
        }
    }

    /// Whether no connection has room for a call, and there may be another.
    fn is_crowded(&self) -> bool {
        let lines = self.lock();
        lines.len() < self.max_connections() && !lines.iter().any(|line| line.connection.has_room())
    }

    fn max_connections(&self) -> usize {
        self.max_connections.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SubchannelState {
    /// The state in gRPC's own words.
    pub fn connectivity(&self) -> ConnectivityState {
        match self {
            SubchannelState::Idle => ConnectivityState::Idle,
            SubchannelState::Connecting => ConnectivityState::Connecting,
            SubchannelState::Ready => ConnectivityState::Ready,
            SubchannelState::TransientFailure(_) | SubchannelState::Unhealthy(_) => ConnectivityState::TransientFailure,
        }
    }
}
