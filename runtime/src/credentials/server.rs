//! How a server proves who it is, and what it asks of its clients.

#[cfg(feature = "_tls")]
use std::path::PathBuf;
#[cfg(feature = "_tls")]
use std::sync::Arc;
#[cfg(feature = "_tls")]
use std::time::Duration;

#[cfg(feature = "_tls")]
use super::error::CredentialsError;
#[cfg(feature = "_tls")]
use super::tls::{Identity, Pem, RELOAD_INTERVAL, ServerRecipe, ServerTls};

/// How a server's connections are secured; plaintext unless set. Cheap to clone.
///
/// ```no_run
/// # #[cfg(feature = "tls")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use callwright::{Server, ServerCredentials};
///
/// let credentials = ServerCredentials::tls_files("server.pem", "server.key")
///     .client_root_certificates_file("clients-ca.pem") // mutual TLS
///     .build()?;
/// Server::builder().credentials(credentials).serve("[::]:50051").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerCredentials {
    kind: Kind,
}

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Insecure,
    #[cfg(feature = "_tls")]
    Tls(Arc<ServerTls>),
}

impl ServerCredentials {
    /// Plaintext: nothing is encrypted, and nobody proves who they are. The default.
    pub fn insecure() -> ServerCredentials {
        ServerCredentials::default()
    }

    /// Whether connections are plaintext.
    pub fn is_insecure(&self) -> bool {
        matches!(self.kind, Kind::Insecure)
    }
}

#[cfg(feature = "_tls")]
impl ServerCredentials {
    /// TLS 1.2 or 1.3 with this certificate, those that lead to its root behind it, and its private key (PKCS #8, PKCS #1
    /// or SEC1), all as PEM.
    pub fn tls(certificate_chain_pem: impl AsRef<[u8]>, key_pem: impl AsRef<[u8]>) -> ServerTlsBuilder {
        ServerTlsBuilder::new(Identity::given("server's", certificate_chain_pem.as_ref(), key_pem.as_ref()))
    }

    /// As [`tls`](Self::tls), from two files, or from one that has both.
    pub fn tls_files(certificate_chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> ServerTlsBuilder {
        ServerTlsBuilder::new(Identity::files("server's", certificate_chain.into(), key.into()))
    }

    /// TLS as a configuration of rustls has it, for what [`tls`](Self::tls) does not offer.
    ///
    /// Its ALPN protocols are replaced by `h2`. The type is [`callwright::rustls`](crate::rustls)'s, whose major version may
    /// change with a minor one of this crate.
    pub fn rustls(config: rustls::ServerConfig) -> ServerCredentials {
        ServerCredentials { kind: Kind::Tls(Arc::new(ServerTls::fixed(config))) }
    }

    pub(crate) fn server_tls(&self) -> Option<&Arc<ServerTls>> {
        match &self.kind {
            Kind::Insecure => None,
            Kind::Tls(tls) => Some(tls),
        }
    }
}

/// What a server asks of its clients in the TLS handshake.
#[cfg(feature = "_tls")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientCertificates {
    /// No certificate.
    None,
    /// A certificate, and one that is given is verified; clients without one are served too.
    Request,
    /// A certificate: clients without one are refused.
    Require,
}

/// Sets up TLS for a server; made by [`ServerCredentials::tls`].
///
/// What comes from a file is read again when the file has changed, so that a certificate can be renewed while the server
/// runs: see [`reload_interval`](Self::reload_interval).
#[cfg(feature = "_tls")]
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct ServerTlsBuilder {
    identity: Identity,
    named: Vec<(String, Identity)>,
    client_roots: Vec<Pem>,
    clients: Option<ClientCertificates>,
    reload_interval: Duration,
}

#[cfg(feature = "_tls")]
impl ServerTlsBuilder {
    fn new(identity: Identity) -> Self {
        let (named, client_roots) = (Vec::new(), Vec::new());
        ServerTlsBuilder { identity, named, client_roots, clients: None, reload_interval: RELOAD_INTERVAL }
    }

    /// Another certificate, for clients that ask for this name (SNI): a host name, or `*.` and a domain for all names one level
    /// below it. Clients that ask for any other name get the one that the builder began with.
    pub fn certificate_for(
        mut self,
        name: impl Into<String>,
        certificate_chain_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> Self {
        let name = name.into();
        let identity = Identity::given(&format!("{name}'s"), certificate_chain_pem.as_ref(), key_pem.as_ref());
        self.named.push((name, identity));
        self
    }

    /// As [`certificate_for`](Self::certificate_for), from files.
    pub fn certificate_files_for(
        mut self,
        name: impl Into<String>,
        certificate_chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let name = name.into();
        let identity = Identity::files(&format!("{name}'s"), certificate_chain.into(), key.into());
        self.named.push((name, identity));
        self
    }

    /// Knows clients by certificates that one of these (PEM) has signed, and refuses others (mutual TLS) unless
    /// [`client_certificates`](Self::client_certificates) says otherwise. Called again, it adds to them.
    pub fn client_root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.client_roots.push(Pem::given("client root certificates", pem.as_ref()));
        self
    }

    /// As [`client_root_certificates`](Self::client_root_certificates), from a file.
    pub fn client_root_certificates_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.client_roots.push(Pem::file("client root certificates", path.into()));
        self
    }

    /// What is asked of clients: [`Require`](ClientCertificates::Require) unless set where there are client root certificates,
    /// [`None`](ClientCertificates::None) where there are none.
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients = Some(clients);
        self
    }

    /// How old the last look at the files may be; 10 s unless set. They are looked at when a client connects. A file that
    /// cannot be used changes nothing, and is looked at again after this time.
    pub fn reload_interval(mut self, interval: Duration) -> Self {
        self.reload_interval = interval;
        self
    }

    /// The credentials.
    ///
    /// # Errors
    /// [`CredentialsError`] that names the input that cannot be used: a file that cannot be read, PEM without what is wanted,
    /// a key that is not the certificate's, a certificate that is not for the name it was given for, clients to be known
    /// without root certificates to know them by.
    pub fn build(self) -> Result<ServerCredentials, CredentialsError> {
        let clients = match (self.clients, self.client_roots.is_empty()) {
            (None, true) => ClientCertificates::None,
            (None, false) => ClientCertificates::Require,
            (Some(clients), _) => clients,
        };
        let recipe = ServerRecipe::new(self.identity, self.named, clients, self.client_roots)?;
        let tls = ServerTls::new(recipe, self.reload_interval)?;
        Ok(ServerCredentials { kind: Kind::Tls(Arc::new(tls)) })
    }
}
