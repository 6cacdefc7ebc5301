//! Certificates for the cases over TLS, made anew for each run: an authority, and a server's certificate by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process;

/// The name that servers are called by, which only their certificate has.
const NAME: &str = "foo.test.google.fr";
const STEP: Duration = Duration::from_secs(30);

/// The files of an authority and a server.
pub(super) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them with openssl.
    ///
    /// # Errors
    /// What openssl says.
    pub(super) fn make(peers: &Path) -> Result<Certificates, String> {
        let folder = peers.join("tls");
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        make_authority(&folder, "ca", "/CN=interop")?;
        let names = "subjectAltName=DNS:*.test.google.fr,DNS:localhost,IP:127.0.0.1\n";
        make_certificate(&folder, "server", "/CN=*.test.google.fr", ("ca", names))?;
        Ok(Certificates { folder })
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a client takes to trust the authority, and to call the server by the name of its certificate.
    pub(super) fn client_flags(&self) -> Vec<String> {
        vec![
            "--use_tls=true".to_owned(),
            format!("--ca_file={}", self.folder.join("ca.pem").display()),
            format!("--server_host_override={NAME}"),
        ]
    }

    /// What a server takes.
    pub(super) fn server_flags(&self) -> Vec<String> {
        let file = |name| self.folder.join(name).display().to_string();
        vec![
            "--use_tls=true".to_owned(),
            format!("--tls_cert_file={}", file("server.pem")),
            format!("--tls_key_file={}", file("server.key")),
        ]
    }
}

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// Makes an authority in a folder: `NAME.pem` and `NAME.key`.
pub(super) fn make_authority(folder: &Path, name: &str, subject: &str) -> Result<(), String> {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let request = ["req", "-x509", "-days", "2", "-subj", subject, "-keyout", &key, "-out", &certificate];
    openssl(folder, &[&request[..], &NEW_KEY].concat())
}

/// Makes a certificate in a folder, signed by an authority there, with these extensions: `NAME.pem` and `NAME.key`.
pub(super) fn make_certificate(
    folder: &Path,
    name: &str,
    subject: &str,
    (authority, extensions): (&str, &str),
) -> Result<(), String> {
    let file = |ending| format!("{name}.{ending}");
    let (key, request, certificate, extended) = (file("key"), file("csr"), file("pem"), file("ext"));
    fs::write(folder.join(&extended), extensions).map_err(|error| format!("cannot write {extended}: {error}"))?;
    let asked = ["req", "-subj", subject, "-keyout", &key, "-out", &request];
    openssl(folder, &[&asked[..], &NEW_KEY].concat())?;
    let (by, by_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    let sign = ["x509", "-req", "-days", "2", "-in", &request, "-CA", &by, "-CAkey", &by_key];
    openssl(folder, &[&sign[..], &["-CAcreateserial", "-extfile", &extended, "-out", &certificate]].concat())
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    process::run(Command::new("openssl").args(arguments).current_dir(folder), STEP).map(drop)
}
