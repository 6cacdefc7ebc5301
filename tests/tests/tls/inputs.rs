//! What is said of credentials that cannot be used.

use callwright::{Channel, ChannelCredentials, ChannelError, ClientCertificates, CredentialsError, ServerCredentials};

use crate::certificates::Authority;
use crate::tls;

fn client(pem: &str) -> CredentialsError {
    ChannelCredentials::tls().root_certificates(pem).build().unwrap_err()
}

fn server(chain: &str, key: &str) -> CredentialsError {
    ServerCredentials::tls(chain, key).build().unwrap_err()
}

fn says(error: &CredentialsError, parts: &[&str]) {
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn an_input_that_is_no_certificate_is_named() {
    says(&client(""), &["the root certificates cannot be used", "it is empty"]);
    says(&client("hello"), &["root certificates", "it is no PEM", "BEGIN CERTIFICATE"]);
    says(&client("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"), &["root certificates", "no PEM"]);
    says(&client("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &["certificate 1", "malformed"]);
    says(&client("-----BEGIN CERTIFICATE-----\nAAAA\n"), &["root certificates", "no PEM"]);
    let identity = Authority::new("a root").server(&["localhost"]);
    says(&client(&identity.key), &["root certificates", "other PEM", "no certificate"]);
    says(
        &server("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &identity.key),
        &["server's certificate chain", "malformed"],
    );
}

#[test]
fn an_input_that_is_no_key_is_named() {
    let identity = Authority::new("a root").server(&["localhost"]);
    says(&server(&identity.chain, ""), &["server's private key", "it is empty"]);
    says(&server(&identity.chain, &identity.chain), &["server's private key", "no private key"]);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    says(&server(&identity.chain, encrypted), &["server's private key", "encrypted"]);
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    says(&server(&identity.chain, nonsense), &["server's private key", "malformed"]);
}

#[test]
fn a_key_that_is_not_the_certificates_is_found_out() {
    let authority = Authority::new("a root");
    let (one, other) = (authority.server(&["localhost"]), authority.server(&["localhost"]));
    let error = server(&one.chain, &other.key);
    assert!(matches!(error, CredentialsError::KeyMismatch { .. }));
    says(&error, &["server's private key", "does not belong to the server's certificate chain"]);
    let error = ChannelCredentials::tls().root_certificates(&authority.pem).identity(one.chain, other.key);
    says(&error.build().unwrap_err(), &["client's private key", "does not belong"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = ChannelCredentials::tls().root_certificates_file("/not/there.pem").build().unwrap_err();
    says(&error, &["root certificates", "/not/there.pem", "No such file"]);
    let error = ServerCredentials::tls_files("/not/there.pem", "/not/there.key").build().unwrap_err();
    says(&error, &["server's certificate chain", "/not/there.pem"]);
}

#[test]
fn a_certificate_for_a_name_that_it_is_not_valid_for_is_found_out() {
    let authority = Authority::new("a root");
    let identity = authority.server(&["localhost"]);
    let error = tls(&identity).certificate_for("other.example", &identity.chain, &identity.key).build().unwrap_err();
    says(&error, &["other.example's certificate chain", "not valid for the name"]);
    let error = tls(&identity).certificate_for("no name", &identity.chain, &identity.key).build().unwrap_err();
    says(&error, &["\"no name\" is no name of a server"]);
}

#[test]
fn clients_cannot_be_known_without_roots_to_know_them_by() {
    let identity = Authority::new("a root").server(&["localhost"]);
    let error = tls(&identity).client_certificates(ClientCertificates::Require).build().unwrap_err();
    says(&error, &["client root certificates", "set client_root_certificates"]);
}

#[test]
fn a_name_that_no_server_has_is_no_name() {
    let authority = Authority::new("a root");
    let builder = ChannelCredentials::tls().root_certificates(&authority.pem);
    says(&builder.clone().server_name("a b").build().unwrap_err(), &["\"a b\" is no name of a server"]);
    let channel = Channel::builder("unix:/run/socket").authority("-.").credentials(builder.build().unwrap());
    assert!(matches!(channel.build(), Err(ChannelError::Credentials(CredentialsError::ServerName { .. }))));
}

#[test]
fn a_target_that_asks_for_tls_is_never_spoken_to_in_plaintext() {
    let builder = Channel::builder("https://localhost").credentials(ChannelCredentials::insecure());
    assert!(matches!(builder.build(), Err(ChannelError::Insecure { .. })));
}

#[test]
fn what_is_secret_is_not_shown() {
    let identity = Authority::new("a root").server(&["localhost"]);
    let builder = tls(&identity);
    let (builder, built) = (format!("{builder:?}"), format!("{:?}", builder.build().unwrap()));
    for text in [builder, built] {
        assert!(!text.contains("BEGIN") && text.len() < 10_000, "{text}");
    }
}
