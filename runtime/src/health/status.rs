//! How a service can be.

use std::fmt;

use super::proto::{HealthCheckResponse, health_check_response};

/// What a server says of one of its services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServingStatus {
    /// Nothing is known yet.
    Unknown,
    /// It takes calls.
    Serving,
    /// It takes no calls.
    NotServing,
}

impl fmt::Display for ServingStatus {
    /// As the protocol spells it: `NOT_SERVING`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(health_check_response::ServingStatus::from(*self).as_str_name())
    }
}

impl From<ServingStatus> for health_check_response::ServingStatus {
    fn from(status: ServingStatus) -> Self {
        match status {
            ServingStatus::Unknown => Self::Unknown,
            ServingStatus::Serving => Self::Serving,
            ServingStatus::NotServing => Self::NotServing,
        }
    }
}

impl From<ServingStatus> for HealthCheckResponse {
    fn from(status: ServingStatus) -> Self {
        HealthCheckResponse { status: health_check_response::ServingStatus::from(status).into() }
    }
}
