//! A service of all four kinds whose handlers end as the call's metadata says.

use std::sync::Arc;

use callwright::server::{Methods, Service};
use callwright::{
    Call, Channel, Code, Metadata, Method, Requests, Responses, RunningServer, ServerBuilder, ServerContext, Status,
    Streaming,
};
use callwright_tests::support::channel_to;
use futures_util::stream;
use tokio::sync::mpsc;

const METHODS: [&str; 4] = ["/test.Actor/Unary", "/test.Actor/Down", "/test.Actor/Up", "/test.Actor/Both"];

/// The kinds of call, by their place here.
pub(crate) const KINDS: std::ops::Range<usize> = 0..METHODS.len();

pub(crate) fn method(kind: usize) -> Method<String, String> {
    Method::new(METHODS[kind])
}

/// How its handlers end.
pub(crate) const ENDS: [&str; 8] =
    ["success", "set", "error", "abort", "panic", "panic after a code", "cancel", "deadline"];

/// Each sends one message, where it can, before it ends.
pub(crate) struct Actor {
    /// Told when a handler waits to be cancelled.
    pub(crate) waits: mpsc::UnboundedSender<()>,
}

impl Actor {
    async fn act(&self, context: &mut ServerContext) -> Result<String, Status> {
        let end = context.invocation_metadata().get("end").unwrap_or_default().to_owned();
        context.set_trailing_metadata("cost", "3")?;
        match end.as_str() {
            "set" => {
                context.set_code(Code::OutOfRange);
                context.set_details("as set");
            }
            "error" => {
                let mut metadata = Metadata::new();
                metadata.append("also", "this")?;
                return Err(Status::not_found("as returned").with_metadata(metadata));
            }
            "abort" => drop(context.abort(Code::Aborted, "as aborted")),
            "panic" => panic!("as panicked"),
            "panic after a code" => {
                context.set_code(Code::DataLoss);
                panic!("as panicked {}", 2);
            }
            "cancel" => {
                let _ = self.waits.send(());
                std::future::pending::<()>().await;
            }
            "deadline" => std::future::pending::<()>().await,
            _ => {}
        }
        Ok("reply".to_owned())
    }

    async fn down(&self, responses: &mut Responses<String>, context: &mut ServerContext) -> Result<(), Status> {
        let breaks = context.invocation_metadata().get("end") == Some("a stream that breaks");
        let last = breaks.then(|| Err(Status::data_loss("as streamed")));
        responses.send_all(stream::iter([Ok("streamed".to_owned())].into_iter().chain(last))).await?;
        self.act(context).await.map(drop)
    }

    async fn up(&self, mut requests: Requests<String>, context: &mut ServerContext) -> Result<String, Status> {
        while requests.message().await?.is_some() {}
        self.act(context).await
    }

    async fn both(
        &self,
        mut requests: Requests<String>,
        responses: &mut Responses<String>,
        context: &mut ServerContext,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            responses.send(request).await?;
        }
        self.act(context).await.map(drop)
    }
}

impl Service for Actor {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Actor", Arc::new(self))
            .unary(method(0), |actor, _, context| Box::pin(actor.act(context)))
            .server_streaming(method(1), |actor, _, responses, context| Box::pin(actor.down(responses, context)))
            .client_streaming(method(2), |actor, requests, context| Box::pin(actor.up(requests, context)))
            .bidi(method(3), |actor, requests, responses, context| Box::pin(actor.both(requests, responses, context)));
    }
}

/// Serves it.
pub(crate) async fn serve(builder: ServerBuilder) -> (RunningServer, Channel, mpsc::UnboundedReceiver<()>) {
    let (waits, waiting) = mpsc::unbounded_channel();
    let server = builder.add_service(Actor { waits }).bind("127.0.0.1:0").await.unwrap();
    let channel = channel_to(&server);
    (server, channel, waiting)
}

/// What a client got: the messages, and how the call ended.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) messages: Vec<String>,
    pub(crate) status: Status,
}

/// Makes a call of a kind, with one request, and reads it to its end.
pub(crate) async fn call(channel: &Channel, kind: usize, set: impl Fn(&str) -> Vec<(&'static str, String)>) -> Got {
    let method = method(kind);
    let entries = set(method.path());
    macro_rules! with_metadata {
        ($call:expr) => {{
            let mut call = $call;
            for (key, value) in entries {
                call = match key {
                    "timeout" => call.timeout(std::time::Duration::from_millis(value.parse().unwrap())),
                    _ => call.metadata(key, value),
                };
            }
            call
        }};
    }
    let request = || "request".to_owned();
    match kind {
        0 => one(with_metadata!(Call::unary(channel, method, request())).await),
        1 => read(with_metadata!(Call::server_streaming(channel, method, request())).await).await,
        2 => {
            let call = with_metadata!(Call::client_streaming(channel, method));
            one(call.send_all(stream::iter([request()])).await)
        }
        _ => {
            let (mut sender, replies) = with_metadata!(Call::bidi(channel, method)).start();
            let _ = sender.send(request()).await;
            sender.finish();
            read(Ok(replies)).await
        }
    }
}

fn one(result: Result<String, Status>) -> Got {
    match result {
        Ok(message) => Got { messages: vec![message], status: Status::new(Code::Ok, "") },
        Err(status) => Got { messages: Vec::new(), status },
    }
}

async fn read(replies: Result<Streaming<String>, Status>) -> Got {
    let mut messages = Vec::new();
    let mut replies = match replies {
        Ok(replies) => replies,
        Err(status) => return Got { messages, status },
    };
    loop {
        match replies.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return Got { messages, status: Status::new(Code::Ok, "") },
            Err(status) => return Got { messages, status },
        }
    }
}
