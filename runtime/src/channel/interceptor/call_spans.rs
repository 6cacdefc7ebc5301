//! A span for each call.

use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::{CallDetails, Interceptor, Next, RequestMessages, ResponseMessages};
use crate::status::{Code, Status};

/// Puts each call into a `tracing` span, from its beginning to its end.
///
/// The span is `call`, with target `callwright::channel::call`, level INFO, and the fields of OpenTelemetry's conventions for RPC:
/// `otel.kind` (`client`), `otel.name` (`package.Service/Method`), `rpc.system` (`grpc`), `rpc.service`, `rpc.method`,
/// `server.address` (the channel's target), and at its end `rpc.grpc.status_code` (a number) and `otel.status_code` (`ERROR`, where
/// the call failed). It is a child of the span in which the call is made.
///
/// ```
/// use callwright::Channel;
/// use callwright::interceptor::CallSpans;
///
/// # fn example() -> Result<(), callwright::ChannelError> {
/// let channel = Channel::builder("localhost:50051").interceptor(CallSpans).build()?;
/// # Ok(())
/// # }
/// # example().unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CallSpans;

impl Interceptor for CallSpans {
    async fn intercept(
        &self,
        details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        let name = details.method.trim_start_matches('/');
        let (service, method) = name.split_once('/').unwrap_or((name, ""));
        let span = tracing::info_span!(
            target: "callwright::channel::call",
            "call",
            otel.kind = "client",
            otel.name = name,
            rpc.system = "grpc",
            rpc.service = service,
            rpc.method = method,
            server.address = details.target(),
            rpc.grpc.status_code = Empty,
            otel.status_code = Empty,
        );
        let call = Recorded(Some(span.clone()));
        match next.run(details, requests).instrument(span).await {
            Ok(responses) => Ok(responses.on_end(move |end| call.end(end.code()))),
            Err(status) => {
                call.end(status.code());
                Err(status)
            }
        }
    }
}

/// The span of a call that has not ended; dropped before that, the call was given up.
struct Recorded(Option<Span>);

impl Recorded {
    fn end(mut self, code: Code) {
        self.record(code);
    }

    fn record(&mut self, code: Code) {
        let Some(span) = self.0.take() else { return };
        span.record("rpc.grpc.status_code", i32::from(code));
        if code != Code::Ok {
            span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.record(Code::Cancelled);
    }
}
