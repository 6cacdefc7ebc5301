//! The two halves of a stream: what goes out, and what comes in.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::HeaderMap;

use crate::transport::{Event, StreamError};

/// The half that sends. Dropping it before [`finish`](Self::finish) together with the other half resets the stream with CANCEL.
#[derive(Debug)]
pub(crate) struct SendHalf {
    stream: h2::SendStream<Bytes>,
}

impl SendHalf {
    pub(super) fn new(stream: h2::SendStream<Bytes>) -> Self {
        SendHalf { stream }
    }

    /// Sends as much of `data` as the windows allow; ready when all of it is on its way.
    pub(in crate::transport) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<Result<(), StreamError>> {
        while !data.is_empty() {
            self.stream.reserve_capacity(data.len());
            let mut room = self.stream.capacity();
            while room == 0 {
                room = match ready!(self.stream.poll_capacity(cx)) {
                    Some(room) => room.map_err(StreamError::from_h2)?,
                    None => return Poll::Ready(Err(StreamError::ended())),
                };
            }
            let part = data.split_to(room.min(data.len()));
            self.stream.send_data(part, false).map_err(StreamError::from_h2)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends data without waiting for the windows: for the one message of a call, which is at hand anyway.
    pub(in crate::transport) fn send_now(&mut self, data: Bytes, end: bool) -> Result<(), StreamError> {
        self.stream.send_data(data, end).map_err(StreamError::from_h2)
    }

    /// Half-closes: the peer sees the end of the messages.
    pub(in crate::transport) fn finish(&mut self) -> Result<(), StreamError> {
        self.send_now(Bytes::new(), true)
    }

    /// Ends the stream with trailers.
    pub(in crate::transport) fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), StreamError> {
        self.stream.reserve_capacity(0);
        self.stream.send_trailers(trailers).map_err(StreamError::from_h2)
    }

    /// Ends the stream at once in both directions, with CANCEL.
    pub(in crate::transport) fn reset(&mut self) {
        self.stream.send_reset(h2::Reason::CANCEL);
    }

    /// Ready when the peer has reset the stream or the connection is gone.
    pub(in crate::transport) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        self.stream.poll_reset(cx).map(|reset| match reset {
            Ok(reason) => StreamError::reset(reason),
            Err(error) => StreamError::from_h2(error),
        })
    }
}

/// The half that receives.
#[derive(Debug)]
pub(crate) struct RecvHalf {
    state: State,
}

#[derive(Debug)]
enum State {
    /// A client's, before the response's headers.
    Head(h2::client::ResponseFuture),
    Body(Body),
    /// All data is read; trailers may follow.
    Trailers(Body),
    Over,
}

impl RecvHalf {
    pub(super) fn with_head(head: h2::client::ResponseFuture) -> Self {
        RecvHalf { state: State::Head(head) }
    }

    pub(super) fn new(body: h2::RecvStream) -> Self {
        RecvHalf { state: if body.is_end_stream() { State::Over } else { State::Body(Body(body)) } }
    }

    /// What arrives next; [`Event::End`] again and again once the peer has half-closed.
    pub(in crate::transport) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        loop {
            match &mut self.state {
                State::Head(response) => {
                    let response = ready!(Pin::new(response).poll(cx)).map_err(StreamError::from_h2)?;
                    let (head, body) = response.into_parts();
                    let end = body.is_end_stream();
                    *self = RecvHalf::new(body);
                    return Poll::Ready(Ok(Event::Headers {
                        status: head.status.as_u16(),
                        headers: head.headers,
                        end,
                    }));
                }
                State::Body(body) => match ready!(body.poll_data(cx)) {
                    Some(data) => return Poll::Ready(data.map(Event::Data)),
                    None => {
                        if let State::Body(body) = std::mem::replace(&mut self.state, State::Over) {
                            self.state = State::Trailers(body);
                        }
                    }
                },
                State::Trailers(body) => {
                    let trailers = ready!(body.0.poll_trailers(cx)).map_err(StreamError::from_h2)?;
                    self.state = State::Over;
                    return Poll::Ready(Ok(trailers.map_or(Event::End, Event::Trailers)));
                }
                State::Over => return Poll::Ready(Ok(Event::End)),
            }
        }
    }
}

/// The data of a stream. What is left of it when it is dropped is consumed, because the library counts frames that
/// nobody will read against the connection for ever.
#[derive(Debug)]
struct Body(h2::RecvStream);

impl Body {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let data = match ready!(self.0.poll_data(cx)) {
            Some(data) => data.map_err(StreamError::from_h2)?,
            None => return Poll::Ready(None),
        };
        // The caller asks only when it has use for more, so what it takes is consumed.
        self.0.flow_control().release_capacity(data.len()).map_err(StreamError::from_h2)?;
        Poll::Ready(Some(Ok(data)))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(_))) = self.poll_data(&mut context) {}
    }
}
