//! Serves the tests' Echo at the addresses that it is told, says where, and ends by itself.

use std::process::ExitCode;
use std::time::Duration;

use callwright::{BindError, Server};
use callwright_tests::support::Echo;

/// Longer than any test, whose end kills it.
const LIFETIME: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    match serve(std::env::args().skip(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where the other side reads, whatever the standard error is here.
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(addresses: impl Iterator<Item = String>) -> Result<(), BindError> {
    let server = Server::builder().add_service(Echo::new().0);
    let running = addresses.fold(server, |server, address| server.listen(address)).start().await?;
    let locals: Vec<String> = running.local_addrs().iter().map(ToString::to_string).collect();
    println!("{}", locals.join(" "));
    tokio::time::sleep(LIFETIME).await;
    running.stop().await;
    Ok(())
}
