//! A connection within the process: who opens streams, who takes them, and how both learn of its end.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, HeaderValue, Method};
use tokio::sync::{mpsc, oneshot, watch};

use super::HEADER_LIMIT;
use super::registry;
use crate::transport::client::{Life, RequestHead};
use crate::transport::limits::Limits;
use crate::transport::server::Incoming;
use crate::transport::stream::{self, ReplyStream, SendStream, Stream};
use crate::transport::{Head, Headers, StreamError};

/// A connection's streams and its state, shared by both sides.
#[derive(Debug)]
pub(crate) struct Session {
    life: watch::Sender<Life>,
    streams: Mutex<Streams>,
}

#[derive(Debug, Default)]
struct Streams {
    open: Vec<Weak<Stream>>,
    /// How many there may be before those that are gone are looked for.
    room: usize,
}

impl Session {
    /// Ends the connection: streams that have not ended break.
    pub(in crate::transport) fn close(&self, reason: &'static str) {
        self.life.send_replace(Life::Closed);
        let open = std::mem::take(&mut self.lock().open);
        open.iter().filter_map(Weak::upgrade).for_each(|stream| stream.fail(StreamError::closed(reason)));
    }

    pub(in crate::transport) fn is_closed(&self) -> bool {
        *self.life.borrow() == Life::Closed
    }

    fn open_stream(&self) -> Arc<Stream> {
        let stream = Stream::new();
        let mut streams = self.lock();
        if streams.open.len() >= streams.room {
            streams.open.retain(|stream| stream.strong_count() > 0);
            streams.room = 2 * streams.open.len() + 16;
        }
        streams.open.push(Arc::downgrade(&stream));
        stream
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client's side.
#[derive(Debug)]
pub(in crate::transport) struct Link {
    session: Arc<Session>,
    calls: mpsc::UnboundedSender<Incoming>,
}

/// A client that wants to be accepted.
#[derive(Debug)]
pub(crate) struct Dial {
    session: Arc<Session>,
    calls: mpsc::UnboundedReceiver<Incoming>,
    /// Told how many streams the server takes.
    accepted: oneshot::Sender<u32>,
}

/// The server's side.
pub(crate) struct Accepted {
    session: Arc<Session>,
    calls: mpsc::UnboundedReceiver<Incoming>,
}

/// Connects to the server that listens on `name`.
pub(in crate::transport) async fn connect(name: &str, limits: &Limits) -> io::Result<(Link, watch::Receiver<Life>)> {
    let listener = registry::find(name)?;
    let (sender, life) = watch::channel(Life::Open);
    let session = Arc::new(Session { life: sender, streams: Mutex::default() });
    let (calls, incoming) = mpsc::unbounded_channel();
    let (accepted, max_streams) = oneshot::channel();
    let dial = Dial { session: session.clone(), calls: incoming, accepted };
    let stopped = || io::Error::new(io::ErrorKind::ConnectionReset, "the server stopped before it accepted");
    listener.send(dial).await.map_err(|_| stopped())?;
    // A registry that has no such listener any more is not kept waiting for.
    drop(listener);
    limits.allow(max_streams.await.map_err(|_| stopped())? as usize);
    Ok((Link { session, calls }, life))
}

impl Link {
    pub(in crate::transport) fn open(
        &self,
        head: RequestHead,
        first: Option<Bytes>,
        end: bool,
    ) -> Result<(SendStream, ReplyStream), StreamError> {
        if *self.session.life.borrow() != Life::Open {
            return Err(StreamError::closed("it takes no more calls"));
        }
        let request = callwright_http2::RequestHead {
            method: Method::POST,
            scheme: HeaderValue::from_static("http"),
            authority: Some(head.authority),
            path: head.path,
        };
        let headers = Arc::new(Headers::new(Head::Request(request), head.headers));
        let stream = self.session.open_stream();
        let (send, recv) = stream::client_halves(&stream, first, end);
        let (server_recv, server_send) = stream::server_halves(&stream, HEADER_LIMIT, false);
        let incoming = Incoming {
            id: 0,
            head: headers,
            wait_for_ready: head.wait_for_ready,
            extensions: Extensions::new(),
            recv: server_recv,
            send: server_send,
        };
        self.calls.send(incoming).map_err(|_| StreamError::closed("it takes no more calls"))?;
        Ok((send, recv))
    }

    pub(in crate::transport) fn session(&self) -> Weak<Session> {
        Arc::downgrade(&self.session)
    }
}

impl Dial {
    /// Takes the client, with at most so many streams at once.
    pub(in crate::transport) fn accept(self, max_concurrent_streams: u32) -> Accepted {
        // A client that has given up meanwhile shows by its calls' end.
        let _ = self.accepted.send(max_concurrent_streams);
        Accepted { session: self.session, calls: self.calls }
    }
}

impl Accepted {
    pub(in crate::transport) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.calls.poll_recv(cx)
    }

    /// Takes no more calls than those that are here.
    pub(in crate::transport) fn drain(&mut self) {
        self.session.life.send_if_modified(|life| match life {
            Life::Open => {
                *life = Life::Draining;
                true
            }
            Life::Draining | Life::Closed => false,
        });
        self.calls.close();
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.session.close("the server closed it");
    }
}
