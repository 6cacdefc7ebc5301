//! A server inside of an HTTP server that is there already (feature `http-service`): an [`HttpService`] is a
//! [`tower_service::Service`] that answers HTTP requests, and mounts in axum, hyper, or whatever else takes one.
//!
//! ```
//! use callwright::Server;
//! use callwright::http_service::HttpService;
//!
//! # fn example() -> Result<(), callwright::BindError> {
//! let grpc: HttpService = Server::builder()
//!     // .add_service(GreeterServer::new(MyGreeter))
//!     .into_http_service()?;
//! // axum::Router::new().route("/", get(home)).fallback_service(grpc)
//! # Ok(())
//! # }
//! ```
//!
//! Everything else of a server is as it is elsewhere: all four kinds of call, metadata and trailers, deadlines and cancellation,
//! compression, limits of messages, interceptors. A call is cancelled when its response is dropped, which is what HTTP servers do
//! when a client goes away, or when the body of its request fails. Neither side gets ahead of the other by more than 256 KiB and
//! what the HTTP server itself holds.
//!
//! What belongs to connections is the HTTP server's: addresses, TLS, keepalive, how many calls a connection may have. What
//! [`ServerBuilder`](crate::ServerBuilder) is told of these means nothing here.
//!
//! # The peer
//!
//! [`ServerContext::peer`](crate::ServerContext::peer) is the [`Address`] or the [`SocketAddr`]
//! among the extensions of the request, and [`Address::Unknown`] without one. All extensions of the request
//! are in [`ServerContext::extensions`](crate::ServerContext::extensions).
//!
//! # Requests that are not answered by a handler
//!
//! | request | answer |
//! |---|---|
//! | a call over HTTP/1 | 505: gRPC's trailers need HTTP/2. Browsers and others without it speak gRPC-Web (feature `grpc-web`) |
//! | another method than POST | 405 |
//! | another content type than `application/grpc` or `application/grpc+proto` | 415 |
//! | headers of more than 16 KiB ([`max_metadata_size`](crate::ServerBuilder::max_metadata_size)) | 431 |
//! | a method that is not served | UNIMPLEMENTED |
//! | one that comes after the end of [`HttpService::shutdown`] | UNAVAILABLE |

mod body;
mod future;

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Extensions, Method, Request, Response, StatusCode, Version, header};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::auth::AuthContext;
use super::builder::Settings;
use super::call::Call;
use super::connection::Client;
use super::methods::{Methods, OnShutdown};
use super::request::Requested;
use super::shared::Shared;
use crate::call::{ContentType, content_type};
use crate::stats::{Connected, Moment, ServerStats};
use crate::status::Status;
use crate::transport::Address;
use crate::transport::http_body::{self, BoxError, Upload};

pub use self::body::Body;
pub use self::future::ResponseFuture;

/// A server as a service of HTTP requests; made by [`ServerBuilder::into_http_service`](crate::ServerBuilder::into_http_service).
///
/// It is always ready, never fails, and is cheap to clone: all clones are one server. Its calls run on the Tokio runtime that it
/// is called on, each on a task of its own.
#[derive(Clone)]
pub struct HttpService {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// Stands for all connections in the statistics.
    connected: Connected,
    lingering: Arc<Semaphore>,
    draining: AtomicBool,
    /// Has a receiver for each call that is under way.
    under_way: watch::Sender<()>,
    on_shutdown: Mutex<Vec<OnShutdown>>,
}

impl HttpService {
    pub(super) fn new(settings: Settings, mut methods: Methods) -> HttpService {
        let on_shutdown = Mutex::new(methods.take_on_shutdown());
        let stats = ServerStats::new([]);
        let connected = stats.accepted(None, Address::Unknown);
        let places = settings.serve.max_concurrent_streams as usize;
        let lingering = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        let shared = Arc::new(Shared::new(settings, methods, stats));
        let (draining, under_way) = (AtomicBool::new(false), watch::Sender::new(()));
        HttpService { inner: Arc::new(Inner { shared, connected, lingering, draining, under_way, on_shutdown }) }
    }

    /// Stops gracefully: calls under way, and those that still come, have `grace` to end; what is left then, and what comes after the
    /// end, ends in UNAVAILABLE. The HTTP server is not told: its own shutdown is what has clients go elsewhere with their next calls,
    /// and no call is lost where that begins before this or at the same time.
    ///
    /// Services that asked to know ([`Methods::on_shutdown`](crate::server::Methods::on_shutdown)) are told first: the
    /// health service says NOT_SERVING to all who watch.
    pub async fn shutdown(&self, grace: Duration) {
        let callbacks = std::mem::take(&mut *self.inner.on_shutdown.lock().unwrap_or_else(PoisonError::into_inner));
        callbacks.into_iter().for_each(|callback| callback());
        let ended = tokio::time::timeout(grace, self.inner.under_way.closed()).await;
        self.inner.draining.store(true, Ordering::SeqCst);
        if ended.is_err() {
            self.inner.shared.stopped.send_replace(true);
            self.inner.under_way.closed().await;
        }
    }

    /// Answers a request, of whatever version of HTTP.
    pub(crate) fn answer<B>(&self, request: Request<B>) -> ResponseFuture
    where
        B: ::http_body::Body<Error: Into<BoxError>> + Send + 'static,
    {
        // Counted before it is asked whether it may begin: a shutdown sees it, or it sees the shutdown.
        let under_way = self.inner.under_way.subscribe();
        if self.inner.draining.load(Ordering::SeqCst) {
            return ResponseFuture::status(&Status::unavailable("the server is shutting down"));
        }
        let Ok(runtime) = Handle::try_current() else {
            return ResponseFuture::status(&Status::internal("the server was called outside of a Tokio runtime"));
        };
        let Inner { shared, connected, lingering, .. } = &*self.inner;
        let header_limit = shared.settings.serve.max_header_list_size as usize;
        let Ok((incoming, upload, download)) = http_body::open(request, header_limit) else {
            let why = "the headers are larger than this server takes (max_metadata_size)\n";
            return ResponseFuture::ready(refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
        };
        let (now, peer) = (Moment::now(), peer(&incoming.extensions));
        let client = Client { peer, auth: AuthContext::default(), lingering: lingering.clone() };
        let requested = Arc::new(Requested::new(&incoming.head, shared));
        let record = connected.socket().open_remote(now);
        // What is answered already needs nothing of its request's body.
        if let Some(call) = Call::new(incoming, requested, record, &client, shared, now) {
            runtime.spawn(run(call, upload, shared.stopped.subscribe(), under_way));
        }
        ResponseFuture::new(download)
    }
}

/// Runs a call to its end, with the body of its request as long as there is one, or until the server is stopped.
async fn run<B>(call: Call, upload: Upload<B>, mut stopped: watch::Receiver<bool>, under_way: watch::Receiver<()>)
where
    B: ::http_body::Body<Error: Into<BoxError>> + Send + 'static,
{
    let _under_way = under_way;
    let (mut call, mut upload) = (call, Some(upload));
    let call = poll_fn(move |cx| {
        if upload.as_mut().is_some_and(|upload| upload.poll(cx).is_ready()) {
            upload = None;
        }
        Pin::new(&mut call).poll(cx)
    });
    tokio::select! {
        biased;
        () = call => {}
        // Whoever drops the service does not stop it: its calls go on.
        Ok(_) = stopped.wait_for(|stopped| *stopped) => {}
    }
}

fn peer(extensions: &Extensions) -> Address {
    let socket = || extensions.get::<SocketAddr>().copied().map(Address::Ip);
    extensions.get::<Address>().cloned().or_else(socket).unwrap_or(Address::Unknown)
}

fn refusal(status: StatusCode, why: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::text(why));
    *response.status_mut() = status;
    response
}

impl<B> tower_service::Service<Request<B>> for HttpService
where
    B: ::http_body::Body<Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let is_call = request.method() == Method::POST
            && content_type(request.headers().get(header::CONTENT_TYPE)) == ContentType::Grpc;
        match request.version() {
            // What is no call of gRPC is told so, of whatever version it is.
            Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11 if is_call => {
                let why = "gRPC needs HTTP/2: HTTP/1 does not carry its trailers\n";
                ResponseFuture::ready(refusal(StatusCode::HTTP_VERSION_NOT_SUPPORTED, why))
            }
            _ => self.answer(request),
        }
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").field("methods", &self.inner.shared.methods).finish_non_exhaustive()
    }
}
