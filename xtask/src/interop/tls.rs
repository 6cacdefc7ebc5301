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
        let extensions = "subjectAltName=DNS:*.test.google.fr,DNS:localhost,IP:127.0.0.1\n";
        fs::write(folder.join("server.ext"), extensions)
            .map_err(|error| format!("cannot write server.ext: {error}"))?;
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let authority = ["req", "-x509", "-days", "2", "-subj", "/CN=interop", "-keyout", "ca.key", "-out", "ca.pem"];
        let request = ["req", "-subj", "/CN=*.test.google.fr", "-keyout", "server.key", "-out", "server.csr"];
        let sign = ["x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"];
        let signed = ["-CAcreateserial", "-extfile", "server.ext", "-out", "server.pem"];
        for arguments in [[&authority[..], &key].concat(), [&request[..], &key].concat(), [&sign[..], &signed].concat()]
        {
            process::run(Command::new("openssl").args(arguments).current_dir(&folder), STEP)?;
        }
        Ok(Certificates { folder })
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
