//! What a handler says through its context is what the client sees (gRFC L78).
//!
//! The rows are those of grpcio's `_metadata_code_details_test.py` (26 + 1), `_abort_test.py` (3) and its aio
//! `abort_test.py` (4). Where a Python handler raises, ours panics; where it returns None, ours returns a default message.
//! In every row of the first, the server must see the client's metadata, and the client both of the server's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use callwright::{
    Channel, Code, Metadata, Outcome, Requests, Responses, RunningServer, Server, ServerContext, Status, Streaming,
};
use callwright_tests::echo::{Blob, EchoServer, EchoServicer, EchoStub};
use futures_util::stream;

/// How many messages a stream has.
const STREAM_LENGTH: usize = 20;
const DETAILS: &str = "Test details!";

/// How the handler ends its call.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Sets details and returns its messages.
    Succeed,
    /// Aborts with this number as its code, before the first message.
    Abort(i32),
    /// Sets a code and details, and returns its messages.
    CustomCode,
    /// Sets a code and details, and panics after its messages.
    CustomCodeThenPanic,
    /// Sets a code and details, and returns a default message.
    CustomCodeThenDefault,
}

/// What the handler finds on its own context before it returns.
#[derive(Clone, Debug, PartialEq)]
struct Inspected {
    code: Option<Code>,
    details: Option<String>,
    trailing: Metadata,
}

struct Scripted {
    end: End,
    invocation: Mutex<Option<Metadata>>,
    inspected: Mutex<Option<Inspected>>,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Scripted {
    fn new(end: End) -> Arc<Scripted> {
        Arc::new(Scripted { end, invocation: Mutex::default(), inspected: Mutex::default(), outcome: Arc::default() })
    }

    /// The metadata both ways; every handler starts with it.
    fn begin(&self, context: &mut ServerContext) -> Result<(), Status> {
        let mut invocation = context.invocation_metadata().clone();
        invocation.remove("user-agent");
        *self.invocation.lock().unwrap() = Some(invocation);
        let outcome = self.outcome.clone();
        context.on_done(move |done| *outcome.lock().unwrap() = Some(done.clone()));
        context.send_initial_metadata(server_initial())?;
        context.set_trailing_metadata("server-trailing-md-key", "server-trailing-md-value")?;
        context.set_trailing_metadata("server-trailing-md-key-bin", &[0, 3][..])?;
        Ok(())
    }

    /// What ends the call before its first message.
    fn before_messages(&self, context: &mut ServerContext) -> Result<(), Status> {
        match self.end {
            End::Abort(code) => Err(context.abort(code, DETAILS)),
            _ => Ok(()),
        }
    }

    /// What ends the call after its last message.
    fn after_messages(&self, context: &mut ServerContext) {
        if !matches!(self.end, End::Succeed) {
            context.set_code(Code::NotFound);
        }
        context.set_details(DETAILS);
        *self.inspected.lock().unwrap() =
            Some(Inspected { code: context.code(), details: context.details(), trailing: context.trailing_metadata() });
        assert!(!matches!(self.end, End::CustomCodeThenPanic), "the handler panics, as this row wants");
    }

    fn reply(&self) -> Blob {
        match self.end {
            End::CustomCodeThenDefault => Blob::default(),
            _ => blob(),
        }
    }
}

impl EchoServicer for Scripted {
    async fn unary_unary(&self, _: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        self.begin(context)?;
        self.before_messages(context)?;
        self.after_messages(context);
        Ok(self.reply())
    }

    async fn unary_stream(
        &self,
        _: Blob,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        self.begin(context)?;
        self.before_messages(context)?;
        for _ in 0..STREAM_LENGTH {
            responses.send(blob()).await?;
        }
        self.after_messages(context);
        Ok(())
    }

    async fn stream_unary(&self, mut requests: Requests<Blob>, context: &mut ServerContext) -> Result<Blob, Status> {
        self.begin(context)?;
        while requests.message().await?.is_some() {}
        self.before_messages(context)?;
        self.after_messages(context);
        Ok(self.reply())
    }

    async fn stream_stream(
        &self,
        mut requests: Requests<Blob>,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        self.begin(context)?;
        self.before_messages(context)?;
        while let Some(request) = requests.message().await? {
            responses.send(request).await?;
        }
        self.after_messages(context);
        Ok(())
    }
}

fn blob() -> Blob {
    Blob { body: vec![0; 3] }
}

fn metadata<const N: usize>(entries: [(&str, &[u8]); N]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in entries {
        metadata.append(key, value).unwrap();
    }
    metadata
}

fn client_metadata() -> Metadata {
    metadata([("client-md-key", b"client-md-value"), ("client-md-key-bin", &[0, 1])])
}

fn server_initial() -> Metadata {
    metadata([("server-initial-md-key", b"server-initial-md-value"), ("server-initial-md-key-bin", &[0, 2])])
}

fn server_trailing() -> Metadata {
    metadata([("server-trailing-md-key", b"server-trailing-md-value"), ("server-trailing-md-key-bin", &[0, 3])])
}

/// What the client sees of a call.
#[derive(Debug)]
struct Seen {
    messages: usize,
    initial: Metadata,
    trailing: Metadata,
    result: Result<(), Status>,
}

impl Seen {
    fn failed(messages: usize, status: Status) -> Seen {
        Seen {
            messages,
            initial: status.initial_metadata().clone(),
            trailing: status.metadata().clone(),
            result: Err(status),
        }
    }

    fn one(response: Result<callwright::Response<Blob>, Status>) -> Seen {
        match response {
            Ok(response) => Seen {
                messages: 1,
                initial: response.initial_metadata().clone(),
                trailing: response.trailing_metadata().clone(),
                result: Ok(()),
            },
            Err(status) => Seen::failed(0, status),
        }
    }

    async fn stream(mut responses: Streaming<Blob>) -> Seen {
        let initial = responses.initial_metadata().await.cloned().unwrap_or_default();
        let mut messages = 0;
        loop {
            match responses.message().await {
                Ok(Some(_)) => messages += 1,
                Ok(None) => break,
                Err(status) => return Seen::failed(messages, status),
            }
        }
        let trailing = responses.trailing_metadata().cloned().unwrap_or_default();
        Seen { messages, initial, trailing, result: Ok(()) }
    }
}

/// One of the four kinds of call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    UnaryUnary,
    UnaryStream,
    StreamUnary,
    StreamStream,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::UnaryUnary, Kind::UnaryStream, Kind::StreamUnary, Kind::StreamStream];

    fn streams_responses(self) -> bool {
        matches!(self, Kind::UnaryStream | Kind::StreamStream)
    }

    async fn call(self, stub: &EchoStub) -> Seen {
        let requests = stream::iter((0..STREAM_LENGTH).map(|_| blob()));
        let metadata = client_metadata();
        match self {
            Kind::UnaryUnary => Seen::one(stub.unary_unary(blob()).extend_metadata(metadata).send().await),
            Kind::UnaryStream => Seen::stream(stub.unary_stream(blob()).extend_metadata(metadata).await.unwrap()).await,
            Kind::StreamUnary => {
                let (mut sender, reply) = stub.stream_unary().extend_metadata(metadata).start();
                for _ in 0..STREAM_LENGTH {
                    sender.send(blob()).await.unwrap();
                }
                sender.finish();
                Seen::one(reply.response().await)
            }
            Kind::StreamStream => {
                Seen::stream(stub.stream_stream().extend_metadata(metadata).send_all(requests).await.unwrap()).await
            }
        }
    }
}

async fn serve<S: EchoServicer>(servicer: &Arc<S>) -> (RunningServer, EchoStub) {
    let service = EchoServer::from_arc(servicer.clone());
    let server = Server::builder().add_service(service).bind("127.0.0.1:0").await.unwrap();
    let stub = EchoStub::new(Channel::new(server.local_addr().to_string()).unwrap());
    (server, stub)
}

/// Runs one row, checks the metadata every way, and gives what was seen on both sides.
async fn row(kind: Kind, end: End) -> (Seen, Arc<Scripted>) {
    let servicer = Scripted::new(end);
    let (server, stub) = serve(&servicer).await;
    let seen = kind.call(&stub).await;
    let row = format!("{kind:?} {end:?}");
    assert_eq!(servicer.invocation.lock().unwrap().take(), Some(client_metadata()), "{row}: invocation metadata");
    assert_eq!(seen.initial, server_initial(), "{row}: initial metadata");
    assert_eq!(seen.trailing, server_trailing(), "{row}: trailing metadata");
    server.stop().await;
    (seen, servicer)
}

fn assert_failed(seen: &Seen, code: Code, details: &str) {
    let status = seen.result.as_ref().expect_err("the call succeeded");
    assert_eq!((status.code(), status.message()), (code, details));
}

async fn succeeds(kind: Kind) {
    let (seen, servicer) = row(kind, End::Succeed).await;
    seen.result.unwrap();
    assert_eq!(seen.messages, if kind.streams_responses() { STREAM_LENGTH } else { 1 });
    let outcome = servicer.outcome.lock().unwrap().clone().unwrap();
    assert_eq!((outcome.status().code(), outcome.status().message()), (Code::Ok, DETAILS));
}

async fn aborts(kind: Kind, number: i32, code: Code, details: &str) {
    let (seen, _) = row(kind, End::Abort(number)).await;
    assert_failed(&seen, code, details);
    assert_eq!(seen.messages, 0, "an abort comes before the first message");
}

async fn ends_with_its_code(kind: Kind, end: End) {
    let (seen, _) = row(kind, end).await;
    assert_failed(&seen, Code::NotFound, DETAILS);
    assert_eq!(seen.messages, if kind.streams_responses() { STREAM_LENGTH } else { 0 });
}

/// One named test a row.
macro_rules! rows {
    ($($name:ident: $row:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            $row.await;
        })*
    };
}

rows! {
    successful_unary_unary: succeeds(Kind::UnaryUnary);
    successful_unary_stream: succeeds(Kind::UnaryStream);
    successful_stream_unary: succeeds(Kind::StreamUnary);
    successful_stream_stream: succeeds(Kind::StreamStream);

    aborted_unary_unary: aborts(Kind::UnaryUnary, 5, Code::NotFound, DETAILS);
    aborted_unary_stream: aborts(Kind::UnaryStream, 5, Code::NotFound, DETAILS);
    aborted_stream_unary: aborts(Kind::StreamUnary, 5, Code::NotFound, DETAILS);
    aborted_stream_stream: aborts(Kind::StreamStream, 5, Code::NotFound, DETAILS);

    aborted_with_a_number_that_is_no_code_unary_unary: aborts(Kind::UnaryUnary, 42, Code::Unknown, DETAILS);
    aborted_with_a_number_that_is_no_code_unary_stream: aborts(Kind::UnaryStream, 42, Code::Unknown, DETAILS);
    aborted_with_a_number_that_is_no_code_stream_unary: aborts(Kind::StreamUnary, 42, Code::Unknown, DETAILS);
    aborted_with_a_number_that_is_no_code_stream_stream: aborts(Kind::StreamStream, 42, Code::Unknown, DETAILS);

    aborted_with_ok_unary_unary: aborts(Kind::UnaryUnary, 0, Code::Unknown, "");
    aborted_with_ok_unary_stream: aborts(Kind::UnaryStream, 0, Code::Unknown, "");
    aborted_with_ok_stream_unary: aborts(Kind::StreamUnary, 0, Code::Unknown, "");
    aborted_with_ok_stream_stream: aborts(Kind::StreamStream, 0, Code::Unknown, "");

    custom_code_unary_unary: ends_with_its_code(Kind::UnaryUnary, End::CustomCode);
    custom_code_unary_stream: ends_with_its_code(Kind::UnaryStream, End::CustomCode);
    custom_code_stream_unary: ends_with_its_code(Kind::StreamUnary, End::CustomCode);
    custom_code_stream_stream: ends_with_its_code(Kind::StreamStream, End::CustomCode);

    custom_code_then_panic_unary_unary: ends_with_its_code(Kind::UnaryUnary, End::CustomCodeThenPanic);
    custom_code_then_panic_unary_stream: ends_with_its_code(Kind::UnaryStream, End::CustomCodeThenPanic);
    custom_code_then_panic_stream_unary: ends_with_its_code(Kind::StreamUnary, End::CustomCodeThenPanic);
    custom_code_then_panic_stream_stream: ends_with_its_code(Kind::StreamStream, End::CustomCodeThenPanic);

    custom_code_then_default_unary_unary: ends_with_its_code(Kind::UnaryUnary, End::CustomCodeThenDefault);
    custom_code_then_default_stream_unary: ends_with_its_code(Kind::StreamUnary, End::CustomCodeThenDefault);
}

#[tokio::test]
async fn code_details_and_trailing_metadata_can_be_read_back_from_the_context() {
    for kind in Kind::ALL {
        let (seen, servicer) = row(kind, End::CustomCode).await;
        assert_failed(&seen, Code::NotFound, DETAILS);
        let expected =
            Inspected { code: Some(Code::NotFound), details: Some(DETAILS.to_owned()), trailing: server_trailing() };
        assert_eq!(servicer.inspected.lock().unwrap().clone(), Some(expected), "{kind:?}");
        let outcome = servicer.outcome.lock().unwrap().clone().unwrap();
        assert_eq!((outcome.status().code(), outcome.status().message()), (Code::NotFound, DETAILS), "{kind:?}");
        assert_eq!(*outcome.trailing_metadata(), server_trailing(), "{kind:?}");
    }
}

/// How a handler aborts.
#[derive(Clone, Copy)]
enum Abort {
    /// Aborts and returns what that gives.
    Return,
    /// The same with `?`, and other code after it.
    InTheMiddle,
    /// Aborts with a status that carries trailing metadata.
    WithStatus,
    /// Aborts, and returns a message all the same.
    Suppress,
    /// Aborts, and again with another code.
    Replace,
    /// Sends one message, and aborts.
    AfterOneMessage,
    /// Aborts with 42.
    WithUndefinedCode,
}

struct Aborting {
    abort: Abort,
    went_on: AtomicBool,
}

impl Aborting {
    fn new(abort: Abort) -> Arc<Aborting> {
        Arc::new(Aborting { abort, went_on: AtomicBool::new(false) })
    }
}

impl EchoServicer for Aborting {
    async fn unary_unary(&self, request: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        if let Abort::WithStatus = self.abort {
            let trailing = metadata([("a-trailing-metadata", b"42")]);
            return Err(context.abort_with_status(Status::new(Code::Internal, "Abandon ship!").with_metadata(trailing)));
        }
        if let Abort::InTheMiddle = self.abort {
            Err(context.abort(Code::Internal, "Abandon ship!"))?;
            self.went_on.store(true, Ordering::SeqCst);
        }
        let status = context.abort(Code::ResourceExhausted, "Phony error details");
        match self.abort {
            Abort::Suppress => Ok(request),
            Abort::Replace => Err(context.abort(Code::Internal, "Abandon ship!")),
            _ => Err(status),
        }
    }

    async fn unary_stream(
        &self,
        request: Blob,
        responses: &mut Responses<Blob>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        if let Abort::AfterOneMessage = self.abort {
            responses.send(request).await?;
            return Err(context.abort(Code::ResourceExhausted, "Phony error details"));
        }
        Err(context.abort(42, "Abandon ship!"))
    }
}

async fn abort_unary(abort: Abort) -> Status {
    let (_server, stub) = serve(&Aborting::new(abort)).await;
    stub.unary_unary(blob()).await.expect_err("the call succeeded")
}

fn assert_status(status: &Status, code: Code, details: &str) {
    assert_eq!((status.code(), status.message()), (code, details));
}

#[tokio::test]
async fn code_after_an_abort_does_not_run() {
    let servicer = Aborting::new(Abort::InTheMiddle);
    let (_server, stub) = serve(&servicer).await;
    assert_status(&stub.unary_unary(blob()).await.unwrap_err(), Code::Internal, "Abandon ship!");
    assert!(!servicer.went_on.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_aborted_call_ends_with_the_code_and_details_of_the_abort() {
    assert_status(&abort_unary(Abort::Return).await, Code::ResourceExhausted, "Phony error details");
}

#[tokio::test]
async fn abort_with_status_sends_exactly_the_trailing_metadata_of_the_status() {
    let status = abort_unary(Abort::WithStatus).await;
    assert_status(&status, Code::Internal, "Abandon ship!");
    assert_eq!(*status.metadata(), metadata([("a-trailing-metadata", b"42")]));
}

#[tokio::test]
async fn an_undefined_code_aborts_a_stream_with_unknown_and_keeps_the_details() {
    let (_server, stub) = serve(&Aborting::new(Abort::WithUndefinedCode)).await;
    let mut responses = stub.unary_stream(blob()).await.unwrap();
    assert_status(&responses.message().await.unwrap_err(), Code::Unknown, "Abandon ship!");
}

#[tokio::test]
async fn a_handler_that_replies_after_its_abort_is_aborted_all_the_same() {
    assert_status(&abort_unary(Abort::Suppress).await, Code::ResourceExhausted, "Phony error details");
}

#[tokio::test]
async fn the_first_of_two_aborts_counts() {
    assert_status(&abort_unary(Abort::Replace).await, Code::ResourceExhausted, "Phony error details");
}

#[tokio::test]
async fn an_abort_after_a_message_leaves_the_message_and_ends_the_stream() {
    let (_server, stub) = serve(&Aborting::new(Abort::AfterOneMessage)).await;
    let mut responses = stub.unary_stream(blob()).await.unwrap();
    assert_eq!(responses.message().await.unwrap(), Some(blob()));
    assert_status(&responses.message().await.unwrap_err(), Code::ResourceExhausted, "Phony error details");
}

/// Adds to the trailing metadata when its handlers have ended.
#[derive(Default)]
struct Late {
    called: Arc<AtomicBool>,
}

impl EchoServicer for Late {
    async fn unary_unary(&self, request: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        context.set_trailing_metadata("at", "once").unwrap();
        context.before_trailers(|trailing| trailing.append("then", "first").unwrap());
        let called = self.called.clone();
        context.before_trailers(move |trailing| {
            called.store(true, Ordering::SeqCst);
            trailing.append("then", "second").unwrap();
        });
        match request.body.as_slice() {
            b"fail" => Err(Status::not_found("nothing")),
            b"panic" => panic!("as asked for"),
            b"hang" => std::future::pending().await,
            _ => Ok(Blob::default()),
        }
    }
}

#[tokio::test]
async fn what_is_added_at_the_end_goes_out_however_the_handler_ends() {
    let (_server, stub) = serve(&Arc::new(Late::default())).await;
    let call = |body: &str| stub.unary_unary(Blob { body: body.into() });
    let ok = call("").send().await.unwrap().trailing_metadata().clone();
    let failed = call("fail").await.unwrap_err();
    let panicked = call("panic").await.unwrap_err();
    assert_eq!((failed.code(), panicked.code()), (Code::NotFound, Code::Internal));
    for trailing in [&ok, failed.metadata(), panicked.metadata()] {
        let entries: Vec<_> = trailing.iter().map(|(key, value)| (key, value.as_str().unwrap())).collect();
        assert_eq!(entries, [("at", "once"), ("then", "first"), ("then", "second")]);
    }
}

#[tokio::test]
async fn nobody_is_asked_for_the_end_of_a_call_whose_client_is_gone() {
    let servicer = Arc::new(Late::default());
    let (server, stub) = serve(&servicer).await;
    let call = tokio::spawn(async move { stub.unary_unary(Blob { body: "hang".into() }).await });
    while Arc::strong_count(&servicer.called) < 2 {
        tokio::task::yield_now().await;
    }
    call.abort();
    while Arc::strong_count(&servicer.called) > 1 {
        tokio::task::yield_now().await;
    }
    server.stop().await;
    assert!(!servicer.called.load(Ordering::SeqCst));
}

/// Has callbacks that panic.
#[derive(Default)]
struct Careless {
    peers: Mutex<std::collections::HashSet<String>>,
}

impl EchoServicer for Careless {
    async fn unary_unary(&self, _: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        self.peers.lock().unwrap().insert(context.peer());
        context.before_trailers(|trailing| trailing.append("it", "goes on").unwrap());
        context.before_trailers(|_| panic!("before the trailers"));
        context.on_done(|_| panic!("when it is done"));
        Ok(Blob::default())
    }
}

#[tokio::test]
async fn a_callback_that_panics_harms_no_other_call() {
    let servicer = Arc::new(Careless::default());
    let (_server, stub) = serve(&servicer).await;
    // More than it takes for a method to run on the task of its connection.
    for _ in 0..50 {
        let response = stub.unary_unary(Blob::default()).send().await.unwrap();
        assert_eq!(response.trailing_metadata().get("it"), Some("goes on"));
    }
    assert_eq!(servicer.peers.lock().unwrap().len(), 1, "the connection broke");
}
