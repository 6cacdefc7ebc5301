//! What a server has to report.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::CallMetrics;
use super::metrics::{Metrics, Named};
use super::proto::OrcaLoadReport;
use crate::server::ServerContext;

/// What is known of a server as a whole: the handle by which it is set. Clones are handles of the same.
///
/// Nothing is known at first, and what was set stays until it is set again or cleared. It is reported by an
/// [`OrcaService`](super::OrcaService), and with the calls whose handlers ask for it ([`for_call`](Self::for_call)).
#[derive(Clone, Debug, Default)]
pub struct ServerMetrics {
    metrics: Arc<Mutex<Metrics>>,
}

impl ServerMetrics {
    /// One of which nothing is known.
    pub fn new() -> ServerMetrics {
        ServerMetrics::default()
    }

    /// The [recorder of a call](CallMetrics::of), of which the report also says what is known of the server when it leaves;
    /// where both say something, the call's counts.
    pub fn for_call(&self, context: &mut ServerContext) -> CallMetrics {
        let metrics = CallMetrics::of(context);
        metrics.set_server(self.clone());
        metrics
    }

    /// Sets the share of the CPUs that is used: 0 or more, 1 for all of them.
    pub fn set_cpu_utilization(&self, value: f64) -> &Self {
        self.change(|metrics| metrics.cpu_utilization.set(value))
    }

    /// Sets the share of the memory that is used: from 0 to 1.
    pub fn set_memory_utilization(&self, value: f64) -> &Self {
        self.change(|metrics| metrics.memory_utilization.set_share(value))
    }

    /// Sets the share that is used of whatever the application is bound by: 0 or more. Clients look at it in place of the
    /// CPUs'.
    pub fn set_application_utilization(&self, value: f64) -> &Self {
        self.change(|metrics| metrics.application_utilization.set(value))
    }

    /// Sets how many calls per second the server answers: 0 or more.
    pub fn set_rps(&self, value: f64) -> &Self {
        self.change(|metrics| metrics.rps.set(value))
    }

    /// Sets how many calls per second fail: 0 or more.
    pub fn set_eps(&self, value: f64) -> &Self {
        self.change(|metrics| metrics.eps.set(value))
    }

    /// Sets the share of something else that is used: from 0 to 1.
    pub fn set_utilization(&self, name: impl Into<String>, value: f64) -> &Self {
        self.change(|metrics| metrics.utilization.set_share(name.into(), value))
    }

    /// Sets the shares of all other things at once, and clears those that are not among them.
    pub fn set_all_utilizations(&self, values: HashMap<String, f64>) -> &Self {
        let mut utilization = Named::default();
        values.into_iter().for_each(|(name, value)| utilization.set_share(name, value));
        self.change(|metrics| metrics.utilization = utilization)
    }

    /// Forgets the CPUs.
    pub fn clear_cpu_utilization(&self) -> &Self {
        self.change(|metrics| metrics.cpu_utilization.clear())
    }

    /// Forgets the memory.
    pub fn clear_memory_utilization(&self) -> &Self {
        self.change(|metrics| metrics.memory_utilization.clear())
    }

    /// Forgets what the application is bound by.
    pub fn clear_application_utilization(&self) -> &Self {
        self.change(|metrics| metrics.application_utilization.clear())
    }

    /// Forgets how many calls per second are answered.
    pub fn clear_rps(&self) -> &Self {
        self.change(|metrics| metrics.rps.clear())
    }

    /// Forgets how many calls per second fail.
    pub fn clear_eps(&self) -> &Self {
        self.change(|metrics| metrics.eps.clear())
    }

    /// Forgets the share of something else.
    pub fn clear_utilization(&self, name: &str) -> &Self {
        self.change(|metrics| metrics.utilization.remove(name))
    }

    pub(super) fn report(&self) -> OrcaLoadReport {
        self.lock().clone().into()
    }

    /// Adds what is not known there.
    pub(super) fn fill(&self, metrics: &mut Metrics) {
        metrics.fill_from(&self.lock());
    }

    fn change(&self, change: impl FnOnce(&mut Metrics)) -> &Self {
        change(&mut self.lock());
        self
    }

    fn lock(&self) -> MutexGuard<'_, Metrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
