//! What a peer's certificates say of it, by the names that gRPC gives to that (C-core's `auth_context`).

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// How many characters of base64 stand in a line of PEM.
const PEM_LINE: usize = 64;

/// The properties of a peer over TLS; beside those of the connection, there are some for a peer that gave certificates.
pub(in crate::transport) fn properties(certificates: &[CertificateDer<'_>]) -> Vec<(&'static str, Vec<u8>)> {
    let mut properties =
        vec![("transport_security_type", b"ssl".to_vec()), ("security_level", b"TSI_PRIVACY_AND_INTEGRITY".to_vec())];
    let Some(own) = certificates.first() else { return properties };
    // One that was verified can be read.
    if let Ok((_, certificate)) = parse_x509_certificate(own) {
        let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        properties.extend(name.map(|name| ("x509_common_name", name.as_bytes().to_vec())));
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(alternative_name);
        properties.extend(names.map(|name| ("x509_subject_alternative_name", name.into_bytes())));
    }
    properties.push(("x509_pem_cert", pem(own).into_bytes()));
    let chain: String = certificates.iter().map(pem).collect();
    properties.push(("x509_pem_cert_chain", chain.into_bytes()));
    properties
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let base64 = STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(PEM_LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
