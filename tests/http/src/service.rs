//! What is served: handlers that do what their requests say, and what they note for the rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callwright::{Metadata, Requests, Responses, Server, ServerBuilder, ServerContext, Status};
use tokio::sync::{Notify, watch};

use callwright_http_tests::echo::{Blob, EchoServer, EchoServicer};
use callwright_http_tests::helloworld::{GreeterServer, GreeterServicer, HelloReply, HelloRequest};

/// What the handlers note, and what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// How many calls have begun.
    pub(crate) begun: AtomicUsize,
    /// How many messages the stream that runs has sent.
    pub(crate) sent: AtomicUsize,
    /// Lets a handler go on that waits.
    pub(crate) go: Notify,
    /// How many handlers that never end wait, and how many were dropped.
    pub(crate) waiting: watch::Sender<usize>,
    pub(crate) dropped: watch::Sender<usize>,
}

impl Notes {
    /// Waits until so many handlers that never end wait.
    pub(crate) async fn until_waiting(&self, count: usize) {
        // It ends with the notes, which are here.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting >= count).await;
    }

    /// Waits until so many of them were dropped.
    pub(crate) async fn until_dropped(&self, count: usize) {
        let _ = self.dropped.subscribe().wait_for(|dropped| *dropped >= count).await;
    }

    async fn forever(&self) -> Status {
        let _counted = Counted(&self.dropped);
        self.waiting.send_modify(|waiting| *waiting += 1);
        std::future::pending().await
    }
}

struct Counted<'a>(&'a watch::Sender<usize>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|dropped| *dropped += 1);
    }
}

/// The server.
pub(crate) fn server(notes: &Arc<Notes>) -> ServerBuilder {
    let echo = EchoServer::new(Echoing { notes: notes.clone() });
    Server::builder().add_service(GreeterServer::new(Greeting { notes: notes.clone() })).add_service(echo)
}

struct Greeting {
    notes: Arc<Notes>,
}

impl GreeterServicer for Greeting {
    async fn say_hello(&self, request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        self.notes.begun.fetch_add(1, Ordering::Relaxed);
        context.set_trailing_metadata("cost", "3")?;
        context.set_trailing_metadata("cost-bin", &[0, 1, 2][..])?;
        match request.name.as_str() {
            "nobody" => Err(Status::not_found("nobody is here: ✗").with_details(&b"details"[..])),
            "forever" => Err(self.notes.forever().await),
            "go" => {
                self.notes.go.notify_one();
                Ok(HelloReply::default())
            }
            "peer" => Ok(HelloReply { message: context.peer() }),
            name => {
                if let Some(count) = name.strip_prefix("until dropped: ") {
                    self.notes.until_dropped(count.parse().unwrap_or(usize::MAX)).await;
                }
                let mut initial = Metadata::new();
                initial.append("x-greeter", "yes")?;
                initial.append("x-hidden", "yes")?;
                context.send_initial_metadata(initial)?;
                Ok(HelloReply { message: format!("Hello, {name}!") })
            }
        }
    }
}

struct Echoing {
    notes: Arc<Notes>,
}

/// The bytes of a message.
pub(crate) fn blob(body: impl Into<Vec<u8>>) -> Blob {
    Blob { body: body.into() }
}

impl EchoServicer for Echoing {
    async fn unary_unary(&self, request: Blob, _: &mut ServerContext) -> Result<Blob, Status> {
        Ok(request)
    }

    /// `COUNT SIZE` is so many messages of so many bytes.
    async fn unary_stream(
        &self,
        request: Blob,
        responses: &mut Responses<Blob>,
        _: &mut ServerContext,
    ) -> Result<(), Status> {
        let notes = &self.notes;
        match String::from_utf8_lossy(&request.body).as_ref() {
            "steps" => {
                responses.send(blob("first")).await?;
                notes.go.notified().await;
                responses.send(blob("second")).await
            }
            "fail after one" => {
                responses.send(blob("one")).await?;
                Err(Status::out_of_range("no more: ✗"))
            }
            "forever after one" => {
                responses.send(blob("one")).await?;
                Err(notes.forever().await)
            }
            numbers => {
                let numbers =
                    numbers.split_once(' ').and_then(|(count, size)| Some((count.parse().ok()?, size.parse().ok()?)));
                let (count, size): (usize, usize) = numbers.ok_or_else(|| Status::invalid_argument("COUNT SIZE"))?;
                notes.sent.store(0, Ordering::Relaxed);
                for _ in 0..count {
                    responses.send(blob(vec![7; size])).await?;
                    notes.sent.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }
        }
    }

    /// Counts bytes, from when it may go on.
    async fn stream_unary(&self, mut requests: Requests<Blob>, context: &mut ServerContext) -> Result<Blob, Status> {
        if context.invocation_metadata().contains_key("wait") {
            self.notes.go.notified().await;
        }
        let mut size = 0;
        while let Some(request) = requests.message().await? {
            size += request.body.len();
        }
        Ok(blob(size.to_string()))
    }

    async fn stream_stream(
        &self,
        mut requests: Requests<Blob>,
        responses: &mut Responses<Blob>,
        _: &mut ServerContext,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            if *request.body == *b"enough" {
                return Err(Status::out_of_range("enough"));
            }
            responses.send(request).await?;
        }
        Ok(())
    }
}
