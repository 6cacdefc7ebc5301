//! Load reports: a server tells its clients how much it has to do, and what each call cost (ORCA, gRFC A51).
//!
//! Clients spread their calls by it (`weighted_round_robin`, gRFC A58). A report comes with a call, in its trailing
//! metadata, or from a service that is asked for it, [`OrcaService`].
//!
//! ```
//! use callwright::orca::{CallMetrics, OrcaService, ServerMetrics};
//! use callwright::{Server, ServerContext};
//!
//! let load = ServerMetrics::new(); // a handle: clone it to whatever measures, and into the servicers
//! load.set_cpu_utilization(0.3).set_rps(1200.0).set_eps(2.0);
//! let server = Server::builder().add_service(OrcaService::new(&load)); // and your own services
//!
//! // In a handler:
//! fn report(load: &ServerMetrics, context: &mut ServerContext) {
//!     let metrics = load.for_call(context); // CallMetrics::of(context) to leave out what is known of the server
//!     metrics.record_request_cost("rows", 17.0);
//! }
//! ```
//!
//! # What is taken
//!
//! A value that is no number or infinite, is below 0, or above 1 where that cannot be, is ignored, and what was recorded before
//! stays: a measurement that went wrong must not break a call. Names should be few, since all of them go out with each report.

mod call;
mod metrics;
mod report;
mod server;
mod service;

pub use call::CallMetrics;
pub use report::{LoadReport, LoadReportError};
pub use server::ServerMetrics;
pub use service::OrcaService;

/// The messages and the stub of ORCA, for a client.
pub mod proto {
    pub use crate::generated::xds::data::orca::v3::OrcaLoadReport;
    pub use crate::generated::xds::service::orca::v3::{OpenRcaServiceStub, OrcaLoadReportRequest};
}

/// The key of the trailing metadata that has the report of a call.
pub const METADATA_KEY: &str = "endpoint-load-metrics-bin";
