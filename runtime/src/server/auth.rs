//! Who the peer is, as its transport proved it.

/// What the transport knows of the peer's identity (grpcio's `auth_context`).
///
/// A plaintext connection proves nothing: its context has no properties and no identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthContext {
    properties: Vec<(String, Vec<u8>)>,
}

impl AuthContext {
    /// Whether the peer proved who it is.
    pub fn is_peer_authenticated(&self) -> bool {
        !self.properties.is_empty()
    }

    /// The values of one property, such as `x509_common_name`.
    pub fn property<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.properties.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// All properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.properties.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}
