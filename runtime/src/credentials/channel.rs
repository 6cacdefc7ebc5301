//! How a channel proves who it is, and how it knows its server.

#[cfg(feature = "_tls")]
use std::path::PathBuf;
#[cfg(feature = "_tls")]
use std::sync::Arc;
#[cfg(feature = "_tls")]
use std::time::Duration;

#[cfg(feature = "_tls")]
use super::error::CredentialsError;
#[cfg(feature = "_tls")]
use super::tls::{ClientRecipe, ClientTls, Identity, Pem, RELOAD_INTERVAL, server_name};

/// How a channel's connections are secured; plaintext unless set. Cheap to clone.
///
/// ```no_run
/// # #[cfg(feature = "tls")]
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use callwright::{Channel, ChannelCredentials};
///
/// let credentials = ChannelCredentials::tls().root_certificates_file("ca.pem").build()?;
/// let channel = Channel::builder("dns:///greeter.example:50051").credentials(credentials).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ChannelCredentials {
    kind: Kind,
}

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Insecure,
    #[cfg(feature = "_tls")]
    Tls(Arc<ClientTls>),
}

impl ChannelCredentials {
    /// Plaintext: nothing is encrypted, and nobody proves who they are. The default.
    pub fn insecure() -> ChannelCredentials {
        ChannelCredentials::default()
    }

    /// Whether connections are plaintext.
    pub fn is_insecure(&self) -> bool {
        matches!(self.kind, Kind::Insecure)
    }
}

#[cfg(feature = "_tls")]
impl ChannelCredentials {
    /// TLS 1.2 or 1.3, with the root certificates of the system unless others are set.
    pub fn tls() -> ChannelTlsBuilder {
        ChannelTlsBuilder { roots: Vec::new(), identity: None, server_name: None, reload_interval: RELOAD_INTERVAL }
    }

    /// TLS as a configuration of rustls has it, for what [`tls`](Self::tls) does not offer: a verifier of your own, say.
    ///
    /// Its ALPN protocols are replaced by `h2`. The type is [`callwright::rustls`](crate::rustls)'s, whose major version may
    /// change with a minor one of this crate.
    pub fn rustls(config: rustls::ClientConfig) -> ChannelCredentials {
        ChannelCredentials { kind: Kind::Tls(Arc::new(ClientTls::fixed(config))) }
    }

    pub(crate) fn client_tls(&self) -> Option<&Arc<ClientTls>> {
        match &self.kind {
            Kind::Insecure => None,
            Kind::Tls(tls) => Some(tls),
        }
    }
}

/// Sets up TLS for a channel; made by [`ChannelCredentials::tls`].
///
/// What comes from a file is read again when the file has changed, so that a certificate can be renewed while the channel
/// runs: see [`reload_interval`](Self::reload_interval).
#[cfg(feature = "_tls")]
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until build() is called"]
pub struct ChannelTlsBuilder {
    roots: Vec<Pem>,
    identity: Option<Identity>,
    server_name: Option<String>,
    reload_interval: Duration,
}

#[cfg(feature = "_tls")]
impl ChannelTlsBuilder {
    /// Trusts servers whose certificate one of these (PEM) has signed, in place of those that the system trusts. Called
    /// again, it adds to them.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots.push(Pem::given("root certificates", pem.as_ref()));
        self
    }

    /// As [`root_certificates`](Self::root_certificates), from a file.
    pub fn root_certificates_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots.push(Pem::file("root certificates", path.into()));
        self
    }

    /// Proves who the client is (mutual TLS): its certificate and those that lead to the root, in this order, and its private
    /// key (PKCS #8, PKCS #1 or SEC1), all as PEM.
    pub fn identity(mut self, certificate_chain_pem: impl AsRef<[u8]>, key_pem: impl AsRef<[u8]>) -> Self {
        self.identity = Some(Identity::given("client's", certificate_chain_pem.as_ref(), key_pem.as_ref()));
        self
    }

    /// As [`identity`](Self::identity), from two files, or from one that has both.
    pub fn identity_files(mut self, certificate_chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some(Identity::files("client's", certificate_chain.into(), key.into()));
        self
    }

    /// The name that the server's certificate has to be for, in place of the one in the channel's authority. The authority of
    /// the channel becomes this name too, unless it was set (as in grpc-go).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// How old the last look at the files may be; 10 s unless set. They are looked at when a connection is made. A file that
    /// cannot be used changes nothing, and is looked at again after this time.
    pub fn reload_interval(mut self, interval: Duration) -> Self {
        self.reload_interval = interval;
        self
    }

    /// The credentials.
    ///
    /// # Errors
    /// [`CredentialsError`] that names the input that cannot be used: a file that cannot be read, PEM without what is wanted,
    /// a key that is not the certificate's, a system without root certificates.
    pub fn build(self) -> Result<ChannelCredentials, CredentialsError> {
        if let Some(name) = &self.server_name {
            server_name(name)?;
        }
        let recipe = ClientRecipe::new(self.roots, self.identity)?;
        let tls = ClientTls::new(recipe, self.server_name, self.reload_interval)?;
        Ok(ChannelCredentials { kind: Kind::Tls(Arc::new(tls)) })
    }
}
