//! How a channel is set up.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;

use super::backoff::Backoff;
use super::balancer::{Balancer, Balancers};
use super::interceptor::{Interceptor, Interceptors};
use super::resolver::{self, Choice, Resolver};
#[cfg(feature = "service-config")]
use super::service_config;
use super::service_config::{LoadBalancing, ServiceConfig};
use super::target::{Resolvers, Target, TargetError, TargetUri};
use super::{Channel, connectivity::Lease};
use crate::call::MessageSettings;
use crate::compression::{Compression, CompressionError, Compressor};
use crate::credentials::{CallCredentials, ChannelCredentials, CredentialsError};
use crate::transport::{ConnectOptions, Keepalive, Proxy, ProxyError};

/// How many calls may wait for a connection unless [`ChannelBuilder::queue_limit`] says otherwise.
const DEFAULT_QUEUE_LIMIT: usize = 100_000;

/// How long a channel stays connected without calls unless [`ChannelBuilder::idle_timeout`] says otherwise.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What a call may have sent and still be made again unless [`ChannelBuilder::retry_buffer_limit`] says otherwise, in bytes: what
/// C-core has.
const DEFAULT_RETRY_BUFFER_LIMIT: usize = 256 * 1024;
/// The same of all calls together, unless [`ChannelBuilder::retry_buffer_size`] says otherwise: what grpc-java has.
const DEFAULT_RETRY_BUFFER_SIZE: usize = 16 * 1024 * 1024;

/// So many connections to one address a service config may ask for (gRFC A105).
const DEFAULT_CONNECTION_SCALING_LIMIT: usize = 10;

/// Why a channel cannot be built.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The target is malformed, or of a kind that is not known.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The default compression cannot be used.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// The service config asks for something that there is not.
    #[error("the service config cannot be used: {0}")]
    ServiceConfig(String),
    /// The credentials cannot be used for this target.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The target asks for TLS, and the credentials for plaintext.
    #[error("target {target:?} asks for TLS, and the credentials that were set are ChannelCredentials::insecure()")]
    Insecure {
        /// The target.
        target: String,
    },
    /// The proxy cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The authority or the user agent is not valid in a header.
    #[error("{option} {value:?} cannot stand in an HTTP header")]
    Header {
        /// The option's name.
        option: &'static str,
        /// What it was set to.
        value: String,
    },
}

impl fmt::Debug for ChannelError {
    /// As `Display`, since this is what a `main` prints that returns it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a channel is set to.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) messages: MessageSettings,
    pub(super) backoff: Backoff,
    pub(super) queue_limit: usize,
    pub(super) user_agent: HeaderValue,
    pub(super) authority: Option<Authority>,
    pub(super) connect: ConnectOptions,
    pub(super) call_credentials: Vec<Arc<dyn CallCredentials>>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_connections_per_address: usize,
    pub(super) connection_scaling_limit: usize,
    pub(super) service_config: Arc<ServiceConfig>,
    pub(super) balancers: Balancers,
    /// Whether calls are made again as their policies say.
    pub(super) retries: bool,
    pub(super) retry_buffer_limit: usize,
    pub(super) retry_buffer_size: usize,
}

impl Settings {
    /// The load balancing that a service config asks for, or that the channel has where it says nothing.
    pub(super) fn load_balancing(&self, config: &ServiceConfig) -> LoadBalancing {
        config.load_balancing().or_else(|| self.service_config.load_balancing()).cloned().unwrap_or_default()
    }

    /// How many connections there may be to one address while this service config is in use.
    pub(super) fn connections(&self, config: &ServiceConfig) -> usize {
        match config.max_connections_per_subchannel() {
            Some(connections) => usize::try_from(connections).unwrap_or(usize::MAX).min(self.connection_scaling_limit),
            None => self.max_connections_per_address,
        }
    }
}

/// Sets up a [`Channel`]; made by [`Channel::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct ChannelBuilder {
    target: String,
    settings: Settings,
    resolvers: Resolvers,
    interceptors: Interceptors,
    #[cfg(feature = "service-config")]
    service_config_json: Option<String>,
    #[cfg(feature = "dns")]
    service_config_from_dns: bool,
    user_agent: Option<String>,
    authority: Option<String>,
    credentials: Option<ChannelCredentials>,
    keepalive: Option<Keepalive>,
    proxy: Proxy,
}

impl ChannelBuilder {
    pub(super) fn new(target: String) -> Self {
        let settings = Settings {
            messages: MessageSettings::default(),
            backoff: Backoff::default(),
            queue_limit: DEFAULT_QUEUE_LIMIT,
            user_agent: HeaderValue::from_static(USER_AGENT),
            authority: None,
            connect: ConnectOptions::default(),
            call_credentials: Vec::new(),
            idle_timeout: Some(DEFAULT_IDLE_TIMEOUT),
            max_connections_per_address: 1,
            connection_scaling_limit: DEFAULT_CONNECTION_SCALING_LIMIT,
            service_config: Arc::default(),
            balancers: Balancers::default(),
            retries: true,
            retry_buffer_limit: DEFAULT_RETRY_BUFFER_LIMIT,
            retry_buffer_size: DEFAULT_RETRY_BUFFER_SIZE,
        };
        ChannelBuilder {
            target,
            settings,
            resolvers: Resolvers::new(),
            interceptors: Interceptors::default(),
            #[cfg(feature = "service-config")]
            service_config_json: None,
            #[cfg(feature = "dns")]
            service_config_from_dns: false,
            user_agent: None,
            authority: None,
            credentials: None,
            keepalive: None,
            proxy: Proxy::default(),
        }
    }

    /// How requests are compressed that do not say otherwise; none unless set.
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

    /// Adds an algorithm of your own, by which requests can be compressed and responses may be.
    pub fn compressor(mut self, compressor: impl Compressor) -> Self {
        self.settings.messages.compressors.register(Arc::new(compressor));
        self
    }

    /// Takes responses in these encodings only; in all that are known unless set.
    pub fn accept_compression(mut self, accepted: impl IntoIterator<Item = Compression>) -> Self {
        self.settings.messages.compressors.accept_only(accepted.into_iter().collect());
        self
    }

    /// How attempts to connect are spaced.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// How long one attempt to connect may take at the least; 20 s unless set.
    pub fn min_connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.backoff.min_connect_timeout = timeout;
        self
    }

    /// How many calls may wait for a connection at once; 100,000 unless set. A call over it ends in RESOURCE_EXHAUSTED.
    pub fn queue_limit(mut self, calls: usize) -> Self {
        self.settings.queue_limit = calls;
        self
    }

    /// The largest response message, in bytes, decompressed; 4 MiB unless set. A larger one ends its call in RESOURCE_EXHAUSTED.
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.settings.messages.max_receive_size = bytes;
        self
    }

    /// The largest request message, in bytes, before compression; unlimited unless set. A larger one ends its call in RESOURCE_EXHAUSTED.
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.settings.messages.max_send_size = bytes;
        self
    }

    /// What holds for the channel and its calls unless the resolver gives a service config of its own: load balancing, timeouts,
    /// wait-for-ready, retries. What is wrong with it is said by [`build`](Self::build).
    pub fn service_config(mut self, config: ServiceConfig) -> Self {
        self.settings.service_config = Arc::new(config);
        self
    }

    /// The same in JSON, which may name the balancers that the channel is given. What is wrong with it is said by
    /// [`build`](Self::build). It counts in place of a [`service_config`](Self::service_config) and of
    /// [`load_balancing`](Self::load_balancing), whichever was set first: JSON without a load balancing means `pick_first`.
    #[cfg(feature = "service-config")]
    pub fn service_config_json(mut self, json: impl Into<String>) -> Self {
        self.service_config_json = Some(json.into());
        self
    }

    /// How calls are spread over the target's servers, unless the resolver's service config says so; `pick_first` unless set.
    /// It is put into the [`service_config`](Self::service_config) that was set before; one that is set after it replaces both.
    pub fn load_balancing(mut self, load_balancing: LoadBalancing) -> Self {
        let config = Arc::unwrap_or_clone(self.settings.service_config).with_load_balancing(load_balancing);
        self.settings.service_config = Arc::new(config);
        self
    }

    /// Adds a [balancer](crate::balancer) of your own, for service configs that name it and for
    /// [`LoadBalancing::Custom`]; `make` gets its settings as JSON.
    pub fn balancer<B: Balancer>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&str) -> Result<B, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.settings.balancers.add(name.into(), make);
        self
    }

    /// Adds a [resolver](crate::resolver) of your own for targets of this scheme, or in place of the one that there is. `make` is
    /// called by [`build`](Self::build), where its error is one of the target, and each time that the channel leaves IDLE.
    pub fn resolver<R: Resolver>(
        mut self,
        scheme: impl Into<String>,
        make: impl Fn(&TargetUri) -> Result<R, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.resolvers.insert(scheme.into(), resolver::factory(make));
        self
    }

    /// Has all calls carry what these credentials make for them, beside what was set before and what a call has of its own
    /// ([`Call::credentials`](crate::Call::credentials)).
    pub fn call_credentials(mut self, credentials: impl CallCredentials) -> Self {
        self.settings.call_credentials.push(Arc::new(credentials));
        self
    }

    /// Puts an [interceptor](crate::interceptor) around all calls of the channel, inside of those that it has.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.add(interceptor);
        self
    }

    /// Makes no retries and no hedges, whatever a service config says. A call that no server has looked at is sent again all the
    /// same (gRFC A6, "transparent retries").
    pub fn disable_retries(mut self) -> Self {
        self.settings.retries = false;
        self
    }

    /// How much of what a call sends is kept so that it can be made again, in bytes: 256 KiB a call unless set. A call that has sent
    /// more stays with the attempt that it has.
    pub fn retry_buffer_limit(mut self, bytes: usize) -> Self {
        self.settings.retry_buffer_limit = bytes;
        self
    }

    /// How much of what all calls of the channel have sent is kept together so that they can be made again, in bytes: 16 MiB unless
    /// set. Beyond it, calls stay with the attempt that they have from when it goes out. What has not gone out is kept however much
    /// it is; [`queue_limit`](Self::queue_limit) bounds how many calls that are.
    pub fn retry_buffer_size(mut self, bytes: usize) -> Self {
        self.settings.retry_buffer_size = bytes;
        self
    }

    /// How long the channel stays connected when no calls are made, after which it is IDLE: 30 min unless set, `None` for ever.
    /// It is looked at once in this time, so that between one and two of it pass.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.idle_timeout = timeout.into();
        self
    }

    /// How many connections there may be to one address where the service config does not say
    /// ([`ServiceConfig::with_max_connections_per_subchannel`]): 1 unless set. With more, another is made when those that there
    /// are have all the streams that the server allows (gRFC A105); 0 means 1.
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.settings.max_connections_per_address = connections.max(1);
        self
    }

    /// The most connections to one address that a service config gets when it asks for more (gRFC A105): 10 unless set; 0 means 1.
    pub fn connection_scaling_limit(mut self, connections: usize) -> Self {
        self.settings.connection_scaling_limit = connections.max(1);
        self
    }

    /// Put before the channel's own `user-agent`.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// The server's name in the `:authority` header; the target's unless set.
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// How connections are secured; plaintext unless set, and for a target `https://host` TLS with the root certificates of
    /// the system.
    pub fn credentials(mut self, credentials: ChannelCredentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Asks servers for signs of life, and gives up connections that show none; not unless set.
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// The proxy that servers are reached by; the one that the environment names unless set.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Looks for a service config in DNS (the TXT records of `_grpc_config.host`, gRFC A2) when a name is looked up. It counts before
    /// the one that is set here, and the channel's first calls wait for it.
    #[cfg(feature = "dns")]
    pub fn service_config_from_dns(mut self) -> Self {
        self.service_config_from_dns = true;
        self
    }

    /// The channel, IDLE: it connects when it is first used.
    ///
    /// # Errors
    /// [`ChannelError`] for a target, a compression, a service config, credentials, a proxy or a header value that cannot be used. A server that is not
    /// there is no error here.
    pub fn build(self) -> Result<Channel, ChannelError> {
        let choice = self.choice();
        let mut settings = self.settings;
        let target = Target::parse(&self.target, &self.resolvers, choice)?;
        #[cfg(feature = "service-config")]
        if let Some(json) = self.service_config_json {
            let config = service_config::parse(&json, &|name| settings.balancers.has(name));
            settings.service_config = Arc::new(config.map_err(|error| ChannelError::ServiceConfig(error.within()))?);
        }
        settings.service_config.check().map_err(ChannelError::ServiceConfig)?;
        let policy = settings.load_balancing(&settings.service_config);
        settings.balancers.make(&policy).map_err(ChannelError::ServiceConfig)?;
        settings.messages.compressors.check(settings.messages.compression)?;
        if let Some(user_agent) = self.user_agent {
            settings.user_agent = HeaderValue::try_from(format!("{user_agent} {USER_AGENT}"))
                .map_err(|_| ChannelError::Header { option: "user_agent", value: user_agent })?;
        }
        if let Some(authority) = self.authority {
            let parsed =
                authority.parse().map_err(|_| ChannelError::Header { option: "authority", value: authority })?;
            settings.authority = Some(parsed);
        }
        let credentials = match self.credentials {
            Some(credentials) if credentials.is_insecure() && self.target.starts_with("https://") => {
                return Err(ChannelError::Insecure { target: self.target });
            }
            Some(credentials) => credentials,
            None => credentials_of(&self.target)?,
        };
        #[cfg(feature = "_tls")]
        if settings.authority.is_none()
            && let Some(name) = credentials.client_tls().and_then(|tls| tls.server_name())
        {
            settings.authority = name.parse().ok();
        }
        let authority = settings.authority.as_ref().unwrap_or_else(|| target.authority());
        let tunnel = match target.host_name() {
            Some((host, port)) => self.proxy.for_target(host, port)?,
            None => None,
        };
        settings.connect = ConnectOptions::new(&credentials, authority, self.keepalive, tunnel)?;
        Ok(Channel { lease: Arc::new(Lease::new(target, settings)), interceptors: self.interceptors })
    }
}

impl ChannelBuilder {
    /// Which service config of those in DNS the channel takes.
    fn choice(&self) -> Option<Choice> {
        #[cfg(feature = "dns")]
        if self.service_config_from_dns {
            return Some(Choice { percentile: fastrand::u8(..100), balancers: self.settings.balancers.clone() });
        }
        None
    }
}

/// What a target asks for by itself.
fn credentials_of(target: &str) -> Result<ChannelCredentials, CredentialsError> {
    #[cfg(feature = "_tls")]
    if target.starts_with("https://") {
        return ChannelCredentials::tls().build();
    }
    let _ = target;
    Ok(ChannelCredentials::insecure())
}

const USER_AGENT: &str = concat!("grpc-rust-callwright/", env!("CARGO_PKG_VERSION"));
