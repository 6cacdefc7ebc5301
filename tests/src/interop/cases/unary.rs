//! One request, one response.

use super::{Failure, LARGE_RESPONSE, Stubs, ensure_eq, ensure_payload, large_request};
use crate::testing::{Empty, SimpleRequest};

pub(super) async fn empty(stubs: Stubs) -> Result<(), Failure> {
    stubs.test.empty_call(Empty {}).await?;
    Ok(())
}

pub(super) async fn large(stubs: Stubs) -> Result<(), Failure> {
    let response = stubs.large_unary().await?;
    ensure_payload("the response", response.payload.as_ref(), LARGE_RESPONSE)
}

/// Without a caching proxy between, all there is to see is that both calls work.
pub(super) async fn cacheable(stubs: Stubs) -> Result<(), Failure> {
    let call = || stubs.test.cacheable_unary_call(large_request()).metadata("x-user-ip", "1.2.3.4");
    let first = call().await?;
    let second = call().await?;
    ensure_payload("the first response", first.payload.as_ref(), LARGE_RESPONSE)?;
    ensure_eq("second response", &second, &first)
}

pub(super) async fn pick_first(stubs: Stubs) -> Result<(), Failure> {
    let request = SimpleRequest { fill_server_id: true, ..SimpleRequest::default() };
    let first = stubs.test.unary_call(request.clone()).await?.server_id;
    ensure_eq("the server names itself", &first.is_empty(), &false)?;
    for _ in 1..100 {
        let next = stubs.test.unary_call(request.clone()).await?.server_id;
        ensure_eq("server of a later call", &next, &first)?;
    }
    Ok(())
}
