//! A client's connection, at the server.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use callwright_http2::{Connection as Engine, ErrorCode};
use http::Extensions;
use tokio::time::{Instant, Sleep};

use super::driver::{Driver, News, Owner, Step};
use super::heartbeat::Heartbeat;
use super::strikes::Strikes;
use super::{config, header_limit};
use crate::transport::Headers;
use crate::transport::io::Io;
use crate::transport::server::{Incoming, ServeOptions};
use crate::transport::stream::{self, Way};

/// How long a client may take to answer the PING of a graceful end. Without an answer the end goes on, as with grpc-go: a client
/// that is gone would hold its connection for ever.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection from a client. Whoever asks it for calls drives it.
pub(crate) struct Connection {
    driver: Driver,
    requests: Requests,
    /// Runs while the client may answer the PING of a graceful end.
    draining: Option<Pin<Box<Sleep>>>,
}

/// Requests that arrived and nobody serves yet.
#[derive(Default)]
struct Requests {
    /// Those that are not whole yet, or were not when the others were taken.
    waiting: VecDeque<Request>,
    /// The next to be served.
    next: Option<Request>,
    over: bool,
}

struct Request {
    id: u32,
    headers: Arc<Headers>,
    end: bool,
}

impl Connection {
    /// Begins HTTP/2 on `io`, and waits until the client has sent its preface and its SETTINGS.
    ///
    /// Once `drains` resolves the client is told that none of its calls was looked at: it may have sent some already, and makes
    /// them again elsewhere. The connection has ended then, which is an error here.
    pub(in crate::transport) async fn handshake(
        io: Io,
        options: &ServeOptions,
        mut drains: Pin<&mut impl Future<Output = ()>>,
    ) -> io::Result<Connection> {
        let mut config = config(options.max_unread_size);
        config.max_concurrent_streams = options.max_concurrent_streams;
        config.max_header_list_size = options.max_header_list_size;
        config.header_read_timeout = Some(options.header_read_timeout);
        let engine = Engine::server(config, Instant::now().into_std());
        let mut driver = Driver::new(io, engine, Way::Responses);
        driver.count_pings(Strikes::new(options.keepalive_enforcement.clone()));
        if let Some(keepalive) = &options.keepalive {
            driver.keep_alive(Heartbeat::of_server(keepalive.clone()));
        }
        let mut connection = Connection { driver, requests: Requests::default(), draining: None };
        let mut refused = false;
        let ready = poll_fn(|cx| {
            if !refused && drains.as_mut().poll(cx).is_ready() {
                refused = true;
                connection.driver.engine.go_away(ErrorCode::NO_ERROR, "");
            }
            let moved = connection.poll(cx);
            let ready = connection.driver.engine.is_ready() && !refused;
            if ready || moved.is_ready() { Poll::Ready(ready) } else { Poll::Pending }
        });
        if ready.await { Ok(connection) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    }

    /// The next call; `None` when the connection is at its end. It has to be polled for the connection to move at all, and a
    /// call that was begun has to be [attended](Self::attend).
    pub(in crate::transport) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        loop {
            if let Some(Request { id, headers, end }) = self.requests.next.take() {
                // One that the client has taken back already is nobody's.
                let Some(stream) = self.driver.stream(id) else { continue };
                let limit = header_limit(self.driver.engine.peer_max_header_list_size());
                let (recv, send) = stream::server_halves(stream, limit, end);
                return Poll::Ready(Some(Incoming {
                    id,
                    head: headers,
                    wait_for_ready: None,
                    extensions: Extensions::new(),
                    recv,
                    send,
                }));
            }
            if self.requests.over {
                return Poll::Ready(None);
            }
            ready!(self.poll(cx));
        }
    }

    /// Sends what a call has sent so far, and from then on what it sends.
    pub(in crate::transport) fn attend(&mut self, id: u32) {
        self.driver.pump(id);
    }

    /// Whether other tasks may have been woken since this was asked last.
    pub(in crate::transport) fn has_woken(&mut self) -> bool {
        self.driver.has_woken()
    }

    /// How many calls are under way.
    pub(in crate::transport) fn streams(&self) -> usize {
        self.driver.streams()
    }

    /// Takes no more calls, and ends when those that are here have ended.
    pub(in crate::transport) fn graceful_shutdown(&mut self) {
        self.driver.engine.drain();
        self.draining.get_or_insert_with(|| Box::pin(tokio::time::sleep(DRAIN_TIMEOUT)));
        self.wake();
    }

    /// Has the connection polled again.
    pub(in crate::transport) fn wake(&self) {
        self.driver.ready.wake();
    }

    /// Ready when there is a request to be served, or the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(draining) = &mut self.draining
            && draining.as_mut().poll(cx).is_ready()
        {
            self.draining = None;
            self.driver.engine.go_away(ErrorCode::NO_ERROR, "");
        }
        if let Step::Over(_) = ready!(self.driver.poll(cx, &mut self.requests)) {
            // Each of its calls learns of that by itself.
            self.requests.over = true;
        }
        Poll::Ready(())
    }
}

impl Owner for Requests {
    fn news(&mut self, driver: &mut Driver, news: News) {
        if let News::Request(id, headers, end) = news {
            let stream = driver.spare_stream();
            driver.carry(id, stream, end);
            self.waiting.push_back(Request { id, headers, end });
        }
    }

    /// A request that came whole is served while all of it is at hand.
    fn arrived(&mut self, id: u32) -> ControlFlow<()> {
        if self.waiting.back().is_none_or(|request| request.id != id) {
            return ControlFlow::Continue(());
        }
        self.next = self.waiting.pop_back();
        ControlFlow::Break(())
    }

    fn act(&mut self, _: &mut Driver) -> ControlFlow<()> {
        self.next = self.waiting.pop_front();
        if self.next.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
