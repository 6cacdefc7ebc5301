//! What the interceptors around a handler see of how its call ended, and how they learn that it was cut off.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::{Exchange, Outcome, State, deadline_exceeded};
use crate::call::AnyMessage;
use crate::codec::SharedCodec;
use crate::metadata::Metadata;
use crate::server::interceptor::Each;
use crate::status::{Code, Status};

/// What the interceptors of a call share with it.
#[derive(Debug, Default)]
pub(super) struct Interception(Mutex<Progress>);

#[derive(Debug, Default)]
struct Progress {
    /// How many of the interceptors and the handler have begun.
    begun: usize,
    /// Wakes the last that has begun.
    waiting: Option<Waker>,
    returned: Option<Returned>,
    panic: Option<String>,
}

/// How the call has ended as far as those say that have returned.
#[derive(Clone, Debug)]
pub(super) struct Returned {
    pub(super) status: Status,
    /// What of the trailing metadata is not in the exchange.
    pub(super) trailing: Metadata,
    /// Whether nothing can be changed any more: the call was cancelled, or its deadline has passed.
    pub(super) is_over: bool,
}

impl Interception {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    pub(in crate::server) fn is_intercepted(&self) -> bool {
        self.interception.is_some()
    }

    /// Another interceptor begins, or the handler; its place in the chain.
    pub(in crate::server) fn begin_next(&self) -> usize {
        let Some(interception) = &self.interception else { return 0 };
        let mut progress = interception.lock();
        progress.begun += 1;
        progress.begun
    }

    /// The status that the call was cut off with, if whoever has this place is the last that has begun: it waits for something
    /// that nobody needs any more. The others are told by its end.
    pub(in crate::server) fn cut_off(&self, place: usize) -> Option<Status> {
        let progress = self.interception.as_ref()?.lock();
        let returned = progress.returned.as_ref().filter(|returned| returned.is_over && progress.begun == place)?;
        Some(returned.status.clone())
    }

    /// Whoever has this place waits. If it is the last that has begun, it is woken when the call is cut off: interceptors may poll
    /// what they run only when it asks for that.
    pub(in crate::server) fn note_waiting(&self, place: usize, waker: &Waker) {
        let Some(interception) = &self.interception else { return };
        let mut progress = interception.lock();
        if progress.begun == place {
            match &mut progress.waiting {
                Some(waiting) => waiting.clone_from(waker),
                waiting => *waiting = Some(waker.clone()),
            }
        }
    }

    /// A result with what was said on the context of how the call is to end, unless the call was cut off.
    pub(in crate::server) fn said(&self, result: Result<(), Status>) -> Result<(), Status> {
        if let Some(over) = self.over() {
            return Err(over.status);
        }
        let state = self.lock();
        match (&state.aborted, state.code, result) {
            (Some(aborted), _, _) => Err(aborted.clone()),
            (None, Some(code), Ok(())) if code != Code::Ok => {
                Err(Status::new(code, state.details.clone().unwrap_or_default()))
            }
            (None, _, result) => result,
        }
    }

    /// Notes what an interceptor or the handler has returned, for those around it.
    pub(in crate::server) fn note_returned(&self, result: &Result<(), Status>) {
        let Some(interception) = &self.interception else { return };
        let mut progress = interception.lock();
        if progress.returned.as_ref().is_some_and(|returned| returned.is_over) {
            return;
        }
        let status = match result {
            Ok(()) => Status::new(Code::Ok, ""),
            Err(status) => status.clone(),
        };
        let trailing = status.metadata().clone();
        progress.returned = Some(Returned { status, trailing, is_over: false });
    }

    /// Notes how the call was cut off, for interceptors that go on.
    pub(super) fn note_cut_off(&self, outcome: &Outcome) {
        let Some(interception) = &self.interception else { return };
        let (status, trailing) = (outcome.status().clone(), outcome.trailing_metadata().clone());
        let mut progress = interception.lock();
        progress.returned = Some(Returned { status, trailing, is_over: true });
        let waiting = progress.waiting.take();
        drop(progress);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Notes that the handler has ended after the deadline: whatever it gave, the client has given the call up.
    pub(in crate::server) fn note_late(&self) {
        let Some(interception) = &self.interception else { return };
        let mut progress = interception.lock();
        if progress.returned.as_ref().is_none_or(|returned| !returned.is_over) {
            let (status, trailing) = (deadline_exceeded(), Metadata::new());
            progress.returned = Some(Returned { status, trailing, is_over: true });
        }
    }

    /// How the call was cut off, if it was.
    fn over(&self) -> Option<Returned> {
        self.interception.as_ref()?.lock().returned.as_ref().filter(|returned| returned.is_over).cloned()
    }

    /// How the call was cut off, for whoever asks when that has happened.
    pub(super) fn cut_off_outcome(&self) -> Option<Outcome> {
        let Returned { status, trailing, .. } = self.over()?;
        Some(Outcome::new(status, trailing, self.messages.counts()))
    }

    pub(super) fn returned(&self) -> Option<Returned> {
        self.interception.as_ref()?.lock().returned.clone()
    }

    /// Notes what a panic said.
    pub(in crate::server) fn note_panic(&self, payload: &(dyn Any + Send)) {
        let Some(interception) = &self.interception else { return };
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        interception.lock().panic = Some(text.unwrap_or("the panic carried no text").to_owned());
    }

    pub(in crate::server) fn panic(&self) -> Option<String> {
        self.interception.as_ref()?.lock().panic.clone()
    }

    /// Shows a message to interceptors, in their order. One that does not take it ends the call.
    pub(in crate::server) fn show<'e, T: Send + 'static>(
        &self,
        mut each: impl ExactSizeIterator<Item = &'e mut Each>,
        message: T,
        codec: &SharedCodec<T>,
    ) -> Result<T, Status> {
        if each.len() == 0 {
            return Ok(message);
        }
        let mut message = AnyMessage::shared(message, codec.clone());
        let shown = each.try_for_each(|each| each(&mut message)).and_then(|()| message.into_typed());
        shown.map_err(|status| self.abort(status))
    }

    /// The result of the outermost interceptor, unless it says that there is a response where there is none, or half of one.
    pub(super) fn checked(&self, state: &State, result: Result<(), Status>) -> Result<(), Status> {
        if result.is_ok() && state.in_message {
            return Err(Status::internal(
                "an interceptor ended the call with OK, but the handler was given up in the middle of a message",
            ));
        }
        let one_response = || self.requested.call().is_some_and(|call| !call.handler.streams_responses());
        let said = state.aborted.as_ref().map(Status::code).or(state.code).unwrap_or(Code::Ok);
        if result.is_ok() && self.is_intercepted() && said == Code::Ok && state.reply.is_none() && one_response() {
            return Err(Status::internal(
                "an interceptor ended the call with OK, but there is no response: the handler gave none, and \
                 Next::answer was not used",
            ));
        }
        result
    }
}
