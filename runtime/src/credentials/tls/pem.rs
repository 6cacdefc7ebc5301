//! PEM, as a user gave it or as a file holds it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::credentials::error::CredentialsError;

/// The largest file that is read, in bytes: the certificates of all public authorities are a quarter of a MiB.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// What the files held when they were read.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// PEM, and what it is to hold.
#[derive(Clone)]
pub(crate) struct Pem {
    input: String,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Given(Arc<[u8]>),
    File(PathBuf),
}

impl Pem {
    pub(crate) fn given(input: impl Into<String>, bytes: &[u8]) -> Pem {
        Pem { input: input.into(), source: Source::Given(bytes.into()) }
    }

    pub(crate) fn file(input: impl Into<String>, path: PathBuf) -> Pem {
        Pem { input: input.into(), source: Source::File(path) }
    }

    /// Reads the file, where there is one.
    pub(super) fn read(&self, files: &mut Files) -> Result<(), CredentialsError> {
        let Source::File(path) = &self.source else { return Ok(()) };
        if files.contains_key(path) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
        read.map_err(|error| CredentialsError::File {
            input: self.input.clone(),
            path: path.clone(),
            source: Arc::new(error),
        })?;
        files.insert(path.clone(), bytes);
        Ok(())
    }

    fn bytes<'a>(&'a self, files: &'a Files) -> &'a [u8] {
        match &self.source {
            Source::Given(bytes) => bytes,
            Source::File(path) => files.get(path).map_or(&[], Vec::as_slice),
        }
    }

    /// What it is, and where it came from.
    pub(super) fn name(&self) -> String {
        match &self.source {
            Source::Given(_) => self.input.clone(),
            Source::File(path) => format!("{} (file {})", self.input, path.display()),
        }
    }

    pub(super) fn problem(&self, problem: impl fmt::Display) -> CredentialsError {
        CredentialsError::Input { input: self.name(), problem: problem.to_string() }
    }

    /// The certificates in it: one at the least.
    pub(super) fn certificates(&self, files: &Files) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
        let bytes = self.bytes(files);
        let certificates = CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.problem(format_args!("it is no PEM: {error}")))?;
        match certificates.is_empty() {
            true => Err(self.problem(lacks("certificate", "CERTIFICATE", bytes))),
            false => Ok(certificates),
        }
    }

    /// The first private key in it.
    pub(super) fn key(&self, files: &Files) -> Result<PrivateKeyDer<'static>, CredentialsError> {
        let bytes = self.bytes(files);
        match PrivateKeyDer::pem_slice_iter(bytes).next() {
            Some(Ok(key)) => Ok(key),
            Some(Err(error)) => Err(self.problem(format_args!("it is no PEM: {error}"))),
            None if contains(bytes, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
                Err(self.problem("the key is encrypted: it has to be decrypted first"))
            }
            None => Err(self.problem(lacks("private key", "PRIVATE KEY", bytes))),
        }
    }

    /// Adds its certificates to those that are trusted.
    pub(super) fn add_to(&self, roots: &mut RootCertStore, files: &Files) -> Result<(), CredentialsError> {
        for (at, certificate) in self.certificates(files)?.into_iter().enumerate() {
            roots
                .add(certificate)
                .map_err(|error| self.problem(format_args!("certificate {} in it is malformed: {error}", at + 1)))?;
        }
        Ok(())
    }
}

fn lacks(what: &str, label: &str, bytes: &[u8]) -> String {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return "it is empty".to_owned();
    }
    let has = if contains(bytes, b"-----BEGIN ") { "there is other PEM in it, but" } else { "it is no PEM:" };
    format!("{has} there is no {what} in it (-----BEGIN {label}-----)")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

impl fmt::Debug for Pem {
    /// What it holds may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
