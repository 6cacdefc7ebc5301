//! Reports apart from calls.

use std::time::Duration;

use tokio::sync::watch;

use super::proto::{OrcaLoadReport, OrcaLoadReportRequest};
use super::server::ServerMetrics;
use crate::generated::xds::service::orca::v3::{OpenRcaServiceServer, OpenRcaServiceServicer};
use crate::prost_types;
use crate::server::{Methods, NamedService, Responses, ServerContext, Service};
use crate::status::Status;

/// How often it reports at most unless it is told otherwise.
const DEFAULT_MIN_INTERVAL: Duration = Duration::from_secs(30);

/// The service `xds.service.orca.v3.OpenRcaService`: tells any number of clients what is known of the server, when they
/// ask and from time to time after that.
///
/// A client says how often, and gets no more than [`min_interval`](Self::min_interval) allows. Reports come whether
/// anything has changed or not. When its server begins to shut down, the calls end in UNAVAILABLE: they must not use up
/// the grace that others have.
#[derive(Clone, Debug)]
pub struct OrcaService {
    metrics: ServerMetrics,
    min_interval: Duration,
}

impl OrcaService {
    /// Reports what is set by this handle.
    pub fn new(metrics: &ServerMetrics) -> OrcaService {
        OrcaService { metrics: metrics.clone(), min_interval: DEFAULT_MIN_INTERVAL }
    }

    /// The least time between two reports of a call; 30 s unless set, as gRFC A51 has it. Clients that ask for less, or do not
    /// say, get this. Less than a millisecond means a millisecond.
    pub fn min_interval(mut self, min_interval: Duration) -> Self {
        self.min_interval = min_interval.max(Duration::from_millis(1));
        self
    }
}

impl NamedService for OrcaService {
    const NAME: &'static str = <OpenRcaServiceServer<Servicer> as NamedService>::NAME;
}

impl Service for OrcaService {
    fn register(self, methods: &mut Methods) {
        let server_ends = watch::Sender::new(false);
        let servicer = Servicer { service: self, server_ends: server_ends.clone() };
        methods.on_shutdown(move || _ = server_ends.send_replace(true));
        methods.add(OpenRcaServiceServer::new(servicer));
    }
}

/// The servicer of one server.
#[derive(Debug)]
struct Servicer {
    service: OrcaService,
    /// Whether that server shuts down.
    server_ends: watch::Sender<bool>,
}

impl OpenRcaServiceServicer for Servicer {
    async fn stream_core_metrics(
        &self,
        request: OrcaLoadReportRequest,
        responses: &mut Responses<OrcaLoadReport>,
        _context: &mut ServerContext,
    ) -> Result<(), Status> {
        let interval = request.report_interval.map_or(Duration::ZERO, interval).max(self.service.min_interval);
        let mut server_ends = self.server_ends.subscribe();
        loop {
            responses.send(self.service.metrics.report()).await?;
            tokio::select! {
                _ = server_ends.wait_for(|ends| *ends) => return Err(Status::unavailable("the server shuts down")),
                () = tokio::time::sleep(interval) => {}
            }
        }
    }
}

/// One that is negative, or is malformed, is none. prost-types would panic over some of these.
fn interval(interval: prost_types::Duration) -> Duration {
    match (interval.seconds.try_into(), interval.nanos.try_into()) {
        (Ok(seconds), Ok(nanos @ 0..1_000_000_000)) => Duration::new(seconds, nanos),
        _ => Duration::ZERO,
    }
}
