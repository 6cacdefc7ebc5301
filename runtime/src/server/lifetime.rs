//! How long a client's connection lasts (gRFC A9).

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::Sleep;

/// How far the age of a connection may be from what was set, in either direction: clients that came together go one by one.
const JITTER: f64 = 0.1;

/// How long connections may last; for ever unless set.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    pub(super) idle: Option<Duration>,
    pub(super) age: Option<Duration>,
    /// How long calls have to end once the connection is too old.
    pub(super) age_grace: Option<Duration>,
}

/// The time that one connection has left.
#[derive(Debug)]
pub(super) struct Lifetime {
    limits: Limits,
    /// Runs while there are no calls.
    idle: Option<Pin<Box<Sleep>>>,
    age: Option<Pin<Box<Sleep>>>,
    grace: Option<Pin<Box<Sleep>>>,
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    GoOn,
    /// It takes no more calls, and ends with those that it has.
    Drain,
    Close,
}

impl Lifetime {
    /// That of a connection which begins now; `None` for one that may last for ever.
    pub(super) fn new(limits: &Limits) -> Option<Lifetime> {
        if limits.idle.is_none() && limits.age.is_none() {
            return None;
        }
        let age = limits.age.map(|age| age.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64()));
        Some(Lifetime { limits: limits.clone(), idle: None, age: age.map(sleep), grace: None })
    }

    /// Looks at the clock, and wakes the task when it is time to look again. It is asked whenever the calls have changed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, has_calls: bool) -> Fate {
        if is_over(&mut self.grace, cx) {
            return Fate::Close;
        }
        if is_over(&mut self.age, cx) {
            (self.age, self.idle, self.limits.idle) = (None, None, None);
            self.grace = self.limits.age_grace.map(sleep);
            // It has to be polled once to be counted on.
            return if is_over(&mut self.grace, cx) { Fate::Close } else { Fate::Drain };
        }
        self.idle = match (self.limits.idle, self.idle.take()) {
            (Some(limit), idle) if !has_calls => Some(idle.unwrap_or_else(|| sleep(limit))),
            _ => None,
        };
        if is_over(&mut self.idle, cx) {
            (self.idle, self.limits.idle) = (None, None);
            return Fate::Drain;
        }
        Fate::GoOn
    }
}

fn sleep(duration: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(duration))
}

fn is_over(timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> bool {
    timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
}
