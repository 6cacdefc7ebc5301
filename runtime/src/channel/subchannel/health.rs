//! Whether a server that is connected takes calls: client-side health checking (gRFC A17).

use std::future::poll_fn;

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::Instant;

use crate::call::GRPC_ENCODING;
use crate::channel::backoff::Attempts;
use crate::channel::connectivity::Core;
use crate::codec::frame::{Decoder, Receiver, encode};
use crate::codec::{Codec, Prost};
use crate::status::{Code, Status, wire};
use crate::transport::Event;
use crate::transport::client::{Connection, RequestHead};

const WATCH: HeaderValue = HeaderValue::from_static("/grpc.health.v1.Health/Watch");
/// The largest answer that is taken, in bytes.
const MAX_ANSWER: usize = 4096;
const SERVING: i32 = 1;
const ANSWERS: &dyn Codec<Answer> = &Prost;

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Asks a server for its health for as long as it is polled; tells whether it serves, and if not why.
pub(super) async fn watch(
    connection: &Connection,
    core: &Core,
    service: &str,
    mut tell: impl FnMut(Result<(), Status>),
) {
    let mut attempts = Attempts::new(core.settings().backoff.clone());
    loop {
        let attempt = attempts.start();
        let asked_at = Instant::now();
        let mut answered = false;
        let ended = ask(connection, core, service, |serves| {
            answered = true;
            tell(serves);
        })
        .await;
        if ended.code() == Code::Unimplemented {
            // A server that cannot say is taken to serve.
            core.stats()
                .log_warning(format!("health checks are off: the server has no health service ({})", ended.message()));
            tell(Ok(()));
            return std::future::pending().await;
        }
        tell(Err(ended));
        if answered {
            attempts.reset();
        }
        // A server that has answered is asked again at once, but not in a loop.
        if !answered || attempt.next_at.saturating_duration_since(asked_at) > asked_at.elapsed() {
            tokio::time::sleep_until(attempt.next_at).await;
        }
    }
}

/// One call of Watch; gives what it ended with.
async fn ask(connection: &Connection, core: &Core, service: &str, mut tell: impl FnMut(Result<(), Status>)) -> Status {
    let settings = &core.settings().messages;
    let request = Request { service: service.to_owned() };
    let first: Bytes = match encode(&Prost, &request, &settings.encoding(None)) {
        Ok(first) => first,
        Err(status) => return status,
    };
    let head = RequestHead {
        authority: core.authority().clone(),
        path: WATCH,
        headers: core.plain_head().clone(),
        wait_for_ready: None,
    };
    let mut opened = match connection.open(head, Some(first), true) {
        Ok(opened) => opened,
        Err(error) => return error.to_status(connection.address()),
    };
    let mut decoder = None;
    loop {
        let event = match poll_fn(|cx| opened.recv.poll_event(cx)).await {
            Ok(event) => event,
            Err(error) => return error.to_status(&opened.peer),
        };
        let ended = match event {
            Event::Headers { headers, end: true, .. } => wire::decode(headers.iter()),
            Event::Headers { headers, status: 200, .. } => {
                let encoding = headers.get(&GRPC_ENCODING).map_or("identity", |name| name.to_str().unwrap_or("?"));
                match settings.compressors.accepted(encoding) {
                    Ok(compressor) => decoder = Some(Decoder::new(compressor, MAX_ANSWER, Receiver::Client)),
                    Err(_) => return Status::internal(format!("health check compressed with {encoding:?}")),
                }
                continue;
            }
            Event::Headers { status, .. } => {
                return Status::new(
                    Code::from_http(status),
                    format!("health check answered with HTTP status {status}"),
                );
            }
            Event::Data { data, .. } => {
                let Some(decoder) = &mut decoder else { return Status::internal("a health check without headers") };
                decoder.push(data);
                loop {
                    match decoder.next(ANSWERS) {
                        Ok(Some(message)) => match message.content {
                            Ok(Answer { status: SERVING }) => tell(Ok(())),
                            Ok(Answer { status }) => tell(Err(not_serving(&opened.peer, service, status))),
                            Err(error) => return Status::internal(format!("health check cannot be read: {error}")),
                        },
                        Ok(None) => break,
                        Err(status) => return status,
                    }
                }
                continue;
            }
            Event::Trailers(trailers) => wire::decode(trailers.iter()),
            Event::End => None,
        };
        return match ended {
            Some(Err(status)) => health_failed(&opened.peer, &status),
            Some(Ok(_)) | None => health_failed(&opened.peer, &Status::unknown("the server ended it")),
        };
    }
}

fn not_serving(peer: &crate::Address, service: &str, status: i32) -> Status {
    let said = match status {
        0 => "UNKNOWN",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "a status that is not known",
    };
    Status::unavailable(format!("{peer} (health check of service {service:?}): {said}"))
}

fn health_failed(peer: &crate::Address, status: &Status) -> Status {
    if status.code() == Code::Unimplemented {
        return status.clone();
    }
    Status::unavailable(format!("{peer} (health check): {}: {}", status.code(), status.message()))
}
