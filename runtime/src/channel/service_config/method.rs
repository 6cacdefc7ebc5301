//! What holds for calls of some methods.

use std::time::Duration;

use super::problem::Problem;
use super::retry::{HedgingPolicy, RetryPolicy};

/// Which calls a [`MethodConfig`] is for: of one method, of all methods of a service, or all. The narrowest wins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MethodName {
    service: String,
    method: String,
}

impl MethodName {
    /// All calls that nothing narrower is said of.
    pub fn all() -> MethodName {
        MethodName { service: String::new(), method: String::new() }
    }

    /// The calls of a service, by its full name: `helloworld.Greeter`. An empty one means all.
    pub fn service(service: impl Into<String>) -> MethodName {
        MethodName { service: service.into(), method: String::new() }
    }

    /// The calls of one method: `("helloworld.Greeter", "SayHello")`. An empty method means all of the service.
    pub fn method(service: impl Into<String>, method: impl Into<String>) -> MethodName {
        MethodName { service: service.into(), method: method.into() }
    }

    /// Refuses what is the name of no method.
    pub(super) fn check(&self) -> Result<(), String> {
        match (self.service.as_str(), self.method.as_str()) {
            ("", method) if !method.is_empty() => Err(format!("method {method:?} has no service")),
            _ => Ok(()),
        }
    }

    /// Refuses a path in the place of a name. In JSON, which other languages take with it, such a name is of no call.
    fn check_slashes(&self) -> Result<(), String> {
        let MethodName { service, method } = self;
        let parts = || service.trim_start_matches('/').split_once('/').filter(|_| method.is_empty());
        match parts() {
            Some((name, of)) => {
                Err(format!("service {service:?} has a slash: MethodName::method takes {name:?} and {of:?} apart"))
            }
            None if service.contains('/') => Err(format!("service {service:?} has a slash: it is the full name alone")),
            None if method.contains('/') => Err(format!("method {method:?} has a slash: it is the name alone")),
            None => Ok(()),
        }
    }

    /// That another one with this name was there before.
    pub(super) fn twice(&self) -> String {
        match (self.service.as_str(), self.method.as_str()) {
            ("", _) => "the default of all methods comes twice".to_owned(),
            (service, "") => format!("service {service:?} comes twice"),
            (service, method) => format!("method {method:?} of service {service:?} comes twice"),
        }
    }

    /// The beginning of the paths that it stands for, or the whole path; `None` for all.
    pub(super) fn key(&self) -> Option<String> {
        (!self.service.is_empty() || !self.method.is_empty()).then(|| format!("/{}/{}", self.service, self.method))
    }
}

/// What holds for calls of the methods that it names, unless the call says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodConfig {
    names: Vec<MethodName>,
    wait_for_ready: Option<bool>,
    timeout: Option<Duration>,
    max_request_message_bytes: Option<usize>,
    max_response_message_bytes: Option<usize>,
    attempts: Attempts,
}

/// How often a call may go out.
#[derive(Clone, Debug, Default, PartialEq)]
enum Attempts {
    #[default]
    Once,
    Retry(RetryPolicy),
    Hedge(HedgingPolicy),
}

impl MethodConfig {
    /// One that says nothing yet, for these methods.
    pub fn new(names: impl IntoIterator<Item = MethodName>) -> MethodConfig {
        MethodConfig { names: names.into_iter().collect(), ..MethodConfig::default() }
    }

    /// The same for calls that do not say whether they wait for a server.
    pub fn with_wait_for_ready(mut self, wait_for_ready: bool) -> Self {
        self.wait_for_ready = Some(wait_for_ready);
        self
    }

    /// The same with this time for a call as a whole; a call's own timeout counts where it is shorter.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same with this size for the largest request message; the channel's own limit counts where it is smaller.
    pub fn with_max_request_message_bytes(mut self, bytes: usize) -> Self {
        self.max_request_message_bytes = Some(bytes);
        self
    }

    /// The same with this size for the largest response message; the channel's own limit counts where it is smaller.
    pub fn with_max_response_message_bytes(mut self, bytes: usize) -> Self {
        self.max_response_message_bytes = Some(bytes);
        self
    }

    /// The same with calls that are made again when they failed; in place of a hedging policy.
    pub fn with_retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.attempts = Attempts::Retry(policy);
        self
    }

    /// The same with calls that are made several times at once; in place of a retry policy.
    pub fn with_hedging_policy(mut self, policy: HedgingPolicy) -> Self {
        self.attempts = Attempts::Hedge(policy);
        self
    }

    /// What may be said neither in JSON nor in Rust, of the names apart.
    pub(super) fn check(&self) -> Result<(), Problem> {
        match &self.attempts {
            Attempts::Once => Ok(()),
            Attempts::Retry(policy) => policy.check().map_err(|problem| problem.within("retryPolicy")),
            Attempts::Hedge(policy) => policy.check().map_err(|problem| problem.within("hedgingPolicy")),
        }
    }

    pub(super) fn check_slashes(&self) -> Result<(), Problem> {
        self.names.iter().enumerate().try_for_each(|(at, name)| {
            name.check_slashes().map_err(|problem| Problem::new(format!("name[{at}]"), problem))
        })
    }

    /// The methods that it is for.
    pub fn names(&self) -> &[MethodName] {
        &self.names
    }

    /// Whether calls wait for a server that do not say themselves.
    pub fn wait_for_ready(&self) -> Option<bool> {
        self.wait_for_ready
    }

    /// The longest that a call may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The largest request message, in bytes.
    pub fn max_request_message_bytes(&self) -> Option<usize> {
        self.max_request_message_bytes
    }

    /// The largest response message, in bytes.
    pub fn max_response_message_bytes(&self) -> Option<usize> {
        self.max_response_message_bytes
    }

    /// How calls that failed are made again.
    pub fn retry_policy(&self) -> Option<&RetryPolicy> {
        match &self.attempts {
            Attempts::Retry(policy) => Some(policy),
            Attempts::Once | Attempts::Hedge(_) => None,
        }
    }

    /// How calls are made several times at once.
    pub fn hedging_policy(&self) -> Option<&HedgingPolicy> {
        match &self.attempts {
            Attempts::Hedge(policy) => Some(policy),
            Attempts::Once | Attempts::Retry(_) => None,
        }
    }
}
