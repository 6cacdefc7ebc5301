//! The client's side: a [`Channel`], and the calls that go out on it.

mod abort;
mod backoff;
pub mod balancer;
mod builder;
mod call;
mod configured;
mod connectivity;
mod control;
mod deadline;
mod exchange;
mod intercepted;
pub mod interceptor;
mod opened;
mod options;
mod queue;
mod reader;
mod replay;
mod reply;
pub mod resolver;
mod sender;
pub mod service_config;
mod source;
mod state;
mod streaming;
mod subchannel;
mod target;
mod throttle;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::call::ConnectivityState;
use crate::status::Status;
use connectivity::Lease;
use interceptor::{Interceptor, Interceptors};

pub use backoff::Backoff;
pub use builder::{ChannelBuilder, ChannelError};
pub use call::Call;
pub use reply::Reply;
pub use sender::RequestSender;
pub use state::StateWatch;
pub use streaming::Streaming;
pub use target::{TargetError, TargetUri};

/// Connections to a service that outlive its servers: it connects when it is first used, queues calls while it
/// does, and connects again when a connection is lost.
///
/// Cheap to clone; clones share the connections. When the last clone, stub and call are gone, it closes.
///
/// | state | fail-fast call (the default) | wait-for-ready call |
/// |---|---|---|
/// | IDLE | connects and queues | the same |
/// | CONNECTING | queues | queues |
/// | READY | goes out | goes out |
/// | TRANSIENT_FAILURE | ends in UNAVAILABLE at once | stays queued, over any number of reconnects |
/// | SHUTDOWN | ends in CANCELLED at once | the same |
///
/// (gRFC L42, `doc/wait-for-ready.md`.)
#[derive(Clone)]
pub struct Channel {
    lease: Arc<Lease>,
    interceptors: Interceptors,
}

impl Channel {
    /// Sets up a channel to `target`:
    ///
    /// | target | what it is |
    /// |---|---|
    /// | `host:port`, `dns:///host:port` | a name, with all its addresses |
    /// | `dns://1.2.3.4/host:port` | a name that this DNS server is asked for; needs the feature `dns` |
    /// | `ipv4:1.2.3.4:50051,1.2.3.5:50051`, `ipv6:[::1]:50051` | one address, or several with commas |
    /// | `unix:path`, `unix:///path`, `unix-abstract:name` | a Unix socket |
    /// | `passthrough:///host:port` | a name that is looked up for each connection |
    /// | `inproc:name` | a server of the same process |
    /// | `http://host:port`, `https://host:port` | a name; `https` asks for TLS |
    /// | your own | a scheme that a [`resolver`](crate::resolver) was added for |
    ///
    /// A name or an address without a port has port 443, as in every gRPC; after `http://` it is 80.
    pub fn builder(target: impl Into<String>) -> ChannelBuilder {
        ChannelBuilder::new(target.into())
    }

    /// A channel with every setting at its default.
    ///
    /// # Errors
    /// [`ChannelError::Target`] for a target that cannot be used.
    pub fn new(target: impl Into<String>) -> Result<Channel, ChannelError> {
        Channel::builder(target).build()
    }

    /// The target, as it was given.
    pub fn target(&self) -> String {
        self.lease.core().target().to_string()
    }

    /// The state now.
    pub fn state(&self) -> ConnectivityState {
        self.lease.core().state()
    }

    /// Follows the state from now on.
    pub fn watch_state(&self) -> StateWatch {
        self.lease.core().watch()
    }

    /// Starts to connect if the channel is IDLE.
    ///
    /// # Errors
    /// CANCELLED when the channel is closed, FAILED_PRECONDITION outside of a Tokio runtime.
    pub fn connect(&self) -> Result<(), Status> {
        self.lease.core().connect()
    }

    /// Connects, and waits until the channel is READY.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED after `timeout`, with the last error; CANCELLED when the channel is closed; FAILED_PRECONDITION
    /// outside of a Tokio runtime.
    pub async fn wait_until_ready(&self, timeout: Duration) -> Result<(), Status> {
        connectivity::runtime()?;
        self.connect()?;
        let mut states = self.watch_state();
        let ready = async {
            loop {
                match states.current() {
                    ConnectivityState::Ready => return Ok(()),
                    ConnectivityState::Shutdown => return Err(connectivity::closed()),
                    ConnectivityState::Idle => self.connect()?,
                    ConnectivityState::Connecting | ConnectivityState::TransientFailure => {}
                }
                if states.changed().await.is_none() {
                    return Err(connectivity::closed());
                }
            }
        };
        tokio::time::timeout(timeout, ready).await.unwrap_or_else(|_| {
            let wait = self.lease.core().describe_wait();
            Err(Status::deadline_exceeded(format!("not ready after {timeout:?}: waited {wait}")))
        })
    }

    /// Ends a backoff now: a channel in TRANSIENT_FAILURE tries again at once, and the sequence of waits starts anew.
    pub fn reset_connect_backoff(&self) {
        self.lease.core().reset_backoff();
    }

    /// Closes the channel for good, with all its clones: calls that wait and calls under way end in CANCELLED.
    pub fn close(&self) {
        self.lease.core().close();
    }

    /// The same channel, with an interceptor around the calls that are made by way of this handle and its clones: inside of those
    /// that it has.
    pub fn with_interceptor(mut self, interceptor: impl Interceptor) -> Channel {
        self.interceptors.add(interceptor);
        self
    }

    fn interceptors(&self) -> &Interceptors {
        &self.interceptors
    }

    fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("target", &self.target()).field("state", &self.state()).finish()
    }
}
