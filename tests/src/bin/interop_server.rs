//! Serves gRPC's standard test service, for any client of the interoperability test cases; beside it load reports, health,
//! channelz and reflection, for the tools that know those.

use std::error::Error;
use std::process::ExitCode;

use callwright::{Server, ServerCredentials};
use callwright_tests::interop::InteropService;
use callwright_tests::interop::companions::Companions;
use callwright_tests::interop::flags::{Flag, Flags, usage};
use callwright_tests::interop::lifetime::{self, UNTIL_STDIN_CLOSES};
use callwright_tests::testing::TestServiceServer;

const ABOUT: &str = "Serves grpc.testing.TestService, load reports, health, channelz and reflection.";
const FLAGS: [Flag; 7] = [
    UNTIL_STDIN_CLOSES,
    Flag { name: "port", default: "10000", help: "the port to listen on; 0 for any free one" },
    Flag { name: "address", default: "", help: "the IP address to listen on; all if empty" },
    Flag {
        name: "max_concurrent_streams_limit",
        default: "4096",
        help: "how many calls one connection may have at once",
    },
    Flag { name: "use_tls", default: "false", help: "serve over TLS" },
    Flag { name: "tls_cert_file", default: "", help: "the certificate chain, as PEM" },
    Flag { name: "tls_key_file", default: "", help: "its private key, as PEM" },
];

/// What a request may be as large as, in bytes: more than the default, for test cases that send 10 MiB.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::parse(&FLAGS, std::env::args().skip(1)) {
        Ok(flags) => flags,
        Err(error) => {
            eprintln!("interop_server: {error}\n\n{}", usage("interop_server", ABOUT, &FLAGS));
            return ExitCode::FAILURE;
        }
    };
    match run(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let credentials = match flags.bool("use_tls")? {
        true => ServerCredentials::tls_files(flags.text("tls_cert_file"), flags.text("tls_key_file")).build()?,
        false => ServerCredentials::insecure(),
    };
    let port = flags.port("port")?;
    let max_concurrent_streams = flags.number("max_concurrent_streams_limit", 1..)?;
    let server = || -> Result<_, Box<dyn Error>> {
        let service = InteropService::new(format!("callwright-{}", std::process::id()));
        let load_reports = service.load_reports();
        let server = Server::builder()
            .credentials(credentials.clone())
            .max_receive_message_size(MAX_REQUEST)
            .max_concurrent_streams(max_concurrent_streams)
            .add_service(TestServiceServer::new(service))
            .add_service(load_reports)
            .add_service(Companions::new()?);
        Ok(server)
    };
    let running = match flags.text("address") {
        // A machine without IPv6 has no [::].
        "" => match server()?.bind(format!("[::]:{port}")).await {
            Ok(running) => running,
            Err(_) => server()?.bind(format!("0.0.0.0:{port}")).await?,
        },
        address => server()?.bind(format!("{address}:{port}")).await?,
    };
    println!("listening on {}", running.local_addr());
    lifetime::serve(running, flags.bool(UNTIL_STDIN_CLOSES.name)?).await;
    Ok(())
}
