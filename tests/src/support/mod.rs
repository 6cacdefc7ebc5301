//! What the end-to-end tests share: a service that does what its requests say, and ports on which nobody listens.

pub mod frames;
pub mod raw;
pub mod traced;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::server::{Methods, Service};
use callwright::{
    Backoff, Bidi, Call, Channel, ChannelBuilder, ClientStreaming, Code, Method, Outcome, Requests, Responses,
    RunningServer, Server, ServerBuilder, ServerContext, ServerStreaming, Status, Unary,
};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;

/// One request, one response.
pub const SAY: Method<String, String> = Method::new("/test.Echo/Say");
/// One request, a stream of responses.
pub const COUNT: Method<u32, u32> = Method::new("/test.Echo/Count");
/// A stream of requests, one response.
pub const SUM: Method<u32, u32> = Method::new("/test.Echo/Sum");
/// A stream both ways.
pub const CHAT: Method<String, String> = Method::new("/test.Echo/Chat");

/// More than flow control lets through without a reader, in bytes.
pub const LARGE: usize = 3 * 1024 * 1024;

/// What a handler saw, for tests to wait for.
#[derive(Debug)]
pub enum Seen {
    /// A unary handler was called with this request.
    Started(String),
    /// The handler of a call that never ends was dropped.
    Dropped,
    /// The same call's `on_done` was called.
    Done(Outcome),
    /// The same call's `cancelled()` resolved, on another task.
    Cancelled,
    /// A handler that never waits for anything saw that its call is no longer active.
    Inactive,
}

/// A service of all four kinds, without generated code.
#[derive(Clone, Debug)]
pub struct Echo {
    seen: mpsc::UnboundedSender<Seen>,
    /// The unary requests in the order in which their handlers were called.
    pub order: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    /// The service, and what its handlers see.
    pub fn new() -> (Echo, mpsc::UnboundedReceiver<Seen>) {
        let (seen, events) = mpsc::unbounded_channel();
        (Echo { seen, order: Arc::default() }, events)
    }

    /// Answers with the request, except for a few words that make it do something else.
    async fn say(&self, request: String, context: &mut ServerContext) -> Result<String, Status> {
        self.order.lock().unwrap().push(request.clone());
        let seen = self.seen.clone();
        let _ = seen.send(Seen::Started(request.clone()));
        match request.as_str() {
            "panic" => panic!("as asked for"),
            "fail" => Err(Status::new(Code::AlreadyExists, "as asked for").with_details(&b"details"[..])),
            "forever" => {
                let _dropped = SendOnDrop(seen.clone());
                let cancelled = context.cancelled();
                let (done, watcher) = (seen.clone(), seen);
                context.on_done(move |outcome| drop(done.send(Seen::Done(outcome.clone()))));
                tokio::spawn(async move {
                    cancelled.await;
                    let _ = watcher.send(Seen::Cancelled);
                });
                std::future::pending().await
            }
            "busy" => {
                while context.is_active() {
                    std::thread::yield_now();
                }
                let _ = seen.send(Seen::Inactive);
                Ok(request)
            }
            "remaining" => Ok(format!("{:?}", context.time_remaining().map(|left| left.as_secs()))),
            "peer" => Ok(context.peer().to_string()),
            _ => Ok(request),
        }
    }

    async fn count(&self, to: u32, responses: &mut Responses<u32>) -> Result<(), Status> {
        for number in 0..to {
            responses.send(number).await?;
        }
        Ok(())
    }

    async fn sum(&self, mut requests: Requests<u32>) -> Result<u32, Status> {
        let mut sum = 0;
        while let Some(number) = requests.message().await? {
            sum += number;
        }
        Ok(sum)
    }

    async fn chat(&self, mut requests: Requests<String>, responses: &mut Responses<String>) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            match request.as_str() {
                "enough" => return Err(Status::out_of_range("as asked for")),
                "drop a send" => drop(responses.send("x".repeat(LARGE)).now_or_never()),
                "send apart" => {
                    // Its futures are woken each by a waker of its own, which is not that of the handler's task.
                    let mut apart = FuturesUnordered::from_iter([responses.send("x".repeat(LARGE))]);
                    while let Some(sent) = apart.next().await {
                        sent?;
                    }
                }
                _ => responses.send(request).await?,
            }
        }
        Ok(())
    }
}

impl Service for Echo {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Echo", Arc::new(self))
            .unary(SAY, |echo, request, context| Box::pin(Echo::say(echo, request, context)))
            .server_streaming(COUNT, |echo, to, responses, _| Box::pin(Echo::count(echo, to, responses)))
            .client_streaming(SUM, |echo, requests, _| Box::pin(Echo::sum(echo, requests)))
            .bidi(CHAT, |echo, requests, responses, _| Box::pin(Echo::chat(echo, requests, responses)));
    }
}

struct SendOnDrop(mpsc::UnboundedSender<Seen>);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(Seen::Dropped);
    }
}

/// A unary call.
pub fn say(channel: &Channel, what: &str) -> Call<Unary, String, String> {
    Call::unary(channel, SAY, what.to_owned())
}

/// A call that counts up to a number, from 0.
pub fn count(channel: &Channel, to: u32) -> Call<ServerStreaming, u32, u32> {
    Call::server_streaming(channel, COUNT, to)
}

/// A call that sums its requests.
pub fn sum(channel: &Channel) -> Call<ClientStreaming, u32, u32> {
    Call::client_streaming(channel, SUM)
}

/// A call that answers each request with itself.
pub fn chat(channel: &Channel) -> Call<Bidi, String, String> {
    Call::bidi(channel, CHAT)
}

/// A server of [`Echo`] on a free port.
pub async fn serve() -> (RunningServer, mpsc::UnboundedReceiver<Seen>) {
    serve_on("127.0.0.1:0").await
}

/// A server of [`Echo`] at this address.
pub async fn serve_on(address: &str) -> (RunningServer, mpsc::UnboundedReceiver<Seen>) {
    serve_with(Server::builder(), address).await
}

/// A server of [`Echo`] as it is set up here.
pub async fn serve_with(builder: ServerBuilder, address: &str) -> (RunningServer, mpsc::UnboundedReceiver<Seen>) {
    let (echo, seen) = Echo::new();
    (builder.add_service(echo).bind(address).await.unwrap(), seen)
}

/// A channel to a server that runs.
pub fn channel_to(server: &RunningServer) -> Channel {
    channel(&server.local_addr().to_string()).build().unwrap()
}

/// A channel that does not wait long between its attempts.
pub fn channel(target: &str) -> ChannelBuilder {
    Channel::builder(target)
        .backoff(Backoff::default().with_initial(Duration::from_millis(5)).with_max(Duration::from_millis(20)))
}

/// An address on which nobody listens, and on which nobody will but this test.
///
/// The socket that holds the port is bound and does not listen: connections are refused, no other socket gets the
/// port by chance, and a server of this test can still bind it (SO_REUSEADDR).
#[derive(Debug)]
pub struct RefusedPort {
    address: String,
    _held: tokio::net::TcpSocket,
}

impl Default for RefusedPort {
    fn default() -> Self {
        RefusedPort::new()
    }
}

impl RefusedPort {
    /// A port of the loopback interface.
    pub fn new() -> RefusedPort {
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.set_reuseaddr(true).unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        RefusedPort { address: held.local_addr().unwrap().to_string(), _held: held }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The port alone.
    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// A channel whose first attempt has failed: it is in TRANSIENT_FAILURE, for a long time.
    pub async fn failed_channel(&self) -> Channel {
        let slow = Backoff::default().with_initial(Duration::from_secs(3600)).with_max(Duration::from_secs(3600));
        let channel = Channel::builder(self.address()).backoff(slow).build().unwrap();
        channel.connect().unwrap();
        channel.watch_state().wait_for(callwright::ConnectivityState::TransientFailure).await.unwrap();
        channel
    }
}

/// A call on its own task, under way as soon as this returns: queued, or sent.
pub fn under_way(call: Call<Unary, String, String>) -> tokio::task::JoinHandle<Result<String, Status>> {
    tokio::spawn(call.into_future())
}
