//! A client's connection: its task, and what calls do to it.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};

use bytes::Bytes;
use callwright_http2::{Connection, RequestHead as Http2Head};
use http::{HeaderValue, Method};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::driver::{Driver, Lost, News, Owner, Step};
use super::heartbeat::Heartbeat;
use super::{CLIENT_BUFFERED, config, header_limit};
use crate::transport::client::{Life, RequestHead};
use crate::transport::io::Io;
use crate::transport::limits::Limits;
use crate::transport::ready::Ready;
use crate::transport::stream::{self, ReplyStream, SendStream, Stream, Way};
#[cfg(feature = "_tls")]
use crate::transport::tls;
use crate::transport::{ConnectError, ConnectOptions, Stage, StreamError};

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
        opens.into_iter().for_each(|open| open.stream.fail(StreamError::unsent()));
    }
}

/// Begins HTTP/2 on `io`, and waits until the server has sent its SETTINGS.
pub(in crate::transport) async fn connect(
    target: &str,
    io: Io,
    limits: Arc<Limits>,
    options: &ConnectOptions,
) -> Result<(Link, watch::Receiver<Life>), ConnectError> {
    let engine = Connection::client(config(CLIENT_BUFFERED), Instant::now().into_std());
    let mut driver = Driver::new(io, engine, Way::Requests);
    if let Some(keepalive) = options.keepalive() {
        driver.keep_alive(Heartbeat::new(keepalive));
    }
    let calls = Arc::new(Calls { waiting: Mutex::default(), ready: driver.ready.clone() });
    let (life_sender, life) = watch::channel(Life::Open);
    let (settled, settles) = oneshot::channel();
    let side = ClientSide {
        calls: calls.clone(),
        opens: Vec::new(),
        limits,
        life: life_sender,
        settled: Some(settled),
        options: options.clone(),
        scheme: HeaderValue::from_static(if options.is_secure() { "https" } else { "http" }),
    };
    let driver = tokio::spawn(Task { side, driver }.run()).abort_handle();
    let aborts = AbortOnDrop(Some(driver.clone()));
    let header_limit = match settles.await {
        // Calls count the shorter of both schemes.
        Ok(Ok(limit)) => limit - usize::from(options.is_secure()).min(limit),
        Ok(Err((stage, cause))) => return Err(ConnectError::new(target, stage, cause)),
        Err(_) => return Err(ConnectError::new(target, Stage::Http2, "the connection was closed")),
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
    ) -> Result<(SendStream, ReplyStream), StreamError> {
        let stream = Stream::new();
        let halves = stream::client_halves(&stream, first, end);
        let mut waiting = self.calls.lock();
        if waiting.shut {
            return Err(StreamError::unsent());
        }
        waiting.opens.push(Open { head, stream });
        drop(waiting);
        self.calls.ready.wake();
        Ok(halves)
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
    // Dropped first: the channel knows of the end before the calls do.
    side: ClientSide,
    driver: Driver,
}

/// What a client does with its connection.
struct ClientSide {
    calls: Arc<Calls>,
    /// Calls that wait for the server to take one more.
    opens: Vec<Open>,
    limits: Arc<Limits>,
    life: watch::Sender<Life>,
    settled: Option<oneshot::Sender<Result<usize, (Stage, String)>>>,
    options: ConnectOptions,
    scheme: HeaderValue,
}

impl Task {
    #[expect(clippy::manual_async_fn, reason = "it would have room for all twice: as it is given, and as it is used")]
    fn run(mut self) -> impl Future<Output = ()> {
        async move {
            let Task { side, driver } = &mut self;
            let ended = poll_fn(|cx| {
                loop {
                    if let Step::Over(ended) = ready!(driver.poll(cx, side)) {
                        return Poll::Ready(ended);
                    }
                }
            })
            .await;
            if let Some(settled) = self.side.settled.take() {
                let _ = settled.send(Err(refusal(ended, self.driver.first_bytes(), &self.side.options)));
            }
        }
    }
}

impl Owner for ClientSide {
    fn news(&mut self, driver: &mut Driver, news: News) {
        match news {
            News::Ready => {
                self.limits.allow(driver.engine.max_streams());
                if let Some(settled) = self.settled.take() {
                    let limit = header_limit(driver.engine.peer_max_header_list_size());
                    let _ = settled.send(Ok(limit));
                }
            }
            News::StreamFreed => self.limits.allow(driver.engine.max_streams()),
            News::GoAway => {
                if driver.asked_too_often() {
                    self.options.slow_down();
                }
                self.calls.shut();
                self.life.send_replace(Life::Draining);
            }
            // A server sends none: the engine has refused it.
            News::Request(..) => {}
        }
    }

    fn arrived(&mut self, _: u32) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn act(&mut self, driver: &mut Driver) -> ControlFlow<()> {
        let mut waiting = self.calls.lock();
        if self.opens.is_empty() {
            std::mem::swap(&mut self.opens, &mut waiting.opens);
        } else {
            self.opens.append(&mut waiting.opens);
        }
        let released = waiting.released;
        drop(waiting);
        self.open_all(driver);
        if released && self.opens.is_empty() && driver.streams() == 0 {
            driver.engine.drain();
        }
        ControlFlow::Continue(())
    }
}

impl ClientSide {
    /// Opens streams in their order, as many as the server takes.
    fn open_all(&mut self, driver: &mut Driver) {
        let mut opened = 0;
        while driver.engine.has_room_for_stream()
            && let Some(Open { head, stream }) = self.opens.get_mut(opened)
        {
            opened += 1;
            let request = Http2Head {
                method: Method::POST,
                scheme: self.scheme.clone(),
                authority: Some(head.authority.clone()),
                path: head.path.clone(),
            };
            match driver.engine.open(&request, &head.headers, false) {
                Ok(id) => {
                    driver.carry(id, stream.clone(), false);
                    driver.pump(id);
                }
                Err(_) => stream.fail(StreamError::unsent()),
            }
        }
        self.opens.drain(..opened);
        if !driver.engine.takes_streams() {
            self.opens.drain(..).for_each(|open| open.stream.fail(StreamError::unsent()));
        }
    }
}

impl Drop for ClientSide {
    fn drop(&mut self) {
        self.calls.shut();
        self.life.send_replace(Life::Closed);
        self.opens.drain(..).for_each(|open| open.stream.fail(StreamError::unsent()));
    }
}

/// What may be behind a connection that ends as soon as TLS is there: gRPC's C core refuses clients so, without an alert.
const UNSAID: &str = "it may require a certificate of the client (identity), or not accept the one that was given";

/// Why there is no connection, by what the server said first.
fn refusal(ended: Result<(), Lost>, first: &[u8], options: &ConnectOptions) -> (Stage, String) {
    #[cfg(feature = "_tls")]
    if let Err(Lost::Socket(error)) = &ended
        && let Some(cause) = tls::in_http2(error)
    {
        return (Stage::Tls, cause);
    }
    let cause = match ended {
        Err(Lost::Protocol(_) | Lost::Closed) if is_tls(first) => {
            "the server speaks TLS, and the channel does not: set its credentials to ChannelCredentials::tls()".into()
        }
        Err(Lost::Protocol(_)) if first.starts_with(b"HTTP/1") => "the server answered in HTTP/1.1, not HTTP/2".into(),
        Err(Lost::Protocol(_)) => "the server's first frame was not SETTINGS: it does not speak HTTP/2".into(),
        Err(Lost::Closed) if options.is_secure() => {
            format!("the server closed the connection before its SETTINGS: {UNSAID}")
        }
        Err(Lost::Socket(error))
            if options.is_secure() && matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
        {
            format!("the connection ended before the server's SETTINGS: {error}: {UNSAID}")
        }
        Err(Lost::Closed) | Ok(()) => "the server closed the connection before its SETTINGS".into(),
        Err(lost) => format!("the connection ended before the server's SETTINGS: {lost}"),
    };
    (Stage::Http2, cause)
}

/// Whether bytes are the beginning of what a peer says that speaks TLS: an alert or a part of a handshake.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, 0..=4, ..])
}
