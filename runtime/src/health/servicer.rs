//! The service, over the state that the handle sets.
//!
//! Who watches keeps nothing here but their place in the channel that tells of changes: a call that ends, however it does,
//! leaves nothing behind, and one that is slow finds the latest state and no queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Health;
use crate::generated::health_v1::health_check_response::ServingStatus as OnWire;
use crate::generated::health_v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, HealthServer, HealthServicer,
};
use crate::server::{Methods, NamedService, Responses, ServerContext, Service};
use crate::status::Status;

/// The longest name that can be watched, in bytes: it is kept as long as the call lasts, and no service has one of which the
/// path would not even fit into a request's headers.
const MAX_WATCHED_NAME: usize = 4096;

/// The service `grpc.health.v1.Health`; made by [`Health::service`].
#[derive(Clone, Debug)]
pub struct HealthService {
    health: Health,
}

impl HealthService {
    pub(super) fn new(health: Health) -> HealthService {
        HealthService { health }
    }
}

impl NamedService for HealthService {
    const NAME: &'static str = <HealthServer<Servicer> as NamedService>::NAME;
}

impl Service for HealthService {
    fn register(self, methods: &mut Methods) {
        let health = self.health.clone();
        let servicer = Servicer { health: self.health, server_ends: Arc::default() };
        let server_ends = servicer.server_ends.clone();
        methods.on_shutdown(move || {
            // In this order: who is woken by the change sees that it was the last.
            server_ends.store(true, Ordering::Release);
            health.shutdown();
        });
        methods.add(HealthServer::new(servicer));
    }
}

/// The servicer of one server.
#[derive(Debug)]
struct Servicer {
    health: Health,
    /// Whether that server shuts down.
    server_ends: Arc<AtomicBool>,
}

impl HealthServicer for Servicer {
    async fn check(
        &self,
        request: HealthCheckRequest,
        _context: &mut ServerContext,
    ) -> Result<HealthCheckResponse, Status> {
        match self.health.status(&request.service) {
            Some(status) => Ok(status.into()),
            None => Err(Status::not_found(format!("unknown service {:?}", request.service))),
        }
    }

    async fn list(
        &self,
        _request: HealthListRequest,
        _context: &mut ServerContext,
    ) -> Result<HealthListResponse, Status> {
        let state = self.health.state.borrow();
        let statuses: HashMap<_, _> =
            state.statuses.iter().map(|(service, status)| (service.clone(), (*status).into())).collect();
        Ok(HealthListResponse { statuses })
    }

    async fn watch(
        &self,
        request: HealthCheckRequest,
        responses: &mut Responses<HealthCheckResponse>,
        _context: &mut ServerContext,
    ) -> Result<(), Status> {
        if request.service.len() > MAX_WATCHED_NAME {
            let size = request.service.len();
            let text = format!("the name of the service has {size} bytes; at most {MAX_WATCHED_NAME} can be watched");
            return Err(Status::invalid_argument(text));
        }
        let mut changes = self.health.state.subscribe();
        let mut last = None;
        loop {
            let server_ends = self.server_ends.load(Ordering::Acquire);
            let status = changes.borrow_and_update().statuses.get(&request.service).copied();
            let status = status.map_or(OnWire::ServiceUnknown, OnWire::from);
            if last.replace(status) != Some(status) {
                responses.send(HealthCheckResponse { status: status.into() }).await?;
            }
            if server_ends {
                return Err(Status::unavailable("the server shuts down"));
            }
            if changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}
