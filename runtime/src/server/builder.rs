//! How a server is set up.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::bind::{Checked, ListenAddress, Source};
#[cfg(feature = "http-service")]
use super::http_service::HttpService;
use super::interceptor::{AnyInterceptor, ServerInterceptor};
use super::lifetime::Limits;
use super::method_limits::{self, MethodLimits, NamedLimits};
use super::methods::{Methods, Service};
use super::running::RunningServer;
use crate::call::MessageSettings;
use crate::compression::{Compression, CompressionError, Compressor};
use crate::credentials::ServerCredentials;
use crate::transport::server::ServeOptions;
use crate::transport::{Keepalive, KeepaliveEnforcement, ListeningSocket, MAX_HEADER_LIST_SIZE, SERVER_BUFFERED};

/// How many calls one connection may have at once unless [`ServerBuilder::max_concurrent_streams`] says otherwise.
const DEFAULT_MAX_CONCURRENT_STREAMS: u32 = 4096;

/// How long a new connection may take to begin unless [`ServerBuilder::handshake_timeout`] says otherwise.
const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a header block may take unless [`ServerBuilder::header_read_timeout`] says otherwise.
const DEFAULT_HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A gRPC server.
///
/// # Handlers and threads
///
/// A handler runs on the threads of its Tokio runtime, and should not block them: what waits should `.await`, and what works for
/// long belongs into `tokio::task::spawn_blocking`. Each call has a task of its own, unless its method has shown to be quick: when
/// the last 16 calls of a method have ended without waiting, within 0.1 ms each, the next ones run on the task of their connection,
/// until one of them works for 1 ms; one that waits goes on in a task of its own. Methods are looked at one by one, and nothing
/// has to be set.
///
/// A handler that blocks all the same never holds up the other calls of its connection for ever, as long as the runtime has
/// another thread: one that blocks the task of its connection is noticed within 0.2 s, and another task takes the connection
/// over. Likewise for a runtime whose other threads sleep while a handler blocks: one is woken within 0.2 s, and until then timers,
/// deadlines and all connections stand still. On a current-thread runtime they do for as long as it blocks. What a handler has sent
/// before it blocks leaves with whatever else its connection does, or when it goes on. Compression works on the same threads.
///
/// A handler that returns after its call's deadline has its result replaced by DEADLINE_EXCEEDED.
///
/// ```no_run
/// # async fn example() -> Result<(), callwright::BindError> {
/// use callwright::{Compression, Server};
///
/// let running = Server::builder()
///     .compression(Compression::Gzip)
///     // .add_service(GreeterServer::new(MyGreeter))
///     .bind("127.0.0.1:0")
///     .await?;
/// println!("listening on {}", running.local_addr());
/// running.shutdown(std::time::Duration::from_secs(10)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Sets up a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            settings: Settings::default(),
            sources: Vec::new(),
            methods: Methods::default(),
            method_limits: NamedLimits::default(),
            interceptors: Vec::new(),
        }
    }
}

/// Why a server cannot start.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address makes no sense.
    #[error(
        "cannot listen on {address:?}: {problem} (addresses look like 127.0.0.1:50051, [::]:50051, unix:/path, unix-abstract:name, inproc:name, fd:N, systemd:)"
    )]
    Address {
        /// The address that was given.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no Tokio runtime to serve on.
    #[error("a server needs a Tokio runtime: call this inside of one, as in #[tokio::main]")]
    NoRuntime,
    /// The address cannot be listened on.
    #[error("cannot listen on {address:?}: {source}")]
    Listen {
        /// The address that was given.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Nothing was said of where to listen.
    #[error("there is nothing to listen on: give bind() an address, or listen() before start()")]
    NoAddress,
    /// The default compression cannot be used.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// Two services have one name.
    #[error("service {0:?} was added twice")]
    DuplicateService(String),
    /// Something is set for a service or a method that is not there.
    #[error("limits are set for {name:?}, which is not served here: {help}")]
    UnknownMethod {
        /// The name that was given.
        name: String,
        /// What there is.
        help: String,
    },
    /// Something is set that is not the server's to see to inside of an HTTP server.
    #[error("{setting} is set, which an HTTP server that is there already sees to: {help}")]
    HttpServer {
        /// What was set.
        setting: &'static str,
        /// What to do in its place.
        help: &'static str,
    },
}

impl fmt::Debug for BindError {
    /// As `Display`, since this is what a `main` prints that returns it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a server is set to.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) messages: MessageSettings,
    pub(super) serve: ServeOptions,
    pub(super) lifetime: Limits,
    pub(super) max_connections: Option<usize>,
    pub(super) handshake_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            messages: MessageSettings::default(),
            serve: ServeOptions {
                credentials: ServerCredentials::default(),
                max_concurrent_streams: DEFAULT_MAX_CONCURRENT_STREAMS,
                max_unread_size: SERVER_BUFFERED,
                max_header_list_size: MAX_HEADER_LIST_SIZE,
                header_read_timeout: DEFAULT_HEADER_READ_TIMEOUT,
                keepalive: None,
                keepalive_enforcement: KeepaliveEnforcement::default(),
            },
            lifetime: Limits::default(),
            max_connections: None,
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
        }
    }
}

/// Sets up a [`Server`]; made by [`Server::builder`].
#[must_use = "a server does nothing until serve() or bind() is called"]
pub struct ServerBuilder {
    settings: Settings,
    sources: Vec<Source>,
    methods: Methods,
    method_limits: NamedLimits,
    interceptors: Vec<Arc<dyn AnyInterceptor>>,
}

impl ServerBuilder {
    /// Adds a service: what the generator calls `FooServer`.
    pub fn add_service(mut self, service: impl Service) -> Self {
        self.methods.add(service);
        self
    }

    /// How responses are compressed that do not say otherwise, for clients that accept it; none unless set.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.messages.compression = compression;
        self
    }

    /// The level that the algorithm compresses at, in its own scale (0 to 9 for gzip and deflate, 1 to 22 for zstd);
    /// the algorithm's default unless set. A level past the highest means the highest.
    pub fn compression_level(mut self, level: u32) -> Self {
        self.settings.messages.compressors.level = Some(level);
        self
    }

    /// Messages of fewer bytes go out plain; 0 unless set.
    pub fn compression_min_size(mut self, bytes: usize) -> Self {
        self.settings.messages.compressors.min_size = bytes;
        self
    }

    /// Adds an algorithm of your own, by which responses can be compressed and requests may be.
    pub fn compressor(mut self, compressor: impl Compressor) -> Self {
        self.settings.messages.compressors.register(Arc::new(compressor));
        self
    }

    /// Takes requests in these encodings only; in all that are known unless set. Others end in UNIMPLEMENTED.
    pub fn accept_compression(mut self, accepted: impl IntoIterator<Item = Compression>) -> Self {
        self.settings.messages.compressors.accept_only(accepted.into_iter().collect());
        self
    }

    /// The largest request message, in bytes, decompressed; 4 MiB unless set. A larger one ends its call in RESOURCE_EXHAUSTED.
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.settings.messages.max_receive_size = bytes;
        self
    }

    /// The largest response message, in bytes, before compression; unlimited unless set. A larger one ends its call in RESOURCE_EXHAUSTED.
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.settings.messages.max_send_size = bytes;
        self
    }

    /// Limits of one service, by its full name (`package.Service`), or of one method (`package.Service/Method`). A method's count
    /// over its service's, and these over the server's, each of them for itself; of several for one name the last counts. What a
    /// [fallback](Methods::fallback) serves has the server's.
    ///
    /// A name that is not served is an error when the server starts: [`BindError::UnknownMethod`].
    ///
    /// ```
    /// use callwright::{MethodLimits, Server};
    ///
    /// let builder = Server::builder()
    ///     // .add_service(StoreServer::new(MyStore))
    ///     .method_limits("shop.Store", MethodLimits::new().max_receive_message_size(16 * 1024))
    ///     .method_limits("shop.Store/Upload", MethodLimits::new().max_receive_message_size(64 * 1024 * 1024));
    /// # drop(builder);
    /// ```
    pub fn method_limits(mut self, name: impl AsRef<str>, limits: MethodLimits) -> Self {
        self.method_limits.add(name.as_ref(), limits);
        self
    }

    /// How many connections may be open at once, those that have only begun included; as many as come unless set. With so many
    /// open, nobody else is accepted: further clients wait in the backlogs of the listeners until one has gone, and then in the
    /// order in which they came. All listeners of the server count together, and clients of the same process (`inproc:`) not at
    /// all. 0 means 1.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = Some(connections);
        self
    }

    /// How long a new connection may take until it can be used: its TLS handshake, HTTP/2's preface and the client's SETTINGS
    /// together; 20 s unless set. One that takes longer is closed.
    pub fn handshake_timeout(mut self, time: Duration) -> Self {
        self.settings.handshake_timeout = time;
        self
    }

    /// How long the headers of a call, or its trailers, may take from their first bytes to their last, CONTINUATION frames
    /// included; 30 s unless set. A client that takes longer is told by a GOAWAY with ENHANCE_YOUR_CALM, and its connection ends.
    /// It is not the time of a request: one whose headers are here may take as long as its deadline lets it.
    pub fn header_read_timeout(mut self, time: Duration) -> Self {
        self.settings.serve.header_read_timeout = time;
        self
    }

    /// The largest metadata of a request, in bytes: its headers as RFC 9113 section 6.5.2 counts them, which is 32 bytes for each
    /// beside its name and its value; 16 KiB unless set. Clients are told so (SETTINGS_MAX_HEADER_LIST_SIZE), and those of this
    /// crate end a call that is over it in RESOURCE_EXHAUSTED by themselves. One that sends it all the same is answered with HTTP
    /// status 431; the connection's other calls go on. gRPC's own headers take some hundred bytes of it.
    pub fn max_metadata_size(mut self, bytes: u32) -> Self {
        self.settings.serve.max_header_list_size = bytes;
        self
    }

    /// How much one connection may have sent that no handler has read, in bytes: what all its calls have together, beside the first
    /// 128 KiB of each; 256 MiB unless set, and 64 KiB at least. It is HTTP/2's window of the connection, so that a client waits
    /// and is told of no error. A call's own window grows to the sixty-fourth part, and to no less than 64 KiB and no more than
    /// 4 MiB: with less than 4 MiB in all, fewer than 64 calls that nobody reads stop those beside them on their connection.
    pub fn max_unread_size(mut self, bytes: usize) -> Self {
        self.settings.serve.max_unread_size = bytes;
        self
    }

    /// How many calls one connection may have at once; 4096 unless set. Clients are told so (SETTINGS_MAX_CONCURRENT_STREAMS)
    /// and queue what is above it; what one sends all the same is refused (REFUSED_STREAM). 0 means 1.
    pub fn max_concurrent_streams(mut self, calls: u32) -> Self {
        self.settings.serve.max_concurrent_streams = calls.max(1);
        self
    }

    /// Has an interceptor around all calls of this server, inside of those that were added before; around one service alone with
    /// [`Intercepted`](super::interceptor::Intercepted).
    pub fn interceptor(mut self, interceptor: impl ServerInterceptor) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// How connections are secured; plaintext unless set. Clients of the same process (`inproc:`) need no TLS, and speak none.
    pub fn credentials(mut self, credentials: ServerCredentials) -> Self {
        self.settings.serve.credentials = credentials;
        self
    }

    /// Asks clients for signs of life, whether they have calls or not, and gives up connections that show none (gRFC A8); not
    /// unless set. [`Keepalive::permit_without_calls`] means nothing here.
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.settings.serve.keepalive = Some(keepalive);
        self
    }

    /// How often clients may ask for signs of life; once in five minutes unless set.
    pub fn keepalive_enforcement(mut self, enforcement: KeepaliveEnforcement) -> Self {
        self.settings.serve.keepalive_enforcement = enforcement;
        self
    }

    /// How long a connection may be without calls before its client is asked to go (GOAWAY, gRFC A9); for ever unless set.
    pub fn max_connection_idle(mut self, time: Duration) -> Self {
        self.settings.lifetime.idle = Some(time);
        self
    }

    /// How old a connection may become, give or take a tenth, before its client is asked to go (GOAWAY, gRFC A9): it takes no new
    /// calls then, and the client makes another, perhaps to another server. For ever unless set.
    pub fn max_connection_age(mut self, time: Duration) -> Self {
        self.settings.lifetime.age = Some(time);
        self
    }

    /// How long calls may go on after [`max_connection_age`](Self::max_connection_age); then the connection is closed. For ever
    /// unless set.
    pub fn max_connection_age_grace(mut self, time: Duration) -> Self {
        self.settings.lifetime.age_grace = Some(time);
        self
    }

    /// Listens on `address` too, beside the one of [`bind`](Self::bind) or [`serve`](Self::serve), or with [`start`](Self::start)
    /// on these alone. What is set for connections holds for all of them.
    pub fn listen(mut self, address: impl Into<ListenAddress>) -> Self {
        self.sources.push(Source::Address(address.into()));
        self
    }

    /// As [`listen`](Self::listen), on a socket that listens already.
    pub fn listen_on(mut self, socket: impl Into<ListeningSocket>) -> Self {
        self.sources.push(Source::Socket(socket.into()));
        self
    }

    /// Listens on `address` and serves in the background: `host:port` (port 0 for any free one), `:port`, `unix:path`,
    /// `unix-abstract:name`, a `SocketAddr`, or `inproc:name` for clients of this process alone (`inproc:` for any name that is free);
    /// [`ListenAddress`] has more.
    ///
    /// # Errors
    /// [`BindError`] when the address cannot be listened on, or another of [`listen`](Self::listen), or a setting cannot be used;
    /// nothing is served then.
    pub async fn bind(mut self, address: impl Into<ListenAddress>) -> Result<RunningServer, BindError> {
        self.sources.insert(0, Source::Address(address.into()));
        self.start().await
    }

    /// As [`bind`](Self::bind), on a socket that listens already: a `TcpListener` or a `UnixListener` of Tokio or of the standard
    /// library.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn bind_listener(mut self, socket: impl Into<ListeningSocket>) -> Result<RunningServer, BindError> {
        self.sources.insert(0, Source::Socket(socket.into()));
        self.start().await
    }

    /// Listens on the addresses of [`listen`](Self::listen) and serves in the background.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn start(mut self) -> Result<RunningServer, BindError> {
        let sources = std::mem::take(&mut self.sources);
        let checked = sources.into_iter().map(Checked::new).collect::<Result<Vec<_>, _>>()?;
        self.check()?;
        let mut listeners = Vec::new();
        for source in checked {
            source.bind(&mut listeners).await?;
        }
        self.methods.intercept_all(&self.interceptors);
        let (locals, listeners) = listeners.into_iter().unzip();
        RunningServer::start(listeners, locals, self.settings, self.methods).ok_or(BindError::NoAddress)
    }

    /// Listens on `address` and serves until the process ends.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn serve(self, address: impl Into<ListenAddress>) -> Result<(), BindError> {
        self.bind(address).await?.wait().await;
        Ok(())
    }

    /// Listens on `address` and serves until `signal` resolves, then shuts down gracefully: calls that are under way get
    /// `grace` to end.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn serve_with_shutdown(
        self,
        address: impl Into<ListenAddress>,
        signal: impl Future<Output = ()>,
        grace: Duration,
    ) -> Result<(), BindError> {
        let running = self.bind(address).await?;
        signal.await;
        running.shutdown(grace).await;
        Ok(())
    }

    /// The server as a service of HTTP requests, for an HTTP server that is there already: axum, hyper
    /// ([`http_service`](crate::http_service)).
    ///
    /// # Errors
    /// [`BindError`] when a setting cannot be used.
    #[cfg(feature = "http-service")]
    pub fn into_http_service(mut self) -> Result<HttpService, BindError> {
        if !self.settings.serve.credentials.is_insecure() {
            return Err(BindError::HttpServer {
                setting: "credentials",
                help: "give its certificates to the HTTP server",
            });
        }
        if !self.sources.is_empty() {
            return Err(BindError::HttpServer { setting: "listen", help: "have the HTTP server listen there" });
        }
        self.check_settings()?;
        self.methods.intercept_all(&self.interceptors);
        Ok(HttpService::new(self.settings, self.methods))
    }

    fn check(&mut self) -> Result<(), BindError> {
        tokio::runtime::Handle::try_current().map_err(|_| BindError::NoRuntime)?;
        self.check_settings()
    }

    fn check_settings(&mut self) -> Result<(), BindError> {
        self.settings.messages.compressors.check(self.settings.messages.compression)?;
        if let Some(name) = self.methods.duplicate() {
            return Err(BindError::DuplicateService(name.to_owned()));
        }
        for interceptor in self.interceptors.iter().chain(self.methods.all_interceptors()) {
            interceptor.names().into_iter().try_for_each(|name| method_limits::check_served(name, &self.methods))?;
        }
        self.method_limits.apply(&mut self.methods, &self.settings.messages)
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("settings", &self.settings)
            .field("methods", &self.methods)
            .field("interceptors", &self.interceptors.len())
            .finish()
    }
}
