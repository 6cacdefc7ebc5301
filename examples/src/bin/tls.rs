//! Mutual TLS: the client knows its server, and the server its client, by certificates.
//!
//! `cargo run -p callwright-examples --bin tls`

use std::error::Error;
use std::time::Duration;

use callwright::{Channel, ChannelCredentials, Server, ServerContext, ServerCredentials, Status};
use callwright_examples::helloworld::{GreeterServer, GreeterServicer, GreeterStub, HelloReply, HelloRequest};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Greets its caller by the name in the caller's certificate, whatever the request says.
struct MyGreeter;

impl GreeterServicer for MyGreeter {
    async fn say_hello(&self, _request: HelloRequest, context: &mut ServerContext) -> Result<HelloReply, Status> {
        let identities: Vec<_> = context.peer_identities().map(String::from_utf8_lossy).collect();
        match identities.first() {
            Some(name) => Ok(HelloReply { message: format!("Hello, {name}!") }),
            None => Err(Status::unauthenticated("the caller has no certificate")),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let authority = Authority::new("our authority")?;
    let (certificate, key) = authority.sign("localhost")?;
    let credentials = ServerCredentials::tls(certificate, key).client_root_certificates(&authority.certificate);
    let server = Server::builder()
        .credentials(credentials.build()?)
        .add_service(GreeterServer::new(MyGreeter))
        .bind("127.0.0.1:0")
        .await?;
    // The certificate has to be for the name in the target.
    let port = server.local_addr().socket_addr().ok_or("a TCP server has a port")?.port();
    let target = format!("localhost:{port}");

    let (certificate, key) = authority.sign("billing.example")?;
    let trusted = ChannelCredentials::tls().root_certificates(&authority.certificate);
    println!("with a certificate:    {}", greet(&target, trusted.clone().identity(certificate, key).build()?).await?);

    let refused = |result: Result<String, Box<dyn Error>>| result.expect_err("this channel cannot connect");
    println!("without one:           {}", refused(greet(&target, trusted.build()?).await));
    let stranger =
        ChannelCredentials::tls().root_certificates(Authority::new("another authority")?.certificate).build()?;
    println!("of another authority:  {}", refused(greet(&target, stranger).await));
    println!("in plaintext:          {}", refused(greet(&target, ChannelCredentials::insecure()).await));

    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn greet(target: &str, credentials: ChannelCredentials) -> Result<String, Box<dyn Error>> {
    let channel = Channel::builder(target).credentials(credentials).build()?;
    let call = GreeterStub::new(channel).say_hello(HelloRequest::default());
    Ok(call.timeout(Duration::from_secs(5)).await?.message)
}

/// Who signs the certificates. In earnest they come from files that somebody renews: `ServerCredentials::tls_files`.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new(name: &str) -> Result<Authority, rcgen::Error> {
        let mut params = CertificateParams::new([])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), certificate })
    }

    /// A certificate for this name, and its private key.
    fn sign(&self, name: &str) -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}
