//! Many calls at once, and one that is larger than every window.

use futures_util::future::try_join_all;

use super::{Failure, LARGE_RESPONSE, Stubs, ensure_payload, payload};
use crate::testing::SimpleRequest;

/// How many calls are under way at once.
const CALLS: usize = 1_000;
/// Just below the 4 MiB that a gRPC server takes unless it is told otherwise, in bytes.
const VERY_LARGE: usize = 4 * 1024 * 1024 - 1024;

pub(super) async fn concurrent_large_unary(stubs: Stubs) -> Result<(), Failure> {
    try_join_all((0..CALLS).map(|_| async {
        let response = stubs.large_unary().await?;
        ensure_payload("a response", response.payload.as_ref(), LARGE_RESPONSE)
    }))
    .await
    .map(drop)
}

pub(super) async fn very_large_request(stubs: Stubs) -> Result<(), Failure> {
    let request = SimpleRequest { response_size: 10, payload: Some(payload(VERY_LARGE)), ..SimpleRequest::default() };
    let response = stubs.test.unary_call(request).await?;
    ensure_payload("the response", response.payload.as_ref(), 10)
}
