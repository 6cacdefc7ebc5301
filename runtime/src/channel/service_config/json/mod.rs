//! Service configs as JSON, read strictly: a known field that makes no sense refuses the whole (gRFC A21).

#[cfg(feature = "dns")]
mod choice;
mod load_balancing;
mod method;
mod node;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::retry::{RetryThrottling, milli};
use super::{HealthCheckConfig, ServiceConfig};
use crate::unique_json::Unique;
use node::Node;

#[cfg(feature = "dns")]
pub(crate) use choice::{Client, choose};

/// A service config that cannot be used: the field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(.path))]
pub struct ServiceConfigError {
    path: String,
    problem: String,
}

impl ServiceConfigError {
    /// The field, as `methodConfig[2].retryPolicy.maxAttempts`; empty where it is the whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same for a text that says already that it is the service config which cannot be used.
    pub(crate) fn within(&self) -> String {
        if self.path.is_empty() { self.problem.clone() } else { self.to_string() }
    }
}

fn place(path: &str) -> String {
    match path {
        "" => "the service config cannot be used: ".to_owned(),
        path => format!("{path}: "),
    }
}

/// Reads a service config; `is_custom` tells which load balancing the channel knows beside gRPC's own.
pub(crate) fn parse(text: &str, is_custom: &dyn Fn(&str) -> bool) -> Result<ServiceConfig, ServiceConfigError> {
    read(&Node::root(&json(text)?), is_custom)
}

fn json(text: &str) -> Result<Value, ServiceConfigError> {
    let no_json = |error: serde_json::Error| ServiceConfigError { path: String::new(), problem: error.to_string() };
    serde_json::from_str(text).map(|Unique(value)| value).map_err(no_json)
}

fn read(root: &Node<'_>, is_custom: &dyn Fn(&str) -> bool) -> Result<ServiceConfig, ServiceConfigError> {
    let fields = root.object()?;
    let load_balancing = load_balancing::read(&fields, is_custom)?;
    let retry_throttling = fields.get("retryThrottling").map(|node| retry_throttling(&node)).transpose()?;
    let health_check = fields.get("healthCheckConfig").map(|node| health_check(&node)).transpose()?.flatten();
    let connections = fields.get("connectionScaling").map(|node| connection_scaling(&node)).transpose()?.flatten();
    let mut config = ServiceConfig {
        load_balancing,
        retry_throttling,
        health_check,
        max_connections_per_subchannel: connections,
        ..ServiceConfig::default()
    };
    for node in fields.list("methodConfig")? {
        config.add(method::read(&node)?).map_err(|problem| node.problem(problem))?;
    }
    Ok(config)
}

fn retry_throttling(node: &Node<'_>) -> Result<RetryThrottling, ServiceConfigError> {
    let fields = node.object()?;
    let above_zero = |node: &Node<'_>| match node.number()? {
        // Zero is what is left of it with three decimals.
        number if milli(number) == 0 => Err(node.error(format_args!("{number} is less than 0.001"))),
        number => Ok(number),
    };
    let node = fields.require("maxTokens")?;
    let max_tokens = above_zero(&node)?;
    if max_tokens > 1000.0 {
        return Err(node.error(format_args!("{max_tokens} is more than 1000")));
    }
    Ok(RetryThrottling::new(max_tokens, above_zero(&fields.require("tokenRatio")?)?))
}

fn health_check(node: &Node<'_>) -> Result<Option<HealthCheckConfig>, ServiceConfigError> {
    let service_name = node.object()?.get("serviceName");
    service_name.map(|name| name.string().map(HealthCheckConfig::new)).transpose()
}

fn connection_scaling(node: &Node<'_>) -> Result<Option<u32>, ServiceConfigError> {
    node.object()?.get("maxConnectionsPerSubchannel").map(|connections| connections.at_least(1)).transpose()
}
