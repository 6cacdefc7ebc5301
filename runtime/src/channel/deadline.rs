//! A call's deadline, as one of its halves waits for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// The earliest of the deadlines that there are.
pub(super) fn earliest(deadlines: [Option<Instant>; 2]) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

/// Waits for a deadline, which may become earlier meanwhile.
#[derive(Default)]
pub(super) struct DeadlineTimer {
    timer: Option<Pin<Box<Sleep>>>,
}

impl DeadlineTimer {
    /// Waits for this; made outside of a runtime where there is none.
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        DeadlineTimer { timer: deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline))) }
    }

    /// Ready when the deadline is over, which is this by now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

impl fmt::Debug for DeadlineTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlineTimer").field("at", &self.timer.as_ref().map(|timer| timer.deadline())).finish()
    }
}
