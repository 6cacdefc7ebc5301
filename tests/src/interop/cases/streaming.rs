//! Streams of requests, of responses, and both.

use std::time::Duration;

use callwright::Streaming;

use super::{Failure, Stubs, ensure_eq, ensure_payload, payload};
use crate::testing::{
    ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest, StreamingOutputCallResponse,
};

const REQUEST_SIZES: [usize; 4] = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES: [usize; 4] = [31_415, 9, 2_653, 58_979];

pub(super) async fn client(stubs: Stubs) -> Result<(), Failure> {
    let requests = REQUEST_SIZES
        .map(|size| StreamingInputCallRequest { payload: Some(payload(size)), ..StreamingInputCallRequest::default() });
    let response = stubs.test.streaming_input_call().send_all(futures_util::stream::iter(requests)).await?;
    ensure_eq("aggregated payload size", &response.aggregated_payload_size, &74_922)
}

pub(super) async fn server(stubs: Stubs) -> Result<(), Failure> {
    let response_parameters = RESPONSE_SIZES.map(parameters).to_vec();
    let request = StreamingOutputCallRequest { response_parameters, ..StreamingOutputCallRequest::default() };
    let mut responses = stubs.test.streaming_output_call(request).await?;
    for size in RESPONSE_SIZES {
        expect(&mut responses, size).await?;
    }
    expect_end(&mut responses).await
}

pub(super) async fn ping_pong(stubs: Stubs) -> Result<(), Failure> {
    let (mut requests, mut responses) = stubs.test.full_duplex_call().start();
    for (request_size, response_size) in REQUEST_SIZES.into_iter().zip(RESPONSE_SIZES) {
        requests.send(request(request_size, response_size)).await?;
        expect(&mut responses, response_size).await?;
    }
    requests.finish();
    expect_end(&mut responses).await
}

/// Sends everything before it reads anything.
pub(super) async fn half_duplex(stubs: Stubs) -> Result<(), Failure> {
    let (mut requests, mut responses) = stubs.test.half_duplex_call().start();
    for response_size in RESPONSE_SIZES {
        requests.send(request(0, response_size)).await?;
    }
    requests.finish();
    for response_size in RESPONSE_SIZES {
        expect(&mut responses, response_size).await?;
    }
    expect_end(&mut responses).await
}

pub(super) async fn empty(stubs: Stubs) -> Result<(), Failure> {
    let (requests, mut responses) = stubs.test.full_duplex_call().start();
    requests.finish();
    expect_end(&mut responses).await
}

/// Far more than the windows hold is under way while the client takes its time.
pub(super) async fn slow_consumer(stubs: Stubs) -> Result<(), Failure> {
    const MESSAGES: usize = 2_000;
    const SIZE: usize = 1_030;
    let response_parameters = vec![parameters(SIZE); MESSAGES];
    let request = StreamingOutputCallRequest { response_parameters, ..StreamingOutputCallRequest::default() };
    let mut responses = stubs.test.streaming_output_call(request).await?;
    for _ in 0..MESSAGES {
        tokio::time::sleep(Duration::from_millis(1)).await;
        expect(&mut responses, SIZE).await?;
    }
    expect_end(&mut responses).await
}

fn parameters(size: usize) -> ResponseParameters {
    ResponseParameters { size: i32::try_from(size).unwrap_or(i32::MAX), ..ResponseParameters::default() }
}

fn request(request_size: usize, response_size: usize) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![parameters(response_size)],
        payload: Some(payload(request_size)),
        ..StreamingOutputCallRequest::default()
    }
}

async fn expect(responses: &mut Streaming<StreamingOutputCallResponse>, size: usize) -> Result<(), Failure> {
    match responses.message().await? {
        Some(response) => ensure_payload("a response", response.payload.as_ref(), size),
        None => Err(Failure(format!("the stream ended where a response of {size} bytes was expected"))),
    }
}

async fn expect_end(responses: &mut Streaming<StreamingOutputCallResponse>) -> Result<(), Failure> {
    let more = responses.message().await?;
    ensure_eq("stream is at its end", &more.is_none(), &true)
}
