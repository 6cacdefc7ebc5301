//! A client's connection: its task, and what calls do to it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use callwright_http2::{Connection, RequestHead as Http2Head};
use http::{HeaderValue, Method};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::driver::{Driver, Lost, News};
use super::ready::Ready;
use super::{CLIENT_BUFFERED, config, header_limit};
use crate::transport::client::{Life, RequestHead};
use crate::transport::io::Io;
use crate::transport::limits::Limits;
use crate::transport::stream::{self, RecvStream, SendStream, Stream, Way};
use crate::transport::{Address, ConnectError, Stage, StreamError};

/// A connection to a server. It closes when this and the last stream are gone.
#[derive(Debug)]
pub(in crate::transport) struct Link {
    calls: Arc<Calls>,
    header_limit: usize,
    driver: AbortHandle,
}

/// Calls that wait for their stream to be opened by the task.
#[derive(Debug)]
struct Calls {
    waiting: Mutex<Waiting>,
    ready: Arc<Ready>,
}

#[derive(Debug, Default)]
struct Waiting {
    opens: Vec<Open>,
    /// The connection takes no more.
    shut: bool,
    /// Nobody will ask for more.
    released: bool,
}

#[derive(Debug)]
struct Open {
    head: RequestHead,
    stream: Arc<Stream>,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more calls; those that wait were not sent.
    fn shut(&self) {
        let mut waiting = self.lock();
        waiting.shut = true;
        let opens = std::mem::take(&mut waiting.opens);
        drop(waiting);
        opens.into_iter().for_each(|open| open.stream.fail(StreamError::gone_away()));
    }
}

/// Begins HTTP/2 on `io`, and waits until the server has sent its SETTINGS.
pub(in crate::transport) async fn connect(
    address: &Address,
    io: Io,
    limits: Arc<Limits>,
) -> Result<(Link, watch::Receiver<Life>), ConnectError> {
    let engine = Connection::client(config(CLIENT_BUFFERED), Instant::now().into_std());
    let driver = Driver::new(io, engine, Way::Requests);
    let calls = Arc::new(Calls { waiting: Mutex::default(), ready: driver.ready.clone() });
    let (life_sender, life) = watch::channel(Life::Open);
    let (settled, settles) = oneshot::channel();
    let task = Task { driver, calls: calls.clone(), limits, life: life_sender, settled: Some(settled) };
    let driver = tokio::spawn(task.run()).abort_handle();
    let aborts = AbortOnDrop(Some(driver.clone()));
    let refused = |cause: String| ConnectError::new(address, Stage::Http2, cause);
    let header_limit = match settles.await {
        Ok(Ok(limit)) => limit,
        Ok(Err(cause)) => return Err(refused(cause)),
        Err(_) => return Err(refused("the connection was closed".into())),
    };
    aborts.disarm();
    Ok((Link { calls, header_limit, driver }, life))
}

impl Link {
    /// The largest header list that the server takes, in bytes.
    pub(in crate::transport) fn header_limit(&self) -> usize {
        self.header_limit
    }

    /// Opens a stream; with a first message it goes out in the same write, and `end` half-closes behind it.
    pub(in crate::transport) fn open(
        &self,
        head: RequestHead,
        first: Option<Bytes>,
        end: bool,
    ) -> Result<(SendStream, RecvStream), StreamError> {
        let stream = Stream::new();
        let (mut send, recv) = stream::client_halves(&stream);
        match first {
            Some(first) => send.send_now(first, end)?,
            None if end => send.finish()?,
            None => {}
        }
        let mut waiting = self.calls.lock();
        if waiting.shut {
            return Err(StreamError::gone_away());
        }
        waiting.opens.push(Open { head, stream });
        drop(waiting);
        self.calls.ready.wake();
        Ok((send, recv))
    }

    /// What ends the connection at once when it is aborted.
    pub(in crate::transport) fn driver(&self) -> AbortHandle {
        self.driver.clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.calls.lock().released = true;
        self.calls.ready.wake();
    }
}

/// Ends the task of a connection that nobody got.
struct AbortOnDrop(Option<AbortHandle>);

impl AbortOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

/// Runs a connection, and says what becomes of it.
struct Task {
    driver: Driver,
    calls: Arc<Calls>,
    limits: Arc<Limits>,
    life: watch::Sender<Life>,
    settled: Option<oneshot::Sender<Result<usize, String>>>,
}

impl Task {
    async fn run(mut self) {
        let Task { driver, calls, limits, life, settled } = &mut self;
        let mut opens: Vec<Open> = Vec::new();
        let ended = poll_fn(|cx| {
            let news = |driver: &mut Driver, news: News| match news {
                News::Ready => {
                    limits.allow(driver.engine.max_streams());
                    if let Some(settled) = settled.take() {
                        let limit = header_limit(driver.engine.peer_max_header_list_size());
                        let _ = settled.send(Ok(limit));
                    }
                }
                News::StreamFreed => limits.allow(driver.engine.max_streams()),
                News::GoAway => {
                    calls.shut();
                    life.send_replace(Life::Draining);
                }
                // A server sends none: the engine has refused it.
                News::Request(..) => {}
            };
            let act = |driver: &mut Driver| {
                let mut waiting = calls.lock();
                opens.append(&mut waiting.opens);
                let released = waiting.released;
                drop(waiting);
                open_all(driver, &mut opens);
                if released && opens.is_empty() && driver.streams() == 0 {
                    driver.engine.drain();
                }
            };
            driver.poll(cx, news, act)
        })
        .await;
        if let Some(settled) = self.settled.take() {
            let _ = settled.send(Err(refusal(ended, self.driver.first_bytes())));
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.calls.shut();
        self.life.send_replace(Life::Closed);
    }
}

/// Opens streams in their order, as many as the server takes.
fn open_all(driver: &mut Driver, opens: &mut Vec<Open>) {
    let mut waiting = std::mem::take(opens).into_iter();
    while driver.engine.has_room_for_stream()
        && let Some(Open { head, stream }) = waiting.next()
    {
        let RequestHead { authority, path, headers, .. } = head;
        match driver.engine.open(request(&authority, &path), &headers, false) {
            Ok(id) => driver.carry(id, stream, false),
            Err(_) => stream.fail(StreamError::gone_away()),
        }
    }
    if driver.engine.takes_streams() {
        opens.extend(waiting);
    } else {
        waiting.for_each(|open| open.stream.fail(StreamError::gone_away()));
    }
}

fn request(authority: &http::uri::Authority, path: &http::uri::PathAndQuery) -> Http2Head {
    // An authority and a path are text that can stand in a header: they were parsed as such.
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("/"));
    Http2Head {
        method: Method::POST,
        scheme: HeaderValue::from_static("http"),
        authority: Some(value(authority.as_str())),
        path: value(path.as_str()),
    }
}

/// Why there is no connection, by what the server said first.
fn refusal(ended: Result<(), Lost>, first: &[u8]) -> String {
    match ended {
        Err(Lost::Protocol(_)) if first.starts_with(b"HTTP/1") => "the server answered in HTTP/1.1, not HTTP/2".into(),
        Err(Lost::Protocol(_)) => "the server's first frame was not SETTINGS: it does not speak HTTP/2".into(),
        Err(Lost::Closed) | Ok(()) => "the server closed the connection before its SETTINGS".into(),
        Err(lost) => format!("the connection ended before the server's SETTINGS: {lost}"),
    }
}
