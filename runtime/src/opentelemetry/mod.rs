//! OpenTelemetry: metrics as gRFC A66 names them, and traces as gRFC A72 does, of clients and servers.
//!
//! ```
//! use callwright::opentelemetry::OpenTelemetry;
//! use callwright::{Channel, Server};
//!
//! # fn example(meter_provider: impl opentelemetry::metrics::MeterProvider,
//! #     tracer_provider: opentelemetry::trace::noop::NoopTracerProvider,
//! #     propagator: impl opentelemetry::propagation::TextMapPropagator + Send + Sync + 'static,
//! # ) -> Result<(), callwright::ChannelError> {
//! let telemetry = OpenTelemetry::new()
//!     .meter_provider(&meter_provider) // no metrics unless set
//!     .tracer_provider(&tracer_provider) // no traces unless set
//!     .propagator(propagator); // TraceContextPropagator::new() of the SDK, say; traces end at the process unless set
//! let channel = Channel::builder("dns:///localhost:50051").interceptor(telemetry.client()).build()?;
//! let server = Server::builder().interceptor(telemetry.server());
//! # Ok(())
//! # }
//! ```
//!
//! Add it first, so that it is around all other interceptors.
//!
//! # Metrics
//!
//! | instrument | unit | attributes |
//! |---|---|---|
//! | `grpc.client.call.duration` | s | `grpc.method`, `grpc.target`, `grpc.status` |
//! | `grpc.client.attempt.started` | {attempt} | `grpc.method`, `grpc.target` |
//! | `grpc.client.attempt.duration` | s | `grpc.method`, `grpc.target`, `grpc.status` |
//! | `grpc.client.attempt.sent_total_compressed_message_size` | By | `grpc.method`, `grpc.target`, `grpc.status` |
//! | `grpc.client.attempt.rcvd_total_compressed_message_size` | By | `grpc.method`, `grpc.target`, `grpc.status` |
//! | `grpc.server.call.started` | {call} | `grpc.method` |
//! | `grpc.server.call.duration` | s | `grpc.method`, `grpc.status` |
//! | `grpc.server.call.sent_total_compressed_message_size` | By | `grpc.method`, `grpc.status` |
//! | `grpc.server.call.rcvd_total_compressed_message_size` | By | `grpc.method`, `grpc.status` |
//!
//! Histograms have A66's boundaries. An attempt begins when it has a connection. `grpc.method` is `other` for methods that a server
//! does not have, so that no stranger can make attributes of it.
//!
//! # Traces
//!
//! | span | kind | what it covers | attributes |
//! |---|---|---|---|
//! | `Sent.package.Service.Method` | client | a call | |
//! | `Attempt.package.Service.Method` | client | one attempt of it, within its call | `previous-rpc-attempts`, `transparent-retry` |
//! | `Recv.package.Service.Method` | server | a call, as its attempt's child where the propagator says so; active while the handler runs | |
//!
//! Attempts and server's calls have an event for each message, `Outbound message` and `Inbound message`, with `sequence-number` from
//! 0, `message-size`, and `message-size-compressed` where it is compressed; attempts have one called `Delayed LB pick complete` where
//! they had to wait for a connection. A span's status is OK, or an error described by code and message, such as
//! `UNAVAILABLE, no connection`. That a name had to be looked up is not told.

mod client;
mod instruments;
mod propagation;
mod server;
mod span;

use std::fmt;
use std::sync::Arc;

use opentelemetry::global::{BoxedTracer, ObjectSafeTracerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::{InstrumentationScope, KeyValue};

use instruments::{ClientInstruments, ServerInstruments};

pub use client::ClientTelemetry;
pub use propagation::GrpcTraceBinPropagator;
pub use server::ServerTelemetry;

/// What the instruments and tracers are of.
const SCOPE: &str = "callwright";

type Filter = dyn Fn(&str) -> bool + Send + Sync;

/// Makes interceptors that tell OpenTelemetry of calls.
#[derive(Clone, Default)]
pub struct OpenTelemetry {
    client: Option<Arc<ClientInstruments>>,
    server: Option<Arc<ServerInstruments>>,
    traces: Traces,
    targets: Option<Arc<Filter>>,
    methods: Option<Arc<Filter>>,
}

/// What traces are made with.
#[derive(Clone, Default)]
struct Traces {
    tracer: Option<Arc<BoxedTracer>>,
    propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
}

impl OpenTelemetry {
    /// Neither metrics nor traces.
    pub fn new() -> Self {
        OpenTelemetry::default()
    }

    /// Measures with instruments of this provider. No global one is used.
    pub fn meter_provider(mut self, provider: &impl MeterProvider) -> Self {
        let meter = provider.meter_with_scope(scope());
        self.client = Some(Arc::new(ClientInstruments::new(&meter)));
        self.server = Some(Arc::new(ServerInstruments::new(&meter)));
        self
    }

    /// Makes spans with a tracer of this provider. No global one is used.
    pub fn tracer_provider(mut self, provider: &impl ObjectSafeTracerProvider) -> Self {
        self.traces.tracer = Some(Arc::new(BoxedTracer::new(provider.boxed_tracer(scope()))));
        self
    }

    /// Tells servers which span a call belongs to, and reads the same from clients.
    pub fn propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.traces.propagator = Some(Arc::new(propagator));
        self
    }

    /// Has `grpc.target` be `other` for targets that `filter` says no to: where there are many, of IP addresses say.
    pub fn target_filter(mut self, filter: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.targets = Some(Arc::new(filter));
        self
    }

    /// Has a client's `grpc.method` be `other` for methods that `filter` says no to, by `package.Service/Method`: for what passes on
    /// calls of methods that strangers name.
    pub fn method_filter(mut self, filter: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.methods = Some(Arc::new(filter));
        self
    }

    /// For [`ChannelBuilder::interceptor`](crate::ChannelBuilder::interceptor).
    pub fn client(&self) -> ClientTelemetry {
        ClientTelemetry::new(self.client.clone(), self.traces.clone(), [self.targets.clone(), self.methods.clone()])
    }

    /// For [`ServerBuilder::interceptor`](crate::ServerBuilder::interceptor).
    pub fn server(&self) -> ServerTelemetry {
        ServerTelemetry::new(self.server.clone(), self.traces.clone())
    }
}

impl fmt::Debug for OpenTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTelemetry")
            .field("metrics", &self.client.is_some())
            .field("traces", &self.traces.tracer.is_some())
            .finish_non_exhaustive()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build()
}

/// `package.Service/Method` as an attribute.
fn method_attribute(name: &str) -> KeyValue {
    KeyValue::new("grpc.method", name.to_owned())
}
