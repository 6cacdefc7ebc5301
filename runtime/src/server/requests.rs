//! A stream of requests.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::exchange::Exchange;
use super::interceptor::Each;
use crate::call::MessageEvent;
use crate::codec::frame::Decoder;
use crate::codec::{BytesCodec, Codec, SharedCodec};
use crate::status::Status;
use crate::transport::Event;
use crate::transport::server::RequestStream;

/// The requests of a call, as they come.
///
/// It is a [`Stream`] of `Result<T, Status>`, fused: after its end or its error come only `None`s.
pub struct Requests<T: 'static> {
    stream: RequestStream,
    decoder: Decoder,
    codec: SharedCodec<T>,
    exchange: Arc<Exchange>,
    /// What interceptors do with each, outermost first.
    each: Vec<Each>,
    compressed: bool,
    half_closed: bool,
    finished: bool,
}

impl<T: Send + 'static> Requests<T> {
    pub(super) fn new(
        stream: RequestStream,
        decoder: Decoder,
        codec: SharedCodec<T>,
        exchange: Arc<Exchange>,
        each: Vec<Each>,
    ) -> Self {
        Requests { stream, decoder, codec, exchange, each, compressed: false, half_closed: false, finished: false }
    }

    /// The next message; `None` when the client has sent its last.
    ///
    /// # Errors
    /// CANCELLED when the client is gone; INTERNAL for bytes that are no message; RESOURCE_EXHAUSTED for a message over
    /// the limit. Return it: it is the status that the client should see. Cancel safe: a message is never lost.
    pub async fn message(&mut self) -> Result<Option<T>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await.transpose()
    }

    /// Whether the last message came compressed, as the flag byte before it said; `false` before the first.
    pub fn last_was_compressed(&self) -> bool {
        self.compressed
    }

    /// The one request of a method that has one.
    pub(super) async fn single(&mut self) -> Result<T, Status> {
        let Some(request) = self.message().await? else {
            return Err(Status::unimplemented("the client sent no request; the method has exactly one"));
        };
        match poll_fn(|cx| self.poll_decoded(cx, &BytesCodec)).await {
            None => Ok(request),
            Some(Ok(_)) => Err(Status::unimplemented("the client sent several requests; the method has exactly one")),
            Some(Err(status)) => Err(status),
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Status>>> {
        if self.finished {
            return Poll::Ready(None);
        }
        let codec = self.codec.clone();
        let mut item = ready!(self.poll_decoded(cx, codec.codec()));
        if let Some(Ok(message)) = item {
            item = Some(self.exchange.show(self.each.iter_mut(), message, &self.codec));
        }
        self.finished = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }

    fn poll_decoded<M: 'static>(
        &mut self,
        cx: &mut Context<'_>,
        codec: &dyn Codec<M>,
    ) -> Poll<Option<Result<M, Status>>> {
        loop {
            match self.decoder.next(codec) {
                Ok(Some(message)) => {
                    self.compressed = message.compressed;
                    let event = MessageEvent::received(message.size, message.compressed, message.plain_size);
                    self.exchange.message_received(event);
                    return Poll::Ready(Some(message.content.map_err(|error| {
                        Status::internal(format!("cannot decode the request: {error}")).with_source(error)
                    })));
                }
                Ok(None) if self.half_closed && self.decoder.is_at_boundary() => return Poll::Ready(None),
                Ok(None) if self.half_closed => {
                    return Poll::Ready(Some(Err(Status::internal(
                        "the client ended the call in the middle of a message",
                    ))));
                }
                Ok(None) => {}
                Err(status) => return Poll::Ready(Some(Err(status))),
            }
            match ready!(self.stream.poll_event(cx)) {
                Ok(Event::Data { data, end }) => {
                    self.decoder.push(data);
                    self.half_closed = end;
                }
                Ok(Event::Trailers(_) | Event::End) => self.half_closed = true,
                Ok(Event::Headers { .. }) => {}
                Err(_) => {
                    return Poll::Ready(Some(Err(Status::cancelled(
                        "the client cancelled the call, or its connection broke",
                    ))));
                }
            }
        }
    }
}

impl<T: 'static> Unpin for Requests<T> {}

impl<T: Send + 'static> Stream for Requests<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}

impl<T: 'static> fmt::Debug for Requests<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("finished", &self.finished).finish_non_exhaustive()
    }
}
