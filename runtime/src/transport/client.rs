//! A client's connection: made, used to open streams, watched until it ends.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};

use super::io::Io;
use super::preface::{FirstFrame, Watched};
use super::stream::{RecvStream, SendStream};
use super::{Address, ConnectError, Stage, StreamError};
use crate::metadata::entry_size;

type H2Connection = h2::client::Connection<Watched<Io>, Bytes>;

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) authority: Authority,
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
}

impl RequestHead {
    /// The size as HTTP/2 counts it, in bytes.
    pub(crate) fn size(&self) -> usize {
        let own = [
            (":method", Method::POST.as_str()),
            (":scheme", Scheme::HTTP.as_str()),
            (":authority", self.authority.as_str()),
            (":path", self.path.as_str()),
        ];
        let own: usize = own.iter().map(|(name, value)| entry_size(name, value.len())).sum();
        own + self.headers.iter().map(|(name, value)| entry_size(name.as_str(), value.len())).sum::<usize>()
    }
}

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    /// It finishes what it has, and takes no new streams.
    Draining,
    Closed,
}

/// A connection to a server; clones share it. It closes when the last clone and the last stream are gone.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    sender: h2::client::SendRequest<Bytes>,
    address: Address,
    first: Arc<OnceLock<FirstFrame>>,
    limits: Arc<Limits>,
    life: watch::Receiver<Life>,
    driver: tokio::task::AbortHandle,
    /// Dropped with the handle, which tells the driver that no more streams will be asked for.
    _released: oneshot::Sender<()>,
}

/// How many streams the peer allows, and how many are open.
#[derive(Debug, Default)]
struct Limits {
    max_streams: AtomicUsize,
    open_streams: AtomicUsize,
    freed: tokio::sync::Notify,
}

/// Counts one stream of a connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct Permit {
    limits: Arc<Limits>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limits.open_streams.fetch_sub(1, Ordering::AcqRel);
        self.limits.freed.notify_one();
    }
}

/// A stream just opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
    /// Gives the stream's place to the next call when this is dropped.
    pub(crate) _permit: Permit,
    pub(crate) peer: Address,
}

/// Connects, and waits until the server has sent its SETTINGS.
pub(crate) async fn connect(address: &Address) -> Result<Connection, ConnectError> {
    let io = dial(address).await.map_err(|error| ConnectError::new(address, Stage::Connect, error))?;
    let (io, first) = Watched::server(io);
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(super::STREAM_WINDOW)
        .initial_connection_window_size(super::CLIENT_CONNECTION_WINDOW)
        .max_header_list_size(super::MAX_HEADER_LIST_SIZE)
        .max_send_buffer_size(super::SEND_BUFFER)
        .data_frame_budget(super::SMALL_FRAME_BUDGET)
        .max_concurrent_reset_streams(super::REMEMBERED_RESETS)
        // A server that goes on sending on a stream has not heard yet that the call was cancelled.
        .max_local_error_reset_streams(None)
        .enable_push(false)
        .handshake::<_, Bytes>(io)
        .await
        .map_err(|error| ConnectError::new(address, Stage::Http2, error))?;

    let limits = Arc::new(Limits::default());
    let (life_sender, life) = watch::channel(Life::Open);
    let (settled, first_frame) = oneshot::channel();
    let (released, release) = oneshot::channel();
    let driver = Driver {
        connection,
        probe: Some(sender.clone()),
        first: first.clone(),
        settled: Some(settled),
        limits: limits.clone(),
        life: life_sender,
        release: Some(release),
    };
    let driver = tokio::spawn(driver.run()).abort_handle();
    let aborts = AbortOnDrop(Some(driver.clone()));
    let refused = |cause: String| Err(ConnectError::new(address, Stage::Http2, cause));
    match first_frame.await {
        Ok(Ok(FirstFrame::Settings { .. })) => {}
        Ok(Ok(FirstFrame::Http1)) => return refused("the server answered in HTTP/1.1, not HTTP/2".into()),
        Ok(Ok(FirstFrame::Other)) => {
            return refused("the server's first frame was not SETTINGS: it does not speak HTTP/2".into());
        }
        Ok(Err(cause)) => return refused(cause),
        Err(_) => return refused("the connection was closed".into()),
    }
    aborts.disarm();
    let handle = Handle { sender, address: address.clone(), first, limits, life, driver, _released: released };
    Ok(Connection { handle: Arc::new(handle) })
}

async fn dial(address: &Address) -> io::Result<Io> {
    match address {
        Address::Ip(address) => {
            let socket = TcpStream::connect(address).await?;
            // Batching writes is the transport's task, not Nagle's.
            socket.set_nodelay(true)?;
            Ok(Io::Tcp(socket))
        }
        Address::Unix(Some(path)) => Ok(Io::Unix(UnixStream::connect(path).await?)),
        Address::Unix(None) => Err(io::Error::new(io::ErrorKind::InvalidInput, "the Unix socket has no path")),
    }
}

impl Connection {
    /// Whether the peer's SETTINGS_MAX_CONCURRENT_STREAMS leaves room for one more stream.
    pub(crate) fn has_room(&self) -> bool {
        let limits = &self.handle.limits;
        limits.open_streams.load(Ordering::Acquire) < limits.max_streams.load(Ordering::Acquire)
    }

    /// The largest header list that the server takes, in bytes.
    pub(crate) fn header_limit(&self) -> usize {
        FirstFrame::header_limit(&self.handle.first)
    }

    /// Opens a stream; with a first message it goes out in the same write, and `end` half-closes behind it.
    pub(crate) fn open(&self, head: RequestHead, first: Option<Bytes>, end: bool) -> Result<Opened, StreamError> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(head.authority);
        uri.path_and_query = Some(head.path);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_parts(uri).map_err(|_| StreamError::ended())?;
        *request.headers_mut() = head.headers;

        let end_at_head = end && first.is_none();
        let (response, stream) =
            self.handle.sender.clone().send_request(request, end_at_head).map_err(StreamError::from_h2)?;
        self.handle.limits.open_streams.fetch_add(1, Ordering::AcqRel);
        let permit = Permit { limits: self.handle.limits.clone() };
        let mut send = SendStream::new(stream);
        if let Some(first) = first {
            send.send_now(first, end)?;
        }
        Ok(Opened { send, recv: RecvStream::with_head(response), _permit: permit, peer: self.handle.address.clone() })
    }

    /// Resolves as soon as the connection takes no new streams.
    pub(crate) async fn draining(&self) {
        let mut life = self.handle.life.clone();
        let _ = life.wait_for(|life| *life != Life::Open).await;
    }

    /// Resolves when a stream has ended, or the peer allows more of them.
    pub(crate) async fn stream_freed(&self) {
        self.handle.limits.freed.notified().await;
    }

    /// A way to close the connection at once that does not keep it open.
    pub(crate) fn closer(&self) -> Closer {
        Closer { driver: self.handle.driver.clone() }
    }
}

/// Closes a connection at once; it does not keep one open whose calls are done.
#[derive(Debug)]
pub(crate) struct Closer {
    driver: tokio::task::AbortHandle,
}

impl Closer {
    /// Closes the connection; streams that are open break.
    pub(crate) fn close(&self) {
        self.driver.abort();
    }

    /// Whether there is nothing left to close.
    pub(crate) fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }
}

/// Ends the driver of a connection that nobody got.
struct AbortOnDrop(Option<tokio::task::AbortHandle>);

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
struct Driver {
    connection: H2Connection,
    /// Tells when the connection takes no new streams; held only while somebody could ask for one.
    probe: Option<h2::client::SendRequest<Bytes>>,
    first: Arc<OnceLock<FirstFrame>>,
    settled: Option<oneshot::Sender<Result<FirstFrame, String>>>,
    limits: Arc<Limits>,
    life: watch::Sender<Life>,
    release: Option<oneshot::Receiver<()>>,
}

impl Driver {
    async fn run(mut self) {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        if let Some(settled) = self.settled.take() {
            let first = self.first.get().copied();
            let _ = settled.send(match (first, ended) {
                (Some(first @ (FirstFrame::Http1 | FirstFrame::Other)), _) => Ok(first),
                (_, Ok(())) => Err("the server closed the connection before its SETTINGS".into()),
                (_, Err(error)) => Err(format!("the connection ended before the server's SETTINGS: {error}")),
            });
        }
        self.life.send_replace(Life::Closed);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        if self.release.as_mut().is_some_and(|release| Pin::new(release).poll(cx).is_ready()) {
            self.release = None;
            self.probe = None;
        }
        let ended = Pin::new(&mut self.connection).poll(cx);
        let max_streams = self.connection.max_concurrent_send_streams();
        if self.limits.max_streams.swap(max_streams, Ordering::AcqRel) < max_streams {
            self.limits.freed.notify_one();
        }
        if let Some(first) = self.first.get()
            && let Some(settled) = self.settled.take()
        {
            let _ = settled.send(Ok(*first));
        }
        let refuses = self.probe.as_mut().is_some_and(|probe| matches!(probe.poll_ready(cx), Poll::Ready(Err(_))));
        if refuses {
            self.probe = None;
            self.life.send_replace(Life::Draining);
        }
        ended
    }
}
