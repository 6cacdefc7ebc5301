//! The receiving half of a call: checks what the server sends, and turns it into messages and a status.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::deadline::DeadlineTimer;
use super::exchange::Exchange;
use super::service_config::MethodConfig;
use crate::call::{ContentType, GRPC_ENCODING, MessageEvent, content_type};
use crate::codec::frame::{Decoder, Side};
use crate::codec::{BytesCodec, Codec, CodecError, SharedCodec};
use crate::metadata::Metadata;
use crate::status::{Code, Status, wire};
use crate::transport::{Event, Fields};

/// Reads one call's response. Dropping it cancels the call.
pub(super) struct Reader {
    exchange: Arc<Exchange>,
    state: State,
    /// The largest message that is taken, in bytes, where the call says so.
    limit: Option<usize>,
    timer: DeadlineTimer,
    /// Whether the last message came compressed.
    compressed: bool,
}

enum State {
    Head,
    Body {
        decoder: Decoder,
        initial: Metadata,
        /// A status that stood in the headers although the stream went on.
        early: Option<Result<Metadata, Status>>,
    },
    Over {
        initial: Metadata,
        outcome: Result<Metadata, Status>,
    },
}

impl Reader {
    pub(super) fn new(exchange: Arc<Exchange>, limit: Option<usize>) -> Self {
        let timer = DeadlineTimer::new(exchange.deadline());
        Reader { exchange, state: State::Head, limit, timer, compressed: false }
    }

    /// The initial metadata, once the headers are here; empty where the server sent none.
    pub(super) fn initial_metadata(&self) -> Option<&Metadata> {
        match &self.state {
            State::Head => None,
            State::Body { initial, .. } | State::Over { initial, .. } => Some(initial),
        }
    }

    /// How the call ended, once it has: its trailing metadata, or its status.
    pub(super) fn outcome(&self) -> Option<&Result<Metadata, Status>> {
        match &self.state {
            State::Over { outcome, .. } => Some(outcome),
            State::Head | State::Body { .. } => None,
        }
    }

    /// Whether the last message came compressed.
    pub(super) fn last_was_compressed(&self) -> bool {
        self.compressed
    }

    /// Waits until the call has left the queue.
    pub(super) async fn left_queue(&mut self) -> Result<(), Status> {
        poll_fn(|cx| match self.exchange.poll_left_queue(cx) {
            Poll::Ready(left) => Poll::Ready(left),
            Poll::Pending => Poll::Ready(Err(ready!(self.poll_deadline(cx)))),
        })
        .await
        .inspect_err(|status| self.end(Err(status.clone())))
    }

    /// Ready when the headers are here, or the call is over.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while matches!(self.state, State::Head) {
            let event = ready!(self.poll_event(cx));
            self.take(event);
        }
        Poll::Ready(())
    }

    /// The next message; `None` at the end of a call that succeeded.
    pub(super) fn poll_message<T: 'static>(
        &mut self,
        cx: &mut Context<'_>,
        codec: &dyn Codec<T>,
    ) -> Poll<Option<Result<T, Status>>> {
        loop {
            match &mut self.state {
                State::Head => {}
                State::Over { outcome: Ok(_), .. } => return Poll::Ready(None),
                State::Over { outcome: Err(status), .. } => return Poll::Ready(Some(Err(status.clone()))),
                State::Body { decoder, .. } => match decoder.next(codec) {
                    Ok(Some(message)) => {
                        self.compressed = message.compressed;
                        self.exchange.message_received(MessageEvent::received(
                            message.size,
                            message.compressed,
                            message.plain_size,
                        ));
                        return Poll::Ready(Some(message.content.map_err(|error| self.undecodable(error))));
                    }
                    Ok(None) => {}
                    Err(status) => {
                        self.end(Err(status));
                        continue;
                    }
                },
            }
            let event = ready!(self.poll_event(cx));
            self.take(event);
        }
    }

    /// The one message of a unary response.
    pub(super) async fn single<T: 'static>(&mut self, codec: &SharedCodec<T>) -> Result<T, Status> {
        let Some(message) = poll_fn(|cx| self.poll_message(cx, codec.codec())).await.transpose()? else {
            return Err(self.fail(Status::unimplemented("the server ended the call with OK but without a message")));
        };
        match poll_fn(|cx| self.poll_message(cx, &BytesCodec)).await {
            None => Ok(message),
            Some(Err(status)) => Err(status),
            Some(Ok(_)) => {
                Err(self.fail(Status::unimplemented("the server sent more than the one message that the method has")))
            }
        }
    }

    fn undecodable(&mut self, error: CodecError) -> Status {
        let path = self.exchange.request().path.to_str().unwrap_or_default();
        let status = Status::internal(format!("cannot decode the response of {path}: {error}"));
        self.fail(status.with_source(error))
    }

    /// Ends the call from this side with `status`, keeping what came around it.
    fn fail(&mut self, status: Status) -> Status {
        let initial = self.initial_metadata().cloned().unwrap_or_default();
        let status = status.with_initial_metadata(initial);
        self.end(Err(status.clone()));
        status
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Status>> {
        match self.exchange.poll_event(cx) {
            Poll::Ready(event) => Poll::Ready(event),
            Poll::Pending => Poll::Ready(Err(ready!(self.poll_deadline(cx)))),
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        ready!(self.timer.poll(cx, self.exchange.deadline()));
        Poll::Ready(self.exchange.deadline_exceeded())
    }

    fn take(&mut self, event: Result<Event, Status>) {
        match event {
            Err(status) => self.end(Err(status)),
            Ok(Event::Headers { status, headers, end }) => self.take_headers(status, &headers, end),
            Ok(Event::Data { data, .. }) => match &mut self.state {
                State::Body { early: Some(_), .. } => {
                    self.end(Err(Status::internal(
                        "the server sent messages after headers that already had the status",
                    )));
                }
                State::Body { decoder, .. } => decoder.push(data),
                State::Head | State::Over { .. } => {}
            },
            Ok(Event::Trailers(trailers)) => self.take_end(wire::decode(trailers.iter())),
            Ok(Event::End) => self.take_end(None),
        }
    }

    fn take_headers(&mut self, http: u16, headers: &Fields, end: bool) {
        let status = wire::decode(headers.iter());
        if end && let Some(status) = status {
            // A response of trailers alone: its metadata is trailing metadata.
            return self.end(status);
        }
        let initial = match Metadata::from_headers(headers.iter()) {
            Ok(initial) => initial,
            Err(error) => return self.end(Err(Status::from(error))),
        };
        let encoding = headers.get(&GRPC_ENCODING).map_or("identity", |encoding| encoding.to_str().unwrap_or("?"));
        let compressors = &self.exchange.core().settings().messages.compressors;
        let problem = match (http, content_type(headers.get(&http::header::CONTENT_TYPE))) {
            (200, ContentType::Grpc) if end => Some(Status::unknown("the server ended the call without grpc-status")),
            (200, ContentType::Grpc) => None,
            (200, ContentType::OtherCodec) => Some(Status::internal(self.foreign(http, headers))),
            (_, _) => Some(Status::new(Code::from_http(http), self.foreign(http, headers))),
        };
        let decoder = match (problem, compressors.accepted(encoding)) {
            (Some(problem), _) => Err(problem),
            (None, Ok(compressor)) => Ok(Decoder::new(compressor, self.limit(), Side::Client)),
            (None, Err(_)) => Err(Status::internal(format!(
                "the server compresses with {encoding:?}; this channel accepts {:?}",
                compressors.accept_header()
            ))),
        };
        match decoder {
            Ok(decoder) => self.state = State::Body { decoder, initial, early: status },
            Err(status) => {
                self.state = State::Over { initial, outcome: Err(status.clone()) };
                self.exchange.terminate(status);
            }
        }
    }

    /// The largest message that is taken, in bytes.
    fn limit(&self) -> usize {
        let configured = self.exchange.method_config().and_then(MethodConfig::max_response_message_bytes);
        let default = self.exchange.core().settings().messages.max_receive_size;
        self.limit.unwrap_or_else(|| default.min(configured.unwrap_or(usize::MAX)))
    }

    fn foreign(&self, http: u16, headers: &Fields) -> String {
        let content_type = match headers.get(&http::header::CONTENT_TYPE) {
            Some(content_type) => format!("content-type {content_type:?}"),
            None => "no content-type".to_owned(),
        };
        let target = self.exchange.core().target();
        format!("{target} did not answer in gRPC: HTTP status {http}, {content_type}")
    }

    fn take_end(&mut self, status: Option<Result<Metadata, Status>>) {
        let State::Body { decoder, early, .. } = &mut self.state else {
            return self.end(Err(Status::internal("the server's trailers came before its headers")));
        };
        let cut = !decoder.is_at_boundary();
        let status = status.or_else(|| early.take());
        self.end(match status {
            Some(Ok(_)) if cut => Err(Status::internal("the server ended the call with OK in the middle of a message")),
            Some(outcome) => outcome,
            None => Err(Status::unknown("the server ended the call without grpc-status")),
        });
    }

    fn end(&mut self, outcome: Result<Metadata, Status>) {
        let initial = match std::mem::replace(&mut self.state, State::Head) {
            State::Head => Metadata::new(),
            State::Body { initial, .. } | State::Over { initial, .. } => initial,
        };
        let outcome = outcome.map_err(|status| status.with_initial_metadata(initial.clone()));
        self.exchange.ended(&outcome);
        self.state = State::Over { initial, outcome };
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if matches!(self.state, State::Over { .. }) {
            return;
        }
        self.exchange.terminate(Status::cancelled("the call was dropped"));
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("exchange", &self.exchange)
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}
