//! A client's connection, at the server.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use callwright_http2::{Connection as Engine, RequestHead};
use http::request::Parts;
use http::{HeaderMap, Request, Uri, Version};
use tokio::time::Instant;

use super::driver::{Driver, News};
use super::{SERVER_BUFFERED, config, header_limit};
use crate::transport::io::Io;
use crate::transport::server::Incoming;
use crate::transport::stream::{self, Stream, Way};

/// A connection from a client. Whoever asks it for calls drives it.
pub(crate) struct Connection {
    driver: Driver,
    incoming: VecDeque<Incoming>,
    ended: bool,
}

impl Connection {
    /// Begins HTTP/2 on `io`, and waits until the client has sent its preface and its SETTINGS.
    pub(in crate::transport) async fn handshake(io: Io, max_concurrent_streams: u32) -> io::Result<Connection> {
        let mut config = config(SERVER_BUFFERED);
        config.max_concurrent_streams = max_concurrent_streams;
        let engine = Engine::server(config, Instant::now().into_std());
        let driver = Driver::new(io, engine, Way::Responses);
        let mut connection = Connection { driver, incoming: VecDeque::new(), ended: false };
        let ready = std::future::poll_fn(|cx| {
            let over = connection.poll(cx).is_ready();
            let ready = connection.driver.engine.is_ready();
            if ready || over { Poll::Ready(ready) } else { Poll::Pending }
        });
        if ready.await { Ok(connection) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    }

    /// The next call; `None` when the connection is at its end. It has to be polled for the connection to move at all.
    pub(in crate::transport) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        if let Some(incoming) = self.incoming.pop_front() {
            return Poll::Ready(Some(incoming));
        }
        let ended = self.poll(cx).is_ready();
        match self.incoming.pop_front() {
            Some(incoming) => Poll::Ready(Some(incoming)),
            None if ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Takes no more calls, and ends when those that are here have ended.
    pub(in crate::transport) fn graceful_shutdown(&mut self) {
        self.driver.engine.drain();
        self.driver.ready.wake();
    }

    /// Ready when the connection is over; each of its calls learns of that by itself.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended {
            return Poll::Ready(());
        }
        let incoming = &mut self.incoming;
        let news = |driver: &mut Driver, news: News| {
            if let News::Request(id, head, fields, end) = news {
                incoming.push_back(accept(driver, id, head, fields, end));
            }
        };
        let over = self.driver.poll(cx, news, |_| {});
        self.ended = over.is_ready();
        over.map(drop)
    }
}

fn accept(driver: &mut Driver, id: u32, head: RequestHead, fields: HeaderMap, end: bool) -> Incoming {
    let stream = Stream::new();
    let limit = header_limit(driver.engine.peer_max_header_list_size());
    let (recv, send) = stream::server_halves(&stream, limit);
    if end {
        stream.deliver(Way::Responses, None, true);
    }
    driver.carry(id, stream, end);
    Incoming { head: parts(head, fields), recv, send }
}

fn parts(head: RequestHead, fields: HeaderMap) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = head.method;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = fields;
    // A path that is none is one that nobody serves.
    *request.uri_mut() = Uri::try_from(head.path.as_bytes()).unwrap_or_default();
    request.into_parts().0
}
