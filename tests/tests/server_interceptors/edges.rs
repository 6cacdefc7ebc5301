//! Calls that end while interceptors are at work, and interceptors that do not wait for what they run.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use callwright::server::interceptor::{AnyMessage, BearerAuth, ConcurrencyLimit, Next, ServerInterceptor};
use callwright::server::{Methods, Service};
use callwright::{Call, Code, Method, Server, ServerContext, Status};
use callwright_tests::support::{channel_to, raw};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use crate::actor::{self, ENDS, KINDS, call};

/// One method, whose handler does what it is given.
struct Does<F>(F);

const DOES: &str = "/test.Does/It";

fn does() -> Method<String, String> {
    Method::new(DOES)
}

impl<F> Service for Does<F>
where
    F: AsyncHandler,
{
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Does", Arc::new(self))
            .unary(does(), |does, request, context| Box::pin(does.0.handle(request, context)));
    }
}

trait AsyncHandler: Send + Sync + 'static {
    fn handle(
        &self,
        request: String,
        context: &mut ServerContext,
    ) -> impl Future<Output = Result<String, Status>> + Send;
}

/// What an interceptor tells of a call that has ended, and what the call's end says.
#[derive(Clone)]
struct Views(mpsc::UnboundedSender<String>);

impl ServerInterceptor for Views {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let tell = self.0.clone();
        context.on_done(move |outcome| {
            let _ = tell.send(format!("done {} sent {}", outcome.status().code(), outcome.messages_sent()));
        });
        let result = next.run(context).await;
        let returned = result.as_ref().map_or_else(Status::code, |()| Code::Ok);
        let _ = self.0.send(format!("returned {returned} code {}", context.code().unwrap()));
        result
    }
}

/// Aborts, and waits for ever.
struct AbortsAndWaits;

impl AsyncHandler for AbortsAndWaits {
    async fn handle(&self, _: String, context: &mut ServerContext) -> Result<String, Status> {
        drop(context.abort(Code::Aborted, "as aborted"));
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_call_that_was_cut_off_after_an_abort_is_seen_as_its_client_sees_it() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let builder = Server::builder().interceptor(Views(sender)).add_service(Does(AbortsAndWaits));
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let request = raw::grpc_request(DOES).header("grpc-timeout", "20m").body(()).unwrap();
    let answer = raw::request(&server.local_addr().to_string(), request, vec![raw::text("request")]).await;
    assert_eq!(answer.get("grpc-status"), Some("4"));
    assert_eq!(seen.recv().await.unwrap(), "done DEADLINE_EXCEEDED sent 0");
    assert_eq!(seen.recv().await.unwrap(), "returned DEADLINE_EXCEEDED code DEADLINE_EXCEEDED");
}

/// Blocks until after the deadline, and fails then.
struct FailsLate;

impl AsyncHandler for FailsLate {
    async fn handle(&self, _: String, context: &mut ServerContext) -> Result<String, Status> {
        while context.time_remaining() != Some(Duration::ZERO) {
            std::thread::yield_now();
        }
        Err(Status::not_found("too late"))
    }
}

#[tokio::test]
async fn an_error_that_comes_late_is_seen_as_its_client_sees_it() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let builder = Server::builder().interceptor(Views(sender)).add_service(Does(FailsLate));
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let request = raw::grpc_request(DOES).header("grpc-timeout", "20m").body(()).unwrap();
    let answer = raw::request(&server.local_addr().to_string(), request, vec![raw::text("request")]).await;
    assert_eq!(answer.get("grpc-status"), Some("4"));
    assert_eq!(seen.recv().await.unwrap(), "returned DEADLINE_EXCEEDED code DEADLINE_EXCEEDED");
    assert_eq!(seen.recv().await.unwrap(), "done DEADLINE_EXCEEDED sent 0");
}

/// Waits for ever behind the handler, after it has said so.
struct WaitsBehind(mpsc::UnboundedSender<String>);

impl ServerInterceptor for WaitsBehind {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(context).await;
        let _ = self.0.send("waits".to_owned());
        std::future::pending::<()>().await;
        result
    }
}

#[tokio::test]
async fn a_reply_that_was_never_sent_does_not_count() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let builder = Server::builder().interceptor(Views(sender.clone())).interceptor(WaitsBehind(sender));
    let (_server, channel, _waiting) = actor::serve(builder).await;
    for kind in [0, 2] {
        tokio::select! {
            _ = call(&channel, kind, |_| Vec::new()) => unreachable!(),
            said = seen.recv() => assert_eq!(said.unwrap(), "waits"),
        }
        assert_eq!(seen.recv().await.unwrap(), "done CANCELLED sent 0");
    }
}

/// Asks to be told of the end when the handler is done.
struct AsksLate(mpsc::UnboundedSender<Code>);

impl ServerInterceptor for AsksLate {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(context).await;
        let tell = self.0.clone();
        context.on_done(move |outcome| {
            let _ = tell.send(outcome.status().code());
        });
        result
    }
}

#[tokio::test]
async fn who_asks_after_the_end_is_told_of_it_too() {
    let (sender, mut told) = mpsc::unbounded_channel();
    let (server, channel, mut waiting) = actor::serve(Server::builder().interceptor(AsksLate(sender))).await;
    for kind in KINDS {
        call(&channel, kind, |_| Vec::new()).await;
        assert_eq!(told.recv().await, Some(Code::Ok), "{kind}");
        tokio::select! {
            _ = call(&channel, kind, |_| vec![("end", "cancel".to_owned())]) => unreachable!(),
            _ = waiting.recv() => {}
        }
        assert_eq!(told.recv().await, Some(Code::Cancelled), "{kind}");
        let request = raw::grpc_request(actor::method(kind).path()).header("end", "deadline");
        let request = request.header("grpc-timeout", "20m").body(()).unwrap();
        raw::request(&server.local_addr().to_string(), request, vec![raw::text("request")]).await;
        assert_eq!(told.recv().await, Some(Code::DeadlineExceeded), "{kind}");
    }
}

/// Looks at what it runs only when that has asked for it.
struct Lazy(mpsc::UnboundedSender<Code>);

impl ServerInterceptor for Lazy {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let mut running: FuturesUnordered<_> = [next.run(context)].into_iter().collect();
        let result = running.next().await.unwrap();
        let _ = self.0.send(result.as_ref().map_or_else(Status::code, |()| Code::Ok));
        result
    }
}

#[tokio::test]
async fn a_handler_is_dropped_however_interceptors_poll_it() {
    let (sender, mut told) = mpsc::unbounded_channel();
    let (server, channel, mut waiting) = actor::serve(Server::builder().interceptor(Lazy(sender))).await;
    for kind in KINDS {
        tokio::select! {
            _ = call(&channel, kind, |_| vec![("end", "cancel".to_owned())]) => unreachable!(),
            _ = waiting.recv() => {}
        }
        let told = tokio::time::timeout(Duration::from_secs(10), told.recv());
        assert_eq!(told.await.expect("the handler goes on"), Some(Code::Cancelled), "{kind}");
    }
    server.shutdown(Duration::from_secs(10)).await;
}

/// Gives up what it runs when that waits in its second message, and says that all is well.
struct GivesUp;

impl ServerInterceptor for GivesUp {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let next = next.for_each_response(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let mut running = pin!(next.run(context));
        poll_fn(|cx| match running.as_mut().poll(cx) {
            Poll::Pending if count.load(Ordering::Relaxed) == 2 => Poll::Ready(Ok(())),
            polled => polled,
        })
        .await
    }
}

struct Big;

impl Service for Big {
    fn register(self, methods: &mut Methods) {
        methods.service("test.Big", Arc::new(self)).server_streaming(
            Method::<String, String>::new("/test.Big/Down"),
            |_, _, responses, _| {
                Box::pin(async move {
                    responses.send("small".to_owned()).await?;
                    responses.send("x".repeat(2 << 20)).await
                })
            },
        );
    }
}

#[tokio::test]
async fn a_stream_that_was_given_up_in_the_middle_of_a_message_is_no_success() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let builder = Server::builder().interceptor(Views(sender)).interceptor(GivesUp).add_service(Big);
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let channel = channel_to(&server);
    let method = Method::<String, String>::new("/test.Big/Down");
    let mut replies = Call::server_streaming(&channel, method, String::new()).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap(), "small");
    let status = replies.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("in the middle of a message"), "{status}");
    assert_eq!(seen.recv().await.unwrap(), "returned OK code OK");
    assert_eq!(seen.recv().await.unwrap(), "done INTERNAL sent 1");
}

/// Answers at once, whatever is sent.
struct AnswersAtOnce;

impl ServerInterceptor for AnswersAtOnce {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        next.answer(context, [AnyMessage::new("at once".to_owned())]).await
    }
}

#[tokio::test]
async fn answers_before_the_requests_were_read_hold_up_nothing() {
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(AnswersAtOnce)).await;
    let big = "x".repeat(1 << 20);
    for round in 0..20 {
        for kind in [0, 1, 2, 3] {
            let method = actor::method(kind);
            let got = tokio::time::timeout(Duration::from_secs(10), async {
                match kind {
                    0 => Call::unary(&channel, method, big.clone()).await.map(|_| ()),
                    1 => {
                        let mut replies = Call::server_streaming(&channel, method, big.clone()).await?;
                        while replies.message().await?.is_some() {}
                        Ok(())
                    }
                    2 => {
                        let requests = futures_util::stream::iter(vec![big.clone(); 3]);
                        Call::client_streaming(&channel, method).send_all(requests).await.map(|_| ())
                    }
                    _ => {
                        let (mut sender, mut replies) = Call::bidi(&channel, method).start();
                        for _ in 0..3 {
                            if sender.send(big.clone()).await.is_err() {
                                break;
                            }
                        }
                        while replies.message().await?.is_some() {}
                        Ok::<_, Status>(())
                    }
                }
            });
            got.await.unwrap_or_else(|_| panic!("{round} {kind} hangs")).unwrap();
        }
    }
}

/// Answers with much.
struct AnswersMuch;

impl ServerInterceptor for AnswersMuch {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let next = next.for_each_response(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        next.answer(context, (0..64).map(|_| AnyMessage::new("x".repeat(100_000)))).await?;
        assert_eq!(count.load(Ordering::Relaxed), 64);
        Err(Status::data_loss("after all"))
    }
}

#[tokio::test]
async fn much_is_answered_as_fast_as_it_is_read_and_an_error_comes_behind_it() {
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(AnswersMuch)).await;
    for kind in [1, 3] {
        let got = call(&channel, kind, |_| Vec::new()).await;
        assert_eq!((got.messages.len(), got.status.code()), (64, Code::DataLoss), "{kind}");
    }
}

/// Runs its handler for as long as it is told, and answers in its own words then.
struct Bounded(Duration);

impl ServerInterceptor for Bounded {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        match tokio::time::timeout(self.0, next.run(context)).await {
            Ok(result) => result,
            Err(_) => Err(context.abort(Code::ResourceExhausted, "too slow")),
        }
    }
}

/// Tells when it is dropped, by a panic.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("as dropped");
        }
    }
}

struct WaitsAndPanics;

impl AsyncHandler for WaitsAndPanics {
    async fn handle(&self, request: String, _: &mut ServerContext) -> Result<String, Status> {
        if request == "quick" {
            return Ok(request);
        }
        let _panics = PanicsOnDrop;
        std::future::pending().await
    }
}

#[tokio::test]
async fn interceptors_bound_the_time_of_handlers_of_all_kinds() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let builder = Server::builder().interceptor(Views(sender)).interceptor(Bounded(Duration::from_millis(20)));
    let (server, channel, _waiting) = actor::serve(builder).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| vec![("end", "deadline".to_owned())]).await;
        assert_eq!((got.status.code(), got.status.message()), (Code::ResourceExhausted, "too slow"), "{kind}");
        assert_eq!(got.status.metadata().get("cost"), Some("3"));
        assert_eq!(seen.recv().await.unwrap(), "returned RESOURCE_EXHAUSTED code RESOURCE_EXHAUSTED");
        assert!(seen.recv().await.unwrap().starts_with("done RESOURCE_EXHAUSTED"));
    }
    server.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_handler_that_panics_as_it_is_dropped_harms_no_other_call() {
    for intercepted in [false, true] {
        let mut builder = Server::builder().add_service(Does(WaitsAndPanics));
        if intercepted {
            let (sender, _) = mpsc::unbounded_channel();
            builder = builder.interceptor(Views(sender)).interceptor(Bounded(Duration::from_millis(20)));
        }
        let server = builder.bind("127.0.0.1:0").await.unwrap();
        let channel = channel_to(&server);
        for _ in 0..40 {
            Call::unary(&channel, does(), "quick".to_owned()).await.unwrap();
        }
        for _ in 0..3 {
            let call = Call::unary(&channel, does(), "slow".to_owned()).timeout(Duration::from_millis(50));
            let code = call.await.unwrap_err().code();
            assert_eq!(code, if intercepted { Code::Internal } else { Code::DeadlineExceeded });
            Call::unary(&channel, does(), "quick".to_owned()).await.unwrap();
        }
        server.shutdown(Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn the_end_of_a_call_is_told_once_when_its_server_is_stopped() {
    for kind in KINDS {
        let (sender, mut seen) = mpsc::unbounded_channel();
        let builder = Server::builder().interceptor(Views(sender.clone())).interceptor(Views(sender));
        let (server, channel, mut waiting) = actor::serve(builder).await;
        let call = tokio::spawn(async move { call(&channel, kind, |_| vec![("end", "cancel".to_owned())]).await });
        waiting.recv().await.unwrap();
        server.stop().await;
        assert_eq!(call.await.unwrap().status.code(), Code::Unavailable, "{kind}");
        let sent = kind % 2;
        for _ in 0..2 {
            assert_eq!(seen.recv().await.unwrap(), format!("done UNAVAILABLE sent {sent}"));
        }
        // Whatever could tell more is gone.
        assert_eq!(seen.recv().await, None);
    }
}

#[tokio::test]
async fn a_limit_gives_its_places_back_however_calls_end() {
    // Those that were cancelled may have their places still when the next comes.
    let limit = ConcurrencyLimit::new(1).queue(2);
    let builder = Server::builder().interceptor(limit).interceptor(Bounded(Duration::from_millis(20)));
    let (_server, channel, mut waiting) = actor::serve(builder).await;
    for kind in KINDS {
        for end in ENDS {
            let entries = || vec![("end", end.to_owned()), ("timeout", "5000".to_owned())];
            let both = async { tokio::join!(call(&channel, kind, |_| entries()), call(&channel, kind, |_| entries())) };
            match end {
                "cancel" => tokio::select! {
                    _ = both => {}
                    _ = waiting.recv() => {}
                },
                _ => drop(both.await),
            }
            let got = call(&channel, kind, |_| vec![("timeout", "5000".to_owned())]).await;
            assert_eq!(got.status.code(), Code::Ok, "{kind} {end} {:?}", got.status);
        }
    }
}

#[tokio::test]
async fn odd_tokens_are_refused() {
    let auth = BearerAuth::new(|token: String| async move {
        if token.starts_with("good") { Ok(()) } else { Err(Status::unauthenticated("no such token")) }
    });
    let (server, _channel, _waiting) = actor::serve(Server::builder().interceptor(auth)).await;
    let long = format!("Bearer {}", "x".repeat(8000));
    for (values, code) in [
        (&[&b"Bearer good"[..]][..], "0"),
        (&[b"Bearer \xff"], "16"),
        (&[b"\xffBearer good"], "16"),
        (&[b"Bearer\tgood"], "16"),
        (&[b""], "16"),
        (&[long.as_bytes()], "16"),
        (&[b"Basic good", b"Bearer good"], "16"),
        (&[b"Bearer good", b"Bearer bad"], "16"),
    ] {
        let mut request = raw::grpc_request(actor::method(0).path());
        for value in values {
            request = request.header("authorization", *value);
        }
        let request = request.body(()).unwrap();
        let answer = raw::request(&server.local_addr().to_string(), request, vec![raw::text("request")]).await;
        assert_eq!(answer.get("grpc-status"), Some(code), "{values:?}");
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_interceptors_that_go_on() {
    let (go, (sender, mut seen)) = (Arc::new(tokio::sync::Notify::new()), mpsc::unbounded_channel());
    let (server, channel, mut waiting) =
        actor::serve(Server::builder().interceptor(CleansUp(go.clone(), sender))).await;
    tokio::select! {
        _ = call(&channel, 0, |_| vec![("end", "cancel".to_owned())]) => unreachable!(),
        _ = waiting.recv() => {}
    }
    assert_eq!(seen.recv().await, Some("cleans up"));
    let shutdown = tokio::spawn(server.shutdown(Duration::from_secs(10)));
    tokio::task::yield_now().await;
    assert!(!shutdown.is_finished());
    go.notify_one();
    assert_eq!(seen.recv().await, Some("clean"));
    shutdown.await.unwrap();
}

/// Cleans up behind a call, which takes a while.
struct CleansUp(Arc<tokio::sync::Notify>, mpsc::UnboundedSender<&'static str>);

impl ServerInterceptor for CleansUp {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(context).await;
        let _ = self.1.send("cleans up");
        self.0.notified().await;
        let _ = self.1.send("clean");
        result
    }
}

/// Tells of messages and of the end, and makes of all a failure, if it is to.
struct Watches {
    tell: mpsc::UnboundedSender<String>,
    fails: bool,
}

impl ServerInterceptor for Watches {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let tell = self.tell.clone();
        context.on_message(move |direction, message| {
            let _ = tell.send(format!("{direction:?} {:?}", message.size));
        });
        let tell = self.tell.clone();
        context.on_done(move |outcome| {
            let _ = tell.send(format!("done {} sent {}", outcome.status().code(), outcome.messages_sent()));
        });
        let result = next.run(context).await;
        if self.fails { Err(Status::data_loss("after all")) } else { result }
    }
}

#[tokio::test]
async fn messages_are_told_when_they_are_sent_and_not_where_they_are_not() {
    for fails in [false, true] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (server, channel, _waiting) = actor::serve(Server::builder().interceptor(Watches { tell, fails })).await;
        for kind in KINDS {
            call(&channel, kind, |_| Vec::new()).await;
            let mut seen = Vec::new();
            while !seen.last().is_some_and(|last: &String| last.starts_with("done")) {
                seen.push(told.recv().await.unwrap());
            }
            let sent = match kind {
                0 | 2 if fails => None,
                0 | 2 => Some("Sent Some(7)"),
                1 => Some("Sent Some(10)"),
                _ => Some("Sent Some(9)"),
            };
            let code = if fails { "DATA_LOSS" } else { "OK" };
            let done = format!("done {code} sent {}", u32::from(sent.is_some()));
            let expected: Vec<_> = ["Received Some(9)"].into_iter().chain(sent).chain([done.as_str()]).collect();
            assert_eq!(seen, expected, "{kind} {fails}");
        }
        server.shutdown(Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn calls_of_methods_that_are_not_served_have_their_deadline_too() {
    let (sender, mut seen) = mpsc::unbounded_channel();
    let builder = Server::builder().interceptor(Views(sender.clone())).interceptor(TellsDeadline(sender));
    let (server, _channel, _waiting) = actor::serve(builder).await;
    let request = raw::grpc_request("/test.Nobody/Serves").header("grpc-timeout", "20m").body(()).unwrap();
    let answer = raw::request(&server.local_addr().to_string(), request, vec![raw::text("request")]).await;
    assert_eq!(seen.recv().await.unwrap(), "has a deadline: true");
    assert_eq!(answer.get("grpc-status"), Some("4"));
}

/// Says whether a call has a deadline, and waits for ever before its handler.
struct TellsDeadline(mpsc::UnboundedSender<String>);

impl ServerInterceptor for TellsDeadline {
    async fn intercept(&self, context: &mut ServerContext, _: Next<'_>) -> Result<(), Status> {
        let has_deadline = context.deadline().is_some();
        let _ = self.0.send(format!("has a deadline: {has_deadline}"));
        if has_deadline { std::future::pending().await } else { Err(Status::internal("none")) }
    }
}
