//! Spans as gRFC A72 has them.

use std::sync::atomic::{AtomicI64, Ordering};

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{SpanKind, Status as SpanStatus, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};

use crate::interceptor::MessageEvent;
use crate::status::{Code, Status};

/// A span that tells of messages.
pub(super) struct MessageSpan {
    context: Context,
    sent: AtomicI64,
    received: AtomicI64,
}

/// Begins a span as a child of `parent`; the context that it is in.
pub(super) fn start(
    tracer: &BoxedTracer,
    parent: &Context,
    kind: SpanKind,
    name: String,
    attributes: Vec<KeyValue>,
) -> Context {
    let builder = tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
    let span = tracer.build_with_context(builder, parent);
    parent.with_span(span)
}

/// `Sent.package.Service.Method` for the method `package.Service/Method`.
pub(super) fn name(of: &str, method: &str) -> String {
    format!("{of}.{}", method.replace('/', "."))
}

/// Ends the span of a context with this status.
pub(super) fn end(context: &Context, status: &Status) {
    let span = context.span();
    span.set_status(match status.code() {
        Code::Ok => SpanStatus::Ok,
        code => SpanStatus::error(format!("{code}, {}", status.message())),
    });
    span.end();
}

impl MessageSpan {
    pub(super) fn new(context: Context) -> Self {
        MessageSpan { context, sent: AtomicI64::new(0), received: AtomicI64::new(0) }
    }

    pub(super) fn sent(&self, message: &MessageEvent) {
        self.add("Outbound message", &self.sent, message);
    }

    pub(super) fn received(&self, message: &MessageEvent) {
        self.add("Inbound message", &self.received, message);
    }

    pub(super) fn end(&self, status: &Status) {
        end(&self.context, status);
    }

    fn add(&self, name: &'static str, count: &AtomicI64, message: &MessageEvent) {
        let bytes =
            |key, size: Option<usize>| size.map(|size| KeyValue::new(key, i64::try_from(size).unwrap_or(i64::MAX)));
        let number = KeyValue::new("sequence-number", count.fetch_add(1, Ordering::Relaxed));
        let sizes = [bytes("message-size", message.size), bytes("message-size-compressed", message.compressed_size)];
        self.context.span().add_event(name, [number].into_iter().chain(sizes.into_iter().flatten()).collect());
    }
}
