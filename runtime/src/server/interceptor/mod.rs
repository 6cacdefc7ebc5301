//! Server interceptors: code around every call of a server, or of one service, whatever kind of method it calls (grpcio's
//! `ServerInterceptor`, with the context of gRFC L78).
//!
//! An interceptor gets the context of the call and the [`Next`] that runs it. It may read and change the context before, refuse the
//! call or answer it, and after [`Next::run`] sees how it ended: code, details, trailing metadata, number of messages, time.
//!
//! ```text
//!  client ──▶ first interceptor ──▶ second ──▶ those of the service ──▶ handler
//!         ◀──                   ◀──        ◀──                      ◀──
//! ```
//!
//! The one that was added first is outermost: [`ServerBuilder::interceptor`](crate::ServerBuilder::interceptor), then
//! [`Intercepted`] around one service. Calls of methods that are not served pass those of the server too, which see UNIMPLEMENTED. A
//! server without interceptors pays nothing for them.
//!
//! ```
//! use callwright::server::interceptor::{Next, ServerInterceptor};
//! use callwright::{Server, ServerContext, Status};
//!
//! /// Says what was called, how it ended, and how long it took.
//! struct AccessLog;
//!
//! impl ServerInterceptor for AccessLog {
//!     async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
//!         let result = next.run(context).await;
//!         let code = context.code().unwrap_or_default();
//!         println!("{} {} {code} {:?}", context.peer(), context.method(), context.elapsed());
//!         result
//!     }
//! }
//!
//! let builder = Server::builder().interceptor(AccessLog);
//! ```
//!
//! # How a call ends
//!
//! | what happens | what `next.run` gives |
//! |---|---|
//! | the handler returns | the same, or an error where it has aborted the call or set another code than OK |
//! | the handler panics | INTERNAL, and [`ServerContext::panic_message`] |
//! | the deadline passes | DEADLINE_EXCEEDED; the handler was dropped |
//! | the client cancels, or its connection breaks | CANCELLED; the handler was dropped |
//! | an interceptor further in refuses or answers | what that one returned |
//!
//! A deadline that has passed and a client that is gone count before all else: before an abort, before what comes too late, and before
//! what an interceptor further in has made of them.
//!
//! What the outermost interceptor returns is what the client sees, unless the call was aborted, which stands whatever is returned
//! later. In the third and fourth case the client has been told already, if it still listens: interceptors around the handler run on,
//! but nothing that they do reaches it. An interceptor that is not behind its `next.run` by then is dropped as a handler is.
//! When the server is [stopped](crate::RunningServer::stop), all are dropped where they are, and only
//! [`ServerContext::on_done`] hears of the end.
//!
//! # Ready-made
//!
//! | | |
//! |---|---|
//! | [`Logging`] | a line in the log for each call |
//! | [`CallSpans`] | a `tracing` span around each call |
//! | [`BearerAuth`] | tokens |
//! | [`ConcurrencyLimit`] | how many calls run at once, and how many wait for it |
//! | [`PanicReport`] | tells of handlers that panic |

mod bearer_auth;
mod call_spans;
mod concurrency_limit;
mod intercepted;
mod logging;
mod panic_report;
mod selection;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::call::{Accepted, Body, Held};
use super::context::ServerContext;
pub use super::exchange::Direction;
use super::exchange::Exchange;
use super::methods::{Handled, Handler};
use super::responses::Responses;
pub use crate::call::{AnyMessage, MessageEvent};
use crate::codec::{BytesCodec, SharedCodec};
use crate::status::Status;

pub use bearer_auth::BearerAuth;
pub use call_spans::CallSpans;
pub use concurrency_limit::ConcurrencyLimit;
pub use intercepted::Intercepted;
pub use logging::Logging;
pub use panic_report::{Panic, PanicReport};

/// Interceptors, outermost first.
pub(super) type Chain = Arc<[Arc<dyn AnyInterceptor>]>;
/// What an interceptor does with a message.
pub(super) type Each = Box<dyn FnMut(&mut AnyMessage) -> Result<(), Status> + Send>;

/// Code around calls of all four kinds.
pub trait ServerInterceptor: Send + Sync + 'static {
    /// Runs a call with [`Next::run`], answers it with [`Next::answer`], or refuses it with an error.
    ///
    /// # Errors
    /// The status that the call ends with.
    fn intercept(&self, context: &mut ServerContext, next: Next<'_>)
    -> impl Future<Output = Result<(), Status>> + Send;

    /// The services (`package.Service`) and methods (`package.Service/Method`) that it is set up for by name: one that is not served
    /// is a mistake that the server tells of when it starts ([`BindError::UnknownMethod`](crate::BindError::UnknownMethod)).
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl<I: ServerInterceptor> ServerInterceptor for Arc<I> {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        ServerInterceptor::intercept(&**self, context, next).await
    }

    fn names(&self) -> Vec<&str> {
        ServerInterceptor::names(&**self)
    }
}

/// An interceptor behind a pointer.
pub(super) trait AnyInterceptor: Send + Sync {
    fn intercept<'a>(&'a self, context: &'a mut ServerContext, next: Next<'a>) -> Handled<'a, ()>;
    fn names(&self) -> Vec<&str>;
}

impl<I: ServerInterceptor> AnyInterceptor for I {
    fn intercept<'a>(&'a self, context: &'a mut ServerContext, next: Next<'a>) -> Handled<'a, ()> {
        Box::pin(ServerInterceptor::intercept(self, context, next))
    }

    fn names(&self) -> Vec<&str> {
        ServerInterceptor::names(self)
    }
}

/// What interceptors do with the messages of a call, outermost first.
#[derive(Default)]
pub(super) struct EachMessage {
    pub(super) requests: Vec<Each>,
    pub(super) responses: Vec<Each>,
}

/// What is innermost of a call.
pub(super) enum Leaf {
    Handler(Arc<Handler>, Body),
    /// What is wrong with a call that no handler gets.
    Status(Status),
}

/// Runs a call, by way of the interceptors that come after this one.
pub struct Next<'a> {
    interceptors: &'a [Arc<dyn AnyInterceptor>],
    leaf: Leaf,
    each: EachMessage,
}

impl Next<'_> {
    /// Has `each` called with every request before the handler gets it: to look at it, to change it, or to end the call by an error.
    /// Outer interceptors see requests first. It must not block.
    pub fn for_each_request(
        mut self,
        each: impl FnMut(&mut AnyMessage) -> Result<(), Status> + Send + 'static,
    ) -> Self {
        self.each.requests.push(Box::new(each));
        self
    }

    /// Has `each` called with every response before it is sent: to look at it, to change it, or to end the call by an error.
    /// Inner interceptors see responses first. It must not block.
    pub fn for_each_response(
        mut self,
        each: impl FnMut(&mut AnyMessage) -> Result<(), Status> + Send + 'static,
    ) -> Self {
        self.each.responses.push(Box::new(each));
        self
    }

    /// Runs the call, and resolves when it has ended as far as the handler and the interceptors further in say.
    ///
    /// # Errors
    /// The status that they ended it with, by what they returned or on the context; CANCELLED, DEADLINE_EXCEEDED, or INTERNAL for a
    /// panic.
    pub async fn run(self, context: &mut ServerContext) -> Result<(), Status> {
        let Next { interceptors, leaf, each } = self;
        let begun = Begun::new(context);
        match (interceptors.split_first(), leaf) {
            (Some((first, rest)), leaf) => {
                begun.run(first.intercept(context, Next { interceptors: rest, leaf, each })).await
            }
            (None, Leaf::Handler(handler, body)) => {
                let result = begun.run(handler.run(Accepted { context: Held::Lent(context), body, each })).await;
                begun.end_in_time(context, result)
            }
            (None, Leaf::Status(status)) => begun.end(Err(status)),
        }
    }

    /// Answers in the place of the handler, which is not run: with one message where the method has one response, with any number
    /// where it streams them. What is to go out before and after them is set on the context.
    ///
    /// # Errors
    /// INTERNAL for messages that are not of the method's type or number; CANCELLED when the client is gone.
    pub async fn answer(
        self,
        context: &mut ServerContext,
        messages: impl IntoIterator<Item = AnyMessage>,
    ) -> Result<(), Status> {
        let Next { leaf, each, .. } = self;
        let begun = Begun::new(context);
        let (exchange, messages) = (context.exchange().clone(), messages.into_iter().collect());
        let answering = Answering { exchange, messages, each: each.responses };
        let answered = begun.run(match leaf {
            Leaf::Handler(handler, _) => handler.answer(answering),
            Leaf::Status(_) => Box::pin(answering.send_encoded()),
        });
        let result = answered.await;
        begun.end_in_time(context, result)
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("interceptors", &self.interceptors.len()).finish_non_exhaustive()
    }
}

/// Runs a call with all that is around it.
pub(super) fn run(chain: Chain, mut context: ServerContext, leaf: Leaf) -> Handled<'static, ()> {
    Box::pin(async move { Next { interceptors: &chain, leaf, each: EachMessage::default() }.run(&mut context).await })
}

/// An interceptor that has begun, or the handler.
struct Begun {
    exchange: Arc<Exchange>,
    place: usize,
}

impl Begun {
    fn new(context: &ServerContext) -> Begun {
        let exchange = context.exchange().clone();
        Begun { place: exchange.begin_next(), exchange }
    }

    /// Runs it to its end, or until the call was cut off and it is what the call waits for.
    async fn run(&self, future: Handled<'_, ()>) -> Result<(), Status> {
        let running = Running { future, begun: self };
        // It is dropped before those around it go on.
        self.end(running.await)
    }

    /// What it returned, or what was said on the context of how the call is to end.
    fn end(&self, result: Result<(), Status>) -> Result<(), Status> {
        let result = self.exchange.said(result);
        self.exchange.note_returned(&result);
        result
    }

    /// What the handler has ended with. What comes late is no answer: the client has given the call up.
    fn end_in_time(&self, context: &ServerContext, result: Result<(), Status>) -> Result<(), Status> {
        if context.time_remaining().is_none_or(|left| !left.is_zero()) {
            return result;
        }
        self.exchange.note_late();
        self.end(result)
    }
}

struct Running<'b, 'a> {
    future: Handled<'a, ()>,
    begun: &'b Begun,
}

impl Future for Running<'_, '_> {
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Begun { exchange, place } = self.begun;
        if let Some(status) = exchange.cut_off(*place) {
            return Poll::Ready(Err(status));
        }
        // What panicked is not looked at again: only the exchange is, and it locks what it shares.
        let polled = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(cx))).unwrap_or_else(|payload| {
            exchange.note_panic(&*payload);
            Poll::Ready(exchange.panicked())
        });
        if polled.is_pending() {
            exchange.note_waiting(*place, cx.waker());
        }
        polled
    }
}

/// What an interceptor answers.
pub(super) struct Answering {
    exchange: Arc<Exchange>,
    messages: Vec<AnyMessage>,
    each: Vec<Each>,
}

impl Answering {
    pub(super) async fn send<Res: Send + 'static>(
        self,
        codec: SharedCodec<Res>,
        streams_responses: bool,
    ) -> Result<(), Status> {
        let Answering { exchange, messages, each } = self;
        let mut responses = Responses::new(exchange, codec, each);
        let count = messages.len();
        if !streams_responses && count != 1 {
            return Err(Status::internal(format!(
                "an interceptor answered with {count} messages; the method has exactly one response"
            )));
        }
        for message in messages {
            let message = message.into_typed()?;
            match streams_responses {
                true => responses.send(message).await?,
                false => responses.reply(message)?,
            }
        }
        Ok(())
    }

    /// Answers a method that is not served, whose type nobody knows.
    async fn send_encoded(self) -> Result<(), Status> {
        let Answering { exchange, messages, each } = self;
        let mut responses = Responses::new(exchange, SharedCodec::Static(&BytesCodec), each);
        for message in messages {
            responses.send(message.encoded()?).await?;
        }
        Ok(())
    }
}
