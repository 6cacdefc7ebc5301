//! `methodConfig`.

use super::super::{HedgingPolicy, MethodConfig, MethodName, RetryPolicy};
use super::ServiceConfigError;
use super::node::Node;

/// What it may not say in Rust either is refused by `ServiceConfig::add`.
pub(super) fn read(node: &Node<'_>) -> Result<MethodConfig, ServiceConfigError> {
    let fields = node.object()?;
    let names = fields.list("name")?.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let mut config = MethodConfig::new(names);
    if let Some(node) = fields.get("waitForReady") {
        config = config.with_wait_for_ready(node.bool()?);
    }
    if let Some(node) = fields.get("timeout") {
        config = config.with_timeout(node.duration()?);
    }
    if let Some(node) = fields.get("maxRequestMessageBytes") {
        config = config.with_max_request_message_bytes(size(&node)?);
    }
    if let Some(node) = fields.get("maxResponseMessageBytes") {
        config = config.with_max_response_message_bytes(size(&node)?);
    }
    match (fields.get("retryPolicy"), fields.get("hedgingPolicy")) {
        (Some(_), Some(_)) => Err(fields.error("it has both retryPolicy and hedgingPolicy; only one can hold")),
        (Some(node), None) => Ok(config.with_retry_policy(retry_policy(&node)?)),
        (None, Some(node)) => Ok(config.with_hedging_policy(hedging_policy(&node)?)),
        (None, None) => Ok(config),
    }
}

fn name(node: &Node<'_>) -> Result<MethodName, ServiceConfigError> {
    let fields = node.object()?;
    Ok(MethodName::method(fields.text("service")?, fields.text("method")?))
}

fn size(node: &Node<'_>) -> Result<usize, ServiceConfigError> {
    Ok(usize::try_from(node.u32()?).unwrap_or(usize::MAX))
}

fn retry_policy(node: &Node<'_>) -> Result<RetryPolicy, ServiceConfigError> {
    let fields = node.object()?;
    let max_attempts = fields.require("maxAttempts")?.u32()?;
    let initial_backoff = fields.require("initialBackoff")?.duration()?;
    let max_backoff = fields.require("maxBackoff")?.duration()?;
    let node = fields.require("backoffMultiplier")?;
    let multiplier = node.number()?;
    if multiplier <= 0.0 {
        return Err(node.error(format_args!("{multiplier} is not above zero")));
    }
    let per_attempt = fields.get("perAttemptRecvTimeout").map(|node| node.duration()).transpose()?;
    let codes = match fields.get("retryableStatusCodes") {
        Some(node) => node.error_codes()?,
        None if per_attempt.is_some() => Vec::new(),
        None => fields.require("retryableStatusCodes")?.error_codes()?,
    };
    let policy = RetryPolicy::new(max_attempts, codes)
        .with_initial_backoff(initial_backoff)
        .with_max_backoff(max_backoff)
        .with_backoff_multiplier(multiplier);
    Ok(match per_attempt {
        Some(timeout) => policy.with_per_attempt_timeout(timeout),
        None => policy,
    })
}

fn hedging_policy(node: &Node<'_>) -> Result<HedgingPolicy, ServiceConfigError> {
    let fields = node.object()?;
    let max_attempts = fields.require("maxAttempts")?.u32()?;
    let delay = fields.get("hedgingDelay").map(|node| node.duration()).transpose()?.unwrap_or_default();
    let codes = fields.get("nonFatalStatusCodes").map(|node| node.error_codes()).transpose()?.unwrap_or_default();
    Ok(HedgingPolicy::new(max_attempts, delay).with_non_fatal_status_codes(codes))
}
