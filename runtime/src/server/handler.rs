//! One call from its headers to its end: what is refused, what is run, and what ends it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::auth::AuthContext;
use super::builder::Settings;
use super::context::{CallInfo, ServerContext};
use super::exchange::Exchange;
use super::requests::Requests;
use super::responses::Responses;
use super::shared::Shared;
use crate::call::{ContentType, GRPC_ACCEPT_ENCODING, GRPC_ENCODING, GRPC_TIMEOUT, content_type, timeout};
use crate::codec::SharedCodec;
use crate::codec::frame::{Decoder, Receiver};
use crate::compression::{AcceptEncoding, Compression};
use crate::metadata::Metadata;
use crate::stats::StreamRecord;
use crate::status::Status;
use crate::transport::server::{InProcess, Incoming};
use crate::transport::{Address, RecvStream};

/// A call that can be run.
pub(super) struct Accepted {
    exchange: Arc<Exchange>,
    call: CallInfo,
    stream: RecvStream,
    decoder: Decoder,
}

/// What a handler is given.
pub(super) struct Open<Req: 'static, Res: 'static> {
    pub(super) requests: Requests<Req>,
    pub(super) responses: Responses<Res>,
    pub(super) context: ServerContext,
}

impl<Req: 'static, Res: 'static> Open<Req, Res> {
    /// The one request of a method that has one.
    pub(super) async fn single(&mut self) -> Result<Req, Status> {
        let request = self.requests.single().await?;
        self.context.note_request_compressed(self.requests.last_was_compressed());
        Ok(request)
    }
}

impl Accepted {
    pub(super) fn open<Req: 'static, Res: 'static>(
        self,
        request: SharedCodec<Req>,
        response: SharedCodec<Res>,
    ) -> Open<Req, Res> {
        Open {
            requests: Requests::new(self.stream, self.decoder, request, self.exchange.clone()),
            responses: Responses::new(self.exchange.clone(), response),
            context: ServerContext::new(self.exchange, self.call),
        }
    }
}

/// Runs one call to its end.
pub(super) async fn run(incoming: Incoming, record: StreamRecord, peer: Address, shared: Arc<Shared>) {
    let Incoming { head, recv, mut send } = incoming;
    if let Some((status, headers)) = refuse(&head) {
        // A client that is gone cannot be told.
        if send.send_head(status, headers, true).is_ok() {
            record.end();
        }
        return;
    }
    let accept = AcceptEncoding::new(head.headers.get(GRPC_ACCEPT_ENCODING));
    let exchange = Arc::new(Exchange::new(shared.clone(), accept, send, record));
    let stop = StopOnDrop(exchange.clone());
    let path = head.uri.path();
    let Some(handler) = shared.methods.find(path) else {
        let what = if shared.methods.has_service_of(path) { "method" } else { "service of method" };
        exchange.finish(Err(Status::unimplemented(format!("{what} {path} is not served here"))));
        return;
    };
    let (call, decoder) = match read_head(&head, peer, &shared.settings) {
        Ok(read) => read,
        Err(status) => return exchange.finish(Err(status)),
    };
    let deadline = call.deadline;
    let accepted = Accepted { exchange: exchange.clone(), call, stream: recv, decoder };
    // The handler's own state is not looked at after a panic: only the exchange is, and it locks what it shares.
    let handled = AssertUnwindSafe(async { handler(accepted).await }).catch_unwind();
    let expired = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        result = handled => match result {
            Ok(result) => exchange.finish(result),
            Err(_) => exchange.finish_panicked(),
        },
        () = expired => exchange.finish_deadline_exceeded(),
        _ = exchange.reset() => exchange.finish_cancelled(),
    }
    drop(stop);
}

/// Ends the call when its task is dropped: the server was stopped.
struct StopOnDrop(Arc<Exchange>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.finish_stopped();
    }
}

/// What HTTP itself answers to a request that is no gRPC call.
fn refuse(head: &Parts) -> Option<(StatusCode, HeaderMap)> {
    let mut headers = HeaderMap::new();
    if head.method != http::Method::POST {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Some((StatusCode::METHOD_NOT_ALLOWED, headers));
    }
    match content_type(head.headers.get(header::CONTENT_TYPE)) {
        ContentType::Grpc => None,
        ContentType::OtherCodec | ContentType::Other => {
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/grpc, application/grpc+proto"));
            Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, headers))
        }
    }
}

fn read_head(head: &Parts, peer: Address, settings: &Settings) -> Result<(CallInfo, Decoder), Status> {
    let encoding = match head.headers.get(GRPC_ENCODING) {
        None => "identity",
        Some(encoding) => encoding.to_str().map_err(|_| Status::internal("grpc-encoding is not text"))?,
    };
    let compressor = settings.messages.compressors.accepted(encoding).map_err(|_| {
        let accepted = settings.messages.compressors.accept_header();
        let accepted = accepted.to_str().unwrap_or_default().to_owned();
        Status::unimplemented(format!("grpc-encoding {encoding:?} is not accepted here; accepted are: {accepted}"))
    })?;
    let timeout = match head.headers.get(GRPC_TIMEOUT) {
        None => None,
        Some(value) => Some(timeout::decode(value).ok_or_else(|| {
            Status::internal(format!(
                "grpc-timeout {value:?} is malformed: it is at most 8 digits and one of H, M, S, m, u, n"
            ))
        })?),
    };
    let call = CallInfo {
        method: head.uri.path().into(),
        metadata: Metadata::from_headers(&head.headers)?,
        peer,
        deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        auth: AuthContext::default(),
        compression: compressor.as_ref().map_or(Compression::None, |compressor| Compression::of(compressor.name())),
        wait_for_ready: head.extensions.get::<InProcess>().and_then(|call| call.wait_for_ready),
    };
    Ok((call, Decoder::new(compressor, settings.messages.max_receive_size, Receiver::Server)))
}
