//! A server that tells its clients how much it has to do (gRFC A51).

use std::collections::HashMap;
use std::time::Duration;

use callwright::orca::proto::{OpenRcaServiceStub, OrcaLoadReport, OrcaLoadReportRequest};
use callwright::orca::{CallMetrics, LoadReport, METADATA_KEY, OrcaService, ServerMetrics};
use callwright::prost_types::Duration as Interval;
use callwright::server::NamedService;
use callwright::{Channel, Code, Metadata, Responses, RunningServer, Server, ServerContext, Status, Streaming};
use callwright_tests::echo::{Blob, EchoServer, EchoServicer, EchoStub};
use tokio::time::Instant;

/// What a handler does with its call.
type Handler = fn(&ServerMetrics, &mut ServerContext) -> Result<(), Status>;

struct Reporting {
    load: ServerMetrics,
    handler: Handler,
}

impl EchoServicer for Reporting {
    async fn unary_unary(&self, _: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        (self.handler)(&self.load, context)?;
        Ok(Blob::default())
    }

    async fn unary_stream(
        &self,
        _: Blob,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        (self.handler)(&self.load, context)?;
        responses.send(Blob::default()).await?;
        CallMetrics::of(context).record_request_cost("messages", 1.0);
        Ok(())
    }
}

async fn serve(handler: Handler) -> (ServerMetrics, RunningServer, EchoStub) {
    let load = ServerMetrics::new();
    let servicer = EchoServer::new(Reporting { load: load.clone(), handler });
    let server = Server::builder().add_service(servicer).bind("127.0.0.1:0").await.unwrap();
    let stub = EchoStub::new(Channel::new(server.local_addr().to_string()).unwrap());
    (load, server, stub)
}

/// The report that comes with a call.
async fn report(stub: &EchoStub) -> Option<LoadReport> {
    let response = stub.unary_unary(Blob::default()).send().await.unwrap();
    LoadReport::from_metadata(response.trailing_metadata()).unwrap()
}

fn named(entries: &[(&str, f64)]) -> HashMap<String, f64> {
    entries.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[tokio::test]
async fn a_call_reports_all_that_was_recorded() {
    let (_load, _server, stub) = serve(|_, context| {
        CallMetrics::of(context)
            .record_cpu_utilization(1.5)
            .record_memory_utilization(0.5)
            .record_application_utilization(2.5)
            .record_rps(100.0)
            .record_eps(3.0)
            .record_utilization("disk", 0.25)
            .record_request_cost("rows", 17.0)
            .record_named_metric("temperature", -4.0);
        Ok(())
    })
    .await;
    let report = report(&stub).await.expect("a report");
    assert_eq!((report.cpu_utilization, report.memory_utilization, report.application_utilization), (1.5, 0.5, 2.5));
    assert_eq!((report.rps, report.eps), (100.0, 3.0));
    assert_eq!(report.utilization, named(&[("disk", 0.25)]));
    assert_eq!(report.request_cost, named(&[("rows", 17.0)]));
    assert_eq!(report.named_metrics, named(&[("temperature", -4.0)]));
}

#[tokio::test]
async fn what_is_recorded_last_counts() {
    let (_load, _server, stub) = serve(|_, context| {
        let first = CallMetrics::of(context);
        first.record_cpu_utilization(0.1).record_request_cost("rows", 1.0);
        CallMetrics::of(context).record_cpu_utilization(0.2).record_request_cost("rows", 2.0);
        first.record_request_cost("bytes", 3.0);
        Ok(())
    })
    .await;
    let report = report(&stub).await.expect("a report");
    assert_eq!(report.cpu_utilization, 0.2);
    assert_eq!(report.request_cost, named(&[("rows", 2.0), ("bytes", 3.0)]));
}

#[tokio::test]
async fn a_call_that_records_nothing_reports_nothing() {
    let (load, _server, stub) = serve(|_, _| Ok(())).await;
    load.set_cpu_utilization(0.5);
    assert_eq!(report(&stub).await, None);
    let (_load, _server, stub) = serve(|load, context| {
        load.for_call(context);
        Ok(())
    })
    .await;
    assert_eq!(report(&stub).await, None);
}

#[tokio::test]
async fn a_call_says_how_the_server_is_where_it_says_nothing_itself() {
    let (load, _server, stub) = serve(|load, context| {
        load.for_call(context)
            .record_memory_utilization(0.9)
            .record_utilization("disk", 0.9)
            .record_request_cost("a", 1.0);
        // What is set later counts too.
        load.set_eps(7.0);
        Ok(())
    })
    .await;
    load.set_cpu_utilization(0.1)
        .set_memory_utilization(0.1)
        .set_application_utilization(0.2)
        .set_rps(5.0)
        .set_utilization("disk", 0.1)
        .set_utilization("network", 0.3);
    let report = report(&stub).await.expect("a report");
    assert_eq!((report.cpu_utilization, report.memory_utilization, report.application_utilization), (0.1, 0.9, 0.2));
    assert_eq!((report.rps, report.eps), (5.0, 7.0));
    assert_eq!(report.utilization, named(&[("disk", 0.9), ("network", 0.3)]));
    assert_eq!(report.request_cost, named(&[("a", 1.0)]));
}

#[tokio::test]
async fn values_that_make_no_sense_are_ignored() {
    let (load, _server, stub) = serve(|load, context| {
        let call = load.for_call(context);
        call.record_cpu_utilization(0.3).record_memory_utilization(0.3).record_rps(3.0);
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.001] {
            call.record_cpu_utilization(wrong)
                .record_memory_utilization(wrong)
                .record_application_utilization(wrong)
                .record_rps(wrong)
                .record_eps(wrong)
                .record_utilization("disk", wrong);
        }
        for wrong in [f64::NAN, f64::INFINITY] {
            call.record_request_cost("rows", wrong).record_named_metric("temperature", wrong);
        }
        call.record_memory_utilization(1.001).record_utilization("disk", 1.001);
        Ok(())
    })
    .await;
    for wrong in [f64::NAN, f64::INFINITY, -1.0] {
        load.set_cpu_utilization(wrong).set_memory_utilization(wrong).set_application_utilization(wrong);
        load.set_rps(wrong)
            .set_eps(wrong)
            .set_utilization("disk", wrong)
            .set_all_utilizations(named(&[("disk", wrong)]));
    }
    load.set_memory_utilization(2.0).set_utilization("disk", 2.0);
    let mut expected = LoadReport::default();
    expected.cpu_utilization = 0.3;
    expected.memory_utilization = 0.3;
    expected.rps = 3.0;
    assert_eq!(report(&stub).await, Some(expected));
}

#[tokio::test]
async fn a_call_that_fails_or_streams_reports_too() {
    let (_load, _server, stub) = serve(|_, context| {
        CallMetrics::of(context).record_request_cost("rows", 1.0);
        Err(Status::not_found("no such row"))
    })
    .await;
    let status = stub.unary_unary(Blob::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let report = LoadReport::from_metadata(status.metadata()).unwrap().expect("a report");
    assert_eq!(report.request_cost, named(&[("rows", 1.0)]));

    let (_load, _server, stub) = serve(|_, context| {
        CallMetrics::of(context).record_cpu_utilization(0.5);
        Ok(())
    })
    .await;
    let mut responses = stub.unary_stream(Blob::default()).await.unwrap();
    while responses.message().await.unwrap().is_some() {}
    let trailing = responses.trailing_metadata().expect("it has ended").clone();
    let report = LoadReport::from_metadata(&trailing).unwrap().expect("a report");
    assert_eq!((report.cpu_utilization, report.request_cost), (0.5, named(&[("messages", 1.0)])));
}

#[tokio::test]
async fn a_report_comes_beside_the_handlers_own_trailing_metadata() {
    let (_load, _server, stub) = serve(|_, context| {
        CallMetrics::of(context).record_cpu_utilization(0.5);
        context.set_trailing_metadata("cost", "3").unwrap();
        Ok(())
    })
    .await;
    let response = stub.unary_unary(Blob::default()).send().await.unwrap();
    let trailing = response.trailing_metadata();
    assert_eq!(trailing.get("cost"), Some("3"));
    assert_eq!(trailing.get_all(METADATA_KEY).count(), 1);
}

#[test]
fn what_is_no_report_is_an_error_and_none_is_none() {
    let mut metadata = Metadata::new();
    assert_eq!(LoadReport::from_metadata(&metadata), Ok(None));
    metadata.append(METADATA_KEY, &b"\xff\xff"[..]).unwrap();
    let error = LoadReport::from_metadata(&metadata).unwrap_err();
    assert!(error.to_string().starts_with("the load report in endpoint-load-metrics-bin cannot be read: "), "{error}");
    metadata.insert(METADATA_KEY, &b""[..]).unwrap();
    assert_eq!(LoadReport::from_metadata(&metadata), Ok(Some(LoadReport::default())));
}

// Apart from calls.

async fn serve_reports(min_interval: Duration) -> (ServerMetrics, RunningServer, OpenRcaServiceStub) {
    let load = ServerMetrics::new();
    let service = OrcaService::new(&load).min_interval(min_interval);
    let server = Server::builder().add_service(service).bind("inproc:").await.unwrap();
    let stub = OpenRcaServiceStub::new(Channel::new(server.local_addr().to_string()).unwrap());
    (load, server, stub)
}

async fn reports(stub: &OpenRcaServiceStub, interval: Option<Interval>) -> Streaming<OrcaLoadReport> {
    let request = OrcaLoadReportRequest { report_interval: interval, ..OrcaLoadReportRequest::default() };
    stub.stream_core_metrics(request).await.unwrap()
}

async fn next(reports: &mut Streaming<OrcaLoadReport>) -> LoadReport {
    reports.message().await.unwrap().expect("a report").into()
}

fn interval(seconds: i64, nanos: i32) -> Option<Interval> {
    Some(Interval { seconds, nanos })
}

#[tokio::test(start_paused = true)]
async fn reports_come_at_once_and_at_the_interval_whether_anything_has_changed_or_not() {
    let (load, _server, stub) = serve_reports(Duration::from_secs(1)).await;
    load.set_cpu_utilization(0.1).set_utilization("disk", 0.2);
    let began = Instant::now();
    let mut watched = reports(&stub, interval(5, 0)).await;
    assert_eq!(next(&mut watched).await.cpu_utilization, 0.1);
    assert_eq!(began.elapsed().as_secs(), 0);
    assert_eq!(next(&mut watched).await.utilization, named(&[("disk", 0.2)]));
    assert_eq!(began.elapsed().as_secs(), 5);
    load.set_cpu_utilization(0.3).clear_utilization("disk");
    let report = next(&mut watched).await;
    assert_eq!((report.cpu_utilization, report.utilization), (0.3, HashMap::new()));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_reports_more_often_than_the_server_allows() {
    let (_load, _server, stub) = serve_reports(Duration::from_secs(2)).await;
    for wanted in [
        None,
        interval(0, 0),
        interval(1, 999_999_999),
        interval(-5, 0),
        interval(i64::MIN, i32::MIN),
        interval(9, i32::MAX),
    ] {
        let began = Instant::now();
        let mut watched = reports(&stub, wanted).await;
        next(&mut watched).await;
        next(&mut watched).await;
        assert_eq!(began.elapsed().as_secs(), 2, "{wanted:?}");
    }
    let mut seldom = reports(&stub, interval(i64::MAX, 999_999_999)).await;
    next(&mut seldom).await;
    assert!(tokio::time::timeout(Duration::from_secs(86_400), seldom.message()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn without_a_setting_reports_come_every_30_seconds() {
    let service = OrcaService::new(&ServerMetrics::new());
    let server = Server::builder().add_service(service).bind("inproc:").await.unwrap();
    let stub = OpenRcaServiceStub::new(Channel::new(server.local_addr().to_string()).unwrap());
    let began = Instant::now();
    let mut watched = reports(&stub, interval(1, 0)).await;
    next(&mut watched).await;
    next(&mut watched).await;
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn every_client_has_its_own_interval() {
    let (load, _server, stub) = serve_reports(Duration::from_secs(1)).await;
    load.set_rps(9.0);
    let began = Instant::now();
    let mut often = reports(&stub, interval(1, 0)).await;
    let mut seldom = reports(&stub, interval(3, 500_000_000)).await;
    next(&mut seldom).await;
    for second in 0..4 {
        assert_eq!(next(&mut often).await.rps, 9.0);
        assert_eq!(began.elapsed().as_secs(), second);
    }
    assert_eq!(next(&mut seldom).await.rps, 9.0);
    assert_eq!(began.elapsed(), Duration::from_millis(3500));
}

#[tokio::test(start_paused = true)]
async fn what_is_cleared_is_reported_no_more() {
    let (load, _server, stub) = serve_reports(Duration::from_secs(1)).await;
    load.set_cpu_utilization(0.1).set_memory_utilization(0.1).set_application_utilization(0.1);
    load.set_rps(1.0).set_eps(1.0).set_utilization("disk", 0.1);
    load.set_all_utilizations(named(&[("network", 0.5), ("gpu", 0.6)])).clear_utilization("gpu");
    let mut watched = reports(&stub, interval(1, 0)).await;
    assert_eq!(next(&mut watched).await.utilization, named(&[("network", 0.5)]));
    load.clear_cpu_utilization().clear_memory_utilization().clear_application_utilization();
    load.clear_rps().clear_eps().clear_utilization("network");
    assert_eq!(next(&mut watched).await, LoadReport::default());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_those_who_watch() {
    let (_load, server, stub) = serve_reports(Duration::from_secs(3600)).await;
    let mut watched = reports(&stub, None).await;
    next(&mut watched).await;
    server.shutdown(Duration::from_secs(3600)).await;
    let status = watched.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the server shuts down"));
}

#[test]
fn the_service_has_the_name_that_every_client_asks_for() {
    assert_eq!(OrcaService::NAME, "xds.service.orca.v3.OpenRcaService");
    assert_eq!(OpenRcaServiceStub::SERVICE_NAME, OrcaService::NAME);
}
