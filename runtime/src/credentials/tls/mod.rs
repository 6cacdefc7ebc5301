//! Configurations of rustls, made of what a user gave, and made anew when its files have changed.

mod client;
mod identity;
mod pem;
mod reload;
mod server;

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;

use super::error::CredentialsError;

pub(super) use client::ClientRecipe;
pub(crate) use client::ClientTls;
pub(super) use identity::Identity;
pub(super) use pem::Pem;
pub(super) use server::ServerRecipe;
pub(crate) use server::ServerTls;

/// How old the last look at the files may be unless a user says otherwise.
pub(super) const RELOAD_INTERVAL: Duration = Duration::from_secs(10);
/// What HTTP/2 is called in ALPN (RFC 9113 section 3.2).
const H2: &[u8] = b"h2";

#[cfg(not(any(feature = "tls", feature = "tls-aws-lc")))]
compile_error!("the feature `_tls` is part of `tls` and `tls-aws-lc`: use one of these");

fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "tls-aws-lc")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "tls-aws-lc"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

/// A name that a certificate can be for.
pub(crate) fn server_name(name: &str) -> Result<ServerName<'static>, CredentialsError> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_| CredentialsError::ServerName { name: name.to_owned() })
}

fn unusable(error: rustls::Error) -> CredentialsError {
    CredentialsError::Tls(Arc::new(error))
}
