//! The load that a server reports (ORCA).
//!
//! The calls are looked at and, where the service config names it, what the balancer `test_backend_metrics_load_balancer` saw.

use std::collections::HashMap;
use std::time::Duration;

use callwright::Streaming;
use callwright::orca::LoadReport;
use callwright::orca::proto::{OrcaLoadReport, OrcaLoadReportRequest};
use callwright::prost_types;

use super::{Failure, Stubs, ensure_eq};
use crate::testing::{ResponseParameters, SimpleRequest, StreamingOutputCallRequest, TestOrcaReport};

/// How long a report may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn per_rpc(stubs: Stubs) -> Result<(), Failure> {
    let wanted = TestOrcaReport {
        cpu_utilization: 0.8210,
        memory_utilization: 0.5847,
        request_cost: named("cost", 3456.32),
        utilization: named("util", 0.30499),
    };
    let request = SimpleRequest { orca_per_query_report: Some(wanted.clone()), ..SimpleRequest::default() };
    let response = stubs.test.unary_call(request).send().await?;
    let report = LoadReport::from_metadata(response.trailing_metadata()).map_err(|error| Failure(error.to_string()))?;
    let wanted = Some(reported(wanted));
    ensure_eq("load report of the call", &report, &wanted)?;
    if stubs.metrics.is_in_use() {
        let seen = stubs.metrics.of_call(1, PATIENCE).await.map_err(Failure)?;
        ensure_eq("load report that the balancer saw", &seen, &wanted)?;
    }
    Ok(())
}

pub(super) async fn out_of_band(stubs: Stubs) -> Result<(), Failure> {
    let interval = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let (mut requests, mut responses) = stubs.test.full_duplex_call().start();
    let mut reports = None;
    for (cpu_utilization, memory_utilization, util) in [(0.8210, 0.5847, 0.30499), (0.29309, 0.2, 0.2039)] {
        let wanted = TestOrcaReport {
            cpu_utilization,
            memory_utilization,
            utilization: named("util", util),
            ..TestOrcaReport::default()
        };
        let request = StreamingOutputCallRequest {
            orca_oob_report: Some(wanted.clone()),
            response_parameters: vec![ResponseParameters { size: 1, ..ResponseParameters::default() }],
            ..StreamingOutputCallRequest::default()
        };
        requests.send(request).await?;
        // It is answered when the server reports this load; until then it may be another client's turn.
        ensure_eq("the server answers", &responses.message().await?.is_some(), &true)?;
        let reports = match &mut reports {
            Some(reports) => reports,
            none => none.insert(
                stubs
                    .load_reports
                    .stream_core_metrics(OrcaLoadReportRequest {
                        report_interval: interval,
                        ..OrcaLoadReportRequest::default()
                    })
                    .await?,
            ),
        };
        let found = tokio::time::timeout(PATIENCE, find(reports, &reported(wanted))).await;
        found.map_err(|_| Failure(format!("no report of the load within {PATIENCE:?}")))??;
    }
    Ok(())
}

/// Reads reports until there is the one that is wanted.
async fn find(reports: &mut Streaming<OrcaLoadReport>, wanted: &LoadReport) -> Result<(), Failure> {
    while let Some(report) = reports.message().await? {
        if LoadReport::from(report) == *wanted {
            return Ok(());
        }
    }
    Err(Failure(format!("the server reports no more, and never reported {wanted:?}")))
}

/// What a server makes of it.
fn reported(wanted: TestOrcaReport) -> LoadReport {
    let mut report = LoadReport::default();
    report.cpu_utilization = wanted.cpu_utilization;
    report.memory_utilization = wanted.memory_utilization;
    report.request_cost = wanted.request_cost;
    report.utilization = wanted.utilization;
    report
}

fn named(name: &str, value: f64) -> HashMap<String, f64> {
    HashMap::from([(name.to_owned(), value)])
}

#[cfg(test)]
mod tests {
    use callwright::{Channel, RunningServer, Server};
    use tokio::time::Instant;

    use crate::interop::InteropService;
    use crate::interop::cases::{Case, Soak};
    use crate::interop::flags::Flags;
    use crate::testing::TestServiceServer;

    const BALANCED: &str = r#"{"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}"#;

    async fn run(case: &str, server: &RunningServer) -> Result<(), String> {
        let soak = Soak::from_flags(&Flags::parse(&Soak::FLAGS, []).unwrap()).unwrap();
        let channel = Channel::builder(server.local_addr().to_string());
        let case = Case::find(case).unwrap();
        case.run(channel.clone(), soak).await.map_err(|failure| failure.to_string())?;
        case.run(channel.service_config_json(BALANCED), soak).await.map_err(|failure| failure.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn our_server_reports_what_it_is_asked_to() {
        let service = InteropService::new("one");
        let server = Server::builder().add_service(service.load_reports()).add_service(TestServiceServer::new(service));
        let server = server.bind("inproc:").await.unwrap();
        run("orca_per_rpc", &server).await.unwrap();
        // Two at once: the second one has to wait for its turn, and the server is not asked more than once a second.
        let began = Instant::now();
        let (first, second) = tokio::join!(run("orca_oob", &server), run("orca_oob", &server));
        first.unwrap();
        second.unwrap();
        assert!(began.elapsed().as_secs() >= 2, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_without_reports_fails_the_cases() {
        let server = Server::builder().add_service(TestServiceServer::new(InteropService::new("one")));
        let server = server.bind("inproc:").await.unwrap();
        run("orca_per_rpc", &server).await.unwrap();
        let failure = run("orca_oob", &server).await.unwrap_err();
        assert!(failure.contains("UNIMPLEMENTED"), "{failure}");
    }
}
