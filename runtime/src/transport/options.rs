//! How connections are made: what all connections of one channel share.

use std::sync::Arc;

use http::uri::Authority;

use super::io::Io;
use super::keepalive::Adapting;
use super::{ConnectError, Keepalive, Tunnel};
use crate::credentials::{ChannelCredentials, CredentialsError};

/// How a channel's connections are made; clones share it. By default: plaintext, without a proxy and without keepalive.
///
/// How long an attempt may take is said by whoever connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectOptions {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    keepalive: Option<Adapting>,
    tunnel: Option<Tunnel>,
    #[cfg(feature = "_tls")]
    security: Option<super::tls::client::Security>,
}

impl ConnectOptions {
    /// Options for a server that is known by this authority, unless the credentials have another name for it.
    ///
    /// # Errors
    /// [`CredentialsError::ServerName`] for an authority that no certificate can be for.
    #[cfg_attr(not(feature = "_tls"), expect(unused_variables, reason = "plaintext knows no names"))]
    pub(crate) fn new(
        credentials: &ChannelCredentials,
        authority: &Authority,
        keepalive: Option<Keepalive>,
        tunnel: Option<Tunnel>,
    ) -> Result<ConnectOptions, CredentialsError> {
        #[cfg(feature = "_tls")]
        let security = match credentials.client_tls() {
            None => None,
            Some(tls) => {
                let name = crate::credentials::server_name(tls.server_name().unwrap_or_else(|| authority.host()))?;
                Some(super::tls::client::Security { tls: tls.clone(), name })
            }
        };
        let inner = Inner {
            keepalive: keepalive.map(Adapting::new),
            tunnel,
            #[cfg(feature = "_tls")]
            security,
        };
        Ok(ConnectOptions { inner: Arc::new(inner) })
    }

    /// How connections are kept alive, and found out that are not.
    pub(super) fn keepalive(&self) -> Option<Keepalive> {
        self.inner.keepalive.as_ref().map(Adapting::now)
    }

    /// A server complains that it is asked for signs of life too often: the next connections ask half as often.
    pub(super) fn slow_down(&self) {
        if let Some(keepalive) = &self.inner.keepalive {
            keepalive.slow_down();
        }
    }

    /// The proxy that connections go by: its host and port are resolved and connected to in place of the target's.
    pub(crate) fn tunnel(&self) -> Option<&Tunnel> {
        self.inner.tunnel.as_ref()
    }

    /// Whether connections are encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        #[cfg(feature = "_tls")]
        let secure = self.inner.security.is_some();
        #[cfg(not(feature = "_tls"))]
        let secure = false;
        secure
    }

    /// What is to run on a socket that is connected: the socket itself, or TLS on it.
    #[cfg(feature = "_tls")]
    pub(super) async fn secure(&self, target: &str, io: Io) -> Result<Io, ConnectError> {
        match &self.inner.security {
            None => Ok(io),
            Some(security) => super::tls::client::handshake(target, security, io).await,
        }
    }

    /// What is to run on a socket that is connected: the socket itself.
    #[cfg(not(feature = "_tls"))]
    #[expect(clippy::unused_async, reason = "with TLS there is a handshake")]
    pub(super) async fn secure(&self, _: &str, io: Io) -> Result<Io, ConnectError> {
        Ok(io)
    }
}
