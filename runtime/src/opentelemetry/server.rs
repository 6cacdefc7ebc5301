//! The server's side.

use std::fmt;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::SpanKind;

use super::instruments::{ServerInstruments, status_attribute};
use super::propagation::MetadataExtractor;
use super::span::{self, MessageSpan};
use super::{Traces, method_attribute};
use crate::server::ServerContext;
use crate::server::interceptor::{Direction, Next, ServerInterceptor};
use crate::status::Status;

/// Tells OpenTelemetry of a server's calls; made by [`OpenTelemetry::server`](super::OpenTelemetry::server).
#[derive(Clone)]
pub struct ServerTelemetry {
    instruments: Option<Arc<ServerInstruments>>,
    traces: Traces,
}

impl ServerTelemetry {
    pub(super) fn new(instruments: Option<Arc<ServerInstruments>>, traces: Traces) -> Self {
        ServerTelemetry { instruments, traces }
    }

    fn measure(&self, context: &mut ServerContext) {
        let Some(instruments) = self.instruments.clone() else { return };
        // Else a stranger's calls would make attributes without end.
        let method = if context.is_served() { context.method().trim_start_matches('/') } else { "other" };
        let method = method_attribute(method);
        instruments.calls_started.add(1, std::slice::from_ref(&method));
        let began = context.began();
        context.on_done(move |outcome| {
            let attributes = [method, status_attribute(outcome.status().code())];
            let (sent, received) = (outcome.bytes_sent(), outcome.bytes_received());
            instruments.calls.record(began.elapsed(), sent, received, &attributes);
        });
    }

    /// Begins the call's span, and gives the context for its handler.
    fn trace(&self, context: &mut ServerContext) -> Option<Context> {
        let tracer = self.traces.tracer.as_ref()?;
        let parent = match self.traces.propagator.as_deref() {
            Some(propagator) => {
                let extractor = MetadataExtractor::new(context.invocation_metadata(), propagator);
                propagator.extract_with_context(&Context::current(), &extractor)
            }
            None => Context::current(),
        };
        let name = span::name("Recv", context.method().trim_start_matches('/'));
        let inside = span::start(tracer, &parent, SpanKind::Server, name, Vec::new());
        let span = Arc::new(MessageSpan::new(inside.clone()));
        let messages = span.clone();
        context.on_message(move |direction, message| match direction {
            Direction::Received => messages.received(message),
            Direction::Sent => messages.sent(message),
        });
        context.on_done(move |outcome| span.end(outcome.status()));
        Some(inside)
    }
}

impl ServerInterceptor for ServerTelemetry {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        self.measure(context);
        match self.trace(context) {
            Some(inside) => next.run(context).with_context(inside).await,
            None => next.run(context).await,
        }
    }
}

impl fmt::Debug for ServerTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTelemetry")
    }
}
