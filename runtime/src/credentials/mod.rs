//! What proves who a peer is: [`ChannelCredentials`] and [`ServerCredentials`] for a connection.

mod channel;
mod error;
mod server;
#[cfg(feature = "_tls")]
mod tls;

pub use channel::ChannelCredentials;
#[cfg(feature = "_tls")]
pub use channel::ChannelTlsBuilder;
pub use error::CredentialsError;
pub use server::ServerCredentials;
#[cfg(feature = "_tls")]
pub use server::{ClientCertificates, ServerTlsBuilder};

#[cfg(feature = "_tls")]
pub(crate) use tls::{ClientTls, ServerTls, server_name};
