use super::*;
use crate::status::Code;

fn timeout_of(config: &ServiceConfig, path: &str) -> Option<u64> {
    config.method(path).and_then(|method| method.timeout()).map(|timeout| timeout.as_secs())
}

fn seconds(names: impl IntoIterator<Item = MethodName>, seconds: u64) -> MethodConfig {
    MethodConfig::new(names).with_timeout(std::time::Duration::from_secs(seconds))
}

#[test]
fn the_narrowest_name_wins() {
    let config = ServiceConfig::new()
        .with_method(seconds([MethodName::all()], 1))
        .with_method(seconds([MethodName::service("a.B")], 2))
        .with_method(seconds([MethodName::method("a.B", "C"), MethodName::method("d.E", "F")], 3));
    for (path, expected) in [
        ("/a.B/C", 3),
        ("/d.E/F", 3),
        ("/a.B/D", 2),
        ("/a.B/", 2),
        ("/d.E/C", 1),
        ("/a/B", 1),
        ("/a.B", 1),
        ("/", 1),
        ("//", 1),
        ("", 1),
        ("a.B/C", 1),
        ("/a.B/C/", 1),
        ("/A.B/C", 1),
    ] {
        assert_eq!(timeout_of(&config, path), Some(expected), "{path}");
    }
}

#[test]
fn a_config_without_default_says_nothing_of_other_services() {
    let config = ServiceConfig::new().with_method(seconds([MethodName::method("a.B", "C")], 3));
    assert_eq!(timeout_of(&config, "/a.B/C"), Some(3));
    assert!(config.method("/a.B/D").is_none());
    assert!(ServiceConfig::new().method("/a.B/C").is_none());
    assert!(ServiceConfig::new().with_method(seconds([], 1)).method("/a.B/C").is_none());
}

/// What `ChannelBuilder::build` says of a config.
fn refusal(config: ServiceConfig) -> String {
    crate::Channel::builder("localhost:1").service_config(config).build().expect_err("refused").to_string()
}

#[test]
fn what_json_may_not_say_may_not_be_said_in_rust() {
    use std::time::Duration;
    let named = |name: MethodName| MethodConfig::new([MethodName::service("x"), name]);
    let retry = RetryPolicy::new(2, [Code::Aborted]);
    let timed = RetryPolicy::new(2, []).with_per_attempt_timeout(Duration::from_secs(1));
    let retried = |policy: RetryPolicy| MethodConfig::new([]).with_retry_policy(policy);
    let hedged = |policy: HedgingPolicy| MethodConfig::new([]).with_hedging_policy(policy);
    for (config, expected) in [
        (named(MethodName::method("", "C")), r#"name[1]: method "C" has no service"#),
        (named(MethodName::service("x")), r#"name[1]: service "x" comes twice"#),
        (named(MethodName::all()), "name[1]: the default of all methods comes twice"),
        (named(MethodName::method("a.B", "C")), r#"name[1]: method "C" of service "a.B" comes twice"#),
        (
            named(MethodName::service("/a.B/D")),
            r#"name[1]: service "/a.B/D" has a slash: MethodName::method takes "a.B" and "D" apart"#,
        ),
        (named(MethodName::service("/a.B")), r#"name[1]: service "/a.B" has a slash"#),
        (named(MethodName::method("a.B", "D/")), r#"name[1]: method "D/" has a slash"#),
        (retried(RetryPolicy::new(0, [Code::Aborted])), "retryPolicy.maxAttempts: 0 is less than 2"),
        (retried(RetryPolicy::new(1, [])), "retryPolicy.maxAttempts: 1 is less than 2"),
        (retried(RetryPolicy::new(2, [])), "retryPolicy.retryableStatusCodes: it is empty"),
        (retried(RetryPolicy::new(2, [Code::Ok])), "retryPolicy.retryableStatusCodes: OK is no error"),
        (
            retried(retry.clone().with_initial_backoff(Duration::ZERO)),
            r#"retryPolicy.initialBackoff: "0s" is not above zero"#,
        ),
        (retried(retry.clone().with_max_backoff(Duration::ZERO)), r#"retryPolicy.maxBackoff: "0s" is not above zero"#),
        (
            retried(retry.clone().with_per_attempt_timeout(Duration::ZERO)),
            r#"retryPolicy.perAttemptRecvTimeout: "0s" is not above zero"#,
        ),
        (hedged(HedgingPolicy::new(1, Duration::ZERO)), "hedgingPolicy.maxAttempts: 1 is less than 2"),
        (
            hedged(HedgingPolicy::new(2, Duration::ZERO).with_non_fatal_status_codes([Code::Ok])),
            "hedgingPolicy.nonFatalStatusCodes: OK is no error",
        ),
    ] {
        let config = ServiceConfig::new()
            .with_method(MethodConfig::new([MethodName::all(), MethodName::method("a.B", "C")]))
            .with_method(config)
            .with_load_balancing(LoadBalancing::round_robin());
        let said = refusal(config);
        assert!(said.starts_with(&format!("the service config cannot be used: methodConfig[1].{expected}")), "{said}");
    }
    let good = ServiceConfig::new().with_method(retried(timed)).with_method(retried(retry)).with_method(seconds([], 1));
    assert!(crate::Channel::builder("localhost:1").service_config(good).build().is_ok());
}

#[test]
fn attempts_stay_within_their_bounds() {
    for (given, expected) in [(0, 1), (1, 1), (2, 2), (5, 5), (6, 5), (u32::MAX, 5)] {
        assert_eq!(RetryPolicy::new(given, [Code::Aborted]).max_attempts(), expected);
        assert_eq!(HedgingPolicy::new(given, Default::default()).max_attempts(), expected);
    }
    let policy = RetryPolicy::new(3, [Code::Unavailable, Code::Unauthenticated]);
    let retryable: Vec<_> = Code::ALL.into_iter().filter(|code| policy.is_retryable(*code)).collect();
    assert_eq!(retryable, [Code::Unavailable, Code::Unauthenticated]);
    for multiplier in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(policy.clone().with_backoff_multiplier(multiplier).backoff_multiplier(), 1.0);
    }
}

#[test]
fn one_policy_takes_the_place_of_the_other() {
    let config = MethodConfig::new([]).with_retry_policy(RetryPolicy::new(3, [Code::Aborted]));
    assert!(config.retry_policy().is_some() && config.hedging_policy().is_none());
    let config = config.with_hedging_policy(HedgingPolicy::new(3, Default::default()));
    assert!(config.retry_policy().is_none() && config.hedging_policy().is_some());
}

#[test]
fn tokens_have_three_decimals_and_bounds() {
    for (given, expected) in [
        (0.0, 1),
        (-1.0, 1),
        (f64::NAN, 1),
        (0.0019, 1),
        (0.1, 100),
        (0.29, 290),
        (0.1234, 123),
        (1000.0, 1_000_000),
        (1e9, 1_000_000),
        (f64::INFINITY, 1_000_000),
    ] {
        let throttling = RetryThrottling::new(given, given);
        assert_eq!(throttling.max_milli_tokens(), expected, "{given}");
        assert_eq!(throttling.milli_token_ratio(), expected, "{given}");
    }
    assert_eq!(RetryThrottling::new(10.0, 0.1).max_tokens(), 10.0);
    assert_eq!(RetryThrottling::new(10.0, 0.1).token_ratio(), 0.1);
}

#[test]
fn load_balancing_settings_stay_within_their_bounds() {
    for (given, expected) in [(0, 2), (1, 2), (2, 2), (10, 10), (11, 10)] {
        assert_eq!(LeastRequestSettings::default().with_choice_count(given).choice_count(), expected);
    }
    let wrr = WeightedRoundRobinSettings::default();
    let millis = std::time::Duration::from_millis;
    assert_eq!(wrr.clone().with_weight_update_period(millis(1)).weight_update_period, millis(100));
    for penalty in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(wrr.clone().with_error_utilization_penalty(penalty).error_utilization_penalty, 0.0);
    }
    assert_eq!(OutlierDetectionSettings::default().with_max_ejection_percent(101).max_ejection_percent, 100);
    assert_eq!(FailurePercentageEjection::default().with_threshold(101).threshold, 100);
}
