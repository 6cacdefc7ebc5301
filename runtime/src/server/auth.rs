//! Who the peer is, as its transport proved it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::transport::server::PeerProperties;
use crate::transport::unix;

/// The properties that name a peer, of which the first that it has is its identity.
const IDENTITIES: [&str; 2] = ["x509_subject_alternative_name", "x509_common_name"];

/// What the transport knows of the peer's identity (grpcio's `auth_context`).
///
/// A plaintext connection over TCP proves nothing: its context has no properties and no identities. Otherwise there are
/// `transport_security_type`, which is `ssl` for TLS and `local` for a Unix socket without it (as with gRPC's local credentials),
/// and `security_level`, which is `TSI_PRIVACY_AND_INTEGRITY`. Over TLS there are, for a client that gave a certificate,
///
/// | property | value |
/// |---|---|
/// | `x509_common_name` | the common name in its subject, where it has one |
/// | `x509_subject_alternative_name` | each of its alternative names: host names, mail addresses, URIs, IP addresses |
/// | `x509_pem_cert` | the certificate, as PEM |
/// | `x509_pem_cert_chain` | the same and those that came with it, in their order |
///
/// and over a Unix socket, as the system knew them when the client connected, as decimal numbers
///
/// | property | value |
/// |---|---|
/// | `unix_uid` | the effective user of the client's process |
/// | `unix_gid` | its effective group |
/// | `unix_pid` | the process, where the system tells. It may be another's by now, so that nothing should be allowed by it |
///
/// These are numbers of the machine, and no identities: [`unix_credentials`](Self::unix_credentials) has them.
///
/// Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthContext {
    // Plaintext has none, and costs nothing for it.
    properties: Option<Arc<PeerProperties>>,
}

impl AuthContext {
    pub(super) fn new(properties: PeerProperties) -> AuthContext {
        AuthContext { properties: (!properties.is_empty()).then(|| Arc::new(properties)) }
    }

    /// Whether the peer proved who it is.
    pub fn is_peer_authenticated(&self) -> bool {
        self.peer_identity_property_name().is_some()
    }

    /// The property whose values are the peer's identities: `x509_subject_alternative_name` where its certificate has such
    /// names, else `x509_common_name`; `None` for a peer that did not prove who it is.
    pub fn peer_identity_property_name(&self) -> Option<&'static str> {
        IDENTITIES.into_iter().find(|name| self.property(name).next().is_some())
    }

    /// The values of one property, such as `x509_common_name`.
    pub fn property<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.properties().filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Who is at the other end of a Unix socket; `None` on any other connection.
    pub fn unix_credentials(&self) -> Option<UnixCredentials> {
        Some(UnixCredentials {
            uid: self.number(unix::UID)?,
            gid: self.number(unix::GID)?,
            pid: self.number(unix::PID),
        })
    }

    fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        std::str::from_utf8(self.property(name).next()?).ok()?.parse().ok()
    }

    /// All properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.properties.iter().flat_map(|properties| properties.iter().map(|(name, value)| (*name, value.as_slice())))
    }
}

/// The user, the group and the process of a client on the same machine, as the system knew them when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnixCredentials {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The process, where the system tells. It may be another's by now.
    pub pid: Option<i32>,
}

impl fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |(name, value): (&str, &[u8])| (name.to_owned(), String::from_utf8_lossy(value).into_owned());
        f.debug_map().entries(self.properties().map(text)).finish()
    }
}
