//! What was recorded, of a call or of a server.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::proto::OrcaLoadReport;

/// What may be above 1: more than there should be.
const UNBOUNDED: RangeInclusive<f64> = 0.0..=f64::MAX;
/// A share of something that there is no more of than all.
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// What the application says, which is its own business.
const ANY: RangeInclusive<f64> = f64::MIN..=f64::MAX;

/// A value, or that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Metric(Option<f64>);

impl Metric {
    /// Sets a value of which there can be more than 1.
    pub(super) fn set(&mut self, value: f64) {
        if UNBOUNDED.contains(&value) {
            self.0 = Some(value);
        }
    }

    /// Sets a value of which there can be no more than 1.
    pub(super) fn set_share(&mut self, value: f64) {
        if SHARE.contains(&value) {
            self.0 = Some(value);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

/// Values by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Named(HashMap<String, f64>);

impl Named {
    pub(super) fn set(&mut self, name: String, value: f64) {
        if ANY.contains(&value) {
            self.0.insert(name, value);
        }
    }

    pub(super) fn set_share(&mut self, name: String, value: f64) {
        if SHARE.contains(&value) {
            self.0.insert(name, value);
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }
}

/// All that can be said in a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metrics {
    pub(super) cpu_utilization: Metric,
    pub(super) memory_utilization: Metric,
    pub(super) application_utilization: Metric,
    pub(super) rps: Metric,
    pub(super) eps: Metric,
    pub(super) utilization: Named,
    pub(super) request_cost: Named,
    pub(super) named: Named,
}

impl Metrics {
    /// Adds what is not known here.
    pub(super) fn fill_from(&mut self, other: &Metrics) {
        let Metrics { cpu_utilization, memory_utilization, application_utilization, rps, eps, utilization, .. } = other;
        for (ours, theirs) in [
            (&mut self.cpu_utilization, cpu_utilization),
            (&mut self.memory_utilization, memory_utilization),
            (&mut self.application_utilization, application_utilization),
            (&mut self.rps, rps),
            (&mut self.eps, eps),
        ] {
            ours.0 = ours.0.or(theirs.0);
        }
        for (ours, theirs) in [
            (&mut self.utilization, utilization),
            (&mut self.request_cost, &other.request_cost),
            (&mut self.named, &other.named),
        ] {
            for (name, value) in &theirs.0 {
                ours.0.entry(name.clone()).or_insert(*value);
            }
        }
    }
}

impl From<Metrics> for OrcaLoadReport {
    fn from(metrics: Metrics) -> Self {
        OrcaLoadReport {
            cpu_utilization: metrics.cpu_utilization.0.unwrap_or_default(),
            mem_utilization: metrics.memory_utilization.0.unwrap_or_default(),
            application_utilization: metrics.application_utilization.0.unwrap_or_default(),
            rps_fractional: metrics.rps.0.unwrap_or_default(),
            eps: metrics.eps.0.unwrap_or_default(),
            utilization: metrics.utilization.0,
            request_cost: metrics.request_cost.0,
            named_metrics: metrics.named.0,
            ..OrcaLoadReport::default()
        }
    }
}
