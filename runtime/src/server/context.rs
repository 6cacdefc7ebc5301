//! What a handler knows of its call, and what it can say of the response beside the messages.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Extensions;
use tokio::time::Instant;

use super::auth::AuthContext;
use super::exchange::{Direction, Exchange, MessageCounts};
use super::request::Requested;
use crate::call::MessageEvent;
use crate::compression::Compression;
use crate::metadata::{self, IntoMetadataValue, Metadata, MetadataError};
use crate::status::{Code, Status, wire};
use crate::transport::Address;

/// What gRPC's own headers take of a head or of trailers beside the status, generously, in bytes.
pub(super) const OWN_HEADERS: usize = 256;

/// The context of one call (gRFC L78, grpcio's `ServicerContext`).
pub struct ServerContext {
    exchange: Arc<Exchange>,
    call: CallInfo,
    /// What interceptors have made of the metadata.
    metadata: Option<Box<Metadata>>,
    extensions: Extensions,
    request_compressed: bool,
}

/// What is known of a call from its beginning.
#[derive(Debug)]
pub(super) struct CallInfo {
    pub(super) requested: Arc<Requested>,
    pub(super) peer: Address,
    pub(super) began: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) auth: AuthContext,
    pub(super) wait_for_ready: Option<bool>,
}

impl ServerContext {
    pub(super) fn new(exchange: Arc<Exchange>, call: CallInfo, extensions: Extensions) -> Self {
        ServerContext { exchange, call, metadata: None, extensions, request_compressed: false }
    }

    pub(super) fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    pub(super) fn note_request_compressed(&mut self, compressed: bool) {
        self.request_compressed = compressed;
    }

    /// The method's path, `/package.Service/Method`.
    pub fn method(&self) -> &str {
        self.call.requested.path()
    }

    /// Whether the server has this method: what a handler sees is. Interceptors see calls of others too, unless a
    /// [fallback](crate::server::Methods::fallback) serves them, of which this says `false`.
    pub fn is_served(&self) -> bool {
        self.call.requested.call().is_some_and(|call| !call.handler.is_fallback())
    }

    /// The metadata that the client sent.
    pub fn invocation_metadata(&self) -> &Metadata {
        self.metadata.as_deref().unwrap_or(&self.call.requested.metadata)
    }

    /// The same, to add and change: for interceptors, whose handler then sees it so.
    pub fn invocation_metadata_mut(&mut self) -> &mut Metadata {
        self.metadata.get_or_insert_with(|| Box::new(self.call.requested.metadata.clone()))
    }

    /// What the client compresses its requests with (`grpc-encoding`); it may send single messages plain all the same.
    pub fn request_compression(&self) -> Compression {
        self.call.requested.call().map_or(Compression::None, |call| call.compression)
    }

    /// Whether the one request of the method came compressed, as the flag byte before it said. Where the method streams
    /// its requests it is `false`: ask [`Requests::last_was_compressed`](crate::Requests::last_was_compressed) there.
    pub fn request_was_compressed(&self) -> bool {
        self.request_compressed
    }

    /// The address of the client as gRPC names it: `ipv4:127.0.0.1:50051`, `ipv6:[::1]:50051`, or `unix:`.
    pub fn peer(&self) -> String {
        self.call.peer.to_uri()
    }

    /// The address of the client.
    pub fn peer_address(&self) -> &Address {
        &self.call.peer
    }

    /// Who the client has proved to be: the alternative names of its certificate, or the common name where it has none. Empty
    /// for a client without a certificate, and on a plaintext connection.
    pub fn peer_identities(&self) -> impl Iterator<Item = &[u8]> {
        let auth = &self.call.auth;
        auth.peer_identity_property_name().into_iter().flat_map(|name| auth.property(name))
    }

    /// What the transport knows of the client's identity.
    pub fn auth_context(&self) -> &AuthContext {
        &self.call.auth
    }

    /// When the call must be over; `None` when the client set no deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.call.deadline
    }

    /// How long until the deadline: zero once it has passed, `None` without one.
    pub fn time_remaining(&self) -> Option<Duration> {
        self.call.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The timeout for calls that this one makes of others: what is left of its own, so that they do not outlive it; `None` without
    /// a deadline. [`Call::timeout`](crate::Call::timeout) takes it as it is.
    ///
    /// ```
    /// # use callwright::{Call, Channel, Method, ServerContext, Status};
    /// # async fn example(channel: Channel, context: &ServerContext) -> Result<(), Status> {
    /// # let method: Method<String, String> = Method::new("/example.Prices/Get");
    /// # let call = Call::unary(&channel, method, "apples".to_owned());
    /// let price = call.timeout(context.child_timeout()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn child_timeout(&self) -> Option<Duration> {
        self.time_remaining()
    }

    /// When the call began here.
    pub fn began(&self) -> Instant {
        self.call.began
    }

    /// How long ago the call began here.
    pub fn elapsed(&self) -> Duration {
        self.call.began.elapsed()
    }

    /// How many messages of the client were read so far.
    pub fn messages_received(&self) -> u64 {
        self.exchange.messages().counts().received
    }

    /// How many messages were sent so far; the one of a response that is not streamed counts when the handler has returned it.
    pub fn messages_sent(&self) -> u64 {
        self.exchange.messages().counts().sent
    }

    /// What the client's call said of wait-for-ready. It does not travel: only a call from within this process
    /// (`inproc:`) shows it, any other is `None`, as one that did not say.
    pub fn wait_for_ready(&self) -> Option<bool> {
        self.call.wait_for_ready
    }

    /// Whether the call still runs: `false` once it has ended, was cancelled, or its deadline has passed.
    ///
    /// A handler that waits is dropped then; this is for one that works without a pause.
    pub fn is_active(&self) -> bool {
        self.exchange.is_active() && self.time_remaining() != Some(Duration::ZERO)
    }

    /// Resolves when the client has cancelled the call, its connection broke, or the deadline has passed.
    ///
    /// The handler itself is dropped then; this is for what it has started elsewhere. The future owns what it needs and
    /// can be sent to another task. It never resolves for a call that ends by itself.
    pub fn cancelled(&self) -> Cancelled {
        let mut cancelled = self.exchange.cancelled();
        Cancelled {
            future: Box::pin(async move {
                if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }),
        }
    }

    /// Sends the initial metadata now, before the first message.
    ///
    /// # Errors
    /// [`MetadataError::AlreadySent`] when it has gone out: by an earlier call of this, or with the first message.
    /// [`MetadataError::TooLarge`] when it is more than the client takes.
    pub fn send_initial_metadata(&mut self, metadata: Metadata) -> Result<(), MetadataError> {
        self.exchange.send_initial_metadata(&metadata)
    }

    /// Adds an entry to the metadata that goes out before the first message, beside what
    /// [`send_initial_metadata`](Self::send_initial_metadata) is given later.
    ///
    /// # Errors
    /// [`MetadataError::AlreadySent`] when it has gone out, [`MetadataError::TooLarge`] when it is more than the client takes, and
    /// others for a key or a value that cannot be metadata.
    pub fn set_initial_metadata(&mut self, key: &str, value: impl IntoMetadataValue) -> Result<(), MetadataError> {
        let mut entry = Metadata::new();
        entry.append(key, value)?;
        self.exchange.append_initial(entry)
    }

    /// Adds an entry to the metadata that is sent after the last message, whether the call succeeds or fails.
    ///
    /// # Errors
    /// [`MetadataError`] for a key or a value that cannot be metadata.
    pub fn set_trailing_metadata(&mut self, key: &str, value: impl IntoMetadataValue) -> Result<(), MetadataError> {
        let mut entry = Metadata::new();
        entry.append(key, value)?;
        self.exchange.append_trailing(entry);
        Ok(())
    }

    /// The trailing metadata set so far; after the handler has returned an error, with that of the error.
    pub fn trailing_metadata(&self) -> Metadata {
        self.exchange.trailing()
    }

    /// Sets the code that a handler which returns `Ok` ends the call with. A unary response's message is not sent with
    /// another code than OK.
    pub fn set_code(&mut self, code: impl Into<Code>) {
        self.exchange.set_code(code.into());
    }

    /// The code that was set, or that the call was aborted with; `None` where nothing was said. For an interceptor whose
    /// [`Next::run`](crate::server::interceptor::Next::run) has returned it is the code that the call ends with as things are.
    pub fn code(&self) -> Option<Code> {
        self.exchange.code()
    }

    /// Sets the message of the status that a handler which returns `Ok` ends the call with.
    pub fn set_details(&mut self, details: impl Into<String>) {
        self.exchange.set_details(details.into());
    }

    /// The message that was set, or that the call was aborted with, or that of the error which the handler has returned.
    pub fn details(&self) -> Option<String> {
        self.exchange.details()
    }

    /// Ends the call with this code and message, whatever the handler does after it; the first abort counts.
    /// Return what it gives: `return Err(context.abort(Code::NotFound, "no such feature"))`.
    ///
    /// A code of OK, or a number that is no code, becomes UNKNOWN.
    pub fn abort(&mut self, code: impl Into<Code>, details: impl Into<String>) -> Status {
        let code = code.into();
        let details = if code == Code::Ok { String::new() } else { details.into() };
        self.exchange.abort(Status::new(code, details))
    }

    /// As [`abort`](Self::abort), with a status that can carry trailing metadata and details.
    pub fn abort_with_status(&mut self, status: Status) -> Status {
        self.exchange.abort(status)
    }

    /// How this call's responses are compressed, whatever the server is set to; for a client that accepts it.
    ///
    /// It must come before the initial metadata is sent: later, or with an algorithm that is not there, it ends the call
    /// in INTERNAL.
    pub fn set_response_compression(&mut self, compression: Compression) {
        self.exchange.set_compression(compression);
    }

    /// What the panic said that ended the handler, or an interceptor further in; `None` without one.
    pub fn panic_message(&self) -> Option<String> {
        self.exchange.panic()
    }

    /// Sends the next message uncompressed, whatever the call is set to.
    pub fn disable_next_message_compression(&mut self) {
        self.exchange.disable_next_message_compression();
    }

    /// Calls `callback` once when the handler has ended and before the trailing metadata leaves, to add to it: for what is known
    /// only then. It is not called where nothing is sent any more, as when the client has cancelled the call. Callbacks run
    /// in the order they were given, on the task of the call: they must not block.
    pub fn before_trailers(&mut self, callback: impl FnOnce(&mut Metadata) + Send + 'static) {
        self.exchange.before_trailers(Box::new(callback));
    }

    /// Calls `callback` once when the call has ended, however it ended; at once if it has been cut off already. Callbacks run in
    /// the order they were given, on the task of the call: they must not block.
    pub fn on_done(&mut self, callback: impl FnOnce(&Outcome) + Send + 'static) {
        self.exchange.on_done(Box::new(callback));
    }

    /// Calls `callback` with each message that is received and sent from now on: its size, not what is in it. It must not block.
    pub fn on_message(&mut self, callback: impl FnMut(Direction, &MessageEvent) + Send + 'static) {
        self.exchange.messages().watch(Box::new(callback));
    }

    /// Values of any type that travel with the call, one of each type. A call that came through an HTTP server which is not ours
    /// has those of its request.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The same, to add and change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

impl fmt::Debug for ServerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerContext")
            .field("call", &self.call)
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

/// How a call ended at the server: what [`ServerContext::on_done`] is told.
#[derive(Clone, Debug)]
pub struct Outcome {
    status: Status,
    trailing_metadata: Metadata,
    counts: MessageCounts,
}

impl Outcome {
    pub(super) fn new(status: Status, trailing_metadata: Metadata, counts: MessageCounts) -> Self {
        Outcome { status, trailing_metadata, counts }
    }

    /// The same, or what can be said of it to a client that takes `limit` bytes of headers: an error keeps its code and
    /// message, a success whose trailing metadata would be lost is none.
    pub(super) fn within(self, limit: usize) -> Self {
        if self.is_plain_ok() {
            return self;
        }
        let extra = wire::extra_size(&self.status) + self.trailing_metadata.size();
        let size = OWN_HEADERS + wire::size(&self.status) + extra;
        let error = match metadata::check_size(size, limit) {
            Err(error) if extra > 0 => error,
            // Either it fits, or there is nothing that could be left out.
            _ => return self,
        };
        let status = match self.status.code() {
            Code::Ok => Status::from(error),
            code => Status::new(code, format!("{} (without its details: {error})", self.status.message())),
        };
        Outcome { status, trailing_metadata: Metadata::new(), counts: self.counts }
    }

    /// Whether it is OK, and nothing is said beside that.
    pub(super) fn is_plain_ok(&self) -> bool {
        self.status.is_plain_ok() && self.trailing_metadata.is_empty()
    }

    /// The status, OK included.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The trailing metadata that was set on the context; empty when it was more than the client takes.
    pub fn trailing_metadata(&self) -> &Metadata {
        &self.trailing_metadata
    }

    /// How many messages of the client were read.
    pub fn messages_received(&self) -> u64 {
        self.counts.received
    }

    /// How many bytes they were on the wire, compressed, without prefixes.
    pub fn bytes_received(&self) -> u64 {
        self.counts.bytes_received
    }

    /// How many messages were sent.
    pub fn messages_sent(&self) -> u64 {
        self.counts.sent
    }

    /// How many bytes they were on the wire, compressed, without prefixes.
    pub fn bytes_sent(&self) -> u64 {
        self.counts.bytes_sent
    }
}

/// Resolves when a call is cancelled; made by [`ServerContext::cancelled`].
#[must_use = "futures do nothing unless polled"]
pub struct Cancelled {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancelled")
    }
}
