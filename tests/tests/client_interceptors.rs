//! Code around a client's calls: what it sees and changes of all four kinds, and what it may do in their place.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::interceptor::{
    AnyMessage, CallDetails, CallSpans, Interceptor, Next, RequestMessages, ResponseMessages,
};
use callwright::{Channel, Code, Compression, Metadata, RunningServer, Status};
use callwright_tests::support::traced::Traced;
use callwright_tests::support::{RefusedPort, chat, count, say, serve, sum};
use futures_util::stream;
use tokio::sync::mpsc;

type Log = Arc<Mutex<Vec<String>>>;

/// Notes what passes, by a name of its own.
struct Notes {
    name: &'static str,
    log: Log,
}

impl Notes {
    fn note(log: &Log, what: String) {
        log.lock().unwrap().push(what);
    }
}

impl Interceptor for Notes {
    async fn intercept(
        &self,
        details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        let (name, log) = (self.name, &self.log);
        Notes::note(log, format!("{name}: {}", details.method));
        let (sent, received, ended) = (log.clone(), log.clone(), log.clone());
        let requests = requests.for_each(move |message| {
            Notes::note(&sent, format!("{name}: request {}", text(message)));
            Ok(())
        });
        let responses = next.run(details, requests).await?;
        let responses = responses.for_each(move |message| {
            Notes::note(&received, format!("{name}: response {}", text(message)));
            Ok(())
        });
        Ok(responses.on_end(move |end| {
            Notes::note(&ended, format!("{name}: {} after {}", end.code(), end.messages_received()));
        }))
    }
}

fn text(message: &AnyMessage) -> String {
    let number = |message: &AnyMessage| message.downcast_ref::<u32>().map(u32::to_string);
    message.downcast_ref::<String>().cloned().or_else(|| number(message)).unwrap_or_else(|| "?".to_owned())
}

fn channel(server: &RunningServer, log: &Log) -> Channel {
    let inner = Notes { name: "inner", log: log.clone() };
    callwright_tests::support::channel(&server.local_addr().to_string())
        .interceptor(Notes { name: "outer", log: log.clone() })
        .build()
        .unwrap()
        .with_interceptor(inner)
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[tokio::test]
async fn interceptors_see_calls_of_all_kinds_from_outside_to_inside_and_back() {
    let (server, _) = serve().await;
    let log = Log::default();
    let channel = channel(&server, &log);
    assert_eq!(say(&channel, "hello").await.unwrap(), "hello");
    let order = [
        "outer: /test.Echo/Say",
        "inner: /test.Echo/Say",
        "outer: request hello",
        "inner: request hello",
        "inner: response hello",
        "outer: response hello",
        "inner: OK after 1",
        "outer: OK after 1",
    ];
    assert_eq!(taken(&log), order);

    let mut replies = count(&channel, 3).await.unwrap();
    while replies.message().await.unwrap().is_some() {}
    assert_eq!(taken(&log).last().map(String::as_str), Some("outer: OK after 3"));

    assert_eq!(sum(&channel).send_all(stream::iter([1, 2, 3])).await.unwrap(), 6);
    let seen = taken(&log);
    assert_eq!(seen.iter().filter(|line| line.starts_with("inner: request")).count(), 3);
    assert_eq!(seen.last().map(String::as_str), Some("outer: OK after 1"));

    let (mut sender, mut replies) = chat(&channel).start();
    for message in ["a", "b"] {
        sender.send(message.to_owned()).await.unwrap();
        assert_eq!(replies.message().await.unwrap().as_deref(), Some(message));
    }
    sender.finish();
    assert_eq!(replies.message().await.unwrap(), None);
    let seen = taken(&log);
    assert!(seen.contains(&"outer: request b".to_owned()), "{seen:?}");
    assert_eq!(seen.last().map(String::as_str), Some("outer: OK after 2"));
}

#[tokio::test]
async fn a_call_has_a_span_until_its_end() {
    let (server, _) = serve().await;
    let channel = callwright_tests::support::channel(&server.local_addr().to_string());
    let channel = channel.interceptor(CallSpans).build().unwrap();
    let traced = Traced::new("callwright::channel::call");
    let _traced = tracing::subscriber::set_default(traced.clone());
    let mut replies = count(&channel, 2).await.unwrap();
    replies.message().await.unwrap();
    let span = concat!(
        r#"span otel.kind="client" otel.name="test.Echo/Count" rpc.system="grpc" rpc.service="test.Echo" "#,
        r#"rpc.method="Count""#
    );
    assert_eq!(traced.taken(), [span]);
    while replies.message().await.unwrap().is_some() {}
    assert_eq!(traced.taken(), ["record rpc.grpc.status_code=0"]);
    say(&channel, "fail").await.unwrap_err();
    assert_eq!(traced.taken()[1..], ["record rpc.grpc.status_code=6", r#"record otel.status_code="ERROR""#]);
}

/// Says that it has begun, and waits for ever.
struct WaitsForEver(tokio::sync::mpsc::UnboundedSender<()>);

impl Interceptor for WaitsForEver {
    async fn intercept(&self, _: CallDetails, _: RequestMessages, _: Next<'_>) -> Result<ResponseMessages, Status> {
        let _ = self.0.send(());
        std::future::pending().await
    }
}

#[tokio::test]
async fn the_span_of_a_call_that_is_dropped_says_so() {
    let (server, _) = serve().await;
    let (sender, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let channel = callwright_tests::support::channel(&server.local_addr().to_string());
    let channel = channel.interceptor(CallSpans).interceptor(WaitsForEver(sender)).build().unwrap();
    let traced = Traced::new("callwright::channel::call");
    let _traced = tracing::subscriber::set_default(traced.clone());
    let call = tokio::spawn(say(&channel, "hello").into_future());
    waits.recv().await.unwrap();
    traced.taken();
    call.abort();
    let _ = call.await;
    assert_eq!(traced.taken(), ["record rpc.grpc.status_code=1", r#"record otel.status_code="ERROR""#]);
}

#[tokio::test]
async fn interceptors_see_how_a_call_fails_is_cancelled_or_runs_out_of_time() {
    let (server, mut seen) = serve().await;
    let log = Log::default();
    let channel = channel(&server, &log);
    let last = || taken(&log).pop().unwrap();
    let status = say(&channel, "fail").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::AlreadyExists, "as asked for"));
    assert_eq!(last(), "outer: ALREADY_EXISTS after 0");

    let status = say(&channel, "forever").timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(last(), "outer: DEADLINE_EXCEEDED after 0");

    while seen.try_recv().is_ok() {}
    let call = tokio::spawn(say(&channel, "forever").into_future());
    seen.recv().await.unwrap();
    call.abort();
    let _ = call.await;
    assert_eq!(last(), "outer: CANCELLED after 0");

    let mut replies = count(&channel, 1_000_000).await.unwrap();
    replies.message().await.unwrap();
    drop(replies);
    assert_eq!(last(), "outer: CANCELLED after 1");
}

/// Does what it is given.
struct With<F>(F);

impl<F> Interceptor for With<F>
where
    F: Fn(&mut CallDetails) -> Result<Option<ResponseMessages>, Status> + Send + Sync + 'static,
{
    async fn intercept(
        &self,
        mut details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        match (self.0)(&mut details)? {
            Some(answer) => Ok(answer),
            None => next.run(details, requests).await,
        }
    }
}

#[tokio::test]
async fn interceptors_change_what_a_call_is_set_to() {
    let (server, _) = serve().await;
    let channel = callwright_tests::support::channel_to(&server);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let note = With(move |details: &mut CallDetails| {
        log.lock().unwrap().push((details.wait_for_ready, details.compression));
        Ok(None)
    });
    let channel = channel.with_interceptor(note);
    say(&channel, "hello").await.unwrap();
    say(&channel, "hello").wait_for_ready(false).compression(Compression::Gzip).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [(None, None), (Some(false), Some(Compression::Gzip))]);

    // A port where nobody is: the call waits, since the interceptor says so, and not for long.
    let port = RefusedPort::new();
    let patient = Channel::new(port.address()).unwrap().with_interceptor(With(|details: &mut CallDetails| {
        details.wait_for_ready = Some(true);
        details.set_timeout(Duration::from_millis(50));
        Ok(None)
    }));
    assert_eq!(say(&patient, "hello").await.unwrap_err().code(), Code::DeadlineExceeded);

    // Another method.
    let other = channel.with_interceptor(With(|details: &mut CallDetails| {
        details.method = "/test.Echo/Nothing".into();
        Ok(None)
    }));
    assert_eq!(say(&other, "hello").await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn interceptors_answer_without_a_server() {
    let channel = Channel::new("127.0.0.1:1").unwrap();
    let answering = channel.clone().with_interceptor(With(|_: &mut CallDetails| {
        let (mut initial, mut trailing) = (Metadata::new(), Metadata::new());
        initial.append("cache", "hit")?;
        trailing.append("age", "3")?;
        Ok(Some(ResponseMessages::answer(initial, [AnyMessage::new("cached".to_owned())], trailing)))
    }));
    let response = say(&answering, "hello").send().await.unwrap();
    assert_eq!(response.message(), "cached");
    assert_eq!(response.initial_metadata().get("cache"), Some("hit"));
    assert_eq!(response.trailing_metadata().get("age"), Some("3"));
    let (_sender, mut replies) = chat(&answering).start();
    assert_eq!(replies.message().await.unwrap().as_deref(), Some("cached"));
    assert_eq!(replies.message().await.unwrap(), None);
    assert_eq!(replies.trailing_metadata().unwrap().get("age"), Some("3"));

    let refusing = channel.with_interceptor(With(|_: &mut CallDetails| Err(Status::permission_denied("not today"))));
    assert_eq!(say(&refusing, "hello").await.unwrap_err().message(), "not today");
    let (mut sender, reply) = sum(&refusing).start();
    assert_eq!(reply.await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(sender.send(1).await.unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn a_message_of_another_type_is_an_error_that_names_both() {
    let channel = Channel::new("127.0.0.1:1").unwrap().with_interceptor(With(|_: &mut CallDetails| {
        Ok(Some(ResponseMessages::answer(Metadata::new(), [AnyMessage::new(7_u32)], Metadata::new())))
    }));
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("u32") && status.message().contains("String"), "{status}");
}

/// Makes unary calls again that failed in UNAVAILABLE.
struct Again(Arc<AtomicU32>);

impl Interceptor for Again {
    async fn intercept(
        &self,
        details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        let Some(mut copy) = requests.try_clone()? else {
            return next.run(details, requests).await;
        };
        loop {
            self.0.fetch_add(1, Ordering::SeqCst);
            let again = copy.try_clone()?;
            match next.run(details.clone(), copy).await?.finished().await {
                Err(status) if status.code() == Code::Unavailable => copy = again.expect("it was one"),
                outcome => return outcome,
            }
        }
    }
}

#[tokio::test]
async fn interceptors_make_calls_again() {
    let port = RefusedPort::new();
    let attempts = Arc::new(AtomicU32::new(0));
    let channel = callwright_tests::support::channel(port.address()).interceptor(Again(attempts.clone()));
    let channel = channel.build().unwrap();
    let call = tokio::spawn(say(&channel, "hello").send());
    while attempts.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    let (_server, _) = callwright_tests::support::serve_on(port.address()).await;
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.message(), "hello");
    let status = say(&channel, "fail").await.unwrap_err();
    assert_eq!((status.code(), status.details()), (Code::AlreadyExists, &b"details"[..]));
}

#[tokio::test]
async fn a_users_deadline_covers_the_interceptors() {
    struct Slow;
    impl Interceptor for Slow {
        async fn intercept(&self, _: CallDetails, _: RequestMessages, _: Next<'_>) -> Result<ResponseMessages, Status> {
            std::future::pending().await
        }
    }
    let channel = Channel::builder("127.0.0.1:1").interceptor(Slow).build().unwrap();
    let status = say(&channel, "hello").timeout(Duration::from_millis(20)).await.unwrap_err();
    assert!(
        status.code() == Code::DeadlineExceeded && status.message().contains("interceptors and credentials"),
        "{status}"
    );
    let (_sender, reply) = sum(&channel).timeout(Duration::from_millis(20)).start();
    assert_eq!(reply.await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stream_of_requests_that_is_dropped_before_its_end_cancels_the_call() {
    let (server, _) = serve().await;
    let channel = channel(&server, &Log::default());
    let (mut sender, reply) = sum(&channel).start();
    sender.send(1).await.unwrap();
    drop(sender);
    let status = reply.await.unwrap_err();
    assert!(status.code() == Code::Cancelled && status.message().contains("finish()"), "{status}");
}

#[tokio::test]
async fn a_call_has_an_interceptor_of_its_own() {
    let (server, _) = serve().await;
    let log = Log::default();
    let channel = channel(&server, &log);
    say(&channel, "hello").interceptor(Notes { name: "own", log: log.clone() }).await.unwrap();
    let seen = taken(&log);
    assert_eq!(seen[..3], ["outer: /test.Echo/Say", "inner: /test.Echo/Say", "own: /test.Echo/Say"]);
    say(&channel, "hello").await.unwrap();
    assert!(!taken(&log).iter().any(|line| line.starts_with("own")));
}

#[tokio::test]
async fn large_streams_pass_interceptors_with_the_flow_of_their_reader() {
    let (server, _) = serve().await;
    let channel = channel(&server, &Log::default());
    let (mut sender, mut replies) = chat(&channel).start();
    let (told, mut sent) = mpsc::unbounded_channel();
    let sending = tokio::spawn(async move {
        for _ in 0..200 {
            sender.send("x".repeat(100_000)).await.unwrap();
            let _ = told.send(());
        }
        sender.finish();
    });
    // The writer comes to a halt before all is sent: 20 MB are more than anybody holds for a reader who does not read.
    let mut count = 0;
    while tokio::time::timeout(Duration::from_millis(300), sent.recv()).await.is_ok() {
        count += 1;
    }
    assert!(count < 200, "all was taken without a reader");
    let mut received = 0;
    while let Some(message) = replies.message().await.unwrap() {
        assert_eq!(message.len(), 100_000);
        received += 1;
    }
    assert_eq!(received, 200);
    sending.await.unwrap();
}
