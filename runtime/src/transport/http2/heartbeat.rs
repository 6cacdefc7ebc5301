//! Whether a connection's server is still there (gRFC A8): when it is asked, and when it is given up.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::transport::Keepalive;

/// The payload of the PINGs.
pub(super) const PAYLOAD: [u8; 8] = *b"keepaliv";

/// Listens to whether anything arrives.
#[derive(Debug)]
pub(super) struct Heartbeat {
    keepalive: Keepalive,
    heard_at: Instant,
    /// When the server was asked that has not been heard since.
    asked_at: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Wait,
    /// A PING is due.
    Ask,
    /// There was no answer within this time.
    Silent(Duration),
}

impl Heartbeat {
    /// For a server, which asks whether the client has calls or not.
    pub(super) fn of_server(keepalive: Keepalive) -> Heartbeat {
        Heartbeat::new(keepalive.permit_without_calls(true))
    }

    pub(super) fn new(keepalive: Keepalive) -> Heartbeat {
        let now = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(now));
        Heartbeat { keepalive, heard_at: now, asked_at: None, timer }
    }

    /// Something has arrived.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard_at = now;
        self.asked_at = None;
    }

    /// Looks at the clock, and wakes the task when it is time to look again. `has_calls` is whether somebody waits for the server;
    /// when that changes, this is asked again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, has_calls: bool) -> Beat {
        loop {
            let due = match self.asked_at {
                Some(asked_at) => after(asked_at, self.keepalive.answer_timeout()),
                None if has_calls || self.keepalive.is_permitted_without_calls() => {
                    after(self.heard_at, self.keepalive.time())
                }
                None => return Beat::Wait,
            };
            // A timer that comes too early is set anew then and not before: most bytes come long before it does.
            if self.timer.is_elapsed() || self.timer.deadline() > due {
                self.timer.as_mut().reset(due);
            }
            if self.timer.as_mut().poll(cx) == Poll::Pending {
                return Beat::Wait;
            }
            let now = Instant::now();
            if now < due {
                continue;
            }
            if self.asked_at.is_some() {
                return Beat::Silent(self.keepalive.answer_timeout());
            }
            self.asked_at = Some(now);
            return Beat::Ask;
        }
    }
}

/// A time past what the clock can hold is far away.
fn after(instant: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    instant.checked_add(time).unwrap_or_else(|| instant + FAR)
}
