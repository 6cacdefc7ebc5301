//! The standard test service, complete, `expect_compressed`, the server's name and load reports included.

use std::sync::Arc;
use std::time::Duration;

use callwright::orca::{CallMetrics, OrcaService, ServerMetrics};
use callwright::{Compression, Metadata, Requests, Responses, ServerContext, Status};

use super::{ECHO_INITIAL, ECHO_TRAILING, payload};
use crate::testing::{
    BoolValue, EchoStatus, Empty, GrpclbRouteType, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    TestOrcaReport, TestServiceServicer,
};
use tokio::sync::Mutex;

/// The largest payload that a request may ask for, in bytes: a test has no use for more, and a mistake would.
const MAX_RESPONSE_SIZE: i32 = 64 * 1024 * 1024;

/// How often a client is told of the load apart from calls, at most: the test cases ask for as much.
const MIN_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Serves `grpc.testing.TestService`; `UnimplementedCall` is left out, as the test cases want it.
#[derive(Clone, Debug)]
pub struct InteropService {
    server_id: String,
    load: ServerMetrics,
    /// Held by the one call that may say what the load is.
    says_load: Arc<Mutex<()>>,
}

impl InteropService {
    /// A service that gives itself this name where a request asks for it.
    pub fn new(server_id: impl Into<String>) -> Self {
        InteropService { server_id: server_id.into(), load: ServerMetrics::new(), says_load: Arc::default() }
    }

    /// The service that tells of the load that requests have said there is.
    pub fn load_reports(&self) -> OrcaService {
        OrcaService::new(&self.load).min_interval(MIN_REPORT_INTERVAL)
    }
}

impl TestServiceServicer for InteropService {
    async fn empty_call(&self, _: Empty, context: &mut ServerContext) -> Result<Empty, Status> {
        echo_trailing(context)?;
        echo_initial(context)?;
        Ok(Empty {})
    }

    async fn unary_call(&self, request: SimpleRequest, context: &mut ServerContext) -> Result<SimpleResponse, Status> {
        echo_trailing(context)?;
        check_compressed(request.expect_compressed, context.request_was_compressed())?;
        if let Some(report) = request.orca_per_query_report {
            report_call(report, context);
        }
        check_status(request.response_status)?;
        if let Some(BoolValue { value }) = request.response_compressed {
            context.set_response_compression(if value { Compression::Gzip } else { Compression::None });
        }
        echo_initial(context)?;
        let server_id = if request.fill_server_id { self.server_id.clone() } else { String::new() };
        let route = if request.fill_grpclb_route_type { GrpclbRouteType::Fallback } else { GrpclbRouteType::Unknown };
        Ok(SimpleResponse {
            payload: Some(response_payload(request.response_size)?),
            hostname: if request.fill_server_id { self.server_id.clone() } else { String::new() },
            server_id,
            grpclb_route_type: route.into(),
            ..SimpleResponse::default()
        })
    }

    async fn cacheable_unary_call(
        &self,
        request: SimpleRequest,
        context: &mut ServerContext,
    ) -> Result<SimpleResponse, Status> {
        let mut initial = Metadata::new();
        initial.append("cache-control", "max-age=60, public")?;
        context.send_initial_metadata(initial)?;
        Ok(SimpleResponse { payload: Some(response_payload(request.response_size)?), ..SimpleResponse::default() })
    }

    async fn streaming_output_call(
        &self,
        request: StreamingOutputCallRequest,
        responses: &mut Responses<StreamingOutputCallResponse>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        echo_trailing(context)?;
        check_status(request.response_status)?;
        choose_compression(&request.response_parameters, context);
        echo_initial(context)?;
        respond(&request.response_parameters, responses, context).await
    }

    async fn streaming_input_call(
        &self,
        mut requests: Requests<StreamingInputCallRequest>,
        context: &mut ServerContext,
    ) -> Result<StreamingInputCallResponse, Status> {
        echo_trailing(context)?;
        echo_initial(context)?;
        let mut size = 0;
        while let Some(request) = requests.message().await? {
            check_compressed(request.expect_compressed, requests.last_was_compressed())?;
            size += request.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size =
            i32::try_from(size).map_err(|_| Status::out_of_range("the payloads are more than an int32 can count"))?;
        Ok(StreamingInputCallResponse { aggregated_payload_size })
    }

    async fn full_duplex_call(
        &self,
        mut requests: Requests<StreamingOutputCallRequest>,
        responses: &mut Responses<StreamingOutputCallResponse>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        echo_trailing(context)?;
        let mut first = true;
        let mut turn = None;
        while let Some(request) = requests.message().await? {
            if let Some(report) = request.orca_oob_report {
                if turn.is_none() {
                    turn = Some(self.says_load.lock().await);
                }
                set_load(report, &self.load);
            }
            check_status(request.response_status)?;
            if std::mem::take(&mut first) {
                choose_compression(&request.response_parameters, context);
                echo_initial(context)?;
            }
            respond(&request.response_parameters, responses, context).await?;
        }
        if first { echo_initial(context) } else { Ok(()) }
    }

    async fn half_duplex_call(
        &self,
        mut requests: Requests<StreamingOutputCallRequest>,
        responses: &mut Responses<StreamingOutputCallResponse>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        echo_trailing(context)?;
        let mut parameters = Vec::new();
        while let Some(request) = requests.message().await? {
            check_status(request.response_status)?;
            parameters.extend(request.response_parameters);
        }
        choose_compression(&parameters, context);
        echo_initial(context)?;
        respond(&parameters, responses, context).await
    }
}

/// Sends back, after the last message, what a client of `custom_metadata` wants to see there.
fn echo_trailing(context: &mut ServerContext) -> Result<(), Status> {
    let value = context.invocation_metadata().get_bin(ECHO_TRAILING).map(<[u8]>::to_vec);
    match value {
        Some(value) => Ok(context.set_trailing_metadata(ECHO_TRAILING, value)?),
        None => Ok(()),
    }
}

/// Sends back what such a client wants to see before the first message. After it, the compression is settled.
fn echo_initial(context: &mut ServerContext) -> Result<(), Status> {
    let value = context.invocation_metadata().get(ECHO_INITIAL).map(str::to_owned);
    let Some(value) = value else { return Ok(()) };
    let mut metadata = Metadata::new();
    metadata.append(ECHO_INITIAL, value)?;
    Ok(context.send_initial_metadata(metadata)?)
}

/// Reports, with the call, what the client wants to hear.
fn report_call(report: TestOrcaReport, context: &mut ServerContext) {
    let metrics = CallMetrics::of(context);
    metrics.record_cpu_utilization(report.cpu_utilization).record_memory_utilization(report.memory_utilization);
    report.request_cost.into_iter().for_each(|(name, value)| _ = metrics.record_request_cost(name, value));
    report.utilization.into_iter().for_each(|(name, value)| _ = metrics.record_utilization(name, value));
}

/// Reports it apart from calls, in place of what was reported before.
fn set_load(report: TestOrcaReport, load: &ServerMetrics) {
    load.set_cpu_utilization(report.cpu_utilization)
        .set_memory_utilization(report.memory_utilization)
        .set_all_utilizations(report.utilization);
}

/// The client says whether its message is compressed; the flag byte must agree.
fn check_compressed(expected: Option<BoolValue>, compressed: bool) -> Result<(), Status> {
    match expected {
        Some(BoolValue { value }) if value != compressed => Err(Status::invalid_argument(format!(
            "expect_compressed is {value}, but the flag byte of the message says {compressed}"
        ))),
        _ => Ok(()),
    }
}

/// Ends the call with the status that the request asks for, if it does.
fn check_status(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(EchoStatus { code, message }) if code != 0 => Err(Status::new(code, message)),
        _ => Ok(()),
    }
}

/// One encoding serves a whole stream: it is gzip if any response is to say whether it is compressed.
fn choose_compression(parameters: &[ResponseParameters], context: &mut ServerContext) {
    if parameters.iter().any(|parameters| parameters.compressed.is_some()) {
        context.set_response_compression(Compression::Gzip);
    }
}

async fn respond(
    parameters: &[ResponseParameters],
    responses: &mut Responses<StreamingOutputCallResponse>,
    context: &mut ServerContext,
) -> Result<(), Status> {
    for parameters in parameters {
        if let Ok(interval @ 1..) = u64::try_from(parameters.interval_us) {
            tokio::time::sleep(Duration::from_micros(interval)).await;
        }
        if !is_true(parameters.compressed) {
            context.disable_next_message_compression();
        }
        let peer_socket_address =
            if is_true(parameters.fill_peer_socket_address) { context.peer().to_string() } else { String::new() };
        let payload = Some(response_payload(parameters.size)?);
        responses.send(StreamingOutputCallResponse { payload, peer_socket_address }).await?;
    }
    Ok(())
}

fn is_true(value: Option<BoolValue>) -> bool {
    value.is_some_and(|value| value.value)
}

fn response_payload(size: i32) -> Result<Payload, Status> {
    match usize::try_from(size) {
        Ok(bytes) if size <= MAX_RESPONSE_SIZE => Ok(payload(bytes)),
        _ => Err(Status::invalid_argument(format!(
            "a response of {size} bytes is asked for: it must be from 0 to {MAX_RESPONSE_SIZE}"
        ))),
    }
}
