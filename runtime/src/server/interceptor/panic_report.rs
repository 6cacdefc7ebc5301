//! Panics of handlers, told to whoever looks after the server.

use std::fmt;
use std::time::Duration;

use super::{Next, ServerInterceptor};
use crate::server::ServerContext;
use crate::status::Status;

/// Tells of handlers, and of interceptors further in, that panic. Their calls end in INTERNAL with or without it, and nothing else is
/// harmed; the panic hook of the process has told where it was.
///
/// ```
/// use callwright::Server;
/// use callwright::server::interceptor::PanicReport;
///
/// let report = PanicReport::new(|panic| eprintln!("{} panicked: {}", panic.method(), panic.message()));
/// let builder = Server::builder().interceptor(report);
/// ```
pub struct PanicReport {
    tell: Box<dyn Fn(&Panic<'_>) + Send + Sync>,
}

/// A panic that ended a call.
#[derive(Debug)]
pub struct Panic<'a> {
    context: &'a ServerContext,
    message: &'a str,
}

impl Panic<'_> {
    /// The method's path.
    pub fn method(&self) -> &str {
        self.context.method()
    }

    /// What the panic said.
    pub fn message(&self) -> &str {
        self.message
    }

    /// How long the call had taken.
    pub fn elapsed(&self) -> Duration {
        self.context.elapsed()
    }

    /// What is known of the call.
    pub fn context(&self) -> &ServerContext {
        self.context
    }
}

impl PanicReport {
    /// Has `tell` called with each panic. It must not block.
    pub fn new(tell: impl Fn(&Panic<'_>) + Send + Sync + 'static) -> Self {
        PanicReport { tell: Box::new(tell) }
    }
}

impl ServerInterceptor for PanicReport {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(context).await;
        if let Some(message) = context.panic_message() {
            (self.tell)(&Panic { context, message: &message });
        }
        result
    }
}

impl fmt::Debug for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PanicReport")
    }
}
