//! Who the peer is, as its transport proved it.

use std::fmt;
use std::sync::Arc;

use crate::transport::server::PeerProperties;

/// The properties that name a peer, of which the first that it has is its identity.
const IDENTITIES: [&str; 2] = ["x509_subject_alternative_name", "x509_common_name"];

/// What the transport knows of the peer's identity (grpcio's `auth_context`).
///
/// A plaintext connection proves nothing: its context has no properties and no identities. Over TLS there are
/// `transport_security_type` (`ssl`) and `security_level`, and for a client that gave a certificate
///
/// | property | value |
/// |---|---|
/// | `x509_common_name` | the common name in its subject, where it has one |
/// | `x509_subject_alternative_name` | each of its alternative names: host names, mail addresses, URIs, IP addresses |
/// | `x509_pem_cert` | the certificate, as PEM |
/// | `x509_pem_cert_chain` | the same and those that came with it, in their order |
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

    /// All properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.properties.iter().flat_map(|properties| properties.iter().map(|(name, value)| (*name, value.as_slice())))
    }
}

impl fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |(name, value): (&str, &[u8])| (name.to_owned(), String::from_utf8_lossy(value).into_owned());
        f.debug_map().entries(self.properties().map(text)).finish()
    }
}
