//! What one call has to report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::METADATA_KEY;
use super::metrics::Metrics;
use super::proto::OrcaLoadReport;
use super::server::ServerMetrics;
use crate::prost::Message as _;
use crate::server::ServerContext;

/// Records what a call has to report; clones record for the same call.
///
/// The report goes out with the trailing metadata, under [`METADATA_KEY`], and says what was recorded last of each. Nothing
/// goes out where nothing was recorded.
#[derive(Clone, Debug, Default)]
pub struct CallMetrics {
    recorded: Arc<Mutex<Recorded>>,
}

#[derive(Debug, Default)]
struct Recorded {
    metrics: Metrics,
    /// What is reported where the call says nothing.
    server: Option<ServerMetrics>,
}

impl CallMetrics {
    /// The recorder of a call: the same one each time. [`ServerMetrics::for_call`] is for a report that also says how the
    /// server is.
    pub fn of(context: &mut ServerContext) -> CallMetrics {
        if let Some(metrics) = context.extensions().get::<CallMetrics>() {
            return metrics.clone();
        }
        let metrics = CallMetrics::default();
        context.extensions_mut().insert(metrics.clone());
        let at_the_end = metrics.clone();
        context.before_trailers(move |trailing| {
            let report = at_the_end.report().encode_to_vec();
            if !report.is_empty() {
                // The key is one for bytes, so it takes them all.
                let _ = trailing.insert(METADATA_KEY, report);
            }
        });
        metrics
    }

    pub(super) fn set_server(&self, server: ServerMetrics) {
        self.lock().server = Some(server);
    }

    fn report(&self) -> OrcaLoadReport {
        let recorded = self.lock();
        let mut metrics = recorded.metrics.clone();
        if let Some(server) = &recorded.server {
            server.fill(&mut metrics);
        }
        metrics.into()
    }

    /// Records the share of the CPUs that is used: 0 or more, 1 for all of them.
    pub fn record_cpu_utilization(&self, value: f64) -> &Self {
        self.record(|metrics| metrics.cpu_utilization.set(value))
    }

    /// Records the share of the memory that is used: from 0 to 1.
    pub fn record_memory_utilization(&self, value: f64) -> &Self {
        self.record(|metrics| metrics.memory_utilization.set_share(value))
    }

    /// Records the share that is used of whatever the application is bound by: 0 or more. Clients look at it in place of the
    /// CPUs'.
    pub fn record_application_utilization(&self, value: f64) -> &Self {
        self.record(|metrics| metrics.application_utilization.set(value))
    }

    /// Records how many calls per second the server answers: 0 or more.
    pub fn record_rps(&self, value: f64) -> &Self {
        self.record(|metrics| metrics.rps.set(value))
    }

    /// Records how many calls per second fail: 0 or more.
    pub fn record_eps(&self, value: f64) -> &Self {
        self.record(|metrics| metrics.eps.set(value))
    }

    /// Records the share of something else that is used: from 0 to 1.
    pub fn record_utilization(&self, name: impl Into<String>, value: f64) -> &Self {
        self.record(|metrics| metrics.utilization.set_share(name.into(), value))
    }

    /// Records what the call cost, in whatever unit.
    pub fn record_request_cost(&self, name: impl Into<String>, value: f64) -> &Self {
        self.record(|metrics| metrics.request_cost.set(name.into(), value))
    }

    /// Records a value that only the application knows the meaning of.
    pub fn record_named_metric(&self, name: impl Into<String>, value: f64) -> &Self {
        self.record(|metrics| metrics.named.set(name.into(), value))
    }

    fn record(&self, change: impl FnOnce(&mut Metrics)) -> &Self {
        change(&mut self.lock().metrics);
        self
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
