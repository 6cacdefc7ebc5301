//! Runs the rows of clients' certificates with our client, against servers in another language.

use std::path::Path;
use std::process::ExitCode;

use callwright_tests::interop::flags::{Flag, Flags, usage};
use callwright_tests::interop::rows::{Asks, Rows, Tells};

const ABOUT: &str = "\
Runs the rows of the group mtls, each of which prints PASS or FAIL, against the servers whose ports are given; exits with 1
if one fails.";
const FLAGS: [Flag; 6] = [
    Flag { name: "certificates", default: "", help: "the folder of ca.pem, and of the clients' certificates and keys" },
    Flag { name: "require", default: "0", help: "the port of a server that demands a certificate" },
    Flag { name: "request", default: "0", help: "the port of a server that asks for one" },
    Flag { name: "none", default: "0", help: "the port of a server that does not ask" },
    Flag {
        name: "auth_context",
        default: "true",
        help: "the servers tell how the connection is secured, and which name is the identity",
    },
    Flag { name: "case", default: "", help: "the row, or the start of rows' names; all if empty" },
];

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::parse(&FLAGS, std::env::args().skip(1)) {
        Ok(flags) => flags,
        Err(error) => {
            eprintln!("mtls_client: {error}\n\n{}", usage("mtls_client", ABOUT, &FLAGS));
            return ExitCode::FAILURE;
        }
    };
    match run(&flags).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mtls_client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<usize, String> {
    let folder = Path::new(flags.text("certificates"));
    let told = flags.bool("auth_context").map_err(|error| error.to_string())?;
    let tells = if told { Tells::AuthContext } else { Tells::Names };
    let mut failed = 0;
    for (name, asks) in [("require", Asks::Require), ("request", Asks::Request), ("none", Asks::None)] {
        let port = flags.port(name).map_err(|error| error.to_string())?;
        if port != 0 {
            let rows = Rows::new(flags.text("case"), Vec::new());
            failed += rows.run_mtls(folder, port, asks, tells).await.map_err(|failure| failure.to_string())?;
        }
    }
    Ok(failed)
}
