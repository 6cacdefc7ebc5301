//! What happened to a channel, a subchannel or a server (gRFC A3): the last events, however many there were.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// How many events are kept; the oldest goes first.
const KEPT: usize = 30;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Info,
    /// Something did not work, and will be tried again.
    Warning,
    /// Something does not work.
    Error,
}

/// What an event tells of beside its own channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Child {
    /// The subchannel with this id.
    Subchannel(u64),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// What happened, for people.
    pub description: String,
    /// How much it matters.
    pub severity: Severity,
    /// When it happened.
    pub timestamp: SystemTime,
    /// What it tells of, where that is listed by itself.
    pub child: Option<Child>,
}

/// The last 30 events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// When it began.
    pub created: SystemTime,
    /// How many events there were, those that are no longer kept included.
    pub logged: u64,
    /// The events that are kept, the oldest first.
    pub events: Vec<TraceEvent>,
}

/// Keeps the last events.
#[derive(Debug)]
pub(crate) struct Tracer {
    created: SystemTime,
    state: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    logged: u64,
    events: VecDeque<TraceEvent>,
}

impl Tracer {
    /// Begins with the event that everything begins with.
    pub(super) fn new(description: String) -> Self {
        let tracer = Tracer { created: SystemTime::now(), state: Mutex::default() };
        tracer.log(Severity::Info, description, None);
        tracer
    }

    pub(super) fn log(&self, severity: Severity, description: String, child: Option<Child>) {
        let event = TraceEvent { description, severity, timestamp: SystemTime::now(), child };
        let mut kept = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        kept.logged += 1;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(event);
    }

    pub(super) fn trace(&self) -> Trace {
        let kept = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Trace { created: self.created, logged: kept.logged, events: kept.events.iter().cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_events_go_first() {
        let tracer = Tracer::new("created".into());
        for number in 0..100 {
            tracer.log(Severity::Info, number.to_string(), None);
        }
        let trace = tracer.trace();
        assert_eq!((trace.logged, trace.events.len()), (101, KEPT));
        assert_eq!((&*trace.events[0].description, &*trace.events[KEPT - 1].description), ("70", "99"));
    }
}
