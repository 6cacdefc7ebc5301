//! How a channel is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;

use super::backoff::Backoff;
use super::target::{Target, TargetError};
use super::{Channel, connectivity::Lease};
use crate::call::MessageSettings;
use crate::compression::{Compression, CompressionError, Compressor};
use crate::transport::ConnectOptions;

/// How many calls may wait for a connection unless [`ChannelBuilder::queue_limit`] says otherwise.
const DEFAULT_QUEUE_LIMIT: usize = 100_000;

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
}

/// Sets up a [`Channel`]; made by [`Channel::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct ChannelBuilder {
    target: String,
    settings: Settings,
    user_agent: Option<String>,
    authority: Option<String>,
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
        };
        ChannelBuilder { target, settings, user_agent: None, authority: None }
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

    /// The channel, IDLE: it connects when it is first used.
    ///
    /// # Errors
    /// [`ChannelError`] for a target, a compression or a header value that cannot be used. A server that is not
    /// there is no error here.
    pub fn build(self) -> Result<Channel, ChannelError> {
        let target: Target = self.target.parse()?;
        let mut settings = self.settings;
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
        Ok(Channel { lease: Arc::new(Lease::new(target, settings)) })
    }
}

const USER_AGENT: &str = concat!("grpc-rust-callwright/", env!("CARGO_PKG_VERSION"));
