//! A call before it is made: one builder for the options of all four kinds.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::{Either, select};
use http::HeaderValue;
use http::uri::PathAndQuery;
use tokio::time::Instant;

use super::Channel;
use super::connectivity::runtime;
use super::exchange::{Exchange, Request};
use super::intercepted::Interception;
use super::interceptor::{Interceptor, Interceptors};
use super::options::CallOptions;
use super::reader::Reader;
use super::reply::Reply;
use super::sender::RequestSender;
use super::service_config::MethodConfig;
use super::source::Source;
use super::streaming::Streaming;
use crate::call::{Bidi, ClientStreaming, Method, Response, ServerStreaming, Unary};
use crate::codec::SharedCodec;
use crate::codec::frame::{self, Encoding, Side};
use crate::compression::Compression;
use crate::credentials::CallCredentials;
use crate::metadata::{IntoMetadataValue, Metadata};
use crate::status::Status;

/// A call that is not made yet; a stub's methods return it.
///
/// ```no_run
/// # use std::time::Duration;
/// # use callwright::{Call, Compression, Status, Unary};
/// # async fn example(call: Call<Unary, String, String>) -> Result<(), Status> {
/// let reply = call
///     .wait_for_ready(true)
///     .timeout(Duration::from_secs(5))
///     .compression(Compression::Deflate)
///     .metadata("x-request-id", "42")
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// | kind | to make the call |
/// |---|---|
/// | [`Unary`] | `.await` for the message, [`send`](Call::send) for the message with its metadata |
/// | [`ServerStreaming`] | `.await` for a [`Streaming`], `send` for it with the initial metadata |
/// | [`ClientStreaming`] | `send_all` for a whole stream of requests, `start` for both halves |
/// | [`Bidi`] | `send_all` for a whole stream of requests, `start` for both halves |
///
/// A call of a stream of requests cannot be awaited as it is: there would be nothing to send. What takes a future and not
/// what becomes one, such as `tokio::spawn`, wants `call.into_future()`.
///
/// Dropping the future or the stream that a call became cancels it at the server.
#[must_use = "a call is made when it is awaited, sent or started"]
pub struct Call<K, Req: 'static, Res: 'static> {
    channel: Channel,
    method: Method<Req, Res>,
    request: Option<Req>,
    options: CallOptions,
    interceptors: Interceptors,
    kind: PhantomData<fn() -> K>,
}

/// The options, the same for every kind of call.
impl<K, Req: 'static, Res: 'static> Call<K, Req, Res> {
    fn new(channel: &Channel, method: Method<Req, Res>, request: Option<Req>) -> Self {
        let interceptors = channel.interceptors().clone();
        Call {
            channel: channel.clone(),
            method,
            request,
            options: CallOptions::default(),
            interceptors,
            kind: PhantomData,
        }
    }

    /// Whether the call waits for a server that cannot be reached (`true`), or ends in UNAVAILABLE as soon as that is
    /// known (`false`). A call that does not say fails fast (gRFC L42).
    pub fn wait_for_ready(mut self, wait_for_ready: bool) -> Self {
        self.options.wait_for_ready = Some(wait_for_ready);
        self
    }

    /// How long the whole call may take, from now on: queue, connection, messages, trailers. It ends in
    /// DEADLINE_EXCEEDED after that, here and at the server. `None` is no timeout, as without this.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.timeout = timeout.into();
        self
    }

    /// When the whole call must be over; the earlier of this and [`timeout`](Self::timeout) counts. Takes a
    /// `tokio::time::Instant` or a `std::time::Instant`.
    pub fn deadline(mut self, deadline: impl Into<Instant>) -> Self {
        self.options.deadline = Some(deadline.into());
        self
    }

    /// How the requests are compressed, whatever the channel is set to (gRFC L46).
    pub fn compression(mut self, compression: Compression) -> Self {
        self.options.compression = Some(compression);
        self
    }

    /// Adds an entry to the metadata: text, or bytes for a key that ends in `-bin`. A key or value that cannot be
    /// metadata ends the call in INTERNAL.
    pub fn metadata(mut self, key: &str, value: impl IntoMetadataValue) -> Self {
        self.options.append(key, value);
        self
    }

    /// Adds all entries of `metadata`.
    pub fn extend_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata.extend(metadata);
        self
    }

    /// The largest response message, in bytes, decompressed; the channel's limit unless set.
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.options.max_receive_message_size = Some(bytes);
        self
    }

    /// Has the call carry what these credentials make for it, beside what the channel's do
    /// ([`ChannelBuilder::call_credentials`](crate::ChannelBuilder::call_credentials)).
    ///
    /// What they fail with ends the call; credentials that require TLS end it in UNAUTHENTICATED on a plaintext channel.
    pub fn credentials(mut self, credentials: impl CallCredentials) -> Self {
        self.options.credentials = Some(Arc::new(credentials));
        self
    }

    /// Whether nothing has to be waited for before the call can be made.
    fn is_direct(&self) -> bool {
        self.interceptors.is_empty()
            && self.options.credentials.is_none()
            && self.channel.lease().core().settings().call_credentials.is_empty()
    }

    /// Puts an interceptor around this call, inside of those that its channel has.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.add(interceptor);
        self
    }

    /// The same call, which will end with this status without being made.
    #[cfg(feature = "dynamic")]
    pub(crate) fn fail(mut self, status: Status) -> Self {
        self.options.fail(status);
        self
    }

    fn begin(self) -> Result<Begun<Req, Res>, Status> {
        begin(&self.channel, self.method, self.request, self.options)
    }

    fn interception(self) -> (Interception<Req, Res>, Option<Req>) {
        let Call { channel, method, request, options, interceptors, .. } = self;
        (Interception { interceptors, channel, method, options }, request)
    }
}

/// Makes a call that is set to this.
pub(super) fn begin<Req: 'static, Res: 'static>(
    channel: &Channel,
    method: Method<Req, Res>,
    request: Option<Req>,
    options: CallOptions,
) -> Result<Begun<Req, Res>, Status> {
    let core = channel.lease().core();
    let settings = core.settings();
    let (path, request_codec, response_codec) = method.into_parts();
    if let Some(status) = options.failure {
        return Err(status);
    }
    let deadline = options.deadline();
    if deadline.is_some() {
        runtime()?;
    }
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Err(Status::deadline_exceeded("the deadline had passed before the call was made"));
    }
    let compressor = settings
        .messages
        .compressors
        .find(options.compression.unwrap_or(settings.messages.compression))
        .map_err(|error| Status::internal(error.to_string()))?;
    let path = header(path)?;
    let config = core.call_config(&path);
    let configured = config.as_ref().and_then(|config| config.method.as_deref());
    if configured.is_some_and(|method| method.timeout().is_some()) {
        runtime()?;
    }
    let first = match &request {
        None => None,
        Some(message) => {
            let bound = configured.and_then(MethodConfig::max_request_message_bytes);
            let limit = settings.messages.max_send_size.min(bound.unwrap_or(usize::MAX));
            let encoding = Encoding { limit, ..settings.messages.encoding(compressor.as_ref(), Side::Client) };
            Some(frame::encode(request_codec.codec(), message, &encoding)?)
        }
    };
    // Where the call is not followed, nobody asks.
    let followed = request.as_ref().filter(|_| !options.tracers.is_empty());
    let first_size = followed.and_then(|message| request_codec.codec().encoded_len(message));
    let request = Request {
        path,
        metadata: options.metadata,
        wait_for_ready: options.wait_for_ready,
        deadline,
        compressor,
        tracers: options.tracers,
        first_size,
    };
    let finished = first.is_some();
    let exchange = Exchange::start(channel.lease().clone(), request, config, first, finished);
    let reader = Reader::new(exchange.clone(), options.max_receive_message_size);
    Ok(Begun { exchange, reader, request_codec, response_codec })
}

/// A method's path as a header, without a copy where it is static.
fn header(path: Cow<'static, str>) -> Result<HeaderValue, Status> {
    let path = match path {
        Cow::Borrowed(path) => Bytes::from_static(path.as_bytes()),
        Cow::Owned(path) => Bytes::from(path),
    };
    let invalid = |error: http::Error| Status::internal(format!("the method's path is not valid: {error}"));
    PathAndQuery::from_maybe_shared(path.clone()).map_err(|error| invalid(error.into()))?;
    HeaderValue::from_maybe_shared(path).map_err(|error| invalid(error.into()))
}

/// A call under way, before it is dressed for its kind.
pub(super) struct Begun<Req: 'static, Res: 'static> {
    pub(super) exchange: Arc<Exchange>,
    pub(super) reader: Reader,
    pub(super) request_codec: SharedCodec<Req>,
    pub(super) response_codec: SharedCodec<Res>,
}

impl<Req: 'static, Res: 'static> Begun<Req, Res> {
    fn source(self) -> Source<Res> {
        Source::Wire { reader: self.reader, codec: self.response_codec }
    }
}

/// The responses of a call of one request.
impl<K, Req: Send + 'static, Res: Send + 'static> Call<K, Req, Res> {
    fn source(self) -> Result<Source<Res>, Status> {
        if self.is_direct() {
            return Ok(self.begin()?.source());
        }
        match self.interception() {
            (interception, Some(request)) => Ok(Source::Intercepted(Box::new(interception.one(request)?))),
            (_, None) => Err(Status::internal("the call has no request")),
        }
    }

    /// As [`halves`](Self::halves), where there is a place for an error.
    fn checked_halves(self) -> Result<(RequestSender<Req>, Source<Res>), Status> {
        if self.is_direct() {
            let begun = self.begin()?;
            let sender = RequestSender::new(begun.exchange.clone(), begun.request_codec.clone());
            return Ok((sender, begun.source()));
        }
        let (outlet, intercepted) = self.interception().0.start()?;
        Ok((RequestSender::intercepted(outlet), Source::Intercepted(Box::new(intercepted))))
    }

    /// Both halves of a call that streams its requests. What keeps it from being made shows in both.
    fn halves(self) -> (RequestSender<Req>, Source<Res>) {
        if self.is_direct() {
            let begun = self.begin_or_fail();
            let sender = RequestSender::new(begun.exchange.clone(), begun.request_codec.clone());
            return (sender, begun.source());
        }
        let (channel, method) = (self.channel.clone(), self.method.clone());
        match self.interception().0.start() {
            Ok((outlet, intercepted)) => {
                (RequestSender::intercepted(outlet), Source::Intercepted(Box::new(intercepted)))
            }
            Err(status) => {
                let begun = failed(&channel, method, status);
                let sender = RequestSender::new(begun.exchange.clone(), begun.request_codec.clone());
                (sender, begun.source())
            }
        }
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Call<Unary, Req, Res> {
    /// A call of one request and one response.
    pub fn unary(channel: &Channel, method: Method<Req, Res>, request: Req) -> Self {
        Call::new(channel, method, Some(request))
    }

    /// Makes the call, and gives the response with the metadata around it.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn send(self) -> Result<Response<Res>, Status> {
        Reply::new(self.source()?).response().await
    }
}

impl<Req: Send + 'static, Res: Send + 'static> IntoFuture for Call<Unary, Req, Res> {
    type Output = Result<Res, Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Res, Status>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.source()?.single().await })
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Call<ServerStreaming, Req, Res> {
    /// A call of one request and a stream of responses.
    pub fn server_streaming(channel: &Channel, method: Method<Req, Res>, request: Req) -> Self {
        Call::new(channel, method, Some(request))
    }

    /// Makes the call, waits for the server's headers, and gives the stream with the initial metadata.
    ///
    /// # Errors
    /// The status that the call ended with, when it ended without headers.
    pub async fn send(self) -> Result<Response<Streaming<Res>>, Status> {
        let mut stream = Streaming::new(self.source()?);
        let initial = stream.initial_metadata().await?.clone();
        Ok(Response::new(stream, initial, Metadata::new()))
    }
}

impl<Req: Send + 'static, Res: Send + 'static> IntoFuture for Call<ServerStreaming, Req, Res> {
    type Output = Result<Streaming<Res>, Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Streaming<Res>, Status>> + Send>>;

    /// Makes the call, and waits until it is on its way to a server, not for the server's headers: what the server says
    /// shows in the stream.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut source = self.source()?;
            source.left_queue().await?;
            Ok(Streaming::new(source))
        })
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Call<ClientStreaming, Req, Res> {
    /// A call of a stream of requests and one response.
    pub fn client_streaming(channel: &Channel, method: Method<Req, Res>) -> Self {
        Call::new(channel, method, None)
    }

    /// Makes the call, and gives both its halves at once.
    pub fn start(self) -> (RequestSender<Req>, Reply<Res>) {
        let (sender, source) = self.halves();
        (sender, Reply::new(source))
    }

    /// Makes the call, sends all of `requests`, and gives the response. A server that answers before it has all of
    /// them ends the sending.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn send_all(self, requests: impl Stream<Item = Req> + Send) -> Result<Res, Status> {
        let (sender, mut source) = self.checked_halves()?;
        let pump = std::pin::pin!(pump(sender, requests));
        let response = std::pin::pin!(source.single());
        match select(response, pump).await {
            Either::Left((response, _)) => response,
            Either::Right(((), response)) => response.await,
        }
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Call<Bidi, Req, Res> {
    /// A call with a stream both ways.
    pub fn bidi(channel: &Channel, method: Method<Req, Res>) -> Self {
        Call::new(channel, method, None)
    }

    /// Makes the call, and gives both its halves at once, without waiting for the server.
    pub fn start(self) -> (RequestSender<Req>, Streaming<Res>) {
        let (sender, source) = self.halves();
        (sender, Streaming::new(source))
    }

    /// Makes the call and gives the responses; `requests` are sent while these are read.
    ///
    /// # Errors
    /// What keeps the call from being made; what ends it later shows in the stream.
    pub async fn send_all(self, requests: impl Stream<Item = Req> + Send + 'static) -> Result<Streaming<Res>, Status> {
        let (sender, source) = self.checked_halves()?;
        Ok(Streaming::new(source).with_pump(Box::pin(pump(sender, requests))))
    }
}

impl<K, Req: 'static, Res: 'static> Call<K, Req, Res> {
    /// As [`begin`](Self::begin), where there is no place for an error yet: it shows in both halves.
    fn begin_or_fail(self) -> Begun<Req, Res> {
        let (channel, method) = (self.channel.clone(), self.method.clone());
        self.begin().unwrap_or_else(|status| failed(&channel, method, status))
    }
}

/// A call that could not be made.
fn failed<Req: 'static, Res: 'static>(channel: &Channel, method: Method<Req, Res>, status: Status) -> Begun<Req, Res> {
    let (_, request_codec, response_codec) = method.into_parts();
    let exchange = Exchange::failed(channel.lease().clone(), status);
    let reader = Reader::new(exchange.clone(), None);
    Begun { exchange, reader, request_codec, response_codec }
}

/// Sends all of a stream; what ends it early shows in the response.
async fn pump<T: Send + 'static>(mut sender: RequestSender<T>, requests: impl Stream<Item = T> + Send) {
    let mut requests = std::pin::pin!(requests);
    while let Some(request) = poll_fn(|cx| requests.as_mut().poll_next(cx)).await {
        if sender.send(request).await.is_err() {
            break;
        }
    }
    sender.finish();
}

impl<K, Req: 'static, Res: 'static> fmt::Debug for Call<K, Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("method", &self.method).field("options", &self.options).finish_non_exhaustive()
    }
}
