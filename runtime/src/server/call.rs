//! One call from its headers to its end: what is refused, what is run, and what ends it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::connection::Client;
use super::context::{CallInfo, ServerContext};
use super::exchange::Exchange;
use super::interceptor::{self, EachMessage, Leaf};
use super::methods::Handled;
use super::pace::Watch;
use super::request::{Answer, Requested};
use super::requests::Requests;
use super::responses::Responses;
use super::shared::Shared;
use crate::codec::SharedCodec;
use crate::codec::frame::{Decoder, Side};
use crate::stats::{Moment, StreamRecord};
use crate::status::Status;
use crate::transport::server::{Incoming, RequestStream};

/// A call that can be run.
pub(super) struct Accepted<'a> {
    pub(super) context: Held<'a>,
    pub(super) body: Body,
    pub(super) each: EachMessage,
}

/// What the client sends.
pub(super) struct Body {
    stream: RequestStream,
    decoder: Decoder,
}

/// The context of a call: the handler's own, or lent by the interceptors around it.
pub(super) enum Held<'a> {
    Own(ServerContext),
    Lent(&'a mut ServerContext),
}

impl Held<'_> {
    pub(super) fn get(&mut self) -> &mut ServerContext {
        match self {
            Held::Own(context) => context,
            Held::Lent(context) => context,
        }
    }
}

/// What a handler is given.
pub(super) struct Open<'a, Req: 'static, Res: 'static> {
    pub(super) requests: Requests<Req>,
    pub(super) responses: Responses<Res>,
    pub(super) context: Held<'a>,
}

impl<Req: Send + 'static, Res: 'static> Open<'_, Req, Res> {
    /// The one request of a method that has one.
    pub(super) async fn single(&mut self) -> Result<Req, Status> {
        let request = self.requests.single().await?;
        self.context.get().note_request_compressed(self.requests.last_was_compressed());
        Ok(request)
    }
}

impl<'a> Accepted<'a> {
    pub(super) fn open<Req: Send + 'static, Res: Send + 'static>(
        mut self,
        request: SharedCodec<Req>,
        response: SharedCodec<Res>,
    ) -> Open<'a, Req, Res> {
        let exchange = self.context.get().exchange();
        let Body { stream, decoder } = self.body;
        Open {
            requests: Requests::new(stream, decoder, request, exchange.clone(), self.each.requests),
            responses: Responses::new(exchange.clone(), response, self.each.responses),
            context: self.context,
        }
    }
}

/// A call under way: a future that ends with it. When it is dropped before that, the server was stopped.
pub(super) struct Call {
    exchange: Arc<Exchange>,
    requested: Arc<Requested>,
    handled: Handled<'static, ()>,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The place of the interceptors that go on after the call was cut off.
    rest: Option<OwnedSemaphorePermit>,
    lingering: Option<Arc<Semaphore>>,
    /// Whether the handler has run for the first time, and whether the call has ended.
    began: bool,
    ended: bool,
}

impl Call {
    /// Begins a call; `None` for one that is answered already.
    pub(super) fn new(
        incoming: Incoming,
        requested: Arc<Requested>,
        record: StreamRecord,
        client: &Client,
        shared: &Arc<Shared>,
        now: Moment,
    ) -> Option<Call> {
        let Incoming { wait_for_ready, extensions, recv, mut send, .. } = incoming;
        if let Answer::Refusal(status, headers) = &requested.answer {
            // A client that is gone cannot be told.
            if send.send_head(*status, headers.clone(), true).is_ok() {
                record.end();
            }
            return None;
        }
        shared.stats.counter().start(now);
        let chain = match &requested.answer {
            Answer::Call(head) => head.handler.interceptors(),
            Answer::Status(_) | Answer::Refusal(..) => shared.methods.interceptors(),
        };
        let intercepted = !chain.is_empty();
        let exchange = Arc::new(Exchange::new(shared.clone(), requested.clone(), send, record, intercepted));
        let began = Instant::now();
        let deadline = requested.timeout.and_then(|timeout| began.checked_add(timeout));
        let info = CallInfo {
            requested: requested.clone(),
            peer: client.peer.clone(),
            began,
            deadline,
            auth: client.auth.clone(),
            wait_for_ready,
        };
        let context = || ServerContext::new(exchange.clone(), info, extensions);
        let handled = match &requested.answer {
            Answer::Call(head) => {
                let decoder = Decoder::new(head.compressor.clone(), head.handler.sizes.receive, Side::Server);
                let body = Body { stream: recv, decoder };
                match intercepted {
                    true => interceptor::run(chain.clone(), context(), Leaf::Handler(head.handler.clone(), body)),
                    false => {
                        head.handler.run(Accepted { context: Held::Own(context()), body, each: EachMessage::default() })
                    }
                }
            }
            Answer::Status(status) if intercepted => {
                interceptor::run(chain.clone(), context(), Leaf::Status(status.clone()))
            }
            Answer::Status(status) => {
                exchange.finish(Err(status.clone()));
                return None;
            }
            Answer::Refusal(..) => return None,
        };
        let lingering = intercepted.then(|| client.lingering.clone());
        let (timer, rest) = (None, None);
        Some(Call { exchange, requested, handled, deadline, timer, rest, lingering, began: false, ended: false })
    }

    /// What its headers ask for.
    pub(super) fn requested(&self) -> &Arc<Requested> {
        &self.requested
    }

    /// Whether its method has always ended soon, so that it may run on the task of its connection.
    pub(super) fn is_quick(&self) -> bool {
        self.requested.call().is_some_and(|head| head.handler.pace.is_quick())
    }

    /// Runs it as far as it goes at once.
    pub(super) fn poll_at_once(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let watch = (!std::mem::replace(&mut self.began, true)).then(Watch::start);
        // The handler's own state is not looked at after a panic: only the exchange is, and it locks what it shares.
        let polled = catch_unwind(AssertUnwindSafe(|| self.handled.as_mut().poll(cx)));
        if let Some(watch) = watch
            && let Some(head) = self.requested.call()
        {
            head.handler.pace.note(watch, matches!(polled, Ok(Poll::Ready(_))));
        }
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            // What comes late is no answer: the client has given the call up.
            Ok(Poll::Ready(_)) if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                self.exchange.finish_deadline_exceeded();
            }
            Ok(Poll::Ready(result)) => self.exchange.finish(result),
            Err(payload) => {
                self.exchange.note_panic(&*payload);
                let result = self.exchange.panicked();
                self.exchange.finish(result);
            }
        }
        self.ended = true;
        Poll::Ready(())
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_at_once(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.rest.is_some() {
            return Poll::Pending;
        }
        if let Some(deadline) = self.deadline {
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.as_mut().poll(cx).is_ready() {
                self.exchange.finish_deadline_exceeded();
                return self.poll_rest(cx);
            }
        }
        if self.exchange.poll_reset(cx).is_ready() {
            self.exchange.finish_cancelled();
            return self.poll_rest(cx);
        }
        Poll::Pending
    }

    /// After the call was cut off the handler is dropped, while interceptors around it learn of that and go on: as many on one
    /// connection as it may have calls.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.rest = self.lingering.take().and_then(|places| places.try_acquire_owned().ok());
        match self.rest {
            Some(_) => self.poll_at_once(cx),
            None => Poll::Ready(()),
        }
    }
}

impl Future for Call {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.exchange.resume();
        let polled = self.poll_waiting(cx);
        // Only now, since the task of the connection, once called, may have to wait for this one's thread.
        self.exchange.flush();
        polled
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.exchange.finish_stopped();
        }
    }
}
