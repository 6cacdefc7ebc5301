//! Whether a server that is connected takes calls: client-side health checking (gRFC A17).

use http::HeaderValue;
use tokio::time::Instant;

use super::stream::stream;
use crate::channel::backoff::Attempts;
use crate::channel::connectivity::Core;
use crate::status::{Code, Status};
use crate::transport::client::Connection;

const WATCH: HeaderValue = HeaderValue::from_static("/grpc.health.v1.Health/Watch");
const SERVING: i32 = 1;

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
    let peer = connection.address();
    let request = Request { service: service.to_owned() };
    let ended = stream::<_, Answer>(connection, core, WATCH, &request, |answer| {
        tell(match answer.status {
            SERVING => Ok(()),
            status => Err(not_serving(peer, service, status)),
        });
    })
    .await;
    health_failed(peer, &ended)
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
