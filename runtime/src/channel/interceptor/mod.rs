//! Client interceptors: code around every call of a channel, or of one call (grpcio's `ClientInterceptor`, with the
//! `ClientCallDetails` of gRFC L46).
//!
//! An interceptor gets what the call is set to, its requests, and the [`Next`] that makes it. It may change the first two, make
//! the call not at all, or several times, and look at everything that comes back.
//!
//! ```text
//!  call.await ──▶ first interceptor ──▶ second ──▶ call credentials ──▶ the channel's queue ──▶ server
//!             ◀──                   ◀──        ◀────────────────────────────────────────────────
//! ```
//!
//! The one that was added first is outermost: [`ChannelBuilder::interceptor`](crate::ChannelBuilder::interceptor), then
//! [`Channel::with_interceptor`](crate::Channel::with_interceptor), then [`Call::interceptor`](crate::Call::interceptor). The
//! call's own deadline covers them all. What they do is driven by whoever awaits the call; calls that stream their requests have a
//! task of their own for it. A call without interceptors pays nothing for them.
//!
//! ```
//! use callwright::interceptor::{CallDetails, Interceptor, Next, RequestMessages, ResponseMessages};
//! use callwright::{Channel, Status};
//!
//! /// Says what was called, how it ended, and how long it took.
//! struct Log;
//!
//! impl Interceptor for Log {
//!     async fn intercept(
//!         &self,
//!         details: CallDetails,
//!         requests: RequestMessages,
//!         next: Next<'_>,
//!     ) -> Result<ResponseMessages, Status> {
//!         let method = details.method.clone();
//!         // An error here is one of another interceptor's, further in, or of the call credentials: the call was not made.
//!         let responses = next.run(details, requests).await.inspect_err(|status| println!("{method}: {status}"))?;
//!         Ok(responses.on_end(move |end| println!("{method}: {} after {:?}", end.code(), end.elapsed())))
//!     }
//! }
//!
//! # fn example() -> Result<(), callwright::ChannelError> {
//! let channel = Channel::builder("localhost:50051").interceptor(Log).build()?;
//! # Ok(())
//! # }
//! # example().unwrap();
//! ```

mod call_spans;
mod details;
mod requests;
mod responses;
mod tracer;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::status::Status;

pub use crate::call::{AnyMessage, MessageEvent};
pub use call_spans::CallSpans;
pub use details::CallDetails;
pub use requests::RequestMessages;
pub(super) use responses::ResponseSource;
pub use responses::{CallEnd, ResponseMessages};
pub use tracer::{Attempt, CallAttemptTracer, CallTracer};
pub(super) use tracer::{AttemptTracers, CallTracers};

type Started = Pin<Box<dyn Future<Output = Result<ResponseMessages, Status>> + Send>>;
type StartedWith<'a> = Pin<Box<dyn Future<Output = Result<ResponseMessages, Status>> + Send + 'a>>;

/// Code around calls of all four kinds.
pub trait Interceptor: Send + Sync + 'static {
    /// Makes a call with [`Next::run`], or answers in its place.
    ///
    /// # Errors
    /// The status that the call ends with, where it was not made or is to end with another than the server's.
    fn intercept(
        &self,
        details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> impl Future<Output = Result<ResponseMessages, Status>> + Send;
}

impl<I: Interceptor> Interceptor for Arc<I> {
    async fn intercept(
        &self,
        details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        Interceptor::intercept(&**self, details, requests, next).await
    }
}

/// An interceptor behind a pointer.
pub(super) trait AnyInterceptor: Send + Sync {
    fn intercept<'a>(&'a self, details: CallDetails, requests: RequestMessages, next: Next<'a>) -> StartedWith<'a>;
}

impl<I: Interceptor> AnyInterceptor for I {
    fn intercept<'a>(&'a self, details: CallDetails, requests: RequestMessages, next: Next<'a>) -> StartedWith<'a> {
        Box::pin(Interceptor::intercept(self, details, requests, next))
    }
}

/// Makes a call, by way of the interceptors that come after this one.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    interceptors: &'a [Arc<dyn AnyInterceptor>],
    call: &'a dyn Makes,
}

/// What makes the calls of one method.
pub(super) trait Makes: Send + Sync {
    /// Makes one.
    fn make(&self, details: CallDetails, requests: RequestMessages) -> Started;
}

impl<'a> Next<'a> {
    pub(super) fn new(interceptors: &'a [Arc<dyn AnyInterceptor>], call: &'a dyn Makes) -> Self {
        Next { interceptors, call }
    }

    /// Makes the call. It can be made again: with requests that were [cloned](RequestMessages::try_clone) before.
    ///
    /// The responses are given as soon as the call is on its way: what the server says is found in them.
    ///
    /// # Errors
    /// What kept the call from being made, or what an interceptor further in ended it with: a [`CallEnd`] does not tell of that, so
    /// that code which notes how calls end has to look at both. An error of the server is found in the responses.
    pub async fn run(&self, details: CallDetails, requests: RequestMessages) -> Result<ResponseMessages, Status> {
        match self.interceptors.split_first() {
            Some((first, rest)) => first.intercept(details, requests, Next::new(rest, self.call)).await,
            None => self.call.make(details, requests).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("interceptors", &self.interceptors.len()).finish_non_exhaustive()
    }
}

/// The interceptors of a channel or a call, outermost first.
#[derive(Clone, Default)]
pub(super) struct Interceptors(Option<Arc<[Arc<dyn AnyInterceptor>]>>);

impl Interceptors {
    pub(super) fn add(&mut self, interceptor: impl Interceptor) {
        let last: Arc<dyn AnyInterceptor> = Arc::new(interceptor);
        self.0 = Some(self.all().iter().cloned().chain([last]).collect());
    }

    pub(super) fn all(&self) -> &[Arc<dyn AnyInterceptor>] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interceptors").field(&self.all().len()).finish()
    }
}
