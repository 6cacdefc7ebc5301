//! A call with interceptors around it: how its typed halves meet messages of any type.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Channel;
use super::abort::AbortOnDrop;
use super::call::{Begun, begin};
use super::connectivity::{closed, runtime};
use super::deadline::DeadlineTimer;
use super::interceptor::{
    AnyMessage, CallDetails, Interceptors, Makes, Next, RequestMessages, ResponseMessages, ResponseSource,
};
use super::options::CallOptions;
use super::reader::Reader;
use super::sender::RequestSender;
use crate::call::Method;
use crate::codec::SharedCodec;
use crate::credentials::{CallContext, metadata_for};
use crate::metadata::Metadata;
use crate::status::Status;

/// The responses of a call with interceptors around it.
pub(super) struct Intercepted {
    stage: Stage,
    deadline: Option<Instant>,
    timer: DeadlineTimer,
    compressed: bool,
    outcome: Option<Result<Metadata, Status>>,
}

enum Stage {
    Starting(Pin<Box<dyn Future<Output = Result<ResponseMessages, Status>> + Send>>),
    Running(ResponseMessages),
    Over { initial: Metadata },
}

impl Intercepted {
    fn new(
        deadline: Option<Instant>,
        started: impl Future<Output = Result<ResponseMessages, Status>> + Send + 'static,
    ) -> Self {
        Intercepted {
            stage: Stage::Starting(Box::pin(started)),
            deadline,
            timer: DeadlineTimer::new(deadline),
            compressed: false,
            outcome: None,
        }
    }

    pub(super) fn initial_metadata(&self) -> Option<&Metadata> {
        match &self.stage {
            Stage::Starting(_) => None,
            Stage::Running(responses) => responses.initial(),
            Stage::Over { initial } => Some(initial),
        }
    }

    pub(super) fn outcome(&self) -> Option<&Result<Metadata, Status>> {
        self.outcome.as_ref()
    }

    pub(super) fn last_was_compressed(&self) -> bool {
        self.compressed
    }

    /// Waits until the interceptors have made the call.
    pub(super) async fn started(&mut self) -> Result<(), Status> {
        poll_fn(|cx| self.poll_started(cx)).await
    }

    fn poll_started(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if let Stage::Starting(started) = &mut self.stage {
            let responses = match started.as_mut().poll(cx) {
                Poll::Ready(responses) => responses,
                Poll::Pending => Err(ready!(self.poll_deadline(cx))),
            };
            match responses {
                Ok(responses) => self.stage = Stage::Running(responses),
                Err(status) => self.end(Err(status)),
            }
        }
        Poll::Ready(match &self.outcome {
            Some(Err(status)) => Err(status.clone()),
            Some(Ok(_)) | None => Ok(()),
        })
    }

    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let started = ready!(self.poll_started(cx)).is_ok();
        let Stage::Running(responses) = &mut self.stage else { return Poll::Ready(()) };
        if started && responses.poll_head(cx).is_pending() {
            let status = ready!(self.poll_deadline(cx));
            self.end(Err(status));
        } else if let Some(Err(status)) = responses.outcome() {
            self.end(Err(status));
        }
        Poll::Ready(())
    }

    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AnyMessage, Status>>> {
        let started = ready!(self.poll_started(cx));
        let Stage::Running(responses) = &mut self.stage else {
            return Poll::Ready(started.err().map(Err));
        };
        let message = match responses.poll_message(cx) {
            Poll::Ready(message) => message,
            Poll::Pending => Some(Err(ready!(self.poll_deadline(cx)))),
        };
        match &message {
            Some(Ok(message)) => self.compressed = message.compressed,
            Some(Err(status)) => self.end(Err(status.clone())),
            None => {
                let outcome = match &self.stage {
                    Stage::Running(responses) => responses.outcome(),
                    Stage::Starting(_) | Stage::Over { .. } => None,
                };
                self.end(outcome.unwrap_or_else(|| Ok(Metadata::new())));
            }
        }
        Poll::Ready(message)
    }

    /// A message for the user; the call ends where an interceptor gave one of another type.
    pub(super) fn typed<T: 'static>(&mut self, message: AnyMessage) -> Result<T, Status> {
        message.into_typed().inspect_err(|status| self.end(Err(status.clone())))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        ready!(self.timer.poll(cx, self.deadline));
        let waited = match &self.stage {
            Stage::Starting(_) => "for its interceptors and credentials",
            Stage::Running(_) | Stage::Over { .. } => "for the answer",
        };
        Poll::Ready(Status::deadline_exceeded(format!("deadline exceeded while the call waited {waited}")))
    }

    fn end(&mut self, outcome: Result<Metadata, Status>) {
        let initial = self.initial_metadata().cloned().unwrap_or_default();
        self.outcome = Some(outcome.map_err(|status| status.with_initial_metadata(initial.clone())));
        self.stage = Stage::Over { initial };
    }
}

impl fmt::Debug for Intercepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intercepted").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

/// What a call with interceptors is made of.
pub(super) struct Interception<Req: 'static, Res: 'static> {
    pub(super) interceptors: Interceptors,
    pub(super) channel: Channel,
    pub(super) method: Method<Req, Res>,
    pub(super) options: CallOptions,
}

impl<Req: Send + 'static, Res: Send + 'static> Interception<Req, Res> {
    /// A call of one request. Whoever polls the responses drives it.
    pub(super) fn one(self, request: Req) -> Result<Intercepted, Status> {
        let (_, codec, _) = self.method.clone().into_parts();
        self.prepare(RequestMessages::one(AnyMessage::shared(request, codec)))
    }

    /// A call whose requests come one by one. It has a task of its own, which ends with the responses.
    pub(super) fn start(self) -> Result<(Outlet<Req>, Intercepted), Status> {
        let runtime = runtime()?;
        let (_, codec, _) = self.method.clone().into_parts();
        let (sender, mut receiver) = mpsc::channel(1);
        let requests = futures_util::stream::poll_fn(move |cx| {
            Poll::Ready(match ready!(receiver.poll_recv(cx)) {
                Some(Sent::Message(message)) => Some(Ok(message)),
                Some(Sent::Finished) => None,
                None => Some(Err(Status::cancelled("the request sender was dropped before finish()"))),
            })
        });
        let deadline = self.options.deadline();
        let (details, requests) = (self.details()?, RequestMessages::stream(requests));
        let (told, started) = oneshot::channel();
        let (says_all, all_said) = oneshot::channel();
        let task = runtime.spawn(async move {
            let responses = tokio::select! {
                responses = self.intercept_while_open(details, requests) => responses,
                status = dropped(all_said) => Err(status),
            };
            let _ = told.send(responses);
        });
        let abort = AbortOnDrop::new(task);
        let started = async move {
            let _abort = abort;
            started.await.unwrap_or_else(|_| Err(Status::internal("an interceptor panicked")))
        };
        Ok((
            Outlet { sender, codec, deadline, says_all: Some(says_all), next_plain: false },
            Intercepted::new(deadline, started),
        ))
    }

    fn prepare(self, requests: RequestMessages) -> Result<Intercepted, Status> {
        let deadline = self.options.deadline();
        if deadline.is_some() {
            runtime()?;
        }
        let details = self.details()?;
        Ok(Intercepted::new(deadline, async move { self.intercept_while_open(details, requests).await }))
    }

    fn details(&self) -> Result<CallDetails, Status> {
        match &self.options.failure {
            Some(status) => Err(status.clone()),
            None => Ok(self.options.details(self.method.path(), self.channel.lease().core().target().canonical())),
        }
    }

    /// Makes the call, unless the channel is closed before that.
    async fn intercept_while_open(
        &self,
        details: CallDetails,
        requests: RequestMessages,
    ) -> Result<ResponseMessages, Status> {
        tokio::select! {
            responses = self.intercept(details, requests) => responses,
            () = self.channel.lease().core().ended() => Err(closed()),
        }
    }

    async fn intercept(&self, details: CallDetails, requests: RequestMessages) -> Result<ResponseMessages, Status> {
        Next::new(self.interceptors.all(), self).run(details, requests).await
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Makes for Interception<Req, Res> {
    fn make(
        &self,
        mut details: CallDetails,
        mut requests: RequestMessages,
    ) -> Pin<Box<dyn Future<Output = Result<ResponseMessages, Status>> + Send>> {
        let (channel, method) = (self.channel.clone(), self.method.clone().at(details.method.clone()));
        Box::pin(async move {
            add_credentials(&channel, &mut details).await?;
            let options = CallOptions::of(details);
            if requests.is_one() {
                let Some(request) = requests.message().await? else {
                    return Err(Status::internal("an interceptor took the request away"));
                };
                let begun = begin(&channel, method, Some(request.into_typed::<Req>()?), options)?;
                return Ok(ResponseMessages::new(Wire {
                    reader: begun.reader,
                    codec: begun.response_codec,
                    pump: None,
                }));
            }
            let Begun { exchange, reader, request_codec, response_codec } = begin(&channel, method, None, options)?;
            let sender = RequestSender::new(exchange, request_codec);
            let pump = runtime()?.spawn(pump(sender, requests));
            let pump = Some(AbortOnDrop::new(pump));
            Ok(ResponseMessages::new(Wire { reader, codec: response_codec, pump }))
        })
    }
}

/// Resolves when the requests' sender is dropped before it has said that there are no more.
async fn dropped(all_said: oneshot::Receiver<()>) -> Status {
    match all_said.await {
        Ok(()) => std::future::pending().await,
        Err(_) => Status::cancelled("the request sender was dropped before finish()"),
    }
}

/// Asks the credentials of the channel and of the call for what they add to it.
async fn add_credentials(channel: &Channel, details: &mut CallDetails) -> Result<(), Status> {
    let core = channel.lease().core();
    let own = details.credentials.take();
    let all: Vec<_> = core.settings().call_credentials.iter().cloned().chain(own).collect();
    if all.is_empty() {
        return Ok(());
    }
    let call = CallContext::new(core.authority().to_str().unwrap_or_default(), details.method.clone());
    let is_private = core.settings().connect.is_secure() || core.target().is_local();
    for credentials in all {
        let added = metadata_for(&*credentials, &call, is_private).await?;
        details.metadata.extend(added);
    }
    Ok(())
}

/// Sends all requests; what ends it early shows in the responses.
async fn pump<Req: Send + 'static>(mut sender: RequestSender<Req>, mut requests: RequestMessages) {
    loop {
        match requests.message().await {
            Ok(None) => return sender.finish(),
            Ok(Some(message)) => {
                if !message.compressed {
                    sender.disable_next_message_compression();
                }
                let message = match message.into_typed() {
                    Ok(message) => message,
                    Err(status) => return sender.fail(status),
                };
                if sender.send(message).await.is_err() {
                    return;
                }
            }
            Err(status) => return sender.fail(status),
        }
    }
}

/// Responses as they come from the wire.
struct Wire<Res: 'static> {
    reader: Reader,
    codec: SharedCodec<Res>,
    /// What sends the requests. Dropped with this, it has ended or the call has.
    pump: Option<AbortOnDrop>,
}

impl<Res: Send + 'static> ResponseSource for Wire<Res> {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reader.poll_head(cx)
    }

    fn initial_metadata(&self) -> Option<&Metadata> {
        self.reader.initial_metadata()
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AnyMessage, Status>>> {
        let message = ready!(self.reader.poll_message(cx, self.codec.codec()));
        if !matches!(message, Some(Ok(_))) {
            self.pump = None;
        }
        Poll::Ready(message.map(|message| {
            let mut message = AnyMessage::shared(message?, self.codec.clone());
            message.compressed = self.reader.last_was_compressed();
            Ok(message)
        }))
    }

    fn outcome(&self) -> Option<&Result<Metadata, Status>> {
        self.reader.outcome()
    }
}

/// Where the requests of a call go in that has interceptors around it.
pub(super) struct Outlet<T: 'static> {
    sender: mpsc::Sender<Sent>,
    codec: SharedCodec<T>,
    deadline: Option<Instant>,
    /// Taken when all is said; dropped before that, the call is cancelled.
    says_all: Option<oneshot::Sender<()>>,
    pub(super) next_plain: bool,
}

#[derive(Debug)]
enum Sent {
    Message(AnyMessage),
    Finished,
}

impl<T: Send + 'static> Outlet<T> {
    pub(super) async fn send(&mut self, message: T) -> Result<(), Status> {
        let over = || Status::cancelled("the call ended before it had all messages; the receiving half has its status");
        // Room first, so that a message is either not touched or goes out.
        let place = match self.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, self.sender.reserve())
                .await
                .map_err(|_| Status::deadline_exceeded("deadline exceeded while the call took no more messages"))?,
            None => self.sender.reserve().await,
        };
        let place = place.map_err(|_| over())?;
        let mut message = AnyMessage::shared(message, self.codec.clone());
        message.compressed = !std::mem::take(&mut self.next_plain);
        place.send(Sent::Message(message));
        Ok(())
    }
}

impl<T: 'static> Outlet<T> {
    pub(super) fn finish(&mut self) {
        let Some(says_all) = self.says_all.take() else { return };
        let _ = says_all.send(());
        if let Err(mpsc::error::TrySendError::Full(end)) = self.sender.try_send(Sent::Finished)
            && let Ok(runtime) = runtime()
        {
            let sender = self.sender.clone();
            runtime.spawn(async move {
                let _ = sender.send(end).await;
            });
        }
    }
}
