//! A server's handshake.

use std::io;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::Encrypted;
use crate::credentials::ServerTls;
use crate::transport::LINGER;
use crate::transport::io::Io;

/// How much is read at a time of a client that was refused, in bytes.
const LAST_READ: usize = 1024;

/// Encrypts what goes over `io` from now on; and the certificates that the client proved who it is with, its own first.
pub(in crate::transport) async fn handshake(tls: &ServerTls, io: Io) -> io::Result<(Io, Vec<CertificateDer<'static>>)> {
    let acceptor = TlsAcceptor::from(tls.config().await);
    let stream = match acceptor.accept(io).into_fallible().await {
        Ok(stream) => stream,
        Err((error, io)) => {
            let_go(io).await;
            return Err(error);
        }
    };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    let encrypted = Encrypted(stream.into());
    if !encrypted.speaks_http2() {
        let_go(Io::Tls(Box::new(encrypted))).await;
        let problem = "the client did not agree to HTTP/2 in TLS: ALPN \"h2\" was not negotiated";
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok((Io::Tls(Box::new(encrypted)), certificates))
}

/// Closes a connection so that the client can read why: one that is closed with something unread takes that back.
async fn let_go(mut io: Io) {
    let closing = async {
        let _ = io.shutdown().await;
        let mut unread = [0; LAST_READ];
        while io.read(&mut unread).await.is_ok_and(|count| count > 0) {}
    };
    let _ = tokio::time::timeout(LINGER, closing).await;
}
