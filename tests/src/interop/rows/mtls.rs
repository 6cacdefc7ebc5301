//! Certificates of clients, with our client against servers that demand one, that ask for one, and that do not ask.

use std::path::Path;

use callwright::{Call, Channel, ChannelCredentials, Code, Status};

use super::server::target;
use super::{Failure, Rows, TIMEOUT, equal};
use crate::interop::identity::WHO_AM_I;

/// What a server asks of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A certificate, and nobody is served without.
    Require,
    /// A certificate, and clients without are served too.
    Request,
    /// Nothing.
    None,
}

/// What a server can tell of its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// All that grpcio's `auth_context` has.
    AuthContext,
    /// The names in the certificate.
    Names,
}

/// The names of a client whose certificate has some beside the common name.
const NAMES: [&str; 2] = ["me.example", "spiffe://example/me"];

impl Rows {
    /// Runs the group against a server that asks this, on a port of this machine; says how many rows failed. The folder has
    /// `ca.pem` and the clients' certificates and keys.
    ///
    /// # Errors
    /// [`Failure`] when a file cannot be used.
    pub async fn run_mtls(mut self, folder: &Path, port: u16, asks: Asks, tells: Tells) -> Result<usize, Failure> {
        let peer = Peer { folder, port, tells };
        match asks {
            Asks::Require => {
                self.run("mtls/require/names", peer.knows("client", known("me", &NAMES))).await;
                self.run("mtls/require/common_name", peer.knows("plain", known("plain me", &[]))).await;
                self.run("mtls/require/without", peer.refuses(None)).await;
                self.run("mtls/require/stranger", peer.refuses(Some("stranger"))).await;
            }
            Asks::Request => {
                self.run("mtls/request/names", peer.knows("client", known("me", &NAMES))).await;
                self.run("mtls/request/common_name", peer.knows("plain", known("plain me", &[]))).await;
                self.run("mtls/request/without", peer.serves_nobody(None)).await;
                self.run("mtls/request/stranger", peer.refuses(Some("stranger"))).await;
            }
            Asks::None => self.run("mtls/none/names", peer.serves_nobody(Some("client"))).await,
        }
        Ok(self.failed)
    }
}

/// What an `auth_context` tells of a client with this common name and these further names.
fn known(common_name: &str, names: &[&str]) -> Vec<String> {
    let identity = if names.is_empty() { "x509_common_name" } else { "x509_subject_alternative_name" };
    let identities = if names.is_empty() { &[common_name][..] } else { names };
    let mut lines = vec!["transport_security_type=ssl".to_owned(), format!("x509_common_name={common_name}")];
    lines.extend(names.iter().map(|name| format!("x509_subject_alternative_name={name}")));
    lines.push(format!("identity={identity}"));
    lines.extend(identities.iter().map(|name| format!("peer={name}")));
    lines
}

struct Peer<'a> {
    folder: &'a Path,
    port: u16,
    tells: Tells,
}

impl Peer<'_> {
    /// What the server tells a client with this certificate, on a connection of its own.
    async fn call(&self, certificate: Option<&str>) -> Result<Result<String, Status>, Failure> {
        let mut credentials = ChannelCredentials::tls().root_certificates_file(self.folder.join("ca.pem"));
        if let Some(name) = certificate {
            let file = |ending| self.folder.join(format!("{name}.{ending}"));
            credentials = credentials.identity_files(file("pem"), file("key"));
        }
        let channel = Channel::builder(target(self.port)).credentials(credentials.build()?).build()?;
        Ok(Call::unary(&channel, WHO_AM_I, String::new()).timeout(TIMEOUT).await)
    }

    async fn tells(&self, certificate: Option<&str>, mut lines: Vec<String>) -> Result<(), Failure> {
        if self.tells == Tells::Names {
            lines.retain(|line| line.starts_with("x509_"));
        }
        let told = self.call(certificate).await??;
        equal("what the server knows", told.lines().collect::<Vec<_>>(), lines.iter().map(String::as_str).collect())
    }

    async fn knows(&self, certificate: &str, lines: Vec<String>) -> Result<(), Failure> {
        self.tells(Some(certificate), lines).await
    }

    async fn serves_nobody(&self, certificate: Option<&str>) -> Result<(), Failure> {
        let nobody = ["transport_security_type=ssl", "identity=none"];
        self.tells(certificate, nobody.map(str::to_owned).to_vec()).await
    }

    /// The client is refused, and another served after it: it is not that nobody is there.
    async fn refuses(&self, certificate: Option<&str>) -> Result<(), Failure> {
        match self.call(certificate).await? {
            Ok(told) => return Err(Failure(format!("the client is served: {told}"))),
            Err(status) => {
                equal(&format!("code of {status}"), status.code(), Code::Unavailable)?;
                let leads_there = status.message().contains("certificate");
                equal(&format!("whether {status} speaks of the certificate"), leads_there, true)?;
            }
        }
        self.knows("client", known("me", &NAMES)).await
    }
}
