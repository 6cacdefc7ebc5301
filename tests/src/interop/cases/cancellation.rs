//! Calls that the client gives up.

use std::time::Duration;

use callwright::Code;

use super::{Failure, Stubs, ensure_code, ensure_payload, payload};
use crate::testing::{ResponseParameters, StreamingOutputCallRequest};

pub(super) async fn after_begin(stubs: Stubs) -> Result<(), Failure> {
    let (requests, reply) = stubs.test.streaming_input_call().start();
    // A sender that is dropped before it has finished cancels the call.
    drop(requests);
    ensure_code("a call cancelled at its beginning", reply.await, Code::Cancelled).map(drop)
}

pub(super) async fn after_first_response(stubs: Stubs) -> Result<(), Failure> {
    let (mut requests, mut responses) = stubs.test.full_duplex_call().start();
    let request = StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters { size: 31_415, ..ResponseParameters::default() }],
        payload: Some(payload(27_182)),
        ..StreamingOutputCallRequest::default()
    };
    requests.send(request).await?;
    let response = responses.message().await?;
    ensure_payload("the first response", response.and_then(|response| response.payload).as_ref(), 31_415)?;
    drop(requests);
    ensure_code("a call cancelled after a response", responses.message().await, Code::Cancelled).map(drop)
}

pub(super) async fn timeout(stubs: Stubs) -> Result<(), Failure> {
    let (mut requests, mut responses) = stubs.test.full_duplex_call().timeout(Duration::from_millis(1)).start();
    let request =
        StreamingOutputCallRequest { payload: Some(payload(27_182)), ..StreamingOutputCallRequest::default() };
    // The deadline may pass while this is sent.
    let _ = requests.send(request).await;
    ensure_code("a call with a deadline of 1 ms", responses.message().await, Code::DeadlineExceeded).map(drop)
}
