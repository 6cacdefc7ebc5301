//! `loadBalancingConfig`, and `loadBalancingPolicy`, which came before it.

use serde_json::Map;

use super::super::load_balancing::{
    FailurePercentageEjection, LeastRequestSettings, LoadBalancing, OutlierDetectionSettings, PickFirstSettings,
    SuccessRateEjection, WeightedRoundRobinSettings,
};
use super::ServiceConfigError;
use super::node::{Fields, Node};

/// What an error lists.
const KNOWN: &str = "pick_first, round_robin, least_request, weighted_round_robin, outlier_detection, and what was \
                     registered with the channel";

/// gRPC's own policies, which JSON may call by more than one name.
#[derive(Clone, Copy, Debug)]
enum Known {
    PickFirst,
    RoundRobin,
    LeastRequest,
    WeightedRoundRobin,
    OutlierDetection,
}

impl Known {
    fn of(name: &str) -> Option<Known> {
        match name {
            "pick_first" => Some(Known::PickFirst),
            "round_robin" => Some(Known::RoundRobin),
            "least_request" | "least_request_experimental" => Some(Known::LeastRequest),
            "weighted_round_robin" => Some(Known::WeightedRoundRobin),
            "outlier_detection" | "outlier_detection_experimental" => Some(Known::OutlierDetection),
            _ => None,
        }
    }
}

pub(super) fn read(
    fields: &Fields<'_>,
    is_custom: &dyn Fn(&str) -> bool,
) -> Result<Option<LoadBalancing>, ServiceConfigError> {
    if let Some(list) = fields.get("loadBalancingConfig") {
        return first_known(&list, is_custom).map(Some);
    }
    fields.get("loadBalancingPolicy").map(|name| by_name(&name, is_custom)).transpose()
}

/// The first policy of a list that is known.
fn first_known(list: &Node<'_>, is_custom: &dyn Fn(&str) -> bool) -> Result<LoadBalancing, ServiceConfigError> {
    let mut found = None;
    let mut names = Vec::new();
    for item in list.list()? {
        let fields = item.object()?;
        let mut entries = fields.iter();
        let (Some((name, config)), None) = (entries.next(), entries.next()) else {
            let problem = "it must have exactly one key, the name of a policy, and has";
            return Err(item.error(format_args!("{problem} {}", fields.iter().len())));
        };
        // The others are looked at too, if only for their form.
        if found.is_none() && (Known::of(name).is_some() || is_custom(name)) {
            found = Some((name, config));
        }
        names.push(name);
    }
    match found {
        Some((name, config)) => policy(name, &config, is_custom),
        None if names.is_empty() => Err(list.error(format_args!("it is empty; known are {KNOWN}"))),
        None => Err(list.error(format_args!("none of {names:?} is known; known are {KNOWN}"))),
    }
}

fn policy(name: &str, node: &Node<'_>, is_custom: &dyn Fn(&str) -> bool) -> Result<LoadBalancing, ServiceConfigError> {
    let no_settings = Map::new();
    let fields = node.object_or(&no_settings)?;
    Ok(match Known::of(name) {
        Some(Known::PickFirst) => LoadBalancing::PickFirst(pick_first(&fields)?),
        Some(Known::RoundRobin) => LoadBalancing::RoundRobin,
        Some(Known::LeastRequest) => LoadBalancing::LeastRequest(least_request(&fields)?),
        Some(Known::WeightedRoundRobin) => LoadBalancing::WeightedRoundRobin(weighted_round_robin(&fields)?),
        Some(Known::OutlierDetection) => LoadBalancing::OutlierDetection(outlier_detection(&fields, is_custom)?),
        None => LoadBalancing::Custom { name: name.to_owned(), config: fields.to_json() },
    })
}

/// `"loadBalancingPolicy": "ROUND_ROBIN"`.
fn by_name(node: &Node<'_>, is_custom: &dyn Fn(&str) -> bool) -> Result<LoadBalancing, ServiceConfigError> {
    let given = node.string()?;
    let name = given.to_ascii_lowercase();
    match Known::of(&name) {
        Some(Known::PickFirst) => Ok(LoadBalancing::pick_first()),
        Some(Known::RoundRobin) => Ok(LoadBalancing::round_robin()),
        Some(Known::LeastRequest) => Ok(LoadBalancing::least_request()),
        Some(Known::WeightedRoundRobin) => Ok(LoadBalancing::weighted_round_robin()),
        Some(Known::OutlierDetection) => {
            Err(node.error(format_args!("{name} needs settings, which loadBalancingConfig can give it")))
        }
        None => match [given, &name].into_iter().find(|name| is_custom(name)) {
            Some(name) => Ok(LoadBalancing::Custom { name: name.to_owned(), config: "{}".to_owned() }),
            None => Err(node.error(format_args!("{given:?} is not known; known are {KNOWN}"))),
        },
    }
}

fn pick_first(fields: &Fields<'_>) -> Result<PickFirstSettings, ServiceConfigError> {
    let mut settings = PickFirstSettings::default();
    set(&mut settings.shuffle_address_list, fields, "shuffleAddressList", Node::bool)?;
    Ok(settings)
}

fn least_request(fields: &Fields<'_>) -> Result<LeastRequestSettings, ServiceConfigError> {
    let settings = LeastRequestSettings::default();
    match fields.get("choiceCount") {
        Some(node) => Ok(settings.with_choice_count(node.at_least(2)?)),
        None => Ok(settings),
    }
}

fn weighted_round_robin(fields: &Fields<'_>) -> Result<WeightedRoundRobinSettings, ServiceConfigError> {
    let penalty = |node: &Node<'_>| match node.number()? {
        number if number < 0.0 => Err(node.error(format_args!("{number} is negative"))),
        number => Ok(number),
    };
    let mut settings = WeightedRoundRobinSettings::default();
    set(&mut settings.enable_oob_load_report, fields, "enableOobLoadReport", Node::bool)?;
    set(&mut settings.oob_reporting_period, fields, "oobReportingPeriod", Node::duration)?;
    set(&mut settings.blackout_period, fields, "blackoutPeriod", Node::duration)?;
    set(&mut settings.weight_expiration_period, fields, "weightExpirationPeriod", Node::duration)?;
    set(&mut settings.weight_update_period, fields, "weightUpdatePeriod", Node::duration)?;
    set(&mut settings.error_utilization_penalty, fields, "errorUtilizationPenalty", penalty)?;
    let period = settings.weight_update_period;
    Ok(settings.with_weight_update_period(period))
}

fn outlier_detection(
    fields: &Fields<'_>,
    is_custom: &dyn Fn(&str) -> bool,
) -> Result<OutlierDetectionSettings, ServiceConfigError> {
    let mut settings = OutlierDetectionSettings::new(first_known(&fields.require("childPolicy")?, is_custom)?);
    set(&mut settings.interval, fields, "interval", Node::duration)?;
    set(&mut settings.base_ejection_time, fields, "baseEjectionTime", Node::duration)?;
    settings.max_ejection_time = settings.max_ejection_time.max(settings.base_ejection_time);
    set(&mut settings.max_ejection_time, fields, "maxEjectionTime", Node::duration)?;
    set(&mut settings.max_ejection_percent, fields, "maxEjectionPercent", Node::percentage)?;
    settings.success_rate_ejection =
        fields.get("successRateEjection").map(|node| success_rate_ejection(&node)).transpose()?;
    settings.failure_percentage_ejection =
        fields.get("failurePercentageEjection").map(|node| failure_percentage_ejection(&node)).transpose()?;
    Ok(settings)
}

fn success_rate_ejection(node: &Node<'_>) -> Result<SuccessRateEjection, ServiceConfigError> {
    let fields = node.object()?;
    let mut ejection = SuccessRateEjection::default();
    set(&mut ejection.stdev_factor, &fields, "stdevFactor", Node::u32)?;
    set(&mut ejection.enforcement_percentage, &fields, "enforcementPercentage", Node::percentage)?;
    set(&mut ejection.minimum_hosts, &fields, "minimumHosts", Node::u32)?;
    set(&mut ejection.request_volume, &fields, "requestVolume", Node::u32)?;
    Ok(ejection)
}

fn failure_percentage_ejection(node: &Node<'_>) -> Result<FailurePercentageEjection, ServiceConfigError> {
    let fields = node.object()?;
    let mut ejection = FailurePercentageEjection::default();
    set(&mut ejection.threshold, &fields, "threshold", Node::percentage)?;
    set(&mut ejection.enforcement_percentage, &fields, "enforcementPercentage", Node::percentage)?;
    set(&mut ejection.minimum_hosts, &fields, "minimumHosts", Node::u32)?;
    set(&mut ejection.request_volume, &fields, "requestVolume", Node::u32)?;
    Ok(ejection)
}

/// Changes a setting where the field is there.
fn set<'a, T>(
    setting: &mut T,
    fields: &Fields<'a>,
    name: &str,
    read: impl Fn(&Node<'a>) -> Result<T, ServiceConfigError>,
) -> Result<(), ServiceConfigError> {
    if let Some(node) = fields.get(name) {
        *setting = read(&node)?;
    }
    Ok(())
}
