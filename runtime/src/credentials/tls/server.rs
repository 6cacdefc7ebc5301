//! The configuration of a server.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

use super::identity::Identity;
use super::pem::{Files, Pem};
use super::reload::{Recipe, Reloading};
use super::{H2, provider, server_name, unusable};
use crate::credentials::error::CredentialsError;
use crate::credentials::server::ClientCertificates;

/// TLS as a server has it set up.
#[derive(Debug)]
pub(crate) struct ServerTls {
    config: Config,
}

#[derive(Debug)]
enum Config {
    Fixed(Arc<ServerConfig>),
    Made(Arc<Reloading<ServerRecipe>>),
}

impl ServerTls {
    pub(crate) fn new(recipe: ServerRecipe, interval: Duration) -> Result<ServerTls, CredentialsError> {
        Ok(ServerTls { config: Config::Made(Arc::new(Reloading::new(recipe, interval)?)) })
    }

    pub(crate) fn fixed(mut config: ServerConfig) -> ServerTls {
        config.alpn_protocols = vec![H2.to_vec()];
        ServerTls { config: Config::Fixed(Arc::new(config)) }
    }

    /// What the next handshake is made with.
    pub(crate) async fn config(&self) -> Arc<ServerConfig> {
        match &self.config {
            Config::Fixed(config) => config.clone(),
            Config::Made(made) => made.config().await,
        }
    }
}

/// What a server's configuration is made of.
#[derive(Debug)]
pub(crate) struct ServerRecipe {
    identity: Identity,
    named: Vec<(String, Identity)>,
    clients: ClientCertificates,
    client_roots: Vec<Pem>,
    provider: Arc<CryptoProvider>,
}

impl ServerRecipe {
    pub(crate) fn new(
        identity: Identity,
        named: Vec<(String, Identity)>,
        clients: ClientCertificates,
        client_roots: Vec<Pem>,
    ) -> Result<ServerRecipe, CredentialsError> {
        if clients != ClientCertificates::None && client_roots.is_empty() {
            return Err(CredentialsError::Input {
                input: "client root certificates".to_owned(),
                problem: "there are none, and clients are to prove who they are: set client_root_certificates"
                    .to_owned(),
            });
        }
        Ok(ServerRecipe { identity, named, clients, client_roots, provider: provider() })
    }
}

impl Recipe for ServerRecipe {
    type Config = ServerConfig;

    fn read(&self, files: &mut Files) -> Result<(), CredentialsError> {
        self.identity.read(files)?;
        self.named.iter().try_for_each(|(_, identity)| identity.read(files))?;
        self.client_roots.iter().try_for_each(|root| root.read(files))
    }

    fn make(&self, files: &Files) -> Result<ServerConfig, CredentialsError> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match self.clients {
            ClientCertificates::None => builder.with_no_client_auth(),
            ClientCertificates::Request | ClientCertificates::Require => {
                let mut roots = RootCertStore::empty();
                self.client_roots.iter().try_for_each(|root| root.add_to(&mut roots, files))?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
                let verifier = match self.clients {
                    ClientCertificates::Request => verifier.allow_unauthenticated(),
                    ClientCertificates::Require | ClientCertificates::None => verifier,
                };
                builder.with_client_cert_verifier(
                    verifier.build().map_err(|error| CredentialsError::Tls(Arc::new(error)))?,
                )
            }
        };
        let mut certificates =
            Certificates { fallback: Arc::new(self.identity.certified(files, &self.provider)?), named: HashMap::new() };
        for (name, identity) in &self.named {
            let certified = identity.certified(files, &self.provider)?;
            check_name(name, identity, &certified)?;
            certificates.named.insert(name.to_ascii_lowercase(), Arc::new(certified));
        }
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(config)
    }
}

/// A certificate that no client would take for this name is a mistake that is better seen now.
fn check_name(name: &str, identity: &Identity, certified: &CertifiedKey) -> Result<(), CredentialsError> {
    let example = name.strip_prefix("*.").map_or_else(|| name.to_owned(), |domain| format!("any.{domain}"));
    let example = server_name(&example).map_err(|_| CredentialsError::ServerName { name: name.to_owned() })?;
    let parsed = certified.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed
        .and_then(|certificate| verify_server_name(&certificate, &example))
        .map_err(|error| identity.chain.problem(format_args!("it is not valid for the name {name:?}: {error}")))
}

/// The certificates of a server, by the name that a client asks for.
#[derive(Debug)]
struct Certificates {
    fallback: Arc<CertifiedKey>,
    named: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    fn of(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = || name.split_once('.').and_then(|(_, domain)| self.named.get(&format!("*.{domain}")));
        self.named.get(&name).or_else(wildcard).unwrap_or(&self.fallback)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(hello.server_name().map_or(&self.fallback, |name| self.of(name)).clone())
    }
}
