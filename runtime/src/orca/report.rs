//! A report, as a client sees it.

use std::collections::HashMap;

use super::METADATA_KEY;
use super::proto::OrcaLoadReport;
use crate::metadata::Metadata;
use crate::prost::{DecodeError, Message as _};

/// What a server reported. What it did not is 0, which nobody can tell from a 0 that it did.
///
/// Nothing is checked: a server can report anything, negative values and NaN included.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LoadReport {
    /// The share of the CPUs that is used; it may be above 1.
    pub cpu_utilization: f64,
    /// The share of the memory that is used.
    pub memory_utilization: f64,
    /// The share that is used of whatever the application is bound by; it may be above 1.
    pub application_utilization: f64,
    /// How many calls per second the server answers.
    pub rps: f64,
    /// How many calls per second fail.
    pub eps: f64,
    /// The shares of other things that are used.
    pub utilization: HashMap<String, f64>,
    /// What the call cost; nothing in a report apart from calls.
    pub request_cost: HashMap<String, f64>,
    /// What only the application knows the meaning of.
    pub named_metrics: HashMap<String, f64>,
}

/// What came as a load report is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the load report in {METADATA_KEY} cannot be read: {0}")]
pub struct LoadReportError(#[source] DecodeError);

impl LoadReport {
    /// The report that came with a call, in its trailing metadata; `None` for a call without one.
    ///
    /// # Errors
    /// [`LoadReportError`] for bytes that are no report.
    pub fn from_metadata(trailing: &Metadata) -> Result<Option<LoadReport>, LoadReportError> {
        let report = trailing.get_bin(METADATA_KEY).map(OrcaLoadReport::decode);
        report.map(|report| report.map(LoadReport::from).map_err(LoadReportError)).transpose()
    }
}

impl From<OrcaLoadReport> for LoadReport {
    fn from(report: OrcaLoadReport) -> LoadReport {
        LoadReport {
            cpu_utilization: report.cpu_utilization,
            memory_utilization: report.mem_utilization,
            application_utilization: report.application_utilization,
            rps: report.rps_fractional,
            eps: report.eps,
            utilization: report.utilization,
            request_cost: report.request_cost,
            named_metrics: report.named_metrics,
        }
    }
}
