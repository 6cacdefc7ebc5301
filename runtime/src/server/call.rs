//! One call from its headers to its end: what is refused, what is run, and what ends it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

use super::connection::Client;
use super::context::{CallInfo, ServerContext};
use super::exchange::Exchange;
use super::methods::Handled;
use super::pace::Watch;
use super::request::{Answer, Requested};
use super::requests::Requests;
use super::responses::Responses;
use super::shared::Shared;
use crate::codec::SharedCodec;
use crate::codec::frame::{Decoder, Receiver};
use crate::stats::{Moment, StreamRecord};
use crate::status::Status;
use crate::transport::server::{Incoming, RequestStream};

/// A call that can be run.
pub(super) struct Accepted {
    exchange: Arc<Exchange>,
    call: CallInfo,
    stream: RequestStream,
    decoder: Decoder,
}

/// What a handler is given.
pub(super) struct Open<Req: 'static, Res: 'static> {
    pub(super) requests: Requests<Req>,
    pub(super) responses: Responses<Res>,
    pub(super) context: ServerContext,
}

impl<Req: 'static, Res: 'static> Open<Req, Res> {
    /// The one request of a method that has one.
    pub(super) async fn single(&mut self) -> Result<Req, Status> {
        let request = self.requests.single().await?;
        self.context.note_request_compressed(self.requests.last_was_compressed());
        Ok(request)
    }
}

impl Accepted {
    pub(super) fn open<Req: 'static, Res: 'static>(
        self,
        request: SharedCodec<Req>,
        response: SharedCodec<Res>,
    ) -> Open<Req, Res> {
        Open {
            requests: Requests::new(self.stream, self.decoder, request, self.exchange.clone()),
            responses: Responses::new(self.exchange.clone(), response),
            context: ServerContext::new(self.exchange, self.call),
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
        let Incoming { wait_for_ready, recv, mut send, .. } = incoming;
        if let Answer::Refusal(status, headers) = &requested.answer {
            // A client that is gone cannot be told.
            if send.send_head(*status, headers.clone(), true).is_ok() {
                record.end();
            }
            return None;
        }
        shared.stats.counter().start(now);
        let exchange = Arc::new(Exchange::new(shared.clone(), requested.clone(), send, record));
        let head = match &requested.answer {
            Answer::Call(head) => head,
            Answer::Status(status) => {
                exchange.finish(Err(status.clone()));
                return None;
            }
            Answer::Refusal(..) => return None,
        };
        let limit = shared.settings.messages.max_receive_size;
        let decoder = Decoder::new(head.compressor.clone(), limit, Receiver::Server);
        let deadline = head.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let call = CallInfo {
            requested: requested.clone(),
            peer: client.peer.clone(),
            deadline,
            auth: client.auth.clone(),
            wait_for_ready,
        };
        let handled = head.handler.run(Accepted { exchange: exchange.clone(), call, stream: recv, decoder });
        Some(Call { exchange, requested, handled, deadline, timer: None, began: false, ended: false })
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
            Err(_) => self.exchange.finish_panicked(),
        }
        self.ended = true;
        Poll::Ready(())
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_at_once(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Some(deadline) = self.deadline {
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.as_mut().poll(cx).is_ready() {
                self.exchange.finish_deadline_exceeded();
                return Poll::Ready(());
            }
        }
        if self.exchange.poll_reset(cx).is_ready() {
            self.exchange.finish_cancelled();
            return Poll::Ready(());
        }
        Poll::Pending
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
