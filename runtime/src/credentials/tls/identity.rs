//! A certificate with the private key that belongs to it.

use std::path::PathBuf;

use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::pem::{Files, Pem};
use crate::credentials::error::CredentialsError;

/// A certificate chain and its private key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(super) chain: Pem,
    key: Pem,
}

impl Identity {
    pub(crate) fn given(whose: &str, chain: &[u8], key: &[u8]) -> Identity {
        Identity {
            chain: Pem::given(format!("{whose} certificate chain"), chain),
            key: Pem::given(format!("{whose} private key"), key),
        }
    }

    pub(crate) fn files(whose: &str, chain: PathBuf, key: PathBuf) -> Identity {
        Identity {
            chain: Pem::file(format!("{whose} certificate chain"), chain),
            key: Pem::file(format!("{whose} private key"), key),
        }
    }

    pub(super) fn read(&self, files: &mut Files) -> Result<(), CredentialsError> {
        self.chain.read(files)?;
        self.key.read(files)
    }

    /// The certificate with its key, once it is known that they belong together.
    pub(super) fn certified(&self, files: &Files, provider: &CryptoProvider) -> Result<CertifiedKey, CredentialsError> {
        let chain = self.chain.certificates(files)?;
        if let Some(first) = chain.first() {
            ParsedCertificate::try_from(first)
                .map_err(|error| self.chain.problem(format_args!("its first certificate is malformed: {error}")))?;
        }
        CertifiedKey::from_der(chain, self.key.key(files)?, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CredentialsError::KeyMismatch { certificate: self.chain.name(), key: self.key.name() }
            }
            error => self.key.problem(format_args!("it is of a kind that is not known, or malformed: {error}")),
        })
    }
}
