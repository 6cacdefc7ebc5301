//! The standard details, made in one line each.

use std::time::Duration;

use super::{
    BadRequest, DebugInfo, ErrorInfo, Help, LocalizedMessage, PreconditionFailure, QuotaFailure, RequestInfo,
    ResourceInfo, RetryInfo, bad_request, help, precondition_failure, quota_failure,
};

impl ErrorInfo {
    /// Why it failed (`UPPER_SNAKE_CASE`), and whose word that is: mostly the name of a service.
    pub fn new(reason: impl Into<String>, domain: impl Into<String>) -> Self {
        ErrorInfo { reason: reason.into(), domain: domain.into(), ..Default::default() }
    }

    /// Adds an entry to the metadata, in the place of one of the same key.
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }
}

impl RetryInfo {
    /// The call may be tried again when `delay` has passed. The longest is 10,000 years, as protobuf has it.
    pub fn after(delay: Duration) -> Self {
        const LONGEST: Duration = Duration::from_secs(315_576_000_000);
        RetryInfo { retry_delay: crate::prost_types::Duration::try_from(delay.min(LONGEST)).ok() }
    }

    /// How long to wait before the call is tried again; `None` where nothing was said, or a time that has passed.
    pub fn delay(&self) -> Option<Duration> {
        const NANOS: i128 = 1_000_000_000;
        let delay = self.retry_delay?;
        // Wide enough for all that a peer can send.
        let nanos = i128::from(delay.seconds) * NANOS + i128::from(delay.nanos);
        let seconds = u64::try_from(nanos.div_euclid(NANOS)).ok()?;
        Some(Duration::new(seconds, u32::try_from(nanos.rem_euclid(NANOS)).ok()?))
    }
}

impl DebugInfo {
    /// The stack, innermost frame first, and what else there is to say.
    pub fn new(stack_entries: impl IntoIterator<Item = impl Into<String>>, detail: impl Into<String>) -> Self {
        DebugInfo { stack_entries: stack_entries.into_iter().map(Into::into).collect(), detail: detail.into() }
    }
}

impl QuotaFailure {
    /// One quota that ran out: whose it is, and how.
    pub fn violation(subject: impl Into<String>, description: impl Into<String>) -> Self {
        QuotaFailure::default().and_violation(subject, description)
    }

    /// Adds one more.
    pub fn and_violation(mut self, subject: impl Into<String>, description: impl Into<String>) -> Self {
        let (subject, description) = (subject.into(), description.into());
        self.violations.push(quota_failure::Violation { subject, description, ..Default::default() });
        self
    }
}

impl PreconditionFailure {
    /// One condition that does not hold: its kind, what it is about, and how to mend it.
    pub fn violation(kind: impl Into<String>, subject: impl Into<String>, description: impl Into<String>) -> Self {
        PreconditionFailure::default().and_violation(kind, subject, description)
    }

    /// Adds one more.
    pub fn and_violation(
        mut self,
        kind: impl Into<String>,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        let (subject, description) = (subject.into(), description.into());
        self.violations.push(precondition_failure::Violation { r#type: kind.into(), subject, description });
        self
    }
}

impl BadRequest {
    /// One field that is wrong, and why.
    pub fn violation(field: impl Into<String>, description: impl Into<String>) -> Self {
        BadRequest::default().and_violation(field, description)
    }

    /// Adds one more.
    pub fn and_violation(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        self.field_violations.push(bad_request::FieldViolation { field, description, ..Default::default() });
        self
    }
}

impl RequestInfo {
    /// The name by which the server's logs know the request, and how it was served.
    pub fn new(request_id: impl Into<String>, serving_data: impl Into<String>) -> Self {
        RequestInfo { request_id: request_id.into(), serving_data: serving_data.into() }
    }
}

impl ResourceInfo {
    /// The resource that the call was about: its type, its name, and what went wrong with it.
    pub fn new(
        resource_type: impl Into<String>,
        resource_name: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        ResourceInfo {
            resource_type: resource_type.into(),
            resource_name: resource_name.into(),
            owner: String::new(),
            description: description.into(),
        }
    }

    /// The same with its owner.
    pub fn with_owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }
}

impl Help {
    /// A link: what it leads to, and the address.
    pub fn link(description: impl Into<String>, url: impl Into<String>) -> Self {
        Help::default().and_link(description, url)
    }

    /// Adds one more.
    pub fn and_link(mut self, description: impl Into<String>, url: impl Into<String>) -> Self {
        self.links.push(help::Link { description: description.into(), url: url.into() });
        self
    }
}

impl LocalizedMessage {
    /// The message in a language: `en-US`, `fr-CH`.
    pub fn new(locale: impl Into<String>, message: impl Into<String>) -> Self {
        LocalizedMessage { locale: locale.into(), message: message.into() }
    }
}
