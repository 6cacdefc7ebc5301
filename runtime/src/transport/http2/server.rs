//! A client's connection, at the server.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use callwright_http2::Connection as Engine;
use tokio::time::Instant;

use super::driver::{Driver, News, Owner};
use super::{SERVER_BUFFERED, config, header_limit};
use crate::transport::Headers;
use crate::transport::io::Io;
use crate::transport::server::Incoming;
use crate::transport::stream::{self, Way};

/// A connection from a client. Whoever serves its calls drives it.
pub(crate) struct Connection {
    driver: Driver,
    /// Requests that arrived and nobody serves yet.
    requests: Vec<Request>,
    over: bool,
}

struct Request {
    id: u32,
    headers: Arc<Headers>,
    end: bool,
}

impl Connection {
    /// Begins HTTP/2 on `io`, and waits until the client has sent its preface and its SETTINGS.
    pub(in crate::transport) async fn handshake(io: Io, max_concurrent_streams: u32) -> io::Result<Connection> {
        let mut config = config(SERVER_BUFFERED);
        config.max_concurrent_streams = max_concurrent_streams;
        let engine = Engine::server(config, Instant::now().into_std());
        let driver = Driver::new(io, engine, Way::Responses);
        let mut connection = Connection { driver, requests: Vec::new(), over: false };
        let ready = std::future::poll_fn(|cx| {
            let over = connection.poll(cx, None).is_ready();
            let ready = connection.driver.engine.is_ready();
            if ready || over { Poll::Ready(ready) } else { Poll::Pending }
        });
        if ready.await { Ok(connection) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    }

    /// Moves what there is to move, and gives the calls that arrive to `serve`: what it sends at once leaves with the next
    /// write. Ready when the connection is over; each of its calls learns of that by itself.
    pub(in crate::transport) fn poll_serve(&mut self, cx: &mut Context<'_>, serve: Serve<'_, '_>) -> Poll<()> {
        self.poll(cx, Some(serve))
    }

    /// Takes no more calls, and ends when those that are here have ended.
    pub(in crate::transport) fn graceful_shutdown(&mut self) {
        self.driver.engine.drain();
        self.driver.ready.wake();
    }

    fn poll(&mut self, cx: &mut Context<'_>, serve: Option<Serve<'_, '_>>) -> Poll<()> {
        if self.over {
            return Poll::Ready(());
        }
        let over = self.driver.poll(cx, &mut Serving { requests: &mut self.requests, serve });
        self.over = over.is_ready();
        over.map(drop)
    }
}

type Serve<'a, 's> = &'a mut (dyn FnMut(Incoming, &mut Context<'_>) + 's);

/// The server's side of a connection, while it is polled.
struct Serving<'a, 's> {
    requests: &'a mut Vec<Request>,
    serve: Option<Serve<'a, 's>>,
}

impl Owner for Serving<'_, '_> {
    fn news(&mut self, driver: &mut Driver, news: News) {
        if let News::Request(id, headers, end) = news {
            let stream = driver.spare_stream();
            driver.carry(id, stream, end);
            self.requests.push(Request { id, headers, end });
        }
    }

    fn arrived(&mut self, driver: &mut Driver, id: u32, cx: &mut Context<'_>) {
        // A request that came whole is served while all of it is at hand.
        if let Some(serve) = &mut self.serve
            && let Some(request) = self.requests.pop_if(|request| request.id == id)
        {
            begin(driver, request, serve, cx);
        }
    }

    fn act(&mut self, driver: &mut Driver, cx: &mut Context<'_>) {
        let Some(serve) = &mut self.serve else { return };
        self.requests.drain(..).for_each(|request| begin(driver, request, serve, cx));
    }
}

fn begin(driver: &mut Driver, request: Request, serve: &mut Serve<'_, '_>, cx: &mut Context<'_>) {
    let Request { id, headers, end } = request;
    // One that the client has taken back already is nobody's.
    let Some(stream) = driver.stream(id) else { return };
    let limit = header_limit(driver.engine.peer_max_header_list_size());
    let (recv, send) = stream::server_halves(stream, limit, end);
    serve(Incoming { head: headers, wait_for_ready: None, recv, send }, cx);
    driver.pump(id);
}
