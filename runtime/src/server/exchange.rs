//! One call on the server's side: what has been sent, what will end it, who is told when it ends.
//!
//! Shared by the context, the responses, and the task that runs the handler.

mod interception;
mod messages;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};
use tokio::sync::watch;

use self::interception::{Interception, Returned};
pub use self::messages::Direction;
pub(super) use self::messages::MessageCounts;
use self::messages::Messages;
use super::builder::Settings;
use super::context::{OWN_HEADERS, Outcome};
use super::request::Requested;
use super::shared::Shared;
use crate::call::{APPLICATION_GRPC, GRPC_ACCEPT_ENCODING, GRPC_ENCODING, MessageEvent};
use crate::codec::{Codec, frame};
use crate::compression::{Compression, Compressor};
use crate::metadata::{self, Metadata, MetadataError};
use crate::stats::{Moment, StreamRecord};
use crate::status::{Code, Status, wire};
use crate::transport::server::ResponseStream;
use crate::transport::{Fields, StreamError};

/// What ends most calls.
static PLAIN_OK: LazyLock<Fields> = LazyLock::new(|| {
    let mut trailers = Fields::new();
    wire::encode(&Status::new(Code::Ok, ""), &mut trailers);
    trailers
});

type OnDone = Box<dyn FnOnce(&Outcome) + Send>;
type BeforeTrailers = Box<dyn FnOnce(&mut Metadata) + Send>;

/// One call on the server's side.
pub(super) struct Exchange {
    shared: Arc<Shared>,
    record: StreamRecord,
    requested: Arc<Requested>,
    messages: Messages,
    /// `None` where no interceptors are around the handler.
    interception: Option<Box<Interception>>,
    state: Mutex<State>,
}

struct State {
    stream: ResponseStream,
    head: Head,
    /// The one message of a response that is not streamed: it leaves with what is before and behind it.
    reply: Option<(Bytes, MessageEvent)>,
    ended: bool,
    /// Made when somebody asks; what it says then.
    cancelled: Option<watch::Sender<bool>>,
    is_cancelled: bool,
    compression: Option<Compression>,
    /// What the messages are compressed with; settled when the head is sent.
    compressor: Option<Arc<dyn Compressor>>,
    next_plain: bool,
    /// Whether what was sent last is a part of a message.
    in_message: bool,
    code: Option<Code>,
    details: Option<String>,
    /// What goes out before the first message beside what the handler gives.
    initial: Metadata,
    trailing: Metadata,
    /// The first abort: it ends the call, whatever the handler does then.
    aborted: Option<Status>,
    before_trailers: Vec<BeforeTrailers>,
    on_done: Vec<OnDone>,
}

/// How far the head of the response is.
enum Head {
    /// It can still be said how the response is compressed, and what its metadata is.
    Open,
    /// It goes out with what is sent first.
    Settled(Fields),
    Sent,
}

impl Head {
    fn take(&mut self) -> Option<Fields> {
        let Head::Settled(headers) = self else { return None };
        let headers = std::mem::take(headers);
        *self = Head::Sent;
        Some(headers)
    }
}

impl Exchange {
    pub(super) fn new(
        shared: Arc<Shared>,
        requested: Arc<Requested>,
        stream: ResponseStream,
        record: StreamRecord,
        intercepted: bool,
    ) -> Exchange {
        let state = State {
            stream,
            head: Head::Open,
            reply: None,
            ended: false,
            cancelled: None,
            is_cancelled: false,
            compression: None,
            compressor: None,
            next_plain: false,
            in_message: false,
            code: None,
            details: None,
            initial: Metadata::new(),
            trailing: Metadata::new(),
            aborted: None,
            before_trailers: Vec::new(),
            on_done: Vec::new(),
        };
        let messages = Messages::default();
        let interception = intercepted.then(Box::default);
        Exchange { shared, record, requested, messages, interception, state: Mutex::new(state) }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The handler goes on: until it has paused ([`flush`](Self::flush)), its connection is not woken for what it sends. What is
    /// counted from now on happens at about this time.
    pub(super) fn resume(&self) {
        self.record.note_time(Moment::now());
        self.lock().stream.resume();
    }

    /// Counts a message that was received.
    pub(super) fn message_received(&self, message: MessageEvent) {
        self.record.message_received();
        self.messages.received(message);
    }

    fn message_sent(&self, message: MessageEvent) {
        self.record.message_sent();
        self.messages.sent(message);
    }

    pub(super) fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Whether the call still runs, as far as the stream tells.
    pub(super) fn is_active(&self) -> bool {
        let mut state = self.lock();
        !state.ended && !state.stream.is_reset()
    }

    /// Says, for as long as the call lives and after, whether it was cancelled.
    pub(super) fn cancelled(&self) -> watch::Receiver<bool> {
        let mut state = self.lock();
        let is_cancelled = state.is_cancelled;
        state.cancelled.get_or_insert_with(|| watch::Sender::new(is_cancelled)).subscribe()
    }

    pub(super) fn send_initial_metadata(&self, metadata: &Metadata) -> Result<(), MetadataError> {
        let mut state = self.lock();
        if !matches!(state.head, Head::Open) || state.ended {
            return Err(MetadataError::AlreadySent);
        }
        state.check_initial(metadata)?;
        self.settle_head(&mut state, metadata);
        // A stream that is gone tells the handler by cancelling it.
        let _ = state.send_head();
        Ok(())
    }

    pub(super) fn append_initial(&self, metadata: Metadata) -> Result<(), MetadataError> {
        let mut state = self.lock();
        if !matches!(state.head, Head::Open) || state.ended {
            return Err(MetadataError::AlreadySent);
        }
        state.check_initial(&metadata)?;
        state.initial.extend(metadata);
        Ok(())
    }

    pub(super) fn set_compression(&self, compression: Compression) {
        let mut state = self.lock();
        let problem = match (!matches!(state.head, Head::Open), self.settings().messages.compressors.find(compression))
        {
            (true, _) => {
                Some(format!("set_response_compression({compression}) came after the initial metadata was sent"))
            }
            (false, Err(error)) => Some(error.to_string()),
            (false, Ok(_)) => None,
        };
        match problem {
            Some(problem) => drop(state.aborted.get_or_insert(Status::internal(problem))),
            None => state.compression = Some(compression),
        }
    }

    pub(super) fn disable_next_message_compression(&self) {
        self.lock().next_plain = true;
    }

    pub(super) fn append_trailing(&self, metadata: Metadata) {
        self.lock().trailing.extend(metadata);
    }

    pub(super) fn trailing(&self) -> Metadata {
        let mut trailing = self.lock().trailing.clone();
        if let Some(returned) = self.returned() {
            trailing.extend(returned.trailing);
        }
        trailing
    }

    pub(super) fn set_code(&self, code: Code) {
        self.lock().code = Some(code);
    }

    pub(super) fn code(&self) -> Option<Code> {
        let (state, returned) = (self.lock(), self.returned());
        let said = state.failure(returned.as_ref()).map(Status::code);
        said.or(state.code).or(returned.map(|returned| returned.status.code()))
    }

    pub(super) fn set_details(&self, details: String) {
        self.lock().details = Some(details);
    }

    pub(super) fn details(&self) -> Option<String> {
        let (state, returned) = (self.lock(), self.returned());
        let said = state.failure(returned.as_ref()).map(|status| status.message().to_owned());
        said.or_else(|| state.details.clone())
    }

    /// Records the abort unless there was one, and returns the first.
    pub(super) fn abort(&self, status: Status) -> Status {
        // An abort with OK would hide that the call failed: it is what grpcio makes of it.
        let status = if status.code() == Code::Ok { Status::unknown("") } else { status };
        self.lock().aborted.get_or_insert(status).clone()
    }

    pub(super) fn before_trailers(&self, callback: BeforeTrailers) {
        self.lock().before_trailers.push(callback);
    }

    pub(super) fn on_done(&self, callback: OnDone) {
        let mut state = self.lock();
        match self.cut_off_outcome().filter(|_| state.ended) {
            None => state.on_done.push(callback),
            // An interceptor asks that goes on after the end.
            Some(outcome) => {
                drop(state);
                guarded(|| callback(&outcome));
            }
        }
    }

    /// Settles the head if that was not done, and says how the next message is to be compressed.
    pub(super) fn begin_message(&self) -> Result<Option<Arc<dyn Compressor>>, Status> {
        self.begin(&mut self.lock())
    }

    fn begin(&self, state: &mut State) -> Result<Option<Arc<dyn Compressor>>, Status> {
        if let Some(aborted) = &state.aborted {
            return Err(aborted.clone());
        }
        if state.ended {
            return Err(gone());
        }
        if let Head::Open = state.head {
            self.settle_head(state, const { &Metadata::new() });
        }
        let plain = std::mem::take(&mut state.next_plain);
        Ok(state.compressor.clone().filter(|_| !plain))
    }

    /// As [`begin_message`](Self::begin_message), for the one message of a response that is not streamed; `None` when the
    /// handler has set another code than OK, so that none is sent.
    #[expect(clippy::option_option, reason = "the inner one says how a message is compressed")]
    pub(super) fn begin_reply(&self) -> Result<Option<Option<Arc<dyn Compressor>>>, Status> {
        let mut state = self.lock();
        let code = state.aborted.as_ref().map(Status::code).or(state.code);
        if code.is_some_and(|code| code != Code::Ok) {
            return Ok(None);
        }
        self.begin(&mut state).map(Some)
    }

    /// Sends what is left in `frame` of one message, as far as the client's flow control allows.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        frame: &mut Bytes,
        message: MessageEvent,
    ) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        if state.ended {
            return Poll::Ready(Err(gone()));
        }
        if state.send_head().is_err() {
            return Poll::Ready(Err(gone()));
        }
        let size = frame.len();
        let polled = state.stream.poll_send(cx, frame);
        state.in_message = polled.is_pending() && (state.in_message || frame.len() < size);
        let sent = ready!(polled).map_err(|_| gone());
        drop(state);
        Poll::Ready(sent.inspect(|()| self.message_sent(message)))
    }

    /// The largest message of this call's method, in bytes.
    pub(super) fn max_send_size(&self) -> usize {
        self.requested.call().map_or(self.settings().messages.max_send_size, |head| head.handler.sizes.send)
    }

    /// Sends a message that is small and goes out plain, if it can leave without waiting and nothing is to be said before it;
    /// `false` where it has to be sent as any other.
    pub(super) fn send_small<T: 'static>(&self, codec: &dyn Codec<T>, message: &T) -> Result<bool, Status> {
        frame::send_small(codec, message, self.max_send_size(), |size, write| self.write_small(size, write))
    }

    fn write_small(
        &self,
        size: usize,
        write: &mut dyn FnMut(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<bool, Status> {
        let mut state = self.lock();
        let is_open = matches!(state.head, Head::Sent) && !state.ended && state.aborted.is_none();
        if !is_open || state.compressor.is_some() {
            return Ok(false);
        }
        state.next_plain = false;
        let sent = state.stream.send_small(size, write)?;
        if sent {
            self.message_sent(MessageEvent::plain(size));
        }
        Ok(sent)
    }

    /// Sends the one message of a response that is not streamed when the call ends, which is soon.
    pub(super) fn reply(&self, frame: Bytes, message: MessageEvent) {
        self.messages.will_send(&message);
        self.lock().reply = Some((frame, message));
    }

    /// A call that fails has no response, even if the handler gave one.
    fn take_back_reply(&self, state: &mut State) {
        if let Some((_, message)) = state.reply.take() {
            self.messages.take_back(&message);
        }
    }

    /// What was sent so far leaves now. Called when the handler has paused.
    pub(super) fn flush(&self) {
        self.lock().stream.flush();
    }

    /// Ready when the client has cancelled the call, or its connection is gone.
    pub(super) fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<StreamError> {
        self.lock().stream.poll_reset(cx)
    }

    /// Ends the call as the handler's result and what was set on the context say.
    pub(super) fn finish(&self, result: Result<(), Status>) {
        let mut state = self.lock();
        let result = self.checked(&state, result);
        if result.is_ok() && state.says_nothing() {
            if !state.ended {
                self.send_end(&mut state, PLAIN_OK.clone(), Code::Ok);
            }
            return;
        }
        let status = state.outcome(result);
        if status.code() != Code::Ok {
            self.take_back_reply(&mut state);
        }
        let (state, trailing) = self.take_trailing(state);
        self.end(state, Outcome::new(status, trailing, self.messages.counts()));
    }

    /// The trailing metadata, with what is added to it at the end. It is nobody's business what that locks.
    fn take_trailing<'a>(&'a self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, Metadata) {
        let mut trailing = std::mem::take(&mut state.trailing);
        if state.before_trailers.is_empty() || state.ended {
            return (state, trailing);
        }
        let callbacks = std::mem::take(&mut state.before_trailers);
        drop(state);
        callbacks.into_iter().for_each(|callback| guarded(|| callback(&mut trailing)));
        (self.lock(), trailing)
    }

    /// What a handler that panicked ends its call with: INTERNAL, unless it had set the code of another failure.
    pub(super) fn panicked(&self) -> Result<(), Status> {
        match self.lock().code {
            Some(code) if code != Code::Ok => Ok(()),
            _ => Err(Status::internal("the handler panicked")),
        }
    }

    /// Ends a call whose client is gone.
    pub(super) fn finish_cancelled(&self) {
        let status = || Status::cancelled("the client cancelled the call, or its connection broke");
        self.finish_cut_off(status, ResponseStream::reset);
    }

    /// Ends a call whose server is stopped.
    pub(super) fn finish_stopped(&self) {
        self.finish_cut_off(|| Status::unavailable("the server was stopped"), ResponseStream::stop);
    }

    fn finish_cut_off(&self, status: impl FnOnce() -> Status, cut_off: fn(&mut ResponseStream)) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.cancel();
        state.ended = true;
        self.shared.stats.counter().end(false);
        cut_off(&mut state.stream);
        self.take_back_reply(&mut state);
        let callbacks = std::mem::take(&mut state.on_done);
        let trailing = std::mem::take(&mut state.trailing);
        drop(state);
        let outcome = Outcome::new(status(), trailing, self.messages.counts());
        self.note_cut_off(&outcome);
        callbacks.into_iter().for_each(|callback| guarded(|| callback(&outcome)));
    }

    /// Ends a call whose deadline has passed.
    pub(super) fn finish_deadline_exceeded(&self) {
        let mut state = self.lock();
        state.cancel();
        self.take_back_reply(&mut state);
        let (state, trailing) = self.take_trailing(state);
        let outcome = Outcome::new(deadline_exceeded(), trailing, self.messages.counts());
        self.note_cut_off(&outcome);
        self.end(state, outcome);
    }

    fn end(&self, mut state: MutexGuard<'_, State>, outcome: Outcome) {
        if state.ended {
            return;
        }
        let outcome = outcome.within(state.stream.header_limit());
        let trailers = if outcome.is_plain_ok() { PLAIN_OK.clone() } else { trailers(&outcome) };
        self.send_end(&mut state, trailers, outcome.status().code());
        let callbacks = std::mem::take(&mut state.on_done);
        drop(state);
        callbacks.into_iter().for_each(|callback| guarded(|| callback(&outcome)));
    }

    fn send_end(&self, state: &mut State, trailers: Fields, code: Code) {
        state.ended = true;
        self.shared.stats.counter().end(code == Code::Ok);
        if matches!(state.head, Head::Open) && !state.initial.is_empty() {
            // In a response of trailers alone it would be trailing metadata.
            self.settle_head(state, const { &Metadata::new() });
        }
        let reply = state.reply.take().map(|(frame, message)| {
            self.record.message_sent();
            self.messages.has_sent(&message);
            frame
        });
        let sent = match &state.head {
            Head::Settled(_) | Head::Sent => {
                let head = state.head.take();
                state.stream.send_end(head, reply.unwrap_or_default(), trailers)
            }
            Head::Open => state.stream.send_head(StatusCode::OK, self.trailers_only(code, trailers), true),
        };
        // A client that is gone cannot be told.
        if sent.is_ok() {
            self.record.end();
        }
    }

    /// The head of a response that is nothing else.
    fn trailers_only(&self, code: Code, mut trailers: Fields) -> Fields {
        trailers.append(header::CONTENT_TYPE, HeaderValue::from_static(APPLICATION_GRPC));
        if code == Code::Unimplemented {
            trailers.append(GRPC_ACCEPT_ENCODING, self.settings().messages.compressors.accept_header());
        }
        trailers
    }

    fn settle_head(&self, state: &mut State, metadata: &Metadata) {
        let compressors = &self.settings().messages.compressors;
        let wanted = state.compression.unwrap_or(self.settings().messages.compression);
        // Both settings were found usable when they were made; what the client does not list is not sent to it.
        let accept = &self.requested.accept;
        state.compressor = compressors.find(wanted).ok().flatten().filter(|compressor| accept.lists(compressor.name()));
        let mut headers = self.shared.plain_head.clone();
        if let Some(compressor) = &state.compressor {
            headers.append(GRPC_ENCODING, HeaderValue::from_static(compressor.name()));
        }
        for metadata in [&state.initial, metadata].into_iter().filter(|metadata| !metadata.is_empty()) {
            metadata.append_to(&mut headers);
        }
        state.head = Head::Settled(headers);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends the head, if it is settled and was not sent.
    fn send_head(&mut self) -> Result<(), StreamError> {
        match self.head.take() {
            Some(headers) => self.stream.send_head(StatusCode::OK, headers, false),
            None => Ok(()),
        }
    }

    /// The status that the call fails with as things are: what it was cut off with, the abort, or what the handler has returned.
    fn failure<'a>(&'a self, returned: Option<&'a Returned>) -> Option<&'a Status> {
        let over = returned.filter(|returned| returned.is_over);
        let failed = returned.filter(|returned| returned.status.code() != Code::Ok);
        over.map(|over| &over.status).or(self.aborted.as_ref()).or(failed.map(|failed| &failed.status))
    }

    fn check_initial(&self, added: &Metadata) -> Result<(), MetadataError> {
        let size = self.initial.size() + added.size();
        if size == 0 { Ok(()) } else { metadata::check_size(OWN_HEADERS + size, self.stream.header_limit()) }
    }

    /// Whether the handler has said nothing of how the call ends beside what it returns.
    fn says_nothing(&self) -> bool {
        let said = self.code.is_some() || self.details.is_some() || self.aborted.is_some();
        !said && self.trailing.is_empty() && self.before_trailers.is_empty() && self.on_done.is_empty()
    }

    fn cancel(&mut self) {
        self.is_cancelled = true;
        if let Some(cancelled) = &self.cancelled {
            cancelled.send_replace(true);
        }
    }

    fn outcome(&mut self, result: Result<(), Status>) -> Status {
        let details = self.details.take();
        match (self.aborted.take(), result, self.code) {
            (Some(aborted), _, _) => aborted,
            (None, Err(status), _) if status.code() != Code::Ok => status,
            (None, Err(_), _) => Status::unknown("the handler returned OK as an error"),
            (None, Ok(()), code) => Status::new(code.unwrap_or(Code::Ok), details.unwrap_or_default()),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("active", &self.is_active()).finish_non_exhaustive()
    }
}

/// Runs a user's callback. One that panics has been told of by then, and must not take the calls of the connection with it, nor,
/// where this one is being dropped, the process.
fn guarded(callback: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(callback));
}

fn trailers(outcome: &Outcome) -> Fields {
    let mut trailers = Fields::new();
    wire::encode(outcome.status(), &mut trailers);
    outcome.trailing_metadata().append_to(&mut trailers);
    trailers
}

/// What a call ends with whose handler is too late.
fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("the deadline passed while the server worked on the call")
}

fn gone() -> Status {
    Status::cancelled("the client is gone: the call was cancelled, or its connection broke")
}
