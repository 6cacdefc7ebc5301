//! Settings of a channel and its calls that whoever runs a service gives its clients (`doc/service_config.md`).

#[cfg(feature = "service-config")]
mod json;
mod load_balancing;
mod method;
mod problem;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

#[cfg(feature = "service-config")]
pub use json::ServiceConfigError;
#[cfg(feature = "service-config")]
pub(crate) use json::parse;
#[cfg(feature = "dns")]
pub(crate) use json::{Client, choose};
pub use load_balancing::{
    FailurePercentageEjection, LeastRequestSettings, LoadBalancing, OutlierDetectionSettings, PickFirstSettings,
    SuccessRateEjection, WeightedRoundRobinSettings,
};
pub use method::{MethodConfig, MethodName};
use problem::Problem;
pub use retry::{HedgingPolicy, RetryPolicy, RetryThrottling};

/// How a channel spreads its calls over the servers, and what holds for calls that do not say otherwise: gRPC's service
/// config.
///
/// It is read from JSON, which every gRPC understands (`ServiceConfig::from_json`, with the feature `service-config`), or
/// made here:
///
/// ```
/// use std::time::Duration;
/// use callwright::Code;
/// use callwright::service_config::{LoadBalancing, MethodConfig, MethodName, RetryPolicy, ServiceConfig};
///
/// let retry = RetryPolicy::new(4, [Code::Unavailable])
///     .with_initial_backoff(Duration::from_millis(100))
///     .with_max_backoff(Duration::from_secs(1));
/// let config = ServiceConfig::new().with_load_balancing(LoadBalancing::round_robin()).with_method(
///     MethodConfig::new([MethodName::service("helloworld.Greeter")])
///         .with_timeout(Duration::from_secs(5))
///         .with_retry_policy(retry),
/// );
/// ```
///
/// An empty one, which is the default, changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceConfig {
    load_balancing: Option<LoadBalancing>,
    retry_throttling: Option<RetryThrottling>,
    health_check: Option<HealthCheckConfig>,
    max_connections_per_subchannel: Option<u32>,
    /// By `/service/method`, and by `/service/` for all other methods of a service.
    methods: HashMap<String, Arc<MethodConfig>>,
    /// For the calls of all other services.
    default_method: Option<Arc<MethodConfig>>,
    made: Made,
}

/// How it was made.
#[derive(Clone, Debug, Default)]
struct Made {
    /// How many [`MethodConfig`]s there were.
    methods: usize,
    /// The first thing that was wrong.
    problem: Option<Problem>,
}

impl PartialEq for Made {
    /// One that names nothing says nothing, so that the number makes no difference.
    fn eq(&self, other: &Made) -> bool {
        self.problem == other.problem
    }
}

impl ServiceConfig {
    /// One that says nothing.
    pub fn new() -> ServiceConfig {
        ServiceConfig::default()
    }

    /// Reads a service config in JSON, as gRPC's other languages take it.
    ///
    /// Fields that are not known are passed over, `null` is as if the field were not there, and a value that makes no
    /// sense refuses the whole (gRFC A21). Of `loadBalancingConfig` the first policy counts that is known:
    /// `pick_first`, `round_robin`, `least_request`, `weighted_round_robin`, `outlier_detection`.
    ///
    /// ```
    /// # fn main() -> Result<(), callwright::service_config::ServiceConfigError> {
    /// use callwright::service_config::ServiceConfig;
    ///
    /// let config = ServiceConfig::from_json(
    ///     r#"{
    ///         "loadBalancingConfig": [{"round_robin": {}}],
    ///         "methodConfig": [{"name": [{"service": "helloworld.Greeter"}], "waitForReady": true, "timeout": "1.5s"}]
    ///     }"#,
    /// )?;
    /// let error = ServiceConfig::from_json(r#"{"methodConfig": [{"timeout": 3}]}"#).unwrap_err();
    /// assert_eq!(error.to_string(), r#"methodConfig[0].timeout: 3 is no duration; they look like "1.5s""#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceConfigError`], which names the field.
    #[cfg(feature = "service-config")]
    pub fn from_json(text: &str) -> Result<ServiceConfig, ServiceConfigError> {
        parse(text, &|_| false)
    }

    /// The same with this way to spread calls over the servers.
    pub fn with_load_balancing(mut self, load_balancing: LoadBalancing) -> Self {
        self.load_balancing = Some(load_balancing);
        self
    }

    /// The same with these settings for the methods that they name. A name that comes twice, or is none, and a policy that makes no
    /// sense are refused by [`ChannelBuilder::build`](crate::ChannelBuilder::build).
    pub fn with_method(mut self, config: MethodConfig) -> Self {
        let place = format!("methodConfig[{}]", self.made.methods);
        self.made.methods += 1;
        let added = config.check_slashes().and_then(|()| self.add(config));
        if let Err(problem) = added {
            self.made.problem.get_or_insert(problem.within(&place));
        }
        self
    }

    fn add(&mut self, config: MethodConfig) -> Result<(), Problem> {
        let config = Arc::new(config);
        for (at, name) in config.names().iter().enumerate() {
            let wrong = |problem: String| Problem::new(format!("name[{at}]"), problem);
            name.check().map_err(wrong)?;
            let before = match name.key() {
                Some(key) => self.methods.insert(key, config.clone()),
                None => self.default_method.replace(config.clone()),
            };
            if before.is_some() {
                return Err(wrong(name.twice()));
            }
        }
        config.check()
    }

    /// What is wrong with it, for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.made.problem.as_ref().map_or(Ok(()), |problem| Err(problem.to_string()))
    }

    /// The same with this bound on retries and hedges.
    pub fn with_retry_throttling(mut self, retry_throttling: RetryThrottling) -> Self {
        self.retry_throttling = Some(retry_throttling);
        self
    }

    /// The same with the servers' health watched.
    pub fn with_health_check(mut self, health_check: HealthCheckConfig) -> Self {
        self.health_check = Some(health_check);
        self
    }

    /// The same with up to so many connections to one address (gRFC A105): another is made when those that there are have all the
    /// streams that the server allows. 0 means 1; the client has a limit of its own,
    /// [`ChannelBuilder::connection_scaling_limit`](crate::ChannelBuilder::connection_scaling_limit).
    pub fn with_max_connections_per_subchannel(mut self, connections: u32) -> Self {
        self.max_connections_per_subchannel = Some(connections.max(1));
        self
    }

    /// How calls are spread over the servers; `None` where that is not said.
    pub fn load_balancing(&self) -> Option<&LoadBalancing> {
        self.load_balancing.as_ref()
    }

    /// What bounds retries and hedges.
    pub fn retry_throttling(&self) -> Option<&RetryThrottling> {
        self.retry_throttling.as_ref()
    }

    /// What the servers are asked for their health.
    pub fn health_check(&self) -> Option<&HealthCheckConfig> {
        self.health_check.as_ref()
    }

    /// How many connections there may be to one address; `None` where that is not said.
    pub fn max_connections_per_subchannel(&self) -> Option<u32> {
        self.max_connections_per_subchannel
    }

    /// Whether it says anything of calls.
    pub(crate) fn says_of_methods(&self) -> bool {
        !self.methods.is_empty() || self.default_method.is_some()
    }

    /// What holds for calls of the method with this path, `/package.Service/Method`: what was said of the method, else
    /// of its service, else of all.
    pub(crate) fn method(&self, path: &str) -> Option<&Arc<MethodConfig>> {
        if self.methods.is_empty() {
            return self.default_method.as_ref();
        }
        let of_service = || path.rfind('/').and_then(|slash| self.methods.get(&path[..=slash]));
        self.methods.get(path).or_else(of_service).or(self.default_method.as_ref())
    }
}

/// That the servers' health is watched (gRFC A17): one that does not serve gets no calls.
///
/// It takes effect where the load balancing knows more than one connection: not with [`LoadBalancing::PickFirst`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheckConfig {
    service_name: String,
}

impl HealthCheckConfig {
    /// By this name the servers are asked: of a service, or empty for the server as a whole.
    pub fn new(service_name: impl Into<String>) -> HealthCheckConfig {
        HealthCheckConfig { service_name: service_name.into() }
    }

    /// The name that the servers are asked for.
    pub fn service_name(&self) -> &str {
        &self.service_name
    }
}
