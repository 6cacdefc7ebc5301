//! The two halves of a stream: what goes out, and what comes in.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;

use super::StreamError;

/// What arrives on a stream, in this order: headers, data any number of times, trailers or a bare end.
#[derive(Debug)]
pub(crate) enum Event {
    /// The response's headers; only a client sees them, a server has them with the stream.
    Headers {
        status: u16,
        headers: HeaderMap,
        end: bool,
    },
    Data(Bytes),
    Trailers(HeaderMap),
    /// The peer half-closed without trailers.
    End,
}

/// The half that sends. Dropping it before [`finish`](Self::finish) together with the other half resets the stream with CANCEL.
#[derive(Debug)]
pub(crate) struct SendStream {
    stream: h2::SendStream<Bytes>,
}

impl SendStream {
    pub(super) fn new(stream: h2::SendStream<Bytes>) -> Self {
        SendStream { stream }
    }

    /// Sends as much of `data` as the windows allow; ready when all of it is on its way.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<Result<(), StreamError>> {
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
    pub(crate) fn send_now(&mut self, data: Bytes, end: bool) -> Result<(), StreamError> {
        self.stream.send_data(data, end).map_err(StreamError::from_h2)
    }

    /// Half-closes: the peer sees the end of the messages.
    pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
        self.send_now(Bytes::new(), true)
    }

    /// Ends the stream with trailers.
    pub(crate) fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), StreamError> {
        self.stream.reserve_capacity(0);
        self.stream.send_trailers(trailers).map_err(StreamError::from_h2)
    }

    /// Ends the stream at once in both directions, with CANCEL.
    pub(crate) fn reset(&mut self) {
        self.stream.send_reset(h2::Reason::CANCEL);
    }

    /// Ready when the peer has reset the stream or the connection is gone.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        self.stream.poll_reset(cx).map(|reset| match reset {
            Ok(reason) => StreamError::reset(reason),
            Err(error) => StreamError::from_h2(error),
        })
    }
}

/// The half that receives.
#[derive(Debug)]
pub(crate) enum RecvStream {
    /// A client's, before the response's headers.
    Headers(h2::client::ResponseFuture),
    Body(h2::RecvStream),
    /// All data is read; trailers may follow.
    Trailers(h2::RecvStream),
    Done,
}

impl RecvStream {
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        loop {
            match self {
                RecvStream::Headers(response) => {
                    let response = ready!(Pin::new(response).poll(cx)).map_err(StreamError::from_h2)?;
                    let (head, body) = response.into_parts();
                    let end = body.is_end_stream();
                    *self = if end { RecvStream::Done } else { RecvStream::Body(body) };
                    return Poll::Ready(Ok(Event::Headers {
                        status: head.status.as_u16(),
                        headers: head.headers,
                        end,
                    }));
                }
                RecvStream::Body(body) => match ready!(body.poll_data(cx)) {
                    Some(data) => {
                        let data = data.map_err(StreamError::from_h2)?;
                        // The caller asks only when it has use for more, so what it takes is consumed.
                        body.flow_control().release_capacity(data.len()).map_err(StreamError::from_h2)?;
                        return Poll::Ready(Ok(Event::Data(data)));
                    }
                    None => match std::mem::replace(self, RecvStream::Done) {
                        RecvStream::Body(body) => *self = RecvStream::Trailers(body),
                        other => *self = other,
                    },
                },
                RecvStream::Trailers(body) => {
                    let trailers = ready!(body.poll_trailers(cx)).map_err(StreamError::from_h2)?;
                    *self = RecvStream::Done;
                    return Poll::Ready(Ok(trailers.map_or(Event::End, Event::Trailers)));
                }
                RecvStream::Done => return Poll::Ready(Ok(Event::End)),
            }
        }
    }
}
