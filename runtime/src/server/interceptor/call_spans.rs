//! A span for each call.

use tracing::Instrument as _;
use tracing::field::Empty;

use super::{Next, ServerInterceptor};
use crate::server::ServerContext;
use crate::status::{Code, Status};

/// Puts each call into a `tracing` span: what its handler logs belongs to it.
///
/// The span is `call`, with target `callwright::server::call`, level INFO, and the fields of OpenTelemetry's conventions for RPC:
/// `otel.kind` (`server`), `otel.name` (`package.Service/Method`), `rpc.system` (`grpc`), `rpc.service`, `rpc.method`,
/// `client.address`, and at its end `rpc.grpc.status_code` (a number) and `otel.status_code` (`ERROR`, where the server failed).
///
/// ```
/// use callwright::Server;
/// use callwright::server::interceptor::CallSpans;
///
/// let builder = Server::builder().interceptor(CallSpans);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CallSpans;

impl ServerInterceptor for CallSpans {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let name = context.method().trim_start_matches('/');
        let (service, method) = name.split_once('/').unwrap_or((name, ""));
        let span = tracing::info_span!(
            target: "callwright::server::call",
            "call",
            otel.kind = "server",
            otel.name = name,
            rpc.system = "grpc",
            rpc.service = service,
            rpc.method = method,
            client.address = context.peer(),
            rpc.grpc.status_code = Empty,
            otel.status_code = Empty,
        );
        let result = next.run(context).instrument(span.clone()).await;
        let code = result.as_ref().map_or_else(Status::code, |()| Code::Ok);
        span.record("rpc.grpc.status_code", i32::from(code));
        if is_fault(code) {
            span.record("otel.status_code", "ERROR");
        }
        result
    }
}

/// Whether OpenTelemetry takes a code to be the server's fault.
fn is_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
