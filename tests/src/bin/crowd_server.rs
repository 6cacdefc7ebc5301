//! Serves a crowd of clients: tells each by which address it knows it, until the standard input closes.

use std::error::Error;
use std::sync::Arc;

use callwright::Server;
use callwright::server::{Methods, Service};
use callwright_tests::interop::lifetime;
use callwright_tests::support::SAY;

struct Peers;

impl Service for Peers {
    fn register(self, methods: &mut Methods) {
        methods
            .service("test.Echo", Arc::new(self))
            .unary(SAY, |_, _, context| Box::pin(std::future::ready(Ok(context.peer()))));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let running = Server::builder().add_service(Peers).bind("127.0.0.1:0").await?;
    println!("listening on {}", running.local_addr());
    lifetime::serve(running, true).await;
    Ok(())
}
