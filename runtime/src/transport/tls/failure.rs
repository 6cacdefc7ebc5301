//! Why a TLS handshake failed, spelled for the person who has to do something about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error as TlsError, PeerIncompatible};

/// A handshake that failed.
#[derive(Debug)]
pub(super) struct Refused {
    text: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Refused {
    pub(super) fn new(text: impl Into<String>) -> Refused {
        Refused { text: text.into(), cause: None }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn Error + 'static))
    }
}

/// Why a client's handshake with a server of this name failed.
pub(super) fn of_server(error: io::Error, name: &ServerName<'_>) -> Refused {
    let text = match tls_error(&error) {
        Some(error) => spell(error, Some(name)),
        None if is_close(&error) => {
            "the server closed the connection during the TLS handshake: either it does not speak TLS, \
                                     or it refuses this client"
                .to_owned()
        }
        None => format!("the connection broke during the TLS handshake: {error}"),
    };
    Refused { text, cause: Some(Arc::new(error)) }
}

/// Why a connection ended whose handshake was over at this side: in TLS 1.3 the client is done before the server has looked at
/// its certificate. `None` for what has nothing to do with TLS.
pub(in crate::transport) fn in_http2(error: &io::Error) -> Option<String> {
    tls_error(error).map(|error| spell(error, None))
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

fn is_close(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

fn spell(error: &TlsError, name: Option<&ServerName<'_>>) -> String {
    match error {
        TlsError::InvalidCertificate(problem) => format!("the server's certificate {}", certificate(problem, name)),
        TlsError::InvalidMessage(_) => {
            format!(
                "the server does not speak TLS ({error}): where it is to be reached in plaintext, set its credentials to \
                 ChannelCredentials::insecure(), or write http:// in its target"
            )
        }
        TlsError::NoApplicationProtocol | TlsError::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the server speaks TLS, and refuses HTTP/2 in it (ALPN \"h2\")".to_owned()
        }
        TlsError::AlertReceived(alert) => format!("the server refused the TLS handshake: {}", refusal(*alert)),
        TlsError::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the server speaks neither TLS 1.2 nor 1.3".to_owned()
        }
        error => error.to_string(),
    }
}

/// What helps where a server is reached by another name than its certificate has.
const TO_DO: &str = ": set server_name to a name that it is for, if this is the server that is wanted";

/// The names as people write them. rustls gives each as its `Debug`: `DnsName("localhost")`, `IpAddress(127.0.0.1)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

fn certificate(problem: &CertificateError, name: Option<&ServerName<'_>>) -> String {
    let wanted = || name.map_or_else(String::new, |name| format!(" {:?}", name.to_str()));
    match problem {
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!("is not valid for the name{}: it names nobody (it has no subject alternative name)", wanted())
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("is not valid for the name{}: it is for {}{}", wanted(), names(presented), TO_DO)
        }
        CertificateError::NotValidForName => format!("is not valid for the name{}{TO_DO}", wanted()),
        CertificateError::UnknownIssuer => {
            "is signed by an unknown issuer: set root_certificates to the one that signed it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!("has expired ({problem})"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("is not valid yet ({problem}): is the clock of this machine right?")
        }
        CertificateError::BadSignature => {
            "is not signed by the authority that it names: set root_certificates to the one that signed it".to_owned()
        }
        problem => format!("is not accepted: {problem}"),
    }
}

fn refusal(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "it requires a certificate of the client (identity), and none was given".to_owned()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => format!("it does not accept the client's certificate (alert {alert:?})"),
        AlertDescription::UnrecognisedName => "it does not know the name that it was asked for".to_owned(),
        AlertDescription::ProtocolVersion => "it speaks no version of TLS that is spoken here (1.2, 1.3)".to_owned(),
        alert => format!("alert {alert:?}"),
    }
}
