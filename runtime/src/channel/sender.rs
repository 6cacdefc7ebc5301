//! The sending half of a call that streams its requests.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;

use super::deadline::DeadlineTimer;
use super::exchange::{Exchange, Outgoing};
use super::intercepted::Outlet;
use crate::codec::SharedCodec;
use crate::codec::frame::{self, Encoding, Side};
use crate::status::Status;

/// Sends the requests of a call, one by one.
///
/// [`finish`](Self::finish) tells the server that there are no more. Dropping it without that cancels the call, so
/// that an upload which broke half way never looks complete.
#[must_use = "dropping a sender before finish() cancels its call"]
pub struct RequestSender<T: 'static> {
    half: Half<T>,
}

enum Half<T: 'static> {
    Wire(WireSender<T>),
    Intercepted(Outlet<T>),
}

impl<T: 'static> RequestSender<T> {
    pub(super) fn new(exchange: Arc<Exchange>, codec: SharedCodec<T>) -> Self {
        let timer = DeadlineTimer::new(exchange.deadline());
        let wire = WireSender { exchange, codec, timer, outgoing: None, next_plain: false, finished: false };
        RequestSender { half: Half::Wire(wire) }
    }

    /// The sending half of a call with interceptors around it.
    pub(super) fn intercepted(outlet: Outlet<T>) -> Self {
        RequestSender { half: Half::Intercepted(outlet) }
    }

    /// Sends one message; waits while the call is queued, and while the server's flow control allows no more.
    ///
    /// # Errors
    /// The status that the call ended with. CANCELLED when the server has ended the call without waiting for all
    /// messages: the receiving half has its status then. INTERNAL or RESOURCE_EXHAUSTED for a message that cannot be
    /// encoded or is too large.
    ///
    /// Cancel safe: when the future is dropped, the message either was not touched or goes out whole with what is sent
    /// next.
    pub async fn send(&mut self, message: T) -> Result<(), Status>
    where
        T: Send,
    {
        match &mut self.half {
            Half::Wire(wire) => wire.send(message).await,
            Half::Intercepted(outlet) => outlet.send(message).await,
        }
    }

    /// Sends the next message uncompressed, whatever the call is set to.
    pub fn disable_next_message_compression(&mut self) {
        match &mut self.half {
            Half::Wire(wire) => wire.next_plain = true,
            Half::Intercepted(outlet) => outlet.next_plain = true,
        }
    }

    /// Tells the server that there are no more messages. The response is still to come.
    pub fn finish(mut self) {
        match &mut self.half {
            Half::Wire(wire) => wire.finish(),
            Half::Intercepted(outlet) => outlet.finish(),
        }
    }

    /// Ends the call with this status.
    pub(super) fn fail(self, status: Status) {
        if let Half::Wire(wire) = &self.half {
            wire.exchange.terminate(status);
        }
    }
}

impl<T: 'static> fmt::Debug for RequestSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.half {
            Half::Wire(wire) => fmt::Debug::fmt(wire, f),
            Half::Intercepted(_) => f.debug_struct("RequestSender").finish_non_exhaustive(),
        }
    }
}

/// Sends the requests of a call on its stream.
struct WireSender<T: 'static> {
    exchange: Arc<Exchange>,
    codec: SharedCodec<T>,
    timer: DeadlineTimer,
    /// A message whose sending was given up by its caller: what is left of it goes out before anything else.
    outgoing: Option<Outgoing>,
    next_plain: bool,
    finished: bool,
}

impl<T: 'static> WireSender<T> {
    async fn send(&mut self, message: T) -> Result<(), Status> {
        if self.outgoing.is_none() && self.sends_plain() {
            let sent = self.exchange.send_small(self.codec.codec(), &message);
            if sent.inspect_err(|status| self.exchange.terminate(status.clone()))? {
                self.next_plain = false;
                return Ok(());
            }
        }
        self.flush().await?;
        let frame = self.encode(&message)?;
        // Where the call is not followed, nobody asks.
        let followed = !self.exchange.request().tracers.is_empty();
        let size = followed.then(|| self.codec.codec().encoded_len(&message)).flatten();
        self.outgoing = Some(Outgoing::new(frame, size));
        self.flush().await
    }

    fn sends_plain(&self) -> bool {
        self.next_plain || self.exchange.request().compressor.is_none()
    }

    fn encode(&mut self, message: &T) -> Result<Bytes, Status> {
        let settings = self.exchange.core().settings();
        let plain = std::mem::take(&mut self.next_plain);
        let compressor = self.exchange.request().compressor.as_ref().filter(|_| !plain);
        let encoding =
            Encoding { limit: self.exchange.max_send_size(), ..settings.messages.encoding(compressor, Side::Client) };
        frame::encode(self.codec.codec(), message, &encoding)
            .inspect_err(|status| self.exchange.terminate(status.clone()))
    }

    /// Sends what is left of the last message.
    async fn flush(&mut self) -> Result<(), Status> {
        poll_fn(|cx| {
            let Some(outgoing) = &mut self.outgoing else {
                return Poll::Ready(Ok(()));
            };
            if let Poll::Ready(sent) = self.exchange.poll_send(cx, outgoing) {
                self.outgoing = None;
                return Poll::Ready(sent);
            }
            ready!(self.timer.poll(cx, self.exchange.deadline()));
            let status = self.exchange.deadline_exceeded();
            self.exchange.terminate(status.clone());
            Poll::Ready(Err(status))
        })
        .await
    }

    fn finish(&mut self) {
        self.finished = true;
        self.exchange.finish(self.outgoing.take());
    }
}

impl<T: 'static> Drop for WireSender<T> {
    fn drop(&mut self) {
        if !self.finished {
            self.exchange.terminate(Status::cancelled("the request sender was dropped before finish()"));
        }
    }
}

impl<T: 'static> fmt::Debug for WireSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSender").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}
