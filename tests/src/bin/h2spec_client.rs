//! Makes one request, by the HTTP/2 engine alone: what h2specd tests. Usage: `h2spec_client http://HOST:PORT/PATH`.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use callwright_http2::{Config, Connection, Event, Fields, RequestHead};
use callwright_tests::http2_driver;
use http::{HeaderValue, Method, Uri};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: h2spec_client http://HOST:PORT/PATH")?;
    let url: Uri = url.parse()?;
    let authority = url.authority().ok_or("the URL has no host")?.as_str();
    let socket = TcpStream::connect(authority).await?;
    let mut connection = Connection::client(Config::default(), Instant::now());
    let head = RequestHead {
        method: Method::GET,
        scheme: HeaderValue::from_static("http"),
        authority: Some(authority.parse()?),
        path: url.path().parse()?,
    };
    connection.open(&head, &Fields::new(), true)?;
    http2_driver::drive(connection, socket, until_answered).await?;
    Ok(())
}

/// Reads the response, and breaks off at its end.
fn until_answered(connection: &mut Connection, event: Event) -> ControlFlow<()> {
    let ended = match event {
        Event::Headers { end, .. } => end,
        Event::Data { id, data, end } => {
            connection.read(id, data.len());
            end
        }
        Event::Trailers { .. } | Event::Reset { .. } => true,
        _ => false,
    };
    if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
