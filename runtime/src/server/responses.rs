//! A stream of responses, as a handler writes it.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_core::Stream;

use super::exchange::Exchange;
use super::interceptor::Each;
use crate::call::MessageEvent;
use crate::codec::SharedCodec;
use crate::codec::frame::{self, Encoding, Side};
use crate::compression::Compressor;
use crate::status::Status;

/// Sends the responses of a call, one by one. The stream ends when the handler returns.
pub struct Responses<T: 'static> {
    exchange: Arc<Exchange>,
    codec: SharedCodec<T>,
    /// What interceptors do with each, outermost first.
    each: Vec<Each>,
    /// What is left of a message whose sending was given up by the handler: it goes out before anything else.
    rest: Bytes,
    /// What all of it is.
    event: MessageEvent,
}

impl<T: Send + 'static> Responses<T> {
    pub(super) fn new(exchange: Arc<Exchange>, codec: SharedCodec<T>, each: Vec<Each>) -> Self {
        Responses { exchange, codec, each, rest: Bytes::new(), event: MessageEvent::plain(0) }
    }

    /// Sends one message; waits while the client's flow control allows no more. The first sends the initial metadata.
    ///
    /// # Errors
    /// CANCELLED when the client is gone; INTERNAL or RESOURCE_EXHAUSTED for a message that cannot be encoded or is too
    /// large. Return it: there is nobody left to send to, or it is the status that the client should see.
    ///
    /// Cancel safe: when the future is dropped, the message either was not touched or goes out whole with what is sent
    /// next.
    pub async fn send(&mut self, message: T) -> Result<(), Status> {
        let message = self.exchange.show(self.each.iter_mut().rev(), message, &self.codec)?;
        if self.rest.is_empty() && self.exchange.send_small(self.codec.codec(), &message)? {
            return Ok(());
        }
        self.flush().await?;
        (self.rest, self.event) = self.encode(&message, self.exchange.begin_message()?)?;
        self.flush().await
    }

    /// Sends all messages of a stream, up to its end or its first error. In place of a loop over [`send`](Self::send).
    ///
    /// # Errors
    /// The stream's own error, or as [`send`](Self::send).
    pub async fn send_all<E: Into<Status>>(
        &mut self,
        messages: impl Stream<Item = Result<T, E>>,
    ) -> Result<(), Status> {
        let mut messages = pin!(messages);
        while let Some(message) = poll_fn(|cx| messages.as_mut().poll_next(cx)).await {
            self.send(message.map_err(Into::into)?).await?;
        }
        Ok(())
    }

    /// Sends what is left of the last message.
    pub(super) async fn flush(&mut self) -> Result<(), Status> {
        poll_fn(|cx| match self.rest.is_empty() {
            true => Poll::Ready(Ok(())),
            false => self.exchange.poll_send(cx, &mut self.rest, self.event),
        })
        .await
    }

    /// Sends the one message of a unary response, unless the handler has set another code than OK.
    pub(super) fn reply(&mut self, message: T) -> Result<(), Status> {
        let message = self.exchange.show(self.each.iter_mut().rev(), message, &self.codec)?;
        if let Some(compressor) = self.exchange.begin_reply()? {
            let (frame, event) = self.encode(&message, compressor)?;
            self.exchange.reply(frame, event);
        }
        Ok(())
    }

    fn encode(&self, message: &T, compressor: Option<Arc<dyn Compressor>>) -> Result<(Bytes, MessageEvent), Status> {
        let (settings, codec) = (self.exchange.settings(), self.codec.codec());
        let limit = self.exchange.max_send_size();
        let encoding = Encoding { limit, ..settings.messages.encoding(compressor.as_ref(), Side::Server) };
        let frame = frame::encode(codec, message, &encoding)?;
        // Of one that is not compressed it is known.
        let size = compressor.and_then(|_| codec.encoded_len(message));
        let event = MessageEvent::of_frame(&frame, size);
        Ok((frame, event))
    }
}

impl<T: 'static> fmt::Debug for Responses<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}
