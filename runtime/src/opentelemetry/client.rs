//! The client's side.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use opentelemetry::trace::{SpanKind, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use tokio::time::Instant;

use super::instruments::{ClientInstruments, status_attribute};
use super::propagation::MetadataInjector;
use super::span::{self, MessageSpan};
use super::{Filter, Traces, method_attribute};
use crate::interceptor::{
    Attempt, CallAttemptTracer, CallDetails, CallTracer, Interceptor, MessageEvent, Next, RequestMessages,
    ResponseMessages,
};
use crate::status::{Code, Status};

/// Tells OpenTelemetry of a channel's calls; made by [`OpenTelemetry::client`](super::OpenTelemetry::client).
#[derive(Clone)]
pub struct ClientTelemetry {
    instruments: Option<Arc<ClientInstruments>>,
    traces: Traces,
    targets: Option<Arc<Filter>>,
    methods: Option<Arc<Filter>>,
}

impl ClientTelemetry {
    pub(super) fn new(
        instruments: Option<Arc<ClientInstruments>>,
        traces: Traces,
        [targets, methods]: [Option<Arc<Filter>>; 2],
    ) -> Self {
        ClientTelemetry { instruments, traces, targets, methods }
    }

    fn begin(&self, details: &CallDetails) -> Arc<Followed> {
        let method = details.method.trim_start_matches('/').to_owned();
        let shown = |filter: &Option<Arc<Filter>>, name: &str| match filter {
            Some(filter) if !filter(name) => "other".to_owned(),
            _ => name.to_owned(),
        };
        let target = shown(&self.targets, details.target());
        let attributes = [method_attribute(&shown(&self.methods, &method)), KeyValue::new("grpc.target", target)];
        let parent = Context::current();
        let inside = self
            .traces
            .tracer
            .as_deref()
            .map(|tracer| span::start(tracer, &parent, SpanKind::Client, span::name("Sent", &method), Vec::new()));
        Arc::new(Followed {
            instruments: self.instruments.clone(),
            traces: self.traces.clone(),
            method,
            attributes,
            inside,
            began: Instant::now(),
            over: AtomicBool::new(false),
        })
    }
}

impl Interceptor for ClientTelemetry {
    async fn intercept(
        &self,
        mut details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        let call = EndOnDrop(self.begin(&details));
        if let (Some(_), Some(propagator)) = (&self.traces.tracer, &self.traces.propagator) {
            // Metadata that was passed on from another call may name that one's span, which would be taken for this one's.
            propagator.fields().for_each(|key| _ = details.metadata.remove(key));
        }
        details.trace(FollowedCall(call.0.clone()));
        let responses = next.run(details, requests).await.inspect_err(|status| call.0.end(status))?;
        Ok(responses.on_end(move |end| match end.status() {
            Some(status) => call.0.end(status),
            None => call.0.end(&Status::new(Code::Ok, "")),
        }))
    }
}

impl fmt::Debug for ClientTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTelemetry")
    }
}

/// A call that is followed.
struct Followed {
    instruments: Option<Arc<ClientInstruments>>,
    traces: Traces,
    method: String,
    attributes: [KeyValue; 2],
    /// The context of its span.
    inside: Option<Context>,
    began: Instant,
    over: AtomicBool,
}

impl Followed {
    fn end(&self, status: &Status) {
        if self.over.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(instruments) = &self.instruments {
            let took = self.began.elapsed().as_secs_f64();
            instruments.call_duration.record(took, &self.ended_attributes(status));
        }
        if let Some(inside) = &self.inside {
            span::end(inside, status);
        }
    }

    fn ended_attributes(&self, status: &Status) -> [KeyValue; 3] {
        let [method, target] = self.attributes.clone();
        [method, target, status_attribute(status.code())]
    }
}

/// Tells of a call that was dropped before it had an end.
struct EndOnDrop(Arc<Followed>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end(&Status::cancelled("the call was dropped"));
    }
}

struct FollowedCall(Arc<Followed>);

impl CallTracer for FollowedCall {
    fn attempt(&self, attempt: &mut Attempt<'_>) -> Box<dyn CallAttemptTracer> {
        let call = &self.0;
        if let Some(instruments) = &call.instruments {
            instruments.attempts_started.add(1, &call.attributes);
        }
        let span = call.inside.as_ref().zip(call.traces.tracer.as_deref()).map(|(parent, tracer)| {
            let attributes = vec![
                KeyValue::new("previous-rpc-attempts", i64::from(attempt.previous_attempts())),
                KeyValue::new("transparent-retry", attempt.is_transparent_retry()),
            ];
            let name = span::name("Attempt", &call.method);
            let inside = span::start(tracer, parent, SpanKind::Client, name, attributes);
            if attempt.has_waited() {
                inside.span().add_event("Delayed LB pick complete", Vec::new());
            }
            if let Some(propagator) = &call.traces.propagator {
                propagator.inject_context(&inside, &mut MetadataInjector(attempt.metadata_mut()));
            }
            MessageSpan::new(inside)
        });
        let call = call.clone();
        Box::new(FollowedAttempt { call, span, began: Instant::now(), sent: 0.into(), received: 0.into() })
    }
}

struct FollowedAttempt {
    call: Arc<Followed>,
    span: Option<MessageSpan>,
    began: Instant,
    /// In bytes, on the wire.
    sent: AtomicU64,
    received: AtomicU64,
}

impl CallAttemptTracer for FollowedAttempt {
    fn message_sent(&self, message: &MessageEvent) {
        self.sent.fetch_add(message.size_on_wire() as u64, Ordering::Relaxed);
        if let Some(span) = &self.span {
            span.sent(message);
        }
    }

    fn message_received(&self, message: &MessageEvent) {
        self.received.fetch_add(message.size_on_wire() as u64, Ordering::Relaxed);
        if let Some(span) = &self.span {
            span.received(message);
        }
    }

    fn ended(&self, status: &Status) {
        if let Some(instruments) = &self.call.instruments {
            let (sent, received) = (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed));
            let attributes = self.call.ended_attributes(status);
            instruments.attempts.record(self.began.elapsed(), sent, received, &attributes);
        }
        if let Some(span) = &self.span {
            span.end(status);
        }
    }
}
