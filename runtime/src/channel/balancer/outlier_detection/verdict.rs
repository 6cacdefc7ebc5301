//! Which servers are left out, and which are taken back (gRFC A50, "Ejection algorithms").

use std::sync::Arc;

use tokio::time::Instant;

use super::server::{Server, Tally};
use crate::service_config::{FailurePercentageEjection, OutlierDetectionSettings, SuccessRateEjection};

/// Compares the servers by how their calls ended since the last time; gives those that were left out or taken back.
pub(super) fn judge(servers: &[&Arc<Server>], settings: &OutlierDetectionSettings, now: Instant) -> Vec<Arc<Server>> {
    let before: Vec<bool> = servers.iter().map(|server| server.is_ejected()).collect();
    let tallies: Vec<(&Arc<Server>, Tally)> = servers.iter().map(|server| (*server, server.take())).collect();
    if let Some(ejection) = &settings.success_rate_ejection {
        by_success_rate(&tallies, ejection, settings, now);
    }
    if let Some(ejection) = &settings.failure_percentage_ejection {
        by_failure_percentage(&tallies, ejection, settings, now);
    }
    for server in servers {
        server.pass(now, settings);
    }
    let changed = servers.iter().zip(before).filter(|(server, before)| server.is_ejected() != *before);
    changed.map(|(server, _)| (*server).clone()).collect()
}

fn by_success_rate(
    tallies: &[(&Arc<Server>, Tally)],
    ejection: &SuccessRateEjection,
    settings: &OutlierDetectionSettings,
    now: Instant,
) {
    let busy = busy(tallies, ejection.request_volume);
    if busy.is_empty() || busy.len() < ejection.minimum_hosts as usize {
        return;
    }
    let rates: Vec<f64> = busy.iter().map(|(_, tally)| tally.success_rate()).collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / rates.len() as f64;
    let least = mean - variance.sqrt() * f64::from(ejection.stdev_factor) / 1000.0;
    for (server, tally) in busy {
        if tally.success_rate() < least {
            eject(server, tallies, ejection.enforcement_percentage, settings, now);
        }
    }
}

fn by_failure_percentage(
    tallies: &[(&Arc<Server>, Tally)],
    ejection: &FailurePercentageEjection,
    settings: &OutlierDetectionSettings,
    now: Instant,
) {
    let busy = busy(tallies, ejection.request_volume);
    if busy.len() < ejection.minimum_hosts as usize {
        return;
    }
    for (server, tally) in busy {
        if tally.failure_percentage() > f64::from(ejection.threshold) {
            eject(server, tallies, ejection.enforcement_percentage, settings, now);
        }
    }
}

/// Those that had enough calls to be judged.
fn busy<'a>(tallies: &[(&'a Arc<Server>, Tally)], volume: u32) -> Vec<(&'a Arc<Server>, Tally)> {
    tallies.iter().copied().filter(|(_, tally)| tally.volume() >= u64::from(volume.max(1))).collect()
}

/// Leaves a server out, by chance as it was set, and unless too many are left out already.
fn eject(
    server: &Server,
    all: &[(&Arc<Server>, Tally)],
    likelihood: u32,
    settings: &OutlierDetectionSettings,
    now: Instant,
) {
    let ejected = all.iter().filter(|(server, _)| server.is_ejected()).count();
    let too_many = ejected > 0 && ejected * 100 >= all.len() * settings.max_ejection_percent as usize;
    if !too_many && !server.is_ejected() && fastrand::u32(..100) < likelihood {
        server.eject(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::status::Code;

    fn servers(failures: &[u32]) -> Vec<Arc<Server>> {
        let server = |failures: u32| {
            let server = Arc::<Server>::default();
            (0..100).for_each(|n| server.count(Some(if n < failures { Code::Unavailable } else { Code::Ok })));
            server
        };
        failures.iter().map(|failures| server(*failures)).collect()
    }

    fn ejected(servers: &[Arc<Server>], settings: &OutlierDetectionSettings) -> Vec<bool> {
        judge(&servers.iter().collect::<Vec<_>>(), settings, Instant::now());
        servers.iter().map(|server| server.is_ejected()).collect()
    }

    fn by_failures() -> OutlierDetectionSettings {
        OutlierDetectionSettings::default()
            .with_failure_percentage_ejection(FailurePercentageEjection::default())
            .with_max_ejection_percent(100)
    }

    fn by_successes() -> OutlierDetectionSettings {
        OutlierDetectionSettings::default()
            .with_success_rate_ejection(SuccessRateEjection::default())
            .with_max_ejection_percent(100)
    }

    #[test]
    fn a_server_over_the_threshold_is_left_out() {
        assert_eq!(ejected(&servers(&[0, 85, 86, 0, 0]), &by_failures()), [false, false, true, false, false]);
        assert_eq!(ejected(&servers(&[100, 100, 100, 100]), &by_failures()), [false; 4], "too few servers");
        let settings = by_failures()
            .with_failure_percentage_ejection(FailurePercentageEjection::default().with_request_volume(101));
        assert_eq!(ejected(&servers(&[0, 0, 100, 0, 0]), &settings), [false; 5], "too few calls");
    }

    #[test]
    fn a_server_far_below_the_mean_is_left_out() {
        let many = servers(&[1, 2, 0, 1, 2, 1, 0, 1, 1, 40]);
        let expected: Vec<bool> = (0..10).map(|n| n == 9).collect();
        assert_eq!(ejected(&many, &by_successes()), expected);
        assert_eq!(ejected(&servers(&[5; 10]), &by_successes()), [false; 10]);
    }

    #[test]
    fn no_more_are_left_out_than_allowed_but_one() {
        let all = servers(&[100; 10]);
        let settings = by_failures().with_max_ejection_percent(20);
        let count = |ejected: Vec<bool>| ejected.into_iter().filter(|ejected| *ejected).count();
        assert_eq!(count(ejected(&all, &settings)), 2);
        assert_eq!(count(ejected(&servers(&[100; 10]), &by_failures().with_max_ejection_percent(1))), 1);
        let never = FailurePercentageEjection::default().with_enforcement_percentage(0);
        assert_eq!(count(ejected(&servers(&[100; 10]), &by_failures().with_failure_percentage_ejection(never))), 0);
    }

    #[test]
    fn a_server_comes_back_and_stays_out_longer_the_next_time() {
        let settings = by_failures().with_base_ejection_time(Duration::from_secs(30));
        let all = servers(&[0, 0, 0, 0, 100]);
        let (refs, server) = (all.iter().collect::<Vec<_>>(), all[4].clone());
        let mut now = Instant::now();
        judge(&refs, &settings, now);
        assert!(server.is_ejected());
        now += Duration::from_secs(29);
        assert!(judge(&refs, &settings, now).is_empty());
        now += Duration::from_secs(1);
        assert_eq!(judge(&refs, &settings, now).len(), 1);
        assert!(!server.is_ejected());

        let fail_again = || {
            (0..100).for_each(|_| {
                all.iter()
                    .for_each(|it| it.count(Some(if Arc::ptr_eq(it, &server) { Code::Internal } else { Code::Ok })))
            })
        };
        fail_again();
        now += Duration::from_secs(1);
        judge(&refs, &settings, now);
        assert!(server.is_ejected());
        now += Duration::from_secs(59);
        judge(&refs, &settings, now);
        assert!(server.is_ejected(), "twice as long");
        now += Duration::from_secs(1);
        judge(&refs, &settings, now);
        assert!(!server.is_ejected());
    }
}
