use std::time::Duration;

use super::super::*;
use super::*;
use crate::status::Code;

const FULL: &str = r#"{
    "loadBalancingConfig": [
        {"not_here": {"x": [1, 2]}},
        {"outlier_detection": {
            "interval": "2s", "baseEjectionTime": "400s", "maxEjectionPercent": 50,
            "successRateEjection": {"stdevFactor": 1000, "minimumHosts": "3"},
            "failurePercentageEjection": {"threshold": 60, "enforcementPercentage": 7, "requestVolume": 9},
            "childPolicy": [{"weighted_round_robin": {
                "enableOobLoadReport": true, "oobReportingPeriod": "5s", "blackoutPeriod": "0s",
                "weightExpirationPeriod": "60s", "weightUpdatePeriod": "0.01s", "errorUtilizationPenalty": 0.5
            }}]
        }},
        {"round_robin": {}}
    ],
    "loadBalancingPolicy": "nobody looks at this",
    "methodConfig": [
        {"name": [{}], "waitForReady": true},
        {"name": [{"service": "a.B"}, {"service": "c.D", "method": null}], "timeout": "1.500000001s",
         "maxRequestMessageBytes": 10, "maxResponseMessageBytes": "4294967295"},
        {"name": [{"service": "a.B", "method": "Retried"}], "retryPolicy": {
            "maxAttempts": 9, "initialBackoff": ".1s", "maxBackoff": "1s", "backoffMultiplier": 1.5,
            "retryableStatusCodes": ["unavailable", 10, "Deadline_Exceeded"], "perAttemptRecvTimeout": "3s"
        }},
        {"name": [{"service": "a.B", "method": "Hedged"}], "hedgingPolicy": {
            "maxAttempts": 3, "hedgingDelay": "0.5s", "nonFatalStatusCodes": ["INTERNAL"]
        }, "notKnown": 7}
    ],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    "healthCheckConfig": {"serviceName": "a.B"},
    "connectionScaling": {"maxConnectionsPerSubchannel": 3},
    "notKnown": {"at": "all"}
}"#;

#[test]
fn every_field_is_read() {
    let millis = Duration::from_millis;
    let weighted = WeightedRoundRobinSettings::default()
        .with_enable_oob_load_report(true)
        .with_oob_reporting_period(millis(5000))
        .with_blackout_period(Duration::ZERO)
        .with_weight_expiration_period(millis(60_000))
        .with_weight_update_period(millis(100))
        .with_error_utilization_penalty(0.5);
    let outliers = OutlierDetectionSettings::new(LoadBalancing::WeightedRoundRobin(weighted))
        .with_interval(millis(2000))
        .with_base_ejection_time(millis(400_000))
        .with_max_ejection_time(millis(400_000))
        .with_max_ejection_percent(50)
        .with_success_rate_ejection(SuccessRateEjection::default().with_stdev_factor(1000).with_minimum_hosts(3))
        .with_failure_percentage_ejection(
            FailurePercentageEjection::default()
                .with_threshold(60)
                .with_enforcement_percentage(7)
                .with_request_volume(9),
        );
    let retry = RetryPolicy::new(5, [Code::Unavailable, Code::Aborted, Code::DeadlineExceeded])
        .with_initial_backoff(millis(100))
        .with_max_backoff(millis(1000))
        .with_backoff_multiplier(1.5)
        .with_per_attempt_timeout(millis(3000));
    let hedging = HedgingPolicy::new(3, millis(500)).with_non_fatal_status_codes([Code::Internal]);
    let expected = ServiceConfig::new()
        .with_load_balancing(LoadBalancing::OutlierDetection(outliers))
        .with_method(MethodConfig::new([MethodName::all()]).with_wait_for_ready(true))
        .with_method(
            MethodConfig::new([MethodName::service("a.B"), MethodName::service("c.D")])
                .with_timeout(Duration::new(1, 500_000_001))
                .with_max_request_message_bytes(10)
                .with_max_response_message_bytes(u32::MAX as usize),
        )
        .with_method(MethodConfig::new([MethodName::method("a.B", "Retried")]).with_retry_policy(retry))
        .with_method(MethodConfig::new([MethodName::method("a.B", "Hedged")]).with_hedging_policy(hedging))
        .with_retry_throttling(RetryThrottling::new(10.0, 0.1))
        .with_health_check(HealthCheckConfig::new("a.B"))
        .with_max_connections_per_subchannel(3);
    assert_eq!(ServiceConfig::from_json(FULL).unwrap(), expected);
}

#[test]
fn null_and_what_is_not_known_say_nothing() {
    for text in [
        "{}",
        r#"{"loadBalancingConfig": null, "methodConfig": null, "retryThrottling": null, "healthCheckConfig": null}"#,
        r#"{"MethodConfig": 3, "grpclb": {}}"#,
        r#"{"methodConfig": []}"#,
        r#"{"methodConfig": [{}]}"#,
        r#"{"methodConfig": [{"waitForReady": true}]}"#,
        r#"{"healthCheckConfig": {}}"#,
        r#"{"connectionScaling": {}}"#,
    ] {
        assert_eq!(ServiceConfig::from_json(text), Ok(ServiceConfig::new()), "{text}");
    }
}

#[test]
fn an_empty_name_of_a_service_is_a_name_for_health() {
    let config = ServiceConfig::from_json(r#"{"healthCheckConfig": {"serviceName": ""}}"#).unwrap();
    assert_eq!(config.health_check(), Some(&HealthCheckConfig::new("")));
}

#[test]
fn load_balancing_has_its_names_and_defaults() {
    for (text, expected) in [
        (r#"{"pick_first": {}}"#, LoadBalancing::pick_first()),
        (r#"{"pick_first": null}"#, LoadBalancing::pick_first()),
        (
            r#"{"pick_first": {"shuffleAddressList": true}}"#,
            LoadBalancing::PickFirst(PickFirstSettings::default().with_shuffle_address_list(true)),
        ),
        (r#"{"round_robin": {"whatever": 1}}"#, LoadBalancing::RoundRobin),
        (r#"{"least_request": {}}"#, LoadBalancing::least_request()),
        (
            r#"{"least_request_experimental": {"choiceCount": 77}}"#,
            LoadBalancing::LeastRequest(LeastRequestSettings::default().with_choice_count(10)),
        ),
        (r#"{"weighted_round_robin": {}}"#, LoadBalancing::weighted_round_robin()),
        (
            r#"{"outlier_detection_experimental": {"childPolicy": [{"x": 1}, {"round_robin": {}}]}}"#,
            LoadBalancing::OutlierDetection(OutlierDetectionSettings::new(LoadBalancing::RoundRobin)),
        ),
        (
            r#"{"mine": {"b": [1, "x"], "a": null}}"#,
            LoadBalancing::Custom { name: "mine".into(), config: r#"{"a":null,"b":[1,"x"]}"#.into() },
        ),
        (r#"{"mine": null}"#, LoadBalancing::Custom { name: "mine".into(), config: "{}".into() }),
    ] {
        let text = format!(r#"{{"loadBalancingConfig": [{{"other": 5}}, {text}, {{"round_robin": 5}}]}}"#);
        let config = parse(&text, &|name| name == "mine").unwrap();
        assert_eq!(config.load_balancing(), Some(&expected), "{text}");
    }
}

#[test]
fn the_old_policy_counts_where_the_new_one_is_not_there() {
    for (name, expected) in [
        ("ROUND_ROBIN", LoadBalancing::RoundRobin),
        ("pick_first", LoadBalancing::pick_first()),
        ("Mine", LoadBalancing::Custom { name: "mine".into(), config: "{}".into() }),
    ] {
        let config = parse(&format!(r#"{{"loadBalancingPolicy": "{name}"}}"#), &|name| name == "mine").unwrap();
        assert_eq!(config.load_balancing(), Some(&expected));
    }
    let both = r#"{"loadBalancingPolicy": "ROUND_ROBIN", "loadBalancingConfig": [{"least_request": {}}]}"#;
    assert_eq!(ServiceConfig::from_json(both).unwrap().load_balancing(), Some(&LoadBalancing::least_request()));
}

#[test]
fn durations_are_exact() {
    for (text, expected) in [
        ("0s", Duration::ZERO),
        ("-0s", Duration::ZERO),
        ("1s", Duration::from_secs(1)),
        ("0.5s", Duration::from_millis(500)),
        (".5s", Duration::from_millis(500)),
        ("1.5s", Duration::from_millis(1500)),
        ("1.500000000s", Duration::from_millis(1500)),
        ("0.000000001s", Duration::from_nanos(1)),
        ("007.10s", Duration::from_millis(7100)),
        ("315576000000s", Duration::from_secs(315_576_000_000)),
    ] {
        let config = ServiceConfig::from_json(&format!(r#"{{"methodConfig":[{{"name":[{{}}],"timeout":"{text}"}}]}}"#));
        assert_eq!(config.unwrap().method("/a/b").unwrap().timeout(), Some(expected), "{text}");
    }
}

#[test]
fn broken_configs_are_refused_by_their_field() {
    let method = |fields: &str| format!(r#"{{"methodConfig": [{{}}, {{{fields}}}]}}"#);
    let timeout = |value: &str| method(&format!(r#""timeout": {value}"#));
    let retry = |from: &str, to: &str| {
        let policy = r#""retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s",
            "backoffMultiplier": 2, "retryableStatusCodes": [14]}"#;
        assert!(policy.contains(from));
        method(&policy.replace(from, to))
    };
    let balancing = |list: &str| format!(r#"{{"loadBalancingConfig": {list}}}"#);
    let throttling = |fields: &str| format!(r#"{{"retryThrottling": {{{fields}}}}}"#);
    let known = "known are pick_first, round_robin, least_request, weighted_round_robin, outlier_detection, and what was \
                 registered with the channel";
    let at = |field: &str, problem: &str| format!("methodConfig[1].{field}: {problem}");
    for (text, expected) in [
        ("".to_owned(), "the service config cannot be used: EOF while parsing a value at line 1 column 0".to_owned()),
        ("[]".into(), "the service config cannot be used: [] is no object".into()),
        (
            r#"{"a": 1, "a": 2}"#.into(),
            r#"the service config cannot be used: "a" comes twice at line 1 column 12"#.into(),
        ),
        (r#"{"methodConfig": {}}"#.into(), "methodConfig: {} is no list".into()),
        (r#"{"methodConfig": [{}, 5]}"#.into(), "methodConfig[1]: 5 is no object".into()),
        (method(r#""name": {}"#), at("name", "{} is no list")),
        (method(r#""name": ["a.B/C"]"#), at("name[0]", r#""a.B/C" is no object"#)),
        (method(r#""name": [{"service": 5}]"#), at("name[0].service", "5 is no string")),
        (method(r#""name": [{"method": "C"}]"#), at("name[0]", r#"method "C" has no service"#)),
        (method(r#""name": [{}, {"service": ""}]"#), at("name[1]", "the default of all methods comes twice")),
        (method(r#""name": [{"service": "a"}, {"service": "a"}]"#), at("name[1]", r#"service "a" comes twice"#)),
        (
            r#"{"methodConfig": [{"name": [{"service": "a", "method": "b"}]}, {"name": [{"service": "a", "method": "b"}]}]}"#
                .into(),
            at("name[0]", r#"method "b" of service "a" comes twice"#),
        ),
        (method(r#""waitForReady": "true""#), at("waitForReady", r#""true" is no true or false"#)),
        (timeout("3"), at("timeout", r#"3 is no duration; they look like "1.5s""#)),
        (timeout(r#""3""#), at("timeout", r#""3" is no duration; they look like "1.5s""#)),
        (timeout(r#""1.s""#), at("timeout", r#""1.s" is no duration; they look like "1.5s""#)),
        (timeout(r#""1e3s""#), at("timeout", r#""1e3s" is no duration; they look like "1.5s""#)),
        (timeout(r#""1.5.5s""#), at("timeout", r#""1.5.5s" is no duration; they look like "1.5s""#)),
        (timeout(r#""--1s""#), at("timeout", r#""--1s" is no duration; they look like "1.5s""#)),
        (timeout(r#""1.0000000001s""#), at("timeout", r#""1.0000000001s" has more than nine decimals"#)),
        (timeout(r#""-0.5s""#), at("timeout", r#""-0.5s" is negative"#)),
        (timeout(r#""315576000000.1s""#), at("timeout", r#""315576000000.1s" is more than 315576000000s"#)),
        (timeout(r#""99999999999999999999s""#), at("timeout", r#""99999999999999999999s" is more than 315576000000s"#)),
        (method(r#""maxRequestMessageBytes": -1"#), at("maxRequestMessageBytes", "-1 is less than 0")),
        (method(r#""maxRequestMessageBytes": 1.5"#), at("maxRequestMessageBytes", "1.5 is no whole number")),
        (method(r#""maxRequestMessageBytes": "x""#), at("maxRequestMessageBytes", r#""x" is no number"#)),
        (
            method(r#""maxResponseMessageBytes": 4294967296"#),
            at("maxResponseMessageBytes", "4294967296 is more than 4294967295"),
        ),
        (
            method(r#""retryPolicy": {}, "hedgingPolicy": {}"#),
            "methodConfig[1]: it has both retryPolicy and hedgingPolicy; only one can hold".into(),
        ),
        (method(r#""retryPolicy": 1"#), at("retryPolicy", "1 is no object")),
        (method(r#""retryPolicy": {}"#), at("retryPolicy.maxAttempts", "it is missing")),
        (retry(r#""maxAttempts": 2"#, r#""maxAttempts": 1"#), at("retryPolicy.maxAttempts", "1 is less than 2")),
        (retry(r#""initialBackoff": "1s","#, ""), at("retryPolicy.initialBackoff", "it is missing")),
        (retry(r#""1s", "m"#, r#""0s", "m"#), at("retryPolicy.initialBackoff", r#""0s" is not above zero"#)),
        (retry(r#""maxBackoff": "1s""#, r#""maxBackoff": "-1s""#), at("retryPolicy.maxBackoff", r#""-1s" is negative"#)),
        (retry(r#"r": 2"#, r#"r": 0"#), at("retryPolicy.backoffMultiplier", "0 is not above zero")),
        (retry(r#"r": 2"#, r#"r": "inf""#), at("retryPolicy.backoffMultiplier", r#""inf" is no number"#)),
        (retry("[14]", "[]"), at("retryPolicy.retryableStatusCodes", "it is empty")),
        (retry("[14]", "null"), at("retryPolicy.retryableStatusCodes", "it is missing")),
        (retry("[14]", "[14, 0]"), at("retryPolicy.retryableStatusCodes[1]", "OK is no error")),
        (
            retry("[14]", "[17]"),
            at("retryPolicy.retryableStatusCodes[0]", r#"17 is no status code; they look like "UNAVAILABLE", or 14"#),
        ),
        (
            retry("[14]", r#"["BROKEN"]"#),
            at(
                "retryPolicy.retryableStatusCodes[0]",
                r#""BROKEN" is no status code; they look like "UNAVAILABLE", or 14"#,
            ),
        ),
        (
            retry("[14]", r#"[14], "perAttemptRecvTimeout": "0s""#),
            at("retryPolicy.perAttemptRecvTimeout", r#""0s" is not above zero"#),
        ),
        (method(r#""hedgingPolicy": {"maxAttempts": 1}"#), at("hedgingPolicy.maxAttempts", "1 is less than 2")),
        (
            method(r#""hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": 1}"#),
            at("hedgingPolicy.hedgingDelay", r#"1 is no duration; they look like "1.5s""#),
        ),
        (balancing("{}"), "loadBalancingConfig: {} is no list".into()),
        (balancing("[]"), format!("loadBalancingConfig: it is empty; {known}")),
        (
            balancing(r#"[{"a": {}}, {"b": 1}]"#),
            format!(r#"loadBalancingConfig: none of ["a", "b"] is known; {known}"#),
        ),
        (
            balancing(r#"[{"round_robin": {}}, {}]"#),
            "loadBalancingConfig[1]: it must have exactly one key, the name of a policy, and has 0".into(),
        ),
        (
            balancing(r#"[{"round_robin": {}, "pick_first": {}}]"#),
            "loadBalancingConfig[0]: it must have exactly one key, the name of a policy, and has 2".into(),
        ),
        (balancing(r#"["round_robin"]"#), r#"loadBalancingConfig[0]: "round_robin" is no object"#.into()),
        (balancing(r#"[{"round_robin": 5}]"#), "loadBalancingConfig[0].round_robin: 5 is no object".into()),
        (
            balancing(r#"[{"pick_first": {"shuffleAddressList": 1}}]"#),
            "loadBalancingConfig[0].pick_first.shuffleAddressList: 1 is no true or false".into(),
        ),
        (
            balancing(r#"[{"least_request": {"choiceCount": 1}}]"#),
            "loadBalancingConfig[0].least_request.choiceCount: 1 is less than 2".into(),
        ),
        (
            balancing(r#"[{"weighted_round_robin": {"errorUtilizationPenalty": -0.5}}]"#),
            "loadBalancingConfig[0].weighted_round_robin.errorUtilizationPenalty: -0.5 is negative".into(),
        ),
        (
            balancing(r#"[{"outlier_detection": {}}]"#),
            "loadBalancingConfig[0].outlier_detection.childPolicy: it is missing".into(),
        ),
        (
            balancing(r#"[{"outlier_detection": {"childPolicy": [{"round_robin": {}}], "maxEjectionPercent": 101}}]"#),
            "loadBalancingConfig[0].outlier_detection.maxEjectionPercent: 101 is more than 100".into(),
        ),
        (
            balancing(r#"[{"outlier_detection": {"childPolicy": [{"x": {}}]}}]"#),
            format!(r#"loadBalancingConfig[0].outlier_detection.childPolicy: none of ["x"] is known; {known}"#),
        ),
        (r#"{"loadBalancingPolicy": "x"}"#.into(), format!(r#"loadBalancingPolicy: "x" is not known; {known}"#)),
        (
            r#"{"loadBalancingPolicy": "outlier_detection"}"#.into(),
            "loadBalancingPolicy: outlier_detection needs settings, which loadBalancingConfig can give it".into(),
        ),
        (throttling(r#""tokenRatio": 1"#), "retryThrottling.maxTokens: it is missing".into()),
        (throttling(r#""maxTokens": 1"#), "retryThrottling.tokenRatio: it is missing".into()),
        (throttling(r#""maxTokens": 0, "tokenRatio": 1"#), "retryThrottling.maxTokens: 0 is less than 0.001".into()),
        (throttling(r#""maxTokens": 1001, "tokenRatio": 1"#), "retryThrottling.maxTokens: 1001 is more than 1000".into()),
        (
            throttling(r#""maxTokens": 10, "tokenRatio": 0.0009"#),
            "retryThrottling.tokenRatio: 0.0009 is less than 0.001".into(),
        ),
        (throttling(r#""maxTokens": 10, "tokenRatio": -1"#), "retryThrottling.tokenRatio: -1 is less than 0.001".into()),
        (r#"{"healthCheckConfig": {"serviceName": 1}}"#.into(), "healthCheckConfig.serviceName: 1 is no string".into()),
    ] {
        let error = ServiceConfig::from_json(&text).expect_err(&text);
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

#[test]
fn a_channel_says_once_that_the_service_config_cannot_be_used() {
    for (json, problem) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        (r#"{"methodConfig": 5}"#, "methodConfig: 5 is no list"),
    ] {
        let error = crate::Channel::builder("localhost:1").service_config_json(json).build().expect_err(json);
        assert_eq!(error.to_string(), format!("the service config cannot be used: {problem}"));
    }
}

#[test]
fn a_name_with_a_slash_is_of_no_call_as_in_other_languages() {
    let text = r#"{"methodConfig": [{"name": [{"service": "/a.B/C"}], "waitForReady": true}]}"#;
    let config = ServiceConfig::from_json(text).unwrap();
    assert!(config.check().is_ok() && config.method("/a.B/C").is_none());
}

#[test]
fn errors_show_only_the_beginning_of_a_value() {
    let text = format!(r#"{{"methodConfig": [{{"timeout": "{}"}}]}}"#, "\u{20ac}".repeat(10_000));
    let error = ServiceConfig::from_json(&text).unwrap_err();
    assert!(error.to_string().len() < 400, "{error}");
    assert_eq!(error.path(), "methodConfig[0].timeout");
}

#[test]
fn the_first_choice_that_is_for_a_client_is_taken() {
    let us = Client { language: "rust", hostname: "box-1", percentile: 9 };
    let chosen = |criteria: &str| {
        let other = r#"{"methodConfig": [{"name": [{}], "waitForReady": false}]}"#;
        let ours = r#"{"methodConfig": [{"name": [{}], "waitForReady": true}]}"#;
        let text = format!(r#"[{{{criteria} "serviceConfig": {ours}}}, {{"serviceConfig": {other}}}]"#);
        choose(&text, us, &|_| false).unwrap().unwrap().method("/a/b").unwrap().wait_for_ready() == Some(true)
    };
    for criteria in [
        "",
        r#""clientLanguage": [],"#,
        r#""clientLanguage": null, "percentage": null,"#,
        r#""clientLanguage": ["c++", "RUST"],"#,
        r#""percentage": 10,"#,
        r#""percentage": 100,"#,
        r#""clientHostname": ["a", "box-1"],"#,
        r#""clientHostName": ["box-1"],"#,
    ] {
        assert!(chosen(criteria), "{criteria}");
    }
    for criteria in [
        r#""clientLanguage": ["c++"],"#,
        r#""percentage": 9,"#,
        r#""percentage": 0,"#,
        r#""clientHostname": ["BOX-1"],"#,
        r#""clientLanguage": ["rust"], "percentage": 50, "clientHostname": ["box-2"],"#,
    ] {
        assert!(!chosen(criteria), "{criteria}");
    }
}

#[test]
fn no_choice_may_be_for_a_client() {
    let us = Client { language: "rust", hostname: "box-1", percentile: 99 };
    assert_eq!(choose("[]", us, &|_| false), Ok(None));
    assert_eq!(choose(r#"[{"percentage": 99, "serviceConfig": {}}]"#, us, &|_| false), Ok(None));
}

#[test]
fn only_the_chosen_service_config_is_read_but_all_choices_are_well_formed() {
    let us = Client { language: "rust", hostname: "box-1", percentile: 0 };
    let broken = r#"{"methodConfig": 5}"#;
    let text = format!(r#"[{{"serviceConfig": {{}}}}, {{"serviceConfig": {broken}}}]"#);
    assert_eq!(choose(&text, us, &|_| false), Ok(Some(ServiceConfig::new())));
    for (text, expected) in [
        ("{}".to_owned(), "the service config cannot be used: {} is no list"),
        ("[5]".into(), "[0]: 5 is no object"),
        ("[{}]".into(), "[0].serviceConfig: it is missing"),
        (r#"[{"serviceConfig": []}]"#.into(), "[0].serviceConfig: [] is no object"),
        (
            r#"[{"serviceConfig": {}}, {"clientOs": [], "serviceConfig": {}}]"#.into(),
            "[1].clientOs: such a key is not known",
        ),
        (r#"[{"percentage": 101, "serviceConfig": {}}]"#.into(), "[0].percentage: 101 is more than 100"),
        (r#"[{"clientLanguage": "rust", "serviceConfig": {}}]"#.into(), r#"[0].clientLanguage: "rust" is no list"#),
        (format!(r#"[{{"serviceConfig": {broken}}}]"#), "[0].serviceConfig.methodConfig: 5 is no list"),
    ] {
        assert_eq!(choose(&text, us, &|_| false).unwrap_err().to_string(), expected, "{text}");
    }
}

/// Pieces that a config is made of, put where they do not belong.
const PIECES: [&str; 18] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "1e308",
    "1e999",
    "0.1",
    "\"1s\"",
    "\"-1s\"",
    "true",
    "\"\u{1f600}\"",
    "{\"a\":[{}]}",
    "[[",
    "}",
    ",",
    "18446744073709551616",
    "\"\\ud800\"",
];

#[test]
fn no_text_makes_it_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let choices = format!(r#"[{{"clientLanguage": ["rust"], "percentage": 50, "serviceConfig": {FULL}}}]"#);
    let us = Client { language: "rust", hostname: "h", percentile: 3 };
    for _ in 0..20_000 {
        let mut text: Vec<char> = if random.bool() { FULL.chars() } else { choices.chars() }.collect();
        for _ in 0..random.usize(1..6) {
            let start = random.usize(0..text.len());
            let end = random.usize(start..text.len().min(start + 20));
            let piece = match random.u8(0..4) {
                0 => "",
                1 => &text[random.usize(0..text.len())..].iter().take(30).collect::<String>().clone(),
                _ => PIECES[random.usize(0..PIECES.len())],
            };
            text.splice(start..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        for error in [parse(&text, &|_| true).err(), choose(&text, us, &|_| false).err()].into_iter().flatten() {
            assert!(error.to_string().len() < 2000, "{error}");
        }
    }
}

#[test]
fn depth_has_an_end() {
    let deep = r#"{"loadBalancingConfig":"#.to_owned()
        + &r#"[{"outlier_detection":{"childPolicy":"#.repeat(10_000)
        + "[]"
        + &"}}]".repeat(10_000)
        + "}";
    assert!(ServiceConfig::from_json(&deep).unwrap_err().to_string().contains("recursion limit"));
}

#[test]
fn every_value_in_the_place_of_every_other_is_read_or_refused() {
    fn places(value: &Value, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| places(value, &format!("{path}/{key}"), all)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, value)| places(value, &format!("{path}/{index}"), all));
            }
            _ => {}
        }
    }
    let full: Value = serde_json::from_str(FULL).unwrap();
    let mut all = Vec::new();
    places(&full, "", &mut all);
    let mut refused = 0;
    for place in &all {
        for piece in PIECES.iter().filter_map(|piece| serde_json::from_str::<Value>(piece).ok()) {
            let mut changed = full.clone();
            *changed.pointer_mut(place).unwrap() = piece;
            refused += usize::from(ServiceConfig::from_json(&changed.to_string()).is_err());
        }
    }
    assert!(refused > all.len() * 5, "only {refused}");
}

#[test]
fn no_connections_at_all_are_refused() {
    for value in ["0", "-1", "1.5", "\"many\"", "4294967296"] {
        let text = format!(r#"{{"connectionScaling": {{"maxConnectionsPerSubchannel": {value}}}}}"#);
        let error = ServiceConfig::from_json(&text).unwrap_err();
        assert_eq!(error.path(), "connectionScaling.maxConnectionsPerSubchannel", "{error}");
    }
}
