//! What can be wrong with credentials.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why credentials cannot be used: which input, and what is wrong with it.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("the {input} cannot be read from {}: {source}", path.display())]
    File {
        /// What it was to hold, such as `root certificates`.
        input: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// What was given, or what a file holds, is not what is wanted.
    #[error("the {input} cannot be used: {problem}")]
    Input {
        /// What it was to be, such as `private key`; with the file's name where it came from one.
        input: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A private key that is not the certificate's.
    #[error("the {key} does not belong to the {certificate}: it is the key of another certificate")]
    KeyMismatch {
        /// The certificate chain.
        certificate: String,
        /// The private key.
        key: String,
    },
    /// The system has no root certificates.
    #[error("the system has no root certificates to know servers by ({problem}): set root_certificates")]
    NoSystemRoots {
        /// What was found.
        problem: String,
    },
    /// A name that no certificate can be for.
    #[error("{name:?} is no name of a server: it is a host name or an IP address, without a port")]
    ServerName {
        /// The name.
        name: String,
    },
    /// TLS cannot be set up in this way.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] Arc<dyn Error + Send + Sync>),
}

impl fmt::Debug for CredentialsError {
    /// As `Display`, since this is what a `main` prints that returns it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
