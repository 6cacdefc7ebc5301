//! Many calls at once, and connections that end under them: no call is lost, and no call ends another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callwright_tests::support::raw::{head, text, trailers};
use callwright_tests::support::{channel, say};
use tokio::net::TcpListener;

/// Long enough never to run out unless something hangs.
const LONG: Duration = Duration::from_secs(60);

/// A server that answers one call a connection, and says goodbye.
async fn serving_one_call_a_connection() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut h2 = h2::server::handshake(socket).await.unwrap();
                let Some(Ok((_, mut response))) = h2.accept().await else { return };
                let answer = head(200, &[("content-type", "application/grpc")]);
                let mut stream = response.send_response(answer, false).unwrap();
                stream.send_data(text("hello"), false).unwrap();
                stream.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
                h2.graceful_shutdown();
                while h2.accept().await.is_some() {}
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_made_while_its_connection_ends_waits_for_the_next() {
    let channel = channel(&serving_one_call_a_connection().await).build().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    // Asks for a connection all the time, so that there is always somebody who comes as the last one ends.
    let asking = std::thread::spawn({
        let (channel, done, runtime) = (channel.clone(), done.clone(), tokio::runtime::Handle::current());
        move || {
            let _runtime = runtime.enter();
            while !done.load(Ordering::Relaxed) {
                channel.connect().unwrap();
                std::thread::yield_now();
            }
        }
    });
    for _ in 0..200 {
        assert_eq!(say(&channel, "hello").timeout(LONG).await.unwrap(), "hello");
    }
    done.store(true, Ordering::Relaxed);
    asking.join().unwrap();
}
