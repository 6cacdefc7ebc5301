//! Handlers that block their thread: the other calls of their connection go on.

use std::sync::mpsc::{Receiver, Sender, channel as line};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::server::{Methods, Service};
use callwright::{
    Call, Channel, Code, Method, Responses, RunningServer, Server, ServerContext, ServerStreaming, Status, Unary,
};
use callwright_tests::support::{channel_to, under_way};

const DO: Method<String, String> = Method::new("/test.Work/Do");
const TELL: Method<String, String> = Method::new("/test.Work/Tell");
/// Long enough never to run out unless something hangs.
const LONG: Duration = Duration::from_secs(60);
/// More calls than show that a method is quick.
const MANY: usize = 100;

/// A service whose handlers block their thread when they are told to.
struct Work {
    released: Mutex<Receiver<()>>,
    blocked: tokio::sync::mpsc::UnboundedSender<()>,
}

impl Work {
    fn block(&self) {
        self.blocked.send(()).unwrap();
        self.released.lock().unwrap().recv_timeout(LONG).unwrap();
    }

    async fn work(&self, request: String) -> Result<String, Status> {
        if request == "block" {
            self.block();
        }
        Ok(request)
    }

    async fn tell(&self, responses: &mut Responses<String>) -> Result<(), Status> {
        responses.send("first".into()).await?;
        self.block();
        responses.send("last".into()).await
    }
}

impl Service for Work {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Work", Arc::new(self))
            .unary(DO, |work, request, _: &mut ServerContext| Box::pin(work.work(request)))
            .server_streaming(TELL, |work, _: String, responses, _: &mut ServerContext| Box::pin(work.tell(responses)));
    }
}

struct Working {
    server: RunningServer,
    channel: Channel,
    release: Sender<()>,
    blocked: tokio::sync::mpsc::UnboundedReceiver<()>,
}

impl Working {
    async fn new(address: &str) -> Working {
        let (release, released) = line();
        let (sender, blocked) = tokio::sync::mpsc::unbounded_channel();
        let work = Work { released: Mutex::new(released), blocked: sender };
        let server = Server::builder().add_service(work).bind(address).await.unwrap();
        Working { channel: channel_to(&server), server, release, blocked }
    }

    fn call(&self, request: &str) -> Call<Unary, String, String> {
        Call::unary(&self.channel, DO, request.into()).timeout(LONG)
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
    let call: Call<ServerStreaming, String, String> = Call::server_streaming(&working.channel, TELL, "x".into());
    let mut responses = call.timeout(LONG).await.unwrap();
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
