//! Serves `callwright.tests.Echo` for the rows that clients in other languages run against us.

use std::error::Error;
use std::process::ExitCode;

use callwright::Server;
use callwright_tests::echo::EchoServer;
use callwright_tests::interop::echo::{EchoService, compression};
use callwright_tests::interop::flags::{Flag, Flags, usage};
use callwright_tests::interop::lifetime::{self, UNTIL_STDIN_CLOSES};

const ABOUT: &str = "Serves callwright.tests.Echo on 127.0.0.1.";
const FLAGS: [Flag; 4] = [
    UNTIL_STDIN_CLOSES,
    Flag { name: "port", default: "0", help: "the port to listen on; 0 for any free one" },
    Flag { name: "compression", default: "identity", help: "how responses are compressed: identity, deflate, gzip" },
    Flag { name: "accept", default: "", help: "the one encoding that requests may have; any if empty" },
];

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Flags::parse(&FLAGS, std::env::args().skip(1)) {
        Ok(flags) => run(&flags).await,
        Err(error) => Err(format!("{error}\n\n{}", usage("echo_server", ABOUT, &FLAGS)).into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let mut server = Server::builder().compression(compression(flags.text("compression"))?);
    if !flags.text("accept").is_empty() {
        server = server.accept_compression([compression(flags.text("accept"))?]);
    }
    let address = format!("127.0.0.1:{}", flags.port("port")?);
    let running = server.add_service(EchoServer::new(EchoService)).bind(address).await?;
    println!("listening on {}", running.local_addr());
    lifetime::serve(running, flags.bool(UNTIL_STDIN_CLOSES.name)?).await;
    Ok(())
}
