//! Messages that are compressed, and messages of the same call that are not, told by their flag bytes.
//!
//! The cases of compressed requests start with a probe: a request that says it is compressed, and is not, must be
//! refused. Without that, a server which never looks would pass.

use callwright::{Code, Compression};

use super::{Failure, LARGE_RESPONSE, Stubs, ensure_code, ensure_eq, ensure_payload, large_request, payload};
use crate::testing::{
    BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
};

pub(super) async fn client_unary(stubs: Stubs, probe: bool) -> Result<(), Failure> {
    let request = |expect| SimpleRequest { expect_compressed: says(expect), ..large_request() };
    let plain = |request| stubs.test.unary_call(request).compression(Compression::None);
    if probe {
        ensure_code("probe", plain(request(true)).await, Code::InvalidArgument)?;
    }
    let response = stubs.test.unary_call(request(true)).compression(Compression::Gzip).await?;
    ensure_payload("the response to a compressed request", response.payload.as_ref(), LARGE_RESPONSE)?;
    let response = plain(request(false)).await?;
    ensure_payload("the response to a plain request", response.payload.as_ref(), LARGE_RESPONSE)
}

pub(super) async fn client_streaming(stubs: Stubs, probe: bool) -> Result<(), Failure> {
    let request =
        |size, expect| StreamingInputCallRequest { payload: Some(payload(size)), expect_compressed: says(expect) };
    if probe {
        let (mut requests, reply) = stubs.test.streaming_input_call().compression(Compression::None).start();
        // A server that refuses at once may end the call before this is sent; the reply tells.
        let _ = requests.send(request(27_182, true)).await;
        requests.finish();
        ensure_code("probe", reply.await, Code::InvalidArgument)?;
    }
    let (mut requests, reply) = stubs.test.streaming_input_call().compression(Compression::Gzip).start();
    let _ = requests.send(request(27_182, true)).await;
    requests.disable_next_message_compression();
    let _ = requests.send(request(45_904, false)).await;
    requests.finish();
    ensure_eq("aggregated payload size", &reply.await?.aggregated_payload_size, &73_086)
}

pub(super) async fn server_unary(stubs: Stubs) -> Result<(), Failure> {
    for compressed in [true, false] {
        let request = SimpleRequest { response_compressed: says(compressed), ..large_request() };
        let response = stubs.test.unary_call(request).send().await?;
        ensure_eq("flag byte of the response", &response.was_compressed(), &compressed)?;
        ensure_payload("the response", response.message().payload.as_ref(), LARGE_RESPONSE)?;
    }
    Ok(())
}

pub(super) async fn server_streaming(stubs: Stubs) -> Result<(), Failure> {
    let expected = [(31_415, true), (92_653, false)];
    let parameters = expected.map(|(size, compressed)| ResponseParameters {
        size,
        compressed: says(compressed),
        ..ResponseParameters::default()
    });
    let request = StreamingOutputCallRequest {
        response_parameters: parameters.to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let mut responses = stubs.test.streaming_output_call(request).await?;
    for (size, compressed) in expected {
        let response = responses.message().await?.unwrap_or_default();
        ensure_payload("a response", response.payload.as_ref(), size as usize)?;
        ensure_eq("flag byte of a response", &responses.last_was_compressed(), &compressed)?;
    }
    ensure_eq("stream is at its end", &responses.message().await?.is_none(), &true)
}

fn says(compressed: bool) -> Option<BoolValue> {
    Some(BoolValue { value: compressed })
}
