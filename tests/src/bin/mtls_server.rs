//! Serves a service that tells callers who they are, by the certificates that they have, or have not.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use callwright::{ClientCertificates, Server, ServerCredentials};
use callwright_tests::interop::flags::{Flag, Flags, usage};
use callwright_tests::interop::identity::IdentityService;
use callwright_tests::interop::lifetime;

const ABOUT: &str = "Serves callwright.tests.Identity over TLS, on a free port of 127.0.0.1.";
const FLAGS: [Flag; 2] = [
    Flag { name: "certificates", default: "", help: "the folder of server.pem, server.key and clients.pem" },
    Flag {
        name: "client_certificates",
        default: "require",
        help: "what is asked of clients: require, request or none",
    },
];

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::parse(&FLAGS, std::env::args().skip(1)) {
        Ok(flags) => flags,
        Err(error) => {
            eprintln!("mtls_server: {error}\n\n{}", usage("mtls_server", ABOUT, &FLAGS));
            return ExitCode::FAILURE;
        }
    };
    match run(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mtls_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(flags.text("certificates"));
    let credentials = ServerCredentials::tls_files(folder.join("server.pem"), folder.join("server.key"));
    let roots = folder.join("clients.pem");
    let credentials = match flags.text("client_certificates") {
        "require" => credentials.client_root_certificates_file(roots),
        "request" => credentials.client_root_certificates_file(roots).client_certificates(ClientCertificates::Request),
        "none" => credentials,
        other => return Err(format!("--client_certificates={other}: require, request or none is needed").into()),
    };
    let server = Server::builder().credentials(credentials.build()?).add_service(IdentityService);
    let running = server.bind("127.0.0.1:0").await?;
    println!("listening on {}", running.local_addr());
    lifetime::serve(running, false).await;
    Ok(())
}
