//! The configuration of a client.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use super::identity::Identity;
use super::pem::{Files, Pem};
use super::reload::{Recipe, Reloading};
use super::{H2, provider, unusable};
use crate::credentials::error::CredentialsError;

/// TLS as a client has it set up.
#[derive(Debug)]
pub(crate) struct ClientTls {
    config: Config,
    server_name: Option<String>,
}

#[derive(Debug)]
enum Config {
    Fixed(Arc<ClientConfig>),
    Made(Arc<Reloading<ClientRecipe>>),
}

impl ClientTls {
    pub(crate) fn new(
        recipe: ClientRecipe,
        server_name: Option<String>,
        interval: Duration,
    ) -> Result<ClientTls, CredentialsError> {
        Ok(ClientTls { config: Config::Made(Arc::new(Reloading::new(recipe, interval)?)), server_name })
    }

    pub(crate) fn fixed(mut config: ClientConfig) -> ClientTls {
        config.alpn_protocols = vec![H2.to_vec()];
        ClientTls { config: Config::Fixed(Arc::new(config)), server_name: None }
    }

    /// The name that the server's certificate is to be for, where it was set.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// What the next handshake is made with.
    pub(crate) async fn config(&self) -> Arc<ClientConfig> {
        match &self.config {
            Config::Fixed(config) => config.clone(),
            Config::Made(made) => made.config().await,
        }
    }
}

/// What a client's configuration is made of.
#[derive(Debug)]
pub(crate) struct ClientRecipe {
    roots: Roots,
    identity: Option<Identity>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Roots {
    System(Arc<RootCertStore>),
    Own(Vec<Pem>),
}

impl ClientRecipe {
    /// Without roots of its own, it has those of the system.
    pub(crate) fn new(roots: Vec<Pem>, identity: Option<Identity>) -> Result<ClientRecipe, CredentialsError> {
        let roots = if roots.is_empty() { Roots::System(system_roots()?) } else { Roots::Own(roots) };
        Ok(ClientRecipe { roots, identity, provider: provider() })
    }
}

impl Recipe for ClientRecipe {
    type Config = ClientConfig;

    fn read(&self, files: &mut Files) -> Result<(), CredentialsError> {
        if let Roots::Own(roots) = &self.roots {
            roots.iter().try_for_each(|root| root.read(files))?;
        }
        self.identity.iter().try_for_each(|identity| identity.read(files))
    }

    fn make(&self, files: &Files) -> Result<ClientConfig, CredentialsError> {
        let roots = match &self.roots {
            Roots::System(roots) => roots.clone(),
            Roots::Own(own) => {
                let mut roots = RootCertStore::empty();
                own.iter().try_for_each(|root| root.add_to(&mut roots, files))?;
                Arc::new(roots)
            }
        };
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certified = identity.certified(files, &self.provider)?;
                let resolver: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(certified));
                builder.with_client_cert_resolver(resolver)
            }
        };
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(config)
    }
}

/// The root certificates of the system, read once in a process: it takes some milliseconds.
fn system_roots() -> Result<Arc<RootCertStore>, CredentialsError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(roots.clone());
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system has old ones too, which cannot be used and need not be.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = found.errors.first().map_or("none were found".to_owned(), ToString::to_string);
        return Err(CredentialsError::NoSystemRoots { problem });
    }
    Ok(ROOTS.get_or_init(|| Arc::new(roots)).clone())
}
