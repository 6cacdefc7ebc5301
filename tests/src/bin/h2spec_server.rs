//! Answers every request with 200 and a body, by the HTTP/2 engine alone: what h2spec tests.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use callwright_http2::{Config, Connection, Event, Fields};
use callwright_tests::http2_driver;
use http::StatusCode;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let connection = Connection::server(Config::default(), Instant::now());
        // How a connection ends is what h2spec looks at.
        tokio::spawn(async move { http2_driver::drive(connection, socket, answer).await.ok() });
    }
}

/// Answers what has arrived whole.
fn answer(connection: &mut Connection, event: Event) -> ControlFlow<()> {
    let whole = match event {
        Event::Headers { id, end, .. } => end.then_some(id),
        Event::Data { id, data, end } => {
            connection.read(id, data.len());
            end.then_some(id)
        }
        Event::Trailers { id, .. } => Some(id),
        _ => None,
    };
    if let Some(id) = whole {
        connection.respond(id, StatusCode::OK, &Fields::new(), false);
        connection.send_data(id, Bytes::from_static(b"an answer\n"), true);
    }
    ControlFlow::Continue(())
}
