//! A server on the loopback interface, and a client that waits for it.

use std::net::TcpListener;
use std::time::Duration;

use callwright::server::Service;
use callwright::{Channel, ConnectivityState, Server};

/// How long a call may take.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the call while nobody listens, starts the server when that has shown, and waits for the end of both.
pub fn serve_late(service: impl Service, call: impl AsyncFnOnce(Channel)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let channel = Channel::builder(format!("dns:///{address}")).build().unwrap();
        let mut states = channel.watch_state();
        let start = async {
            states.wait_for(ConnectivityState::TransientFailure).await.unwrap();
            Server::builder().add_service(service).bind(address).await.unwrap()
        };
        let (server, ()) = tokio::join!(start, call(channel));
        server.stop().await;
    });
}
