//! Metadata both ways.

use callwright::Metadata;

use super::{Failure, LARGE_RESPONSE, Stubs, ensure_eq, payload};
use crate::interop::{ECHO_INITIAL, ECHO_TRAILING};
use crate::testing::{ResponseParameters, StreamingOutputCallRequest};

const INITIAL: &str = "test_initial_metadata_value";
const TRAILING: [u8; 3] = [0xab, 0xab, 0xab];

pub(super) async fn custom(stubs: Stubs) -> Result<(), Failure> {
    let response =
        stubs.large_unary().metadata(ECHO_INITIAL, INITIAL).metadata(ECHO_TRAILING, &TRAILING).send().await?;
    check("UnaryCall", response.initial_metadata(), response.trailing_metadata())?;

    let call = stubs.test.full_duplex_call().metadata(ECHO_INITIAL, INITIAL).metadata(ECHO_TRAILING, &TRAILING);
    let (mut requests, mut responses) = call.start();
    let request = StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters { size: LARGE_RESPONSE as i32, ..ResponseParameters::default() }],
        payload: Some(payload(super::LARGE_REQUEST)),
        ..StreamingOutputCallRequest::default()
    };
    requests.send(request).await?;
    requests.finish();
    while responses.message().await?.is_some() {}
    let trailing = responses.trailing_metadata().cloned().unwrap_or_default();
    check("FullDuplexCall", responses.initial_metadata().await?, &trailing)
}

fn check(call: &str, initial: &Metadata, trailing: &Metadata) -> Result<(), Failure> {
    ensure_eq(&format!("initial metadata of {call}"), &initial.get(ECHO_INITIAL), &Some(INITIAL))?;
    ensure_eq(&format!("trailing metadata of {call}"), &trailing.get_bin(ECHO_TRAILING), &Some(&TRAILING[..]))
}
