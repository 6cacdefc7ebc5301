//! What a server's load reports make of its weight (gRFC A58, with the reports of gRFC A51).

use std::sync::{Mutex, MutexGuard, PoisonError};

use prost::Message as _;
use tokio::time::Instant;

use crate::channel::subchannel::LoadReport;
use crate::metadata::Metadata;
use crate::service_config::WeightedRoundRobinSettings;

/// Where a server puts its report of a call.
const REPORT: &str = "endpoint-load-metrics-bin";

/// The weight of one server.
#[derive(Debug, Default)]
pub(in crate::channel) struct Weight {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    weight: f64,
    /// Since when there are reports without a gap.
    reporting_since: Option<Instant>,
    reported_at: Option<Instant>,
}

impl Weight {
    /// The server is in use from now on: what was known of it is forgotten.
    pub(super) fn begin(&self) {
        self.lock().reporting_since = None;
    }

    /// Takes what a server sent behind a call, if that was a report.
    pub(super) fn report(&self, trailing: Option<&Metadata>, settings: &WeightedRoundRobinSettings) {
        let report = trailing.and_then(|trailing| trailing.get_bin(REPORT));
        if let Some(Ok(report)) = report.map(LoadReport::decode) {
            self.take(&report, settings);
        }
    }

    /// Takes a report.
    pub(super) fn take(&self, report: &LoadReport, settings: &WeightedRoundRobinSettings) {
        if let Some(weight) = weight(report, settings.error_utilization_penalty) {
            let now = Instant::now();
            let mut state = self.lock();
            state.weight = weight;
            state.reporting_since.get_or_insert(now);
            state.reported_at = Some(now);
        }
    }

    /// The weight now, if it is known for long enough and not too old.
    pub(super) fn current(&self, now: Instant, settings: &WeightedRoundRobinSettings) -> Option<f64> {
        let mut state = self.lock();
        if now.saturating_duration_since(state.reported_at?) >= settings.weight_expiration_period {
            state.reporting_since = None;
            return None;
        }
        let known_for = now.saturating_duration_since(state.reporting_since?);
        (known_for >= settings.blackout_period).then_some(state.weight)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests a second by utilization, with errors counted as utilization; `None` for a report that says neither.
fn weight(report: &LoadReport, error_penalty: f64) -> Option<f64> {
    let application = Some(report.application_utilization).filter(|utilization| *utilization > 0.0);
    let utilization = application.unwrap_or(report.cpu_utilization);
    let rate = report.rps_fractional;
    if !(utilization > 0.0 && rate > 0.0) {
        return None;
    }
    let errors = if report.eps > 0.0 { report.eps / rate * error_penalty } else { 0.0 };
    Some(rate / (utilization + errors)).filter(|weight| weight.is_finite() && *weight > 0.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn metadata(report: &LoadReport) -> Metadata {
        let mut metadata = Metadata::new();
        metadata.append(REPORT, report.encode_to_vec()).unwrap();
        metadata
    }

    fn report(cpu: f64, application: f64, rps: f64, eps: f64) -> LoadReport {
        LoadReport { cpu_utilization: cpu, application_utilization: application, rps_fractional: rps, eps }
    }

    #[test]
    fn the_weight_is_the_rate_by_utilization() {
        assert_eq!(weight(&report(0.5, 0.0, 100.0, 0.0), 1.0), Some(200.0));
        assert_eq!(weight(&report(0.5, 0.25, 100.0, 0.0), 1.0), Some(400.0));
        assert_eq!(weight(&report(0.5, 0.0, 100.0, 50.0), 1.0), Some(100.0));
        for useless in [report(0.0, 0.0, 100.0, 0.0), report(0.5, 0.0, 0.0, 0.0), report(f64::NAN, 0.0, 1.0, 0.0)] {
            assert_eq!(weight(&useless, 1.0), None, "{useless:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_weight_counts_after_its_blackout_and_until_it_is_old() {
        let settings = WeightedRoundRobinSettings::default();
        let (weight, trailing) = (Weight::default(), metadata(&report(0.5, 0.0, 100.0, 0.0)));
        assert_eq!(weight.current(Instant::now(), &settings), None);
        weight.report(Some(&trailing), &settings);
        assert_eq!(weight.current(Instant::now(), &settings), None);
        tokio::time::advance(settings.blackout_period).await;
        weight.report(Some(&trailing), &settings);
        assert_eq!(weight.current(Instant::now(), &settings), Some(200.0));
        tokio::time::advance(settings.weight_expiration_period - Duration::from_millis(1)).await;
        assert_eq!(weight.current(Instant::now(), &settings), Some(200.0));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(weight.current(Instant::now(), &settings), None);
        // The blackout begins anew.
        weight.report(Some(&trailing), &settings);
        assert_eq!(weight.current(Instant::now(), &settings), None);
    }

    #[test]
    fn what_is_no_report_is_left_alone() {
        let settings = WeightedRoundRobinSettings::default();
        let weight = Weight::default();
        weight.report(None, &settings);
        let mut garbage = Metadata::new();
        garbage.append(REPORT, &[0xff, 0xff][..]).unwrap();
        weight.report(Some(&garbage), &settings);
        assert_eq!(weight.current(Instant::now(), &settings), None);
    }
}
