//! Handlers that block their thread: the other calls of their connection go on.

mod raw;

use std::sync::mpsc::{Receiver, Sender, channel as line};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::server::{Methods, Service};
use callwright::{
    Call, Channel, ClientStreaming, Code, Method, Requests, Responses, RunningServer, Server, ServerContext,
    ServerStreaming, Status, Unary,
};
use callwright_tests::support::{channel_to, under_way};
use raw::{Raw, frame, request};

const DO: Method<String, String> = Method::new("/test.Work/Do");
/// Waits once, so that it never shows that it is quick.
const SLOW: Method<String, String> = Method::new("/test.Work/Slow");
const TELL: Method<String, String> = Method::new("/test.Work/Tell");
const TAKE: Method<String, String> = Method::new("/test.Work/Take");
/// Long enough never to run out unless something hangs.
const LONG: Duration = Duration::from_secs(60);
/// More calls than show that a method is quick.
const MANY: usize = 100;

/// A service whose handlers block their thread when they are told to.
struct Work {
    released: Mutex<Receiver<()>>,
    blocked: tokio::sync::mpsc::UnboundedSender<()>,
    /// How its calls have ended.
    ended: tokio::sync::mpsc::UnboundedSender<Code>,
}

impl Work {
    fn block(&self) {
        self.blocked.send(()).unwrap();
        self.released.lock().unwrap().recv_timeout(LONG).unwrap();
    }

    async fn work(&self, request: String, context: &mut ServerContext) -> Result<String, Status> {
        if request == "block" {
            let ended = self.ended.clone();
            context.on_done(move |outcome| ended.send(outcome.status().code()).unwrap());
            self.block();
        }
        Ok(request)
    }

    async fn slow(&self, request: String) -> Result<String, Status> {
        tokio::task::yield_now().await;
        Ok(request)
    }

    async fn tell(&self, request: String, responses: &mut Responses<String>) -> Result<(), Status> {
        responses.send("first".into()).await?;
        match &*request {
            "block" => self.block(),
            "much" => tokio::task::block_in_place(|| {
                // More than flow control lets through without the connection's help.
                let much = async {
                    for _ in 0..64 {
                        responses.send("x".repeat(64 * 1024)).await?;
                    }
                    Ok::<_, Status>(())
                };
                tokio::runtime::Handle::current().block_on(much)
            })?,
            _ => {}
        }
        responses.send("last".into()).await
    }

    async fn take(&self, mut requests: Requests<String>) -> Result<String, Status> {
        let first = requests.message().await?.unwrap_or_default();
        drop(requests);
        self.block();
        Ok(first)
    }
}

impl Service for Work {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Work", Arc::new(self))
            .unary(DO, |work, request, context: &mut ServerContext| Box::pin(work.work(request, context)))
            .unary(SLOW, |work, request, _: &mut ServerContext| Box::pin(work.slow(request)))
            .server_streaming(TELL, |work, request, responses, _: &mut ServerContext| {
                Box::pin(work.tell(request, responses))
            })
            .client_streaming(TAKE, |work, requests, _: &mut ServerContext| Box::pin(work.take(requests)));
    }
}

struct Working {
    server: RunningServer,
    channel: Channel,
    release: Sender<()>,
    blocked: tokio::sync::mpsc::UnboundedReceiver<()>,
    ended: tokio::sync::mpsc::UnboundedReceiver<Code>,
}

impl Working {
    async fn new(address: &str) -> Working {
        let (release, released) = line();
        let (sender, blocked) = tokio::sync::mpsc::unbounded_channel();
        let (ends, ended) = tokio::sync::mpsc::unbounded_channel();
        let work = Work { released: Mutex::new(released), blocked: sender, ended: ends };
        let server = Server::builder().add_service(work).bind(address).await.unwrap();
        Working { channel: channel_to(&server), server, release, blocked, ended }
    }

    fn call(&self, request: &str) -> Call<Unary, String, String> {
        Call::unary(&self.channel, DO, request.into()).timeout(LONG)
    }

    fn tell(&self, what: &str) -> Call<ServerStreaming, String, String> {
        Call::server_streaming(&self.channel, TELL, what.into()).timeout(LONG)
    }

    /// A connection whose requests leave as they are told to, over which methods are quick.
    async fn raw(&self) -> Raw {
        self.show_quick().await;
        let mut raw = Raw::connect(&self.server.local_addr().to_string()).await;
        raw.send(&request(1, DO.path(), "quick")).await;
        raw.answered(1).await;
        raw
    }

    /// Calls until the method has shown that it is quick.
    async fn show_quick(&self) {
        for _ in 0..MANY {
            assert_eq!(self.call("quick").await.unwrap(), "quick");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_at_once_does_not_hold_up_its_connection() {
    for address in ["127.0.0.1:0", "inproc:"] {
        let mut working = Working::new(address).await;
        let call = under_way(working.call("block"));
        working.blocked.recv().await.unwrap();
        assert_eq!(working.call("quick").await.unwrap(), "quick");
        working.release.send(()).unwrap();
        assert_eq!(call.await.unwrap().unwrap(), "block");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_does_not_see_that_its_call_is_cancelled_harms_no_other_call() {
    for address in ["127.0.0.1:0", "inproc:"] {
        let mut working = Working::new(address).await;
        let call = under_way(working.call("block"));
        working.blocked.recv().await.unwrap();
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        working.show_quick().await;
        // It goes on all the while, and nobody hears of what it gives.
        working.release.send(()).unwrap();
        assert!(working.ended.recv().await.is_some());
        working.show_quick().await;
        working.server.shutdown(LONG).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_although_its_method_was_quick_loses_its_connection_to_another_task() {
    for address in ["127.0.0.1:0", "inproc:"] {
        let mut working = Working::new(address).await;
        working.show_quick().await;
        let one = under_way(working.call("block"));
        working.blocked.recv().await.unwrap();
        working.show_quick().await;
        // The task that has it now can lose it as well.
        let other = under_way(working.call("block"));
        // The line of those who are released has one place: it is taken. The other waits for it, and blocks all the same.
        working.blocked.recv().await.unwrap();
        working.show_quick().await;
        working.release.send(()).unwrap();
        working.release.send(()).unwrap();
        assert_eq!(one.await.unwrap().unwrap(), "block");
        assert_eq!(other.await.unwrap().unwrap(), "block");
        working.show_quick().await;
        working.server.shutdown(LONG).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_a_handler_sent_before_it_blocks_arrives_and_its_connection_goes_on() {
    let mut working = Working::new("127.0.0.1:0").await;
    let mut responses = working.tell("block").await.unwrap();
    working.blocked.recv().await.unwrap();
    assert_eq!(working.call("quick").await.unwrap(), "quick");
    assert_eq!(responses.message().await.unwrap().as_deref(), Some("first"));
    working.release.send(()).unwrap();
    assert_eq!(responses.message().await.unwrap().as_deref(), Some("last"));
    assert_eq!(responses.message().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_server_stops_although_a_handler_blocks_the_first_task_of_its_connection() {
    let mut working = Working::new("127.0.0.1:0").await;
    working.show_quick().await;
    let call = under_way(working.call("block"));
    working.blocked.recv().await.unwrap();
    // Answered by the task that has taken over.
    working.show_quick().await;
    working.server.stop().await;
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    working.release.send(()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_a_handler_of_a_quick_method_sent_before_it_blocks_arrives() {
    let mut working = Working::new("127.0.0.1:0").await;
    for _ in 0..MANY {
        let mut responses = working.tell("quick").await.unwrap();
        while responses.message().await.unwrap().is_some() {}
    }
    let mut responses = working.tell("block").await.unwrap();
    working.blocked.recv().await.unwrap();
    working.show_quick().await;
    assert_eq!(responses.message().await.unwrap().as_deref(), Some("first"));
    working.release.send(()).unwrap();
    assert_eq!(responses.message().await.unwrap().as_deref(), Some("last"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_of_a_quick_method_that_blocks_on_what_it_sends_goes_on() {
    let working = Working::new("127.0.0.1:0").await;
    for _ in 0..MANY {
        let mut responses = working.tell("quick").await.unwrap();
        while responses.message().await.unwrap().is_some() {}
    }
    let mut responses = working.tell("much").await.unwrap();
    let mut count = 0;
    while responses.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 66);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_drops_its_requests_and_blocks_does_not_hold_up_its_connection() {
    let mut working = Working::new("127.0.0.1:0").await;
    let call: Call<ClientStreaming, String, String> = Call::client_streaming(&working.channel, TAKE);
    let (mut sender, reply) = call.timeout(LONG).start();
    sender.send("one".into()).await.unwrap();
    working.blocked.recv().await.unwrap();
    assert_eq!(working.call("quick").await.unwrap(), "quick");
    working.release.send(()).unwrap();
    assert_eq!(reply.await.unwrap(), "one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_does_not_keep_those_that_came_in_the_same_write() {
    let mut working = Working::new("127.0.0.1:0").await;
    let mut raw = working.raw().await;
    raw.send(&[request(3, SLOW.path(), "slow"), request(5, DO.path(), "block")].concat()).await;
    working.blocked.recv().await.unwrap();
    raw.answered(3).await;
    raw.send(&request(7, DO.path(), "quick")).await;
    raw.answered(7).await;
    working.release.send(()).unwrap();
    raw.answered(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_was_taken_over_while_its_peer_had_to_wait_goes_on() {
    let mut working = Working::new("127.0.0.1:0").await;
    let mut raw = working.raw().await;
    // More frames that do no work than a peer may send at once, and a request behind them.
    raw.send(&[frame(0xaa, 0, 0, &[]).repeat(20_600), request(3, DO.path(), "block")].concat()).await;
    working.blocked.recv().await.unwrap();
    raw.send(&request(5, DO.path(), "quick")).await;
    raw.answered(5).await;
    raw.send(&request(7, DO.path(), "quick")).await;
    raw.answered(7).await;
    working.release.send(()).unwrap();
    raw.answered(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_other_threads_sleep_goes_on_while_a_handler_blocks() {
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut working = own.spawn(Working::new("127.0.0.1:0")).await.unwrap();
    // The server's runtime has nothing else to do than the server: the client is here.
    working.channel = channel_to(&working.server);
    let block = under_way(working.call("block"));
    working.blocked.recv().await.unwrap();
    assert_eq!(working.call("quick").await.unwrap(), "quick");
    working.release.send(()).unwrap();
    assert_eq!(block.await.unwrap().unwrap(), "block");
    own.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_a_handler_returns_after_its_deadline_is_no_answer() {
    let mut working = Working::new("127.0.0.1:0").await;
    let call = under_way(working.call("block").timeout(Duration::from_millis(100)));
    working.blocked.recv().await.unwrap();
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    working.release.send(()).unwrap();
    assert_eq!(working.ended.recv().await.unwrap(), Code::DeadlineExceeded);
}
