//! What OpenTelemetry is told of calls, by the SDK's own exporters: names and attributes of gRFC A66 and A72.

use std::collections::BTreeMap;
use std::sync::Arc;

use callwright::opentelemetry::{GrpcTraceBinPropagator, OpenTelemetry};
use callwright::server::interceptor::{Next, ServerInterceptor};
use callwright::service_config::{MethodConfig, MethodName, RetryPolicy, ServiceConfig};
use callwright::{Channel, Code, Compression, RunningServer, Server, ServerContext, Status};
use callwright_tests::support::{channel, chat, count, raw, say, serve_with};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanId, SpanKind, TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, HistogramDataPoint, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};

struct Telemetry {
    meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
    tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
}

impl Telemetry {
    fn new() -> Telemetry {
        let (metrics, spans) = (InMemoryMetricExporter::default(), InMemorySpanExporter::default());
        let meters = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(metrics.clone()).build()).build();
        let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        Telemetry { meters, metrics, tracers, spans }
    }

    fn of(&self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> OpenTelemetry {
        OpenTelemetry::new().meter_provider(&self.meters).tracer_provider(&self.tracers).propagator(propagator)
    }

    /// All data points, as text: instrument, unit, attributes, and a count, or the sum of a histogram of sizes.
    fn measured(&self) -> BTreeMap<String, u64> {
        self.meters.force_flush().unwrap();
        let mut found = BTreeMap::new();
        for resource in self.metrics.get_finished_metrics().unwrap() {
            for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
                let name = |attributes: String| format!("{} [{}] {attributes}", metric.name(), metric.unit());
                match metric.data() {
                    AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                        found.extend(sum.data_points().map(|it| (name(text(it.attributes())), it.value())));
                    }
                    AggregatedMetrics::U64(MetricData::Histogram(sizes)) => {
                        found.extend(sizes.data_points().map(|it| (name(text(it.attributes())), it.sum())));
                    }
                    AggregatedMetrics::F64(MetricData::Histogram(times)) => {
                        found.extend(times.data_points().map(|it| (name(text(it.attributes())), bounded(it))));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        found
    }

    /// The spans that have ended, by their names.
    fn traced(&self) -> Vec<SpanData> {
        let mut spans = self.spans.get_finished_spans().unwrap();
        spans.sort_by(|a, b| (&a.name, a.start_time).cmp(&(&b.name, b.start_time)));
        spans
    }
}

/// How often something took some time. The boundaries are those of A66.
fn bounded(times: &HistogramDataPoint<f64>) -> u64 {
    let bounds: Vec<_> = times.bounds().collect();
    assert_eq!((bounds.len(), bounds[1], bounds[40]), (41, 0.000_01, 100.0));
    times.count()
}

fn text<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> String {
    let mut list: Vec<_> = attributes.map(|it| format!("{}={}", it.key, it.value)).collect();
    list.sort();
    list.join(" ")
}

/// The events of a span, as text.
fn events(span: &SpanData) -> Vec<String> {
    span.events.iter().map(|event| format!("{} {}", event.name, text(event.attributes.iter()))).collect()
}

async fn both(telemetry: &OpenTelemetry) -> (RunningServer, Channel) {
    let (server, _) = serve_with(Server::builder().interceptor(telemetry.server()), "127.0.0.1:0").await;
    let channel = channel(&server.local_addr().to_string()).interceptor(telemetry.client()).build().unwrap();
    (server, channel)
}

#[tokio::test]
async fn a_call_is_measured_on_both_sides() {
    let telemetry = Telemetry::new();
    let (server, channel) = both(&telemetry.of(TraceContextPropagator::new())).await;
    // A string of five bytes is a message of seven.
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    assert_eq!(say(&channel, "fail").await.unwrap_err().code(), Code::AlreadyExists);
    let mut numbers = count(&channel, 3).await.unwrap();
    while numbers.message().await.unwrap().is_some() {}
    let target = format!("grpc.target=dns:///{}", server.local_addr());
    server.shutdown(std::time::Duration::from_secs(10)).await;

    let mut expected = BTreeMap::new();
    for (method, status, sent, received) in
        [("Say", "OK", 7, 7), ("Say", "ALREADY_EXISTS", 6, 0), ("Count", "OK", 2, 4)]
    {
        let method = format!("grpc.method=test.Echo/{method}");
        let (client, server) =
            (format!("{method} grpc.status={status} {target}"), format!("{method} grpc.status={status}"));
        for (name, value) in [
            (format!("grpc.client.call.duration [s] {client}"), 1),
            (format!("grpc.client.attempt.duration [s] {client}"), 1),
            (format!("grpc.client.attempt.sent_total_compressed_message_size [By] {client}"), sent),
            (format!("grpc.client.attempt.rcvd_total_compressed_message_size [By] {client}"), received),
            (format!("grpc.server.call.duration [s] {server}"), 1),
            (format!("grpc.server.call.sent_total_compressed_message_size [By] {server}"), received),
            (format!("grpc.server.call.rcvd_total_compressed_message_size [By] {server}"), sent),
        ] {
            expected.insert(name, value);
        }
        let started = if method.ends_with("Say") { 2 } else { 1 };
        expected.insert(format!("grpc.client.attempt.started [{{attempt}}] {method} {target}"), started);
        expected.insert(format!("grpc.server.call.started [{{call}}] {method}"), started);
    }
    assert_eq!(telemetry.measured(), expected);
}

#[tokio::test]
async fn what_a_server_does_not_have_makes_no_attributes() {
    let telemetry = Telemetry::new();
    let other = telemetry.of(TraceContextPropagator::new());
    let other = other.target_filter(|_| false).method_filter(|method| method != "test.Echo/Say");
    let server = Server::builder().interceptor(other.server()).bind("127.0.0.1:0").await.unwrap();
    let channel = channel(&server.local_addr().to_string()).interceptor(other.client()).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap_err().code(), Code::Unimplemented);
    let measured = telemetry.measured();
    let started = "grpc.server.call.started [{call}] grpc.method=other";
    assert_eq!(measured.get(started), Some(&1), "{measured:?}");
    let attempts = "grpc.client.attempt.started [{attempt}] grpc.method=other grpc.target=other";
    assert_eq!(measured.get(attempts), Some(&1), "{measured:?}");
}

#[tokio::test]
async fn a_call_is_one_trace_from_its_caller_to_its_handler() {
    for propagator in 0..2 {
        let telemetry = Telemetry::new();
        let open = match propagator {
            0 => telemetry.of(TraceContextPropagator::new()),
            _ => telemetry.of(GrpcTraceBinPropagator),
        };
        let (server, channel) = both(&open.clone()).await;
        let tracer = telemetry.tracers.tracer("test");
        let caller = opentelemetry::trace::Tracer::start(&tracer, "caller");
        let context = Context::current_with_span(caller);
        let call =
            opentelemetry::context::FutureExt::with_context(say(&channel, "hello").into_future(), context.clone());
        call.await.unwrap();
        context.span().end();
        server.shutdown(std::time::Duration::from_secs(10)).await;

        let spans = telemetry.traced();
        let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["Attempt.test.Echo.Say", "Recv.test.Echo.Say", "Sent.test.Echo.Say", "caller"]);
        let [attempt, recv, sent, caller] = &spans[..] else { unreachable!() };
        assert_eq!(caller.parent_span_id, SpanId::INVALID);
        for (child, parent) in [(sent, caller), (attempt, sent), (recv, attempt)] {
            assert_eq!(child.parent_span_id, parent.span_context.span_id());
            assert_eq!(child.span_context.trace_id(), caller.span_context.trace_id());
        }
        assert!(recv.parent_span_is_remote && !attempt.parent_span_is_remote);
        let kinds = [&attempt.span_kind, &recv.span_kind, &sent.span_kind];
        assert_eq!(kinds, [&SpanKind::Client, &SpanKind::Server, &SpanKind::Client]);
        assert_eq!(text(attempt.attributes.iter()), "previous-rpc-attempts=0 transparent-retry=false");
        let messages = |first: &str, second: &str| {
            [first, second].map(|way| format!("{way} message message-size=7 sequence-number=0"))
        };
        let waited = ["Delayed LB pick complete ".to_owned()];
        assert_eq!(events(attempt), [&waited[..], &messages("Outbound", "Inbound")].concat());
        assert_eq!(events(recv), messages("Inbound", "Outbound"));
        for span in [attempt, recv, sent] {
            assert_eq!(span.status, opentelemetry::trace::Status::Ok);
        }
    }
}

#[tokio::test]
async fn attempts_are_spans_of_their_own_and_messages_are_numbered() {
    let telemetry = Telemetry::new();
    let open = telemetry.of(TraceContextPropagator::new());
    let (server, _) = serve_with(Server::builder().interceptor(open.server()), "127.0.0.1:0").await;
    let policy = RetryPolicy::new(3, [Code::AlreadyExists]).with_initial_backoff(std::time::Duration::from_millis(1));
    let config = ServiceConfig::new()
        .with_method(MethodConfig::new([MethodName::service("test.Echo")]).with_retry_policy(policy));
    let channel = channel(&server.local_addr().to_string())
        .interceptor(open.client())
        .service_config(config)
        .compression(Compression::Gzip)
        .build()
        .unwrap();
    say(&channel, "fail").await.unwrap_err();
    let large = "x".repeat(1000);
    let (mut sender, mut replies) = chat(&channel).start();
    for _ in 0..2 {
        sender.send(large.clone()).await.unwrap();
        replies.message().await.unwrap();
    }
    sender.finish();
    assert_eq!(replies.message().await.unwrap(), None);
    server.shutdown(std::time::Duration::from_secs(10)).await;

    let spans = telemetry.traced();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let failed = named("Attempt.test.Echo.Say");
    let attributes: Vec<_> = failed.iter().map(|span| text(span.attributes.iter())).collect();
    assert_eq!(attributes, [0, 1, 2].map(|number| format!("previous-rpc-attempts={number} transparent-retry=false")));
    let described = "ALREADY_EXISTS, as asked for";
    for span in failed.iter().chain(&named("Sent.test.Echo.Say")).chain(&named("Recv.test.Echo.Say")) {
        assert_eq!(span.status, opentelemetry::trace::Status::error(described), "{}", span.name);
    }
    let attempt = &named("Attempt.test.Echo.Chat")[0];
    let sizes: Vec<_> = attempt
        .events
        .iter()
        .filter(|event| event.name == "Outbound message")
        .map(|event| text(event.attributes.iter()))
        .collect();
    // A string of 1,000 bytes is a message of 1,003.
    for (number, size) in sizes.iter().enumerate() {
        let rest = size.strip_prefix("message-size-compressed=").unwrap();
        let (compressed, rest) = rest.split_once(' ').unwrap();
        assert!(compressed.parse::<u64>().unwrap() < 100, "{size}");
        assert_eq!(rest, format!("message-size=1003 sequence-number={number}"));
    }
    assert_eq!(sizes.len(), 2);
}

#[tokio::test]
async fn an_attempt_that_no_server_saw_has_failed_and_the_next_says_why_it_is_made() {
    let telemetry = Telemetry::new();
    let refusals = Arc::new(std::sync::atomic::AtomicU32::new(1));
    let address = raw::server(move |_, _, _, mut response| {
        let refuses = refusals.swap(0, std::sync::atomic::Ordering::SeqCst) > 0;
        async move {
            if refuses {
                return response.send_reset(h2::Reason::REFUSED_STREAM);
            }
            let head = raw::head(200, &[("content-type", "application/grpc")]);
            let mut stream = response.send_response(head, false).unwrap();
            stream.send_data(raw::text("hello"), false).unwrap();
            stream.send_trailers(raw::trailers(&[("grpc-status", "0")])).unwrap();
        }
    })
    .await;
    let open = telemetry.of(TraceContextPropagator::new());
    let channel = channel(&address).interceptor(open.client()).build().unwrap();
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");

    let spans = telemetry.traced();
    let attempts: Vec<_> = spans.iter().filter(|span| span.name == "Attempt.test.Echo.Say").collect();
    let attributes: Vec<_> = attempts.iter().map(|span| text(span.attributes.iter())).collect();
    assert_eq!(
        attributes,
        ["previous-rpc-attempts=0 transparent-retry=false", "previous-rpc-attempts=0 transparent-retry=true"]
    );
    let opentelemetry::trace::Status::Error { description } = &attempts[0].status else { panic!("{attempts:?}") };
    assert!(description.starts_with("UNAVAILABLE, "), "{description}");
    assert_eq!(attempts[1].status, opentelemetry::trace::Status::Ok);
}

#[tokio::test]
async fn a_trace_that_was_passed_on_does_not_hide_the_calls_own() {
    let telemetry = Telemetry::new();
    let open = telemetry.of(TraceContextPropagator::new());
    let (server, channel) = both(&open).await;
    // As from a server that passes on what it was sent.
    let other = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    say(&channel, "hello").metadata("traceparent", other).await.unwrap();
    server.shutdown(std::time::Duration::from_secs(10)).await;
    let spans = telemetry.traced();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let attempt = named("Attempt.test.Echo.Say");
    assert_eq!(named("Recv.test.Echo.Say").parent_span_id, attempt.span_context.span_id());
}

/// Tells whether a span is active where the handler runs.
struct Active(Arc<std::sync::Mutex<Vec<SpanId>>>);

impl ServerInterceptor for Active {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        tokio::task::yield_now().await;
        self.0.lock().unwrap().push(Context::current().span().span_context().span_id());
        next.run(context).await
    }
}

#[tokio::test]
async fn the_handlers_span_is_active_and_without_a_propagator_it_begins_a_trace() {
    let telemetry = Telemetry::new();
    let open = OpenTelemetry::new().tracer_provider(&telemetry.tracers);
    let active = Arc::default();
    let builder = Server::builder().interceptor(open.server()).interceptor(Active(Arc::clone(&active)));
    let (server, _) = serve_with(builder, "127.0.0.1:0").await;
    let channel = channel(&server.local_addr().to_string()).interceptor(open.client()).build().unwrap();
    say(&channel, "hello").await.unwrap();
    server.shutdown(std::time::Duration::from_secs(10)).await;
    let spans = telemetry.traced();
    let recv = spans.iter().find(|span| span.name.starts_with("Recv.")).unwrap();
    assert_eq!(recv.parent_span_id, SpanId::INVALID);
    assert_eq!(*active.lock().unwrap(), [recv.span_context.span_id()]);
    assert!(telemetry.measured().is_empty());
}

#[tokio::test]
async fn calls_that_are_dropped_or_never_made_end_too() {
    let telemetry = Telemetry::new();
    let (_server, channel) = both(&telemetry.of(TraceContextPropagator::new())).await;
    say(&channel, "hello").await.unwrap();
    let mut replies = count(&channel, 1_000_000).await.unwrap();
    replies.message().await.unwrap();
    drop(replies);
    let status = say(&channel, "hello").timeout(std::time::Duration::ZERO).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let measured = telemetry.measured();
    let ended = |name: &str, method: &str, status: &str| {
        let wanted = format!("grpc.client.{name}.duration [s] grpc.method=test.Echo/{method} grpc.status={status} ");
        measured.iter().find(|(name, _)| name.starts_with(&wanted)).map(|(_, count)| *count)
    };
    assert_eq!(ended("call", "Count", "CANCELLED"), Some(1), "{measured:?}");
    assert_eq!(ended("attempt", "Count", "CANCELLED"), Some(1), "{measured:?}");
    assert_eq!(ended("call", "Say", "DEADLINE_EXCEEDED"), Some(1), "{measured:?}");
    assert_eq!(ended("attempt", "Say", "DEADLINE_EXCEEDED"), None, "{measured:?}");
}

/// Adds more than a server takes.
#[derive(Debug)]
struct Large;

impl TextMapPropagator for Large {
    fn inject_context(&self, _: &Context, injector: &mut dyn Injector) {
        injector.set("baggage", "x".repeat(20_000));
    }

    fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
        context.clone()
    }

    fn fields(&self) -> opentelemetry::propagation::text_map_propagator::FieldIter<'_> {
        opentelemetry::propagation::text_map_propagator::FieldIter::new(&[])
    }
}

#[tokio::test]
async fn a_propagator_that_writes_more_than_the_server_takes_is_told_of_by_name() {
    let telemetry = Telemetry::new();
    let (_server, channel) = both(&telemetry.of(Large)).await;
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("16384 bytes"), "{status}");
}

/// Adds what cannot be metadata.
#[derive(Debug)]
struct Broken;

impl TextMapPropagator for Broken {
    fn inject_context(&self, _: &Context, injector: &mut dyn Injector) {
        injector.set("Upper Case", "value".to_owned());
        injector.set("newline", "a\nb".to_owned());
        injector.set("no-base64-bin", "%".to_owned());
        injector.set("good", "1".to_owned());
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        assert_eq!(extractor.get("good"), Some("1"));
        context.clone()
    }

    fn fields(&self) -> opentelemetry::propagation::text_map_propagator::FieldIter<'_> {
        static FIELDS: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["good".to_owned()]);
        opentelemetry::propagation::text_map_propagator::FieldIter::new(&*FIELDS)
    }
}

#[tokio::test]
async fn a_propagator_that_writes_nonsense_harms_no_call() {
    let telemetry = Telemetry::new();
    let (_server, channel) = both(&telemetry.of(Broken)).await;
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
}
