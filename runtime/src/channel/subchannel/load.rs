//! What load a server reports beside its calls (ORCA, gRFC A51): the out-of-band reports of gRFC A58.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::stream::stream;
use crate::channel::backoff::Attempts;
use crate::channel::connectivity::Core;
use crate::status::Code;
use crate::transport::client::Connection;

const STREAM_CORE_METRICS: HeaderValue =
    HeaderValue::from_static("/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics");

/// What is read of `xds.data.orca.v3.OrcaLoadReport`.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::channel) struct LoadReport {
    #[prost(double, tag = "1")]
    pub(in crate::channel) cpu_utilization: f64,
    #[prost(double, tag = "6")]
    pub(in crate::channel) rps_fractional: f64,
    #[prost(double, tag = "7")]
    pub(in crate::channel) eps: f64,
    #[prost(double, tag = "9")]
    pub(in crate::channel) application_utilization: f64,
}

/// `xds.service.orca.v3.OrcaLoadReportRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(message, optional, tag = "1")]
    report_interval: Option<prost_types::Duration>,
}

/// Who wants a server's reports, and how often.
#[derive(Clone)]
pub(in crate::channel) struct LoadWatch {
    pub(in crate::channel) period: Duration,
    pub(in crate::channel) report: Arc<dyn Fn(&LoadReport) + Send + Sync>,
}

/// Has a server report its load for as long as it is polled.
pub(super) async fn watch(connection: &Connection, core: &Core, watch: LoadWatch) {
    let mut attempts = Attempts::new(core.settings().backoff.clone());
    let report_interval = Some(prost_types::Duration::try_from(watch.period).unwrap_or_default());
    loop {
        let attempt = attempts.start();
        let request = Request { report_interval };
        let ended = stream(connection, core, STREAM_CORE_METRICS, &request, |report: LoadReport| {
            (watch.report)(&report);
        })
        .await;
        if ended.code() == Code::Unimplemented {
            // A server that does not report has no weight of its own.
            core.stats().log_warning(format!("no load reports: the server does not give any ({})", ended.message()));
            return std::future::pending().await;
        }
        tokio::time::sleep_until(attempt.next_at).await;
    }
}
