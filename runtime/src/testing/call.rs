//! A call that the test answers.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::codec::SharedCodec;
use crate::{
    Cancelled, Code, Compression, IntoMetadataValue, Metadata, MetadataError, Method, Requests, ServerContext, Status,
};

/// What a test does to a call.
pub(super) enum Command {
    Send(Bytes, oneshot::Sender<Result<(), Status>>),
    Context(Box<dyn FnOnce(&mut ServerContext) + Send>),
    End(Result<(), Status>),
}

/// A call as it arrived.
pub(super) struct TakenCall {
    requests: Requests<Bytes>,
    commands: mpsc::UnboundedSender<Command>,
    method: String,
    metadata: Metadata,
    deadline: Option<Instant>,
    wait_for_ready: Option<bool>,
    compression: Compression,
    cancelled: Cancelled,
}

impl TakenCall {
    pub(super) fn new(
        requests: Requests<Bytes>,
        context: &ServerContext,
        commands: mpsc::UnboundedSender<Command>,
    ) -> TakenCall {
        TakenCall {
            requests,
            commands,
            method: context.method().to_owned(),
            metadata: context.invocation_metadata().clone(),
            deadline: context.deadline(),
            wait_for_ready: context.wait_for_ready(),
            compression: context.request_compression(),
            cancelled: context.cancelled(),
        }
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn is_active(&self) -> bool {
        !self.commands.is_closed()
    }
}

/// A call that the test has taken, and answers as a server would; made by [`TestChannel::take`](super::TestChannel::take).
///
/// Dropping it before it is ended ends the call in UNKNOWN.
pub struct TestCall<Req: 'static, Res: 'static> {
    call: TakenCall,
    request: SharedCodec<Req>,
    response: SharedCodec<Res>,
}

/// What the client said.
impl<Req: 'static, Res: 'static> TestCall<Req, Res> {
    pub(super) fn new(call: TakenCall, method: Method<Req, Res>) -> Self {
        let (_, request, response) = method.into_parts();
        TestCall { call, request, response }
    }

    /// The method's path, `/package.Service/Method`.
    pub fn method(&self) -> &str {
        &self.call.method
    }

    /// The metadata that the client sent.
    pub fn invocation_metadata(&self) -> &Metadata {
        &self.call.metadata
    }

    /// When the call must be over; `None` when it was given no deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.call.deadline
    }

    /// How long until the deadline: zero once it has passed, `None` without one.
    pub fn time_remaining(&self) -> Option<Duration> {
        self.call.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// What the call was told of wait-for-ready; `None` where it was told nothing.
    pub fn wait_for_ready(&self) -> Option<bool> {
        self.call.wait_for_ready
    }

    /// What the requests are compressed with.
    pub fn compression(&self) -> Compression {
        self.call.compression
    }

    /// The one request of a method that has one.
    ///
    /// # Errors
    /// CANCELLED when the client is gone; INTERNAL for bytes that are no message, or when there is no request.
    pub async fn request(&mut self) -> Result<Req, Status> {
        self.message().await?.ok_or_else(|| Status::internal("the client ended its requests without sending one"))
    }

    /// The next request; `None` when the client has sent its last.
    ///
    /// # Errors
    /// CANCELLED when the client is gone; INTERNAL for bytes that are no message. Cancel safe.
    pub async fn message(&mut self) -> Result<Option<Req>, Status> {
        let Some(bytes) = self.call.requests.message().await? else { return Ok(None) };
        let decoded = self.request.codec().decode(bytes);
        decoded.map(Some).map_err(|error| Status::internal(format!("cannot decode the request: {error}")))
    }

    /// Whether the last request came compressed; `false` before the first.
    pub fn last_was_compressed(&self) -> bool {
        self.call.requests.last_was_compressed()
    }

    /// Whether the call still runs: `false` once it was cancelled, has ended, or its deadline has passed.
    pub fn is_active(&self) -> bool {
        self.call.is_active()
    }

    /// Waits until the client cancels the call, or its deadline passes.
    pub async fn cancelled(&mut self) {
        (&mut self.call.cancelled).await;
    }
}

/// What the test answers.
impl<Req: 'static, Res: 'static> TestCall<Req, Res> {
    /// Sends the initial metadata.
    ///
    /// # Errors
    /// INTERNAL when it was sent before, or cannot be sent; CANCELLED when the call has ended.
    pub async fn send_initial_metadata(&mut self, metadata: Metadata) -> Result<(), Status> {
        self.with_context(move |context| context.send_initial_metadata(metadata)).await?.map_err(Status::from)
    }

    /// Adds an entry to the metadata that is sent when the call ends.
    ///
    /// # Errors
    /// INTERNAL for a key or a value that cannot be metadata; CANCELLED when the call has ended.
    pub async fn set_trailing_metadata(&mut self, key: &str, value: impl IntoMetadataValue) -> Result<(), Status> {
        let mut entry = Metadata::new();
        entry.append(key, value)?;
        self.with_context(move |context| {
            entry.iter().try_for_each(|(key, value)| context.set_trailing_metadata(key, value.clone()))
        })
        .await?
        .map_err(|error: MetadataError| Status::from(error))
    }

    /// How the responses are compressed; before the initial metadata.
    ///
    /// # Errors
    /// CANCELLED when the call has ended.
    pub async fn set_response_compression(&mut self, compression: Compression) -> Result<(), Status> {
        self.with_context(move |context| context.set_response_compression(compression)).await
    }

    /// Sends one response, and goes on; waits while the client does not read.
    ///
    /// # Errors
    /// CANCELLED when the call has ended; INTERNAL for a message that cannot be encoded.
    pub async fn send(&mut self, message: Res) -> Result<(), Status> {
        let mut buffer = BytesMut::new();
        self.response
            .codec()
            .encode(&message, &mut buffer)
            .map_err(|error| Status::internal(format!("cannot encode the message: {error}")))?;
        let (sent, done) = oneshot::channel();
        self.command(Command::Send(buffer.freeze(), sent))?;
        done.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Sends one response, and ends the call with OK.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn reply(mut self, message: Res) -> Result<(), Status> {
        self.send(message).await?;
        self.finish()
    }

    /// Ends the call with OK.
    ///
    /// # Errors
    /// CANCELLED when the call has ended already.
    pub fn finish(self) -> Result<(), Status> {
        self.command(Command::End(Ok(())))
    }

    /// Ends the call with this status: its code, message, details and trailing metadata.
    ///
    /// # Errors
    /// CANCELLED when the call has ended already.
    pub fn terminate(self, status: Status) -> Result<(), Status> {
        self.command(Command::End(if status.code() == Code::Ok { Ok(()) } else { Err(status) }))
    }

    /// Does to the context what a handler could, and gives the result.
    ///
    /// # Errors
    /// CANCELLED when the call has ended.
    pub async fn with_context<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut ServerContext) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let (changed, done) = oneshot::channel();
        self.command(Command::Context(Box::new(move |context| drop(changed.send(change(context))))))?;
        done.await.map_err(|_| ended())
    }

    fn command(&self, command: Command) -> Result<(), Status> {
        self.call.commands.send(command).map_err(|_| ended())
    }
}

fn ended() -> Status {
    Status::cancelled("the call has ended: it was cancelled, its deadline passed, or it was terminated")
}

impl<Req: 'static, Res: 'static> fmt::Debug for TestCall<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCall")
            .field("method", &self.call.method)
            .field("invocation_metadata", &self.call.metadata)
            .field("deadline", &self.call.deadline)
            .field("wait_for_ready", &self.call.wait_for_ready)
            .field("compression", &self.call.compression)
            .field("is_active", &self.is_active())
            .finish()
    }
}
