//! Calls that end with a status other than OK.

use callwright::Code;

use super::{Failure, Stubs, ensure_code, ensure_eq};
use crate::testing::{EchoStatus, Empty, SimpleRequest, StreamingOutputCallRequest};

pub(super) async fn code_and_message(stubs: Stubs) -> Result<(), Failure> {
    let asked = EchoStatus { code: Code::Unknown.into(), message: "test status message".to_owned() };
    unary(&stubs, &asked).await?;

    let (mut requests, mut responses) = stubs.test.full_duplex_call().start();
    let request =
        StreamingOutputCallRequest { response_status: Some(asked.clone()), ..StreamingOutputCallRequest::default() };
    requests.send(request).await?;
    requests.finish();
    let status = ensure_code("FullDuplexCall", responses.message().await, Code::Unknown)?;
    ensure_eq("message of FullDuplexCall", &status.message(), &asked.message.as_str())
}

pub(super) async fn special_message(stubs: Stubs) -> Result<(), Failure> {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    unary(&stubs, &EchoStatus { code: Code::Unknown.into(), message: message.to_owned() }).await
}

pub(super) async fn unimplemented_method(stubs: Stubs) -> Result<(), Failure> {
    let result = stubs.test.unimplemented_call(Empty {}).await;
    ensure_code("a method that is not implemented", result, Code::Unimplemented).map(drop)
}

pub(super) async fn unimplemented_service(stubs: Stubs) -> Result<(), Failure> {
    let result = stubs.unimplemented.unimplemented_call(Empty {}).await;
    ensure_code("a service that is not there", result, Code::Unimplemented).map(drop)
}

async fn unary(stubs: &Stubs, asked: &EchoStatus) -> Result<(), Failure> {
    let request = SimpleRequest { response_status: Some(asked.clone()), ..SimpleRequest::default() };
    let status = ensure_code("UnaryCall", stubs.test.unary_call(request).await, Code::Unknown)?;
    ensure_eq("message of UnaryCall", &status.message(), &asked.message.as_str())
}
