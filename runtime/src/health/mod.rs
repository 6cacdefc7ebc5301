//! Health checking: a server that says whether it takes calls (`doc/health-checking.md`, `grpc.health.v1`).
//!
//! ```
//! use callwright::Server;
//! use callwright::health::Health;
//!
//! let health = Health::new();
//! let server = Server::builder().add_service(health.service()); // and your own services
//! health.set_serving("helloworld.Greeter");
//! ```
//!
//! The empty name is the server as a whole, and SERVING from the start. When the server shuts down, all is NOT_SERVING
//! before it turns the first call away.

mod servicer;
mod status;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::server::NamedService;

pub use servicer::HealthService;
pub use status::ServingStatus;

/// The messages and the stub of `grpc.health.v1`, for a client.
pub mod proto {
    pub use crate::generated::health_v1::{
        HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, HealthStub,
        health_check_response,
    };
}

/// The health of a server and its services: the handle by which it is set. Clones are handles of the same.
///
/// Whoever watches is told of every change, unless they read more slowly than things change: then of how it is in the end.
#[derive(Clone)]
pub struct Health {
    state: Arc<watch::Sender<State>>,
}

/// How all services are.
struct State {
    statuses: BTreeMap<String, ServingStatus>,
    /// Whether changes are ignored.
    is_shut_down: bool,
}

impl Health {
    /// The health of a server that serves: the empty name is SERVING, other services are unknown until they are set.
    pub fn new() -> Health {
        let statuses = BTreeMap::from([(String::new(), ServingStatus::Serving)]);
        Health { state: Arc::new(watch::Sender::new(State { statuses, is_shut_down: false })) }
    }

    /// The service `grpc.health.v1.Health`, for [`add_service`](crate::ServerBuilder::add_service). When its server begins
    /// to shut down, it calls [`shutdown`](Self::shutdown) and ends the calls of those who watch, with UNAVAILABLE.
    pub fn service(&self) -> HealthService {
        HealthService::new(self.clone())
    }

    /// Sets how a service is, by its full name: `package.Service`, or empty for the server as a whole. After
    /// [`shutdown`](Self::shutdown) it does nothing.
    pub fn set(&self, service: impl Into<String>, status: ServingStatus) {
        self.change(|statuses| statuses.insert(service.into(), status) != Some(status));
    }

    /// The same for a service that was generated: `health.set_for::<GreeterServer<MyGreeter>>(ServingStatus::Serving)`.
    pub fn set_for<S: NamedService>(&self, status: ServingStatus) {
        self.set(S::NAME, status);
    }

    /// Sets a service to SERVING, as [`set`](Self::set) does.
    pub fn set_serving(&self, service: impl Into<String>) {
        self.set(service, ServingStatus::Serving);
    }

    /// Sets a service to NOT_SERVING, as [`set`](Self::set) does.
    pub fn set_not_serving(&self, service: impl Into<String>) {
        self.set(service, ServingStatus::NotServing);
    }

    /// Forgets a service: who asks is told NOT_FOUND, who watches SERVICE_UNKNOWN. After [`shutdown`](Self::shutdown) it
    /// does nothing.
    pub fn clear(&self, service: &str) {
        self.change(|statuses| statuses.remove(service).is_some());
    }

    /// How a service is; `None` for one that was not set.
    pub fn status(&self, service: &str) -> Option<ServingStatus> {
        self.state.borrow().statuses.get(service).copied()
    }

    /// Sets all services to NOT_SERVING, and ignores changes from then on, as grpc-go does. The server goes on: this is for
    /// a server that wants to be left alone before it is shut down.
    pub fn shutdown(&self) {
        self.set_all(ServingStatus::NotServing, true);
    }

    /// Takes [`shutdown`](Self::shutdown) back: all services are SERVING, and can be changed again.
    pub fn resume(&self) {
        self.set_all(ServingStatus::Serving, false);
    }

    /// How many calls of Watch are under way, of all services.
    pub fn watchers(&self) -> usize {
        self.state.receiver_count()
    }

    fn set_all(&self, status: ServingStatus, is_shut_down: bool) {
        self.state.send_modify(|state| {
            state.is_shut_down = is_shut_down;
            state.statuses.values_mut().for_each(|known| *known = status);
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, ServingStatus>) -> bool) {
        self.state.send_if_modified(|state| !state.is_shut_down && change(&mut state.statuses));
    }
}

impl Default for Health {
    fn default() -> Self {
        Health::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Health").field("statuses", &state.statuses).field("is_shut_down", &state.is_shut_down).finish()
    }
}
