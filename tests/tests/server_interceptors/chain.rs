//! Order, and the view of code, details and trailing metadata.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::server::interceptor::{AnyMessage, Intercepted, Next, ServerInterceptor};
use callwright::{Code, Metadata, Server, ServerContext, Status};
use callwright_tests::support::{channel_to, raw, say};
use tokio::sync::mpsc;

use crate::actor::{self, ENDS, KINDS, call};

type Log = Arc<Mutex<Vec<String>>>;

/// Notes how it sees a call before and after it.
#[derive(Clone)]
struct Notes {
    name: &'static str,
    log: Log,
    /// Told when a call has passed.
    passed: mpsc::UnboundedSender<()>,
}

impl ServerInterceptor for Notes {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let note = |what: String| self.log.lock().unwrap().push(format!("{} {what}", self.name));
        note(format!("before {:?}", context.code()));
        let result = next.run(context).await;
        let code = context.code().expect("it has ended");
        let (details, trailing) = (context.details().unwrap_or_default(), text(&context.trailing_metadata()));
        let returned = result.as_ref().map_or_else(Status::code, |()| Code::Ok);
        let counts = (context.messages_received(), context.messages_sent());
        note(format!("after {code} {details:?} {trailing:?} {returned} {counts:?} {:?}", context.panic_message()));
        let _ = self.passed.send(());
        result
    }
}

fn text(metadata: &Metadata) -> Vec<String> {
    metadata.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect()
}

struct Noted {
    log: Log,
    passed: mpsc::UnboundedReceiver<()>,
}

impl Noted {
    fn new() -> (Noted, impl Fn(&'static str) -> Notes) {
        let (log, (sender, passed)) = (Log::default(), mpsc::unbounded_channel());
        let noted = Noted { log: log.clone(), passed };
        (noted, move |name| Notes { name, log: log.clone(), passed: sender.clone() })
    }

    /// What so many interceptors have seen of one call.
    async fn taken(&mut self, interceptors: usize) -> Vec<String> {
        for _ in 0..interceptors {
            self.passed.recv().await.unwrap();
        }
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

/// What is seen of a call after its end: code, details, trailing metadata, what was returned, messages read and sent, panic.
fn after(end: &str, kind: usize) -> String {
    let (code, details) = match end {
        "success" => ("OK", ""),
        "set" => ("OUT_OF_RANGE", "as set"),
        "error" => ("NOT_FOUND", "as returned"),
        "abort" => ("ABORTED", "as aborted"),
        "panic" => ("INTERNAL", "the handler panicked"),
        "panic after a code" => ("DATA_LOSS", ""),
        "cancel" => ("CANCELLED", "the client cancelled the call, or its connection broke"),
        "deadline" => ("DEADLINE_EXCEEDED", "the deadline passed while the server worked on the call"),
        _ => unreachable!(),
    };
    let trailing = if end == "error" { r#"["cost=3", "also=this"]"# } else { r#"["cost=3"]"# };
    let panic = match end {
        "panic" => r#"Some("as panicked")"#,
        "panic after a code" => r#"Some("as panicked 2")"#,
        _ => "None",
    };
    // One that streams has sent one message before its end, one that does not gives one where it succeeds.
    let sent = u64::from(kind % 2 == 1 || end == "success");
    format!("after {code} {details:?} {trailing} {code} (1, {sent}) {panic}")
}

#[tokio::test]
async fn calls_of_all_kinds_are_seen_from_outside_to_inside_and_back_however_they_end() {
    let (mut noted, notes) = Noted::new();
    let builder = Server::builder().interceptor(notes("outer")).interceptor(notes("inner"));
    let (server, channel, mut waiting) = actor::serve(builder).await;
    let address = server.local_addr().to_string();
    for kind in KINDS {
        for end in ENDS {
            match end {
                "cancel" => tokio::select! {
                    _ = call(&channel, kind, |_| vec![("end", end.to_owned())]) => unreachable!(),
                    _ = waiting.recv() => {}
                },
                "deadline" => run_out_of_time(&address, kind).await,
                _ => drop(call(&channel, kind, |_| vec![("end", end.to_owned())]).await),
            }
            let after = after(end, kind);
            let expected = [
                "outer before None".to_owned(),
                "inner before None".to_owned(),
                format!("inner {after}"),
                format!("outer {after}"),
            ];
            assert_eq!(noted.taken(2).await, expected, "{kind} {end}");
        }
    }
}

/// A call whose client leaves it to the server to see to its deadline.
async fn run_out_of_time(address: &str, kind: usize) {
    let request = raw::grpc_request(actor::method(kind).path()).header("end", "deadline");
    let request = request.header("grpc-timeout", "20m").body(()).unwrap();
    let answer = raw::request(address, request, vec![raw::text("request")]).await;
    assert_eq!(answer.get("grpc-status"), Some("4"));
}

#[tokio::test]
async fn the_client_sees_what_interceptors_have_seen() {
    let (_noted, notes) = Noted::new();
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(notes("only"))).await;
    for kind in KINDS {
        for (end, code, message) in [
            ("success", Code::Ok, ""),
            ("set", Code::OutOfRange, "as set"),
            ("error", Code::NotFound, "as returned"),
            ("abort", Code::Aborted, "as aborted"),
            ("panic", Code::Internal, "the handler panicked"),
            ("panic after a code", Code::DataLoss, ""),
        ] {
            let got = call(&channel, kind, |_| vec![("end", end.to_owned())]).await;
            assert_eq!((got.status.code(), got.status.message()), (code, message), "{kind} {end}");
            if code != Code::Ok {
                assert_eq!(got.status.metadata().get("cost").unwrap(), "3", "{kind} {end}");
            }
            let expected = usize::from(kind % 2 == 1 || end == "success");
            assert_eq!(got.messages.len(), expected, "{kind} {end}");
        }
    }
}

#[tokio::test]
async fn those_of_the_server_are_outside_of_those_of_a_service() {
    let (mut noted, notes) = Noted::new();
    let (waits, _waiting) = mpsc::unbounded_channel();
    let service = Intercepted::new(Intercepted::new(actor::Actor { waits }, notes("third")), notes("second"));
    // Added behind the service all the same.
    let builder = Server::builder().add_service(service).interceptor(notes("first"));
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let channel = channel_to(&server);
    call(&channel, 0, |_| Vec::new()).await;
    let seen = noted.taken(3).await;
    let names: Vec<_> = seen.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["first", "second", "third", "third", "second", "first"]);

    // There is no such method: the server's alone see that, with the metadata.
    let status = say(&channel, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let seen = noted.taken(1).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[1].starts_with("first after UNIMPLEMENTED"), "{seen:?}");
}

/// Does what it is given before the handler, and with what came of it.
struct With<B, A>(B, A);

impl<B, A> ServerInterceptor for With<B, A>
where
    B: Fn(&mut ServerContext) -> Result<(), Status> + Send + Sync + 'static,
    A: Fn(&mut ServerContext, Result<(), Status>) -> Result<(), Status> + Send + Sync + 'static,
{
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        (self.0)(context)?;
        let result = next.run(context).await;
        (self.1)(context, result)
    }
}

#[tokio::test]
async fn a_call_can_be_refused_before_its_handler() {
    let refuse = With(|_: &mut ServerContext| Err(Status::permission_denied("not you")), |_: &mut _, result| result);
    let (mut noted, notes) = Noted::new();
    let builder = Server::builder().interceptor(notes("outer")).interceptor(refuse).interceptor(notes("inner"));
    let (_server, channel, _waiting) = actor::serve(builder).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| Vec::new()).await;
        assert_eq!((got.status.code(), got.status.message()), (Code::PermissionDenied, "not you"));
        assert!(got.messages.is_empty());
        let seen = noted.taken(1).await;
        assert_eq!(seen.len(), 2);
        assert!(seen[1].starts_with("outer after PERMISSION_DENIED"), "{seen:?}");
    }
}

#[tokio::test]
async fn metadata_can_be_changed_in_all_directions() {
    let change = With(
        |context: &mut ServerContext| {
            assert_eq!(context.invocation_metadata().get("end").unwrap(), "success");
            context.invocation_metadata_mut().insert("end", "error")?;
            context.set_initial_metadata("first", "1")?;
            Ok(())
        },
        |context: &mut ServerContext, result| {
            context.set_trailing_metadata("last", "2")?;
            result
        },
    );
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(change)).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| vec![("end", "success".to_owned())]).await;
        assert_eq!(got.status.code(), Code::NotFound);
        assert_eq!(text(got.status.metadata()), ["also=this", "cost=3", "last=2"], "{kind}");
        assert_eq!(got.status.initial_metadata().get("first"), Some("1"), "{kind}");
    }
    let response = callwright::Call::server_streaming(&channel, actor::method(1), String::new());
    let mut response = response.metadata("end", "success").await.unwrap();
    assert_eq!(response.initial_metadata().await.unwrap().get("first").unwrap(), "1");
}

#[tokio::test]
async fn a_result_can_be_changed() {
    let worse = With(|_: &mut _| Ok(()), |_: &mut _, _| Err(Status::data_loss("after all")));
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(worse)).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| Vec::new()).await;
        assert_eq!((got.status.code(), got.status.message()), (Code::DataLoss, "after all"));
        // What was streamed had gone out; the reply that was given is not sent with an error.
        assert_eq!(got.messages.len(), kind % 2, "{kind}");
    }
    // An error that is made a success is one only where a response is not missing.
    let better = With(|_: &mut _| Ok(()), |_: &mut _, _| Ok(()));
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(better)).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| vec![("end", "error".to_owned())]).await;
        let expected = if kind % 2 == 1 { Code::Ok } else { Code::Internal };
        assert_eq!(got.status.code(), expected, "{kind} {got:?}");
    }
}

/// Answers everything itself.
struct Answers(usize);

impl ServerInterceptor for Answers {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        context.set_trailing_metadata("from", "cache")?;
        next.answer(context, (0..self.0).map(|number| AnyMessage::new(format!("answer {number}")))).await
    }
}

#[tokio::test]
async fn a_call_can_be_answered_in_the_place_of_its_handler() {
    let (mut noted, notes) = Noted::new();
    let (_server, channel, _waiting) =
        actor::serve(Server::builder().interceptor(notes("outer")).interceptor(Answers(1))).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| vec![("end", "panic".to_owned())]).await;
        assert_eq!((got.status.code(), &got.messages[..]), (Code::Ok, &["answer 0".to_owned()][..]), "{kind}");
        let seen = noted.taken(1).await;
        assert!(seen[1].starts_with(r#"outer after OK "" ["from=cache"] OK (0, 1)"#), "{seen:?}");
    }
    // A method that is not served is answered as well.
    assert_eq!(say(&channel, "hello").await.unwrap(), "answer 0");

    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(Answers(3))).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| Vec::new()).await;
        match kind % 2 {
            1 => assert_eq!((got.status.code(), got.messages.len()), (Code::Ok, 3)),
            _ => assert!(got.status.message().contains("exactly one response"), "{got:?}"),
        }
    }
}

/// Waits before the handler, and says when it is dropped.
struct Waits(mpsc::UnboundedSender<&'static str>);

struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

impl ServerInterceptor for Waits {
    async fn intercept(&self, _: &mut ServerContext, _: Next<'_>) -> Result<(), Status> {
        let _dropped = Dropped(self.0.clone());
        let _ = self.0.send("waits");
        std::future::pending().await
    }
}

#[tokio::test]
async fn an_interceptor_that_waits_is_dropped_when_the_call_is_cut_off_and_those_around_it_are_told() {
    let (mut noted, notes) = Noted::new();
    let (sender, mut events) = mpsc::unbounded_channel();
    let builder = Server::builder().interceptor(notes("outer")).interceptor(Waits(sender));
    let (server, channel, _waiting) = actor::serve(builder).await;
    run_out_of_time(&server.local_addr().to_string(), 0).await;
    assert_eq!((events.recv().await, events.recv().await), (Some("waits"), Some("dropped")));
    assert!(noted.taken(1).await[1].starts_with("outer after DEADLINE_EXCEEDED"));

    tokio::select! {
        _ = call(&channel, 0, |_| Vec::new()) => unreachable!(),
        _ = events.recv() => {}
    }
    assert_eq!(events.recv().await, Some("dropped"));
    assert!(noted.taken(1).await[1].starts_with("outer after CANCELLED"));
}

/// Panics.
struct Panics;

impl ServerInterceptor for Panics {
    async fn intercept(&self, _: &mut ServerContext, _: Next<'_>) -> Result<(), Status> {
        panic!("no handler was there")
    }
}

#[tokio::test]
async fn an_interceptor_that_panics_harms_its_own_call_alone() {
    let (mut noted, notes) = Noted::new();
    let (server, channel, _waiting) =
        actor::serve(Server::builder().interceptor(notes("outer")).interceptor(Panics)).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| Vec::new()).await;
        assert_eq!(got.status.code(), Code::Internal);
        let seen = noted.taken(1).await;
        assert!(seen[1].ends_with(r#"Some("no handler was there")"#), "{seen:?}");
    }
    server.shutdown(Duration::from_secs(10)).await;
}

/// Goes on for as long as it is told, after its call.
struct GoesOn(Arc<tokio::sync::Semaphore>, mpsc::UnboundedSender<bool>);

impl ServerInterceptor for GoesOn {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let result = next.run(context).await;
        let told = ToldOnDrop { tell: self.1.clone(), whole: false };
        let _ = self.0.acquire().await;
        told.whole();
        result
    }
}

struct ToldOnDrop {
    tell: mpsc::UnboundedSender<bool>,
    whole: bool,
}

impl ToldOnDrop {
    fn whole(mut self) {
        self.whole = true;
    }
}

impl Drop for ToldOnDrop {
    fn drop(&mut self) {
        let _ = self.tell.send(self.whole);
    }
}

#[tokio::test]
async fn what_is_to_be_done_after_a_cancelled_call_is_done_up_to_a_bound() {
    let (go, (sender, mut ended)) = (Arc::new(tokio::sync::Semaphore::new(0)), mpsc::unbounded_channel());
    let builder = Server::builder().max_concurrent_streams(2).interceptor(GoesOn(go.clone(), sender));
    let (_server, channel, mut waiting) = actor::serve(builder).await;
    for _ in 0..3 {
        tokio::select! {
            _ = call(&channel, 0, |_| vec![("end", "cancel".to_owned())]) => unreachable!(),
            _ = waiting.recv() => {}
        }
    }
    // Two may go on: as many as there may be calls on the connection. The third is dropped at once, before its `next.run` returns.
    let got = call(&channel, 0, |_| vec![("end", "cancel".to_owned()), ("timeout", "50".to_owned())]).await;
    assert_eq!(got.status.code(), Code::DeadlineExceeded);
    assert!(ended.try_recv().is_err());
    go.add_permits(10);
    assert_eq!((ended.recv().await, ended.recv().await), (Some(true), Some(true)));
    // There is room again.
    let got = call(&channel, 0, |_| vec![("end", "cancel".to_owned()), ("timeout", "50".to_owned())]).await;
    assert_eq!(got.status.code(), Code::DeadlineExceeded);
    assert_eq!(ended.recv().await, Some(true));
}
