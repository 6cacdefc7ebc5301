//! A client's connection: made, used to open streams, watched until it ends.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::Scheme;
use http::{Method, Request, Uri, Version};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::preface::{FirstFrame, Watched};
use super::stream::{RecvHalf, SendHalf};
use crate::transport::client::{Life, RequestHead};
use crate::transport::io::Io;
use crate::transport::limits::Limits;
use crate::transport::{Address, ConnectError, MAX_HEADER_LIST_SIZE, Stage, StreamError};

type H2Connection = h2::client::Connection<Watched<Io>, Bytes>;

/// A connection to a server. It closes when this and the last stream are gone.
#[derive(Debug)]
pub(crate) struct Link {
    sender: h2::client::SendRequest<Bytes>,
    first: Arc<OnceLock<FirstFrame>>,
    driver: AbortHandle,
    /// Dropped with the link, which tells the driver that no more streams will be asked for.
    _released: oneshot::Sender<()>,
}

/// Begins HTTP/2 on `io`, and waits until the server has sent its SETTINGS.
pub(in crate::transport) async fn connect(
    address: &Address,
    io: Io,
    limits: Arc<Limits>,
) -> Result<(Link, watch::Receiver<Life>), ConnectError> {
    let (io, first) = Watched::server(io);
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(super::STREAM_WINDOW)
        .initial_connection_window_size(super::CLIENT_CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_LIST_SIZE)
        .max_send_buffer_size(super::SEND_BUFFER)
        .data_frame_budget(super::SMALL_FRAME_BUDGET)
        .max_concurrent_reset_streams(super::REMEMBERED_RESETS)
        // A server that goes on sending on a stream has not heard yet that the call was cancelled.
        .max_local_error_reset_streams(None)
        .enable_push(false)
        .handshake::<_, Bytes>(io)
        .await
        .map_err(|error| ConnectError::new(address, Stage::Http2, error))?;

    let (life_sender, life) = watch::channel(Life::Open);
    let (settled, first_frame) = oneshot::channel();
    let (released, release) = oneshot::channel();
    let driver = Driver {
        connection,
        probe: Some(sender.clone()),
        first: first.clone(),
        settled: Some(settled),
        limits,
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
    Ok((Link { sender, first, driver, _released: released }, life))
}

impl Link {
    /// The largest header list that the server takes, in bytes.
    pub(in crate::transport) fn header_limit(&self) -> usize {
        FirstFrame::header_limit(&self.first)
    }

    /// Opens a stream; with a first message it goes out in the same write, and `end` half-closes behind it.
    pub(in crate::transport) fn open(
        &self,
        head: RequestHead,
        first: Option<Bytes>,
        end: bool,
    ) -> Result<(SendHalf, RecvHalf), StreamError> {
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
            self.sender.clone().send_request(request, end_at_head).map_err(StreamError::from_h2)?;
        let mut send = SendHalf::new(stream);
        if let Some(first) = first {
            send.send_now(first, end)?;
        }
        Ok((send, RecvHalf::with_head(response)))
    }

    /// What ends the connection at once when it is aborted.
    pub(in crate::transport) fn driver(&self) -> AbortHandle {
        self.driver.clone()
    }
}

/// Ends the driver of a connection that nobody got.
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
        self.limits.allow(self.connection.max_concurrent_send_streams());
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
