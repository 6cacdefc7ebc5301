//! What proves who is who: [`ChannelCredentials`] and [`ServerCredentials`] for a connection, [`CallCredentials`] for a call.
//!
//! A connection is plaintext unless it is given credentials; TLS needs the feature `tls` or `tls-aws-lc`. A handler finds out who its
//! caller is by [`ServerContext::peer_identities`](crate::ServerContext::peer_identities) and
//! [`auth_context`](crate::ServerContext::auth_context) for a certificate, and by the metadata for a token.

mod call;
mod channel;
mod error;
mod server;
#[cfg(feature = "_tls")]
mod tls;

#[cfg(feature = "jwt")]
pub use call::ServiceAccount;
pub use call::{BearerToken, CallContext, CallCredentials, Token};
pub use channel::ChannelCredentials;
#[cfg(feature = "_tls")]
pub use channel::ChannelTlsBuilder;
pub use error::CredentialsError;
pub use server::ServerCredentials;
#[cfg(feature = "_tls")]
pub use server::{ClientCertificates, ServerTlsBuilder};

#[allow(unused_imports, reason = "calls take credentials later")]
pub(crate) use call::metadata_for;
#[cfg(feature = "_tls")]
pub(crate) use tls::{ClientTls, ServerTls, server_name};
