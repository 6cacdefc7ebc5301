//! Error details for the rows that go over the wire: every standard one, with every field.

use std::time::Duration;

use callwright::prost::{Message as _, Name};
use callwright::prost_types::Any;
use callwright::status::{
    BadRequest, DebugInfo, ErrorDetails, ErrorInfo, Help, LocalizedMessage, PreconditionFailure, QuotaFailure,
    RequestInfo, ResourceInfo, RetryInfo, RpcStatus,
};
use callwright::{Metadata, Status};

/// What the metadata of a call asks for, if it asks for a status: see the table in [`echo`](super::echo).
///
/// # Errors
/// The status.
pub fn fail_as_asked(metadata: &Metadata) -> Result<(), Status> {
    if let Some(bytes) = metadata.get_bin("x-status-bin") {
        let status = RpcStatus::decode(bytes).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let details = status.details.iter().map(through_its_type).collect::<Result<_, _>>()?;
        return Err(Status::from(RpcStatus { details, ..status }));
    }
    if let Some(code) = metadata.get("x-code") {
        let code: i32 = code.parse().map_err(|_| Status::invalid_argument("x-code is no number"))?;
        let details = metadata.get_bin("x-details-bin").unwrap_or_default().to_vec();
        return Err(Status::new(code, metadata.get("x-message").unwrap_or_default()).with_details(details));
    }
    Ok(())
}

/// The detail, decoded as the type that it names and encoded again: a field that is not there would be lost.
fn through_its_type(detail: &Any) -> Result<Any, Status> {
    fn of<T: Name + Default>(detail: &Any) -> Option<Result<Any, Status>> {
        detail.type_url.ends_with(&format!("/{}", T::full_name())).then(|| {
            let message = T::decode(detail.value.as_slice()).map_err(|error| Status::internal(error.to_string()))?;
            Ok(ErrorDetails::from(message).as_slice()[0].clone())
        })
    }
    let all = [
        of::<ErrorInfo>,
        of::<RetryInfo>,
        of::<DebugInfo>,
        of::<QuotaFailure>,
        of::<PreconditionFailure>,
        of::<BadRequest>,
        of::<RequestInfo>,
        of::<ResourceInfo>,
        of::<Help>,
        of::<LocalizedMessage>,
    ];
    all.iter().find_map(|of| of(detail)).unwrap_or_else(|| Ok(detail.clone()))
}

/// All ten standard details, each field set.
pub fn all_ten() -> ErrorDetails {
    let mut quota = QuotaFailure::violation("project:1", "too many").and_violation("project:2", "far too many");
    quota.violations[0].api_service = "compute.example.com".to_owned();
    quota.violations[0].quota_metric = "example.com/cpus".to_owned();
    quota.violations[0].quota_id = "CPUS-per-region".to_owned();
    quota.violations[0].quota_dimensions.insert("region".to_owned(), "here".to_owned());
    quota.violations[0].quota_value = 10;
    quota.violations[0].future_quota_value = Some(0);
    let mut bad = BadRequest::violation("name", "it is empty").and_violation("age", "it is negative");
    bad.field_violations[0].reason = "EMPTY".to_owned();
    bad.field_violations[0].localized_message = Some(LocalizedMessage::new("de", "er ist leer"));
    ErrorDetails::new()
        .with(ErrorInfo::new("STOCKOUT", "example.com").with_metadata("region", "here"))
        .with(RetryInfo::after(Duration::from_millis(1500)))
        .with(DebugInfo::new(["a", "b"], "c"))
        .with(quota)
        .with(PreconditionFailure::violation("TOS", "example.com", "not accepted"))
        .with(bad)
        .with(RequestInfo::new("42", "served here"))
        .with(ResourceInfo::new("table", "users", "it is gone").with_owner("user:me"))
        .with(Help::link("how to", "https://example.com/1").and_link("and more", "https://example.com/2"))
        .with(LocalizedMessage::new("fr-CH", "non"))
}
