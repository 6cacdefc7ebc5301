//! A client's handshake.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::{Encrypted, failure};
use crate::credentials::ClientTls;
use crate::transport::io::Io;
use crate::transport::{ConnectError, Stage};

/// TLS, and the name of the server.
#[derive(Clone, Debug)]
pub(in crate::transport) struct Security {
    pub(in crate::transport) tls: Arc<ClientTls>,
    pub(in crate::transport) name: ServerName<'static>,
}

/// Encrypts what goes over `io` from now on, once the server has proved that it has its name.
pub(in crate::transport) async fn handshake(target: &str, security: &Security, io: Io) -> Result<Io, ConnectError> {
    let connector = TlsConnector::from(security.tls.config().await);
    let failed = |error| ConnectError::new(target, Stage::Tls, error);
    let stream = connector
        .connect(security.name.clone(), io)
        .await
        .map_err(|error| failed(failure::of_server(error, &security.name)))?;
    let encrypted = Encrypted(stream.into());
    if !encrypted.speaks_http2() {
        return Err(failed(failure::Refused::new(
            "the server speaks TLS, and did not agree to HTTP/2 in it: ALPN \"h2\" was not negotiated",
        )));
    }
    Ok(Io::Tls(Box::new(encrypted)))
}
