//! How calls are spread over the servers.

use std::time::Duration;

/// How a channel spreads its calls over the addresses that its target stands for (`doc/load-balancing.md`).
///
/// [`name`](Self::name) is what JSON calls it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LoadBalancing {
    /// `pick_first`, the default of every channel: the first address that can be connected to gets all calls.
    PickFirst(PickFirstSettings),
    /// `round_robin`: a connection to every address, and calls to all of them in turn.
    RoundRobin,
    /// `least_request` (gRFC A48): of a few connections chosen at random, the one with the fewest calls under way.
    LeastRequest(LeastRequestSettings),
    /// `weighted_round_robin` (gRFC A58): to all in turn, to those with less to do more often, as they report it (ORCA).
    WeightedRoundRobin(WeightedRoundRobinSettings),
    /// `outlier_detection` (gRFC A50): another one, without the servers that fail more often than the others.
    OutlierDetection(OutlierDetectionSettings),
    /// One of your own, by the name that [`ChannelBuilder::balancer`](crate::ChannelBuilder::balancer) gave it.
    Custom {
        /// Its name.
        name: String,
        /// Its settings, as JSON.
        config: String,
    },
}

impl LoadBalancing {
    /// The first address that can be connected to, in the order that name resolution gives.
    pub fn pick_first() -> LoadBalancing {
        LoadBalancing::PickFirst(PickFirstSettings::default())
    }

    /// All addresses in turn.
    pub fn round_robin() -> LoadBalancing {
        LoadBalancing::RoundRobin
    }

    /// The one of two with the fewer calls under way.
    pub fn least_request() -> LoadBalancing {
        LoadBalancing::LeastRequest(LeastRequestSettings::default())
    }

    /// All addresses in turn, those with less to do more often.
    pub fn weighted_round_robin() -> LoadBalancing {
        LoadBalancing::WeightedRoundRobin(WeightedRoundRobinSettings::default())
    }

    /// The name: `round_robin`.
    pub fn name(&self) -> &str {
        match self {
            LoadBalancing::PickFirst(_) => "pick_first",
            LoadBalancing::RoundRobin => "round_robin",
            LoadBalancing::LeastRequest(_) => "least_request",
            LoadBalancing::WeightedRoundRobin(_) => "weighted_round_robin",
            LoadBalancing::OutlierDetection(_) => "outlier_detection",
            LoadBalancing::Custom { name, .. } => name,
        }
    }
}

impl Default for LoadBalancing {
    fn default() -> Self {
        LoadBalancing::pick_first()
    }
}

/// Settings of [`LoadBalancing::PickFirst`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PickFirstSettings {
    /// Whether the addresses are brought into a random order first (gRFC A62), so that many clients do not all go to the same
    /// one; `false`.
    pub shuffle_address_list: bool,
}

impl PickFirstSettings {
    /// The same with the addresses in a random order, or not.
    pub fn with_shuffle_address_list(mut self, shuffle: bool) -> Self {
        self.shuffle_address_list = shuffle;
        self
    }
}

/// Settings of [`LoadBalancing::LeastRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeastRequestSettings {
    choice_count: u32,
}

impl LeastRequestSettings {
    /// How many connections are compared for each call, from 2 to 10; 2.
    pub fn choice_count(&self) -> u32 {
        self.choice_count
    }

    /// The same with this many compared: less than 2 mean 2, more than 10 mean 10.
    pub fn with_choice_count(mut self, choice_count: u32) -> Self {
        self.choice_count = choice_count.clamp(2, 10);
        self
    }
}

impl Default for LeastRequestSettings {
    fn default() -> Self {
        LeastRequestSettings { choice_count: 2 }
    }
}

/// Settings of [`LoadBalancing::WeightedRoundRobin`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WeightedRoundRobinSettings {
    /// Whether servers are asked for reports apart from calls (`xds.service.orca.v3.OpenRcaService`), in place of those that come with
    /// each response; `false`.
    pub enable_oob_load_report: bool,
    /// How often such reports shall come; 10 s. A server may have a least interval of its own.
    pub oob_reporting_period: Duration,
    /// How long a server must have reported before its weight counts; 10 s.
    pub blackout_period: Duration,
    /// How long after its last report a weight counts no more; 3 min.
    pub weight_expiration_period: Duration,
    /// How often the weights are looked at; 1 s, and never less than 100 ms.
    pub weight_update_period: Duration,
    /// How much errors count against a server, as a multiple of the errors' share; 1.
    pub error_utilization_penalty: f64,
}

impl Default for WeightedRoundRobinSettings {
    fn default() -> Self {
        WeightedRoundRobinSettings {
            enable_oob_load_report: false,
            oob_reporting_period: Duration::from_secs(10),
            blackout_period: Duration::from_secs(10),
            weight_expiration_period: Duration::from_secs(180),
            weight_update_period: Duration::from_secs(1),
            error_utilization_penalty: 1.0,
        }
    }
}

impl WeightedRoundRobinSettings {
    /// The least that `weight_update_period` may be.
    pub(super) const MIN_UPDATE_PERIOD: Duration = Duration::from_millis(100);

    /// The same with reports apart from calls, or not.
    pub fn with_enable_oob_load_report(mut self, enable: bool) -> Self {
        self.enable_oob_load_report = enable;
        self
    }

    /// The same with reports this often.
    pub fn with_oob_reporting_period(mut self, period: Duration) -> Self {
        self.oob_reporting_period = period;
        self
    }

    /// The same with this time before a weight counts.
    pub fn with_blackout_period(mut self, period: Duration) -> Self {
        self.blackout_period = period;
        self
    }

    /// The same with this time after which a weight counts no more.
    pub fn with_weight_expiration_period(mut self, period: Duration) -> Self {
        self.weight_expiration_period = period;
        self
    }

    /// The same with weights looked at this often; less than 100 ms means 100 ms.
    pub fn with_weight_update_period(mut self, period: Duration) -> Self {
        self.weight_update_period = period.max(Self::MIN_UPDATE_PERIOD);
        self
    }

    /// The same with errors that count this much. One that is negative, or no number, means 0.
    pub fn with_error_utilization_penalty(mut self, penalty: f64) -> Self {
        self.error_utilization_penalty = if penalty.is_finite() { penalty.max(0.0) } else { 0.0 };
        self
    }
}

/// Settings of [`LoadBalancing::OutlierDetection`]. Without one of the two ejections, no server is ever left out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OutlierDetectionSettings {
    /// How often the servers are compared; 10 s.
    pub interval: Duration,
    /// How long a server is left out the first time, and how much longer each next time; 30 s.
    pub base_ejection_time: Duration,
    /// How long a server is left out at the most; 300 s, or `base_ejection_time` where that is more.
    pub max_ejection_time: Duration,
    /// How many of the servers may be left out at once, in percent; 10, and one server in any case.
    pub max_ejection_percent: u32,
    /// Whether servers are left out whose share of successes lies far below the others'.
    pub success_rate_ejection: Option<SuccessRateEjection>,
    /// Whether servers are left out whose share of failures is above a bound.
    pub failure_percentage_ejection: Option<FailurePercentageEjection>,
    /// How calls are spread over the servers that are left; `pick_first`.
    pub child: Box<LoadBalancing>,
}

impl Default for OutlierDetectionSettings {
    fn default() -> Self {
        OutlierDetectionSettings {
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
            max_ejection_percent: 10,
            success_rate_ejection: None,
            failure_percentage_ejection: None,
            child: Box::default(),
        }
    }
}

impl OutlierDetectionSettings {
    /// The defaults, around this load balancing.
    pub fn new(child: LoadBalancing) -> OutlierDetectionSettings {
        OutlierDetectionSettings { child: Box::new(child), ..OutlierDetectionSettings::default() }
    }

    /// The same with servers compared this often.
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The same with this time for a server that is left out.
    pub fn with_base_ejection_time(mut self, time: Duration) -> Self {
        self.base_ejection_time = time;
        self
    }

    /// The same with this time at the most.
    pub fn with_max_ejection_time(mut self, time: Duration) -> Self {
        self.max_ejection_time = time;
        self
    }

    /// The same with this many servers left out at once, in percent; more than 100 mean 100.
    pub fn with_max_ejection_percent(mut self, percent: u32) -> Self {
        self.max_ejection_percent = percent.min(100);
        self
    }

    /// The same with servers left out by their successes.
    pub fn with_success_rate_ejection(mut self, ejection: SuccessRateEjection) -> Self {
        self.success_rate_ejection = Some(ejection);
        self
    }

    /// The same with servers left out by their failures.
    pub fn with_failure_percentage_ejection(mut self, ejection: FailurePercentageEjection) -> Self {
        self.failure_percentage_ejection = Some(ejection);
        self
    }
}

/// Servers are left out whose share of successes is below the mean by a multiple of the standard deviation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuccessRateEjection {
    /// The multiple, in thousandths; 1900.
    pub stdev_factor: u32,
    /// How likely it is that such a server is left out, in percent; 100.
    pub enforcement_percentage: u32,
    /// How many servers must have had enough calls; 5.
    pub minimum_hosts: u32,
    /// How many calls within an interval are enough; 100.
    pub request_volume: u32,
}

impl Default for SuccessRateEjection {
    fn default() -> Self {
        SuccessRateEjection { stdev_factor: 1900, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 100 }
    }
}

impl SuccessRateEjection {
    /// The same with this multiple, in thousandths.
    pub fn with_stdev_factor(mut self, thousandths: u32) -> Self {
        self.stdev_factor = thousandths;
        self
    }

    /// The same with this likelihood in percent; more than 100 mean 100.
    pub fn with_enforcement_percentage(mut self, percent: u32) -> Self {
        self.enforcement_percentage = percent.min(100);
        self
    }

    /// The same with this many servers.
    pub fn with_minimum_hosts(mut self, hosts: u32) -> Self {
        self.minimum_hosts = hosts;
        self
    }

    /// The same with this many calls.
    pub fn with_request_volume(mut self, calls: u32) -> Self {
        self.request_volume = calls;
        self
    }
}

/// Servers are left out whose share of failures is above a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailurePercentageEjection {
    /// The bound, in percent; 85.
    pub threshold: u32,
    /// How likely it is that such a server is left out, in percent; 100.
    pub enforcement_percentage: u32,
    /// How many servers there must be; 5.
    pub minimum_hosts: u32,
    /// How many calls a server must have had within an interval; 50.
    pub request_volume: u32,
}

impl Default for FailurePercentageEjection {
    fn default() -> Self {
        FailurePercentageEjection { threshold: 85, enforcement_percentage: 100, minimum_hosts: 5, request_volume: 50 }
    }
}

impl FailurePercentageEjection {
    /// The same with this bound in percent; more than 100 mean 100.
    pub fn with_threshold(mut self, percent: u32) -> Self {
        self.threshold = percent.min(100);
        self
    }

    /// The same with this likelihood in percent; more than 100 mean 100.
    pub fn with_enforcement_percentage(mut self, percent: u32) -> Self {
        self.enforcement_percentage = percent.min(100);
        self
    }

    /// The same with this many servers.
    pub fn with_minimum_hosts(mut self, hosts: u32) -> Self {
        self.minimum_hosts = hosts;
        self
    }

    /// The same with this many calls.
    pub fn with_request_volume(mut self, calls: u32) -> Self {
        self.request_volume = calls;
        self
    }
}
