//! A line in the log for each call.

use tracing::Level;

use super::{Next, ServerInterceptor};
use crate::server::ServerContext;
use crate::status::{Code, Status};

/// Logs each call at its end: a `tracing` event with target `callwright::server::call` and the fields `method`, `peer`, `code`,
/// `details` where there are any, `elapsed`, `received` and `sent` (numbers of messages).
///
/// | level | codes |
/// |---|---|
/// | INFO | OK, CANCELLED, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, UNAUTHENTICATED |
/// | WARN | DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNAVAILABLE |
/// | ERROR | UNKNOWN, UNIMPLEMENTED, INTERNAL, DATA_LOSS, and what is no code |
///
/// ```
/// use callwright::Server;
/// use callwright::server::interceptor::Logging;
///
/// let builder = Server::builder().interceptor(Logging);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Logging;

/// What is needed to set up events of each level, which `tracing` wants to know when it is compiled.
macro_rules! log {
    ($level:expr, $context:expr, $code:expr, $details:expr) => {
        tracing::event!(
            target: "callwright::server::call",
            $level,
            method = $context.method(),
            peer = $context.peer(),
            code = %$code,
            details = $details,
            elapsed = ?$context.elapsed(),
            received = $context.messages_received(),
            sent = $context.messages_sent(),
            "call ended"
        )
    };
}

impl ServerInterceptor for Logging {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(context).await;
        let code = result.as_ref().map_or_else(Status::code, |()| Code::Ok);
        let details = result.as_ref().err().map(Status::message).filter(|message| !message.is_empty());
        match level(code) {
            Level::INFO => log!(Level::INFO, context, code, details),
            Level::WARN => log!(Level::WARN, context, code, details),
            _ => log!(Level::ERROR, context, code, details),
        }
        result
    }
}

fn level(code: Code) -> Level {
    match code {
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Unauthenticated => Level::INFO,
        Code::DeadlineExceeded
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable => Level::WARN,
        Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => Level::ERROR,
    }
}
