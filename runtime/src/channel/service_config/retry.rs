//! When a call goes out more than once (gRFC A6).

use std::time::Duration;

use super::problem::{Problem, above_zero, attempts};
use crate::status::Code;

/// More attempts than that nobody may ask for: who writes a service config shall not be able to multiply the load at will.
const MAX_ATTEMPTS: u32 = 5;

/// Calls that failed are made again, after a wait that grows (gRFC A6).
///
/// Before the n-th retry it is `initial_backoff * backoff_multiplier^(n-1)`, at most `max_backoff`, and a random 20 % more or less.
/// A server may say otherwise with each failure (`grpc-retry-pushback-ms`). The call's deadline covers all attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
    backoff_multiplier: f64,
    retryable_status_codes: Codes,
    per_attempt_timeout: Option<Duration>,
}

impl RetryPolicy {
    /// Up to `max_attempts` attempts, the first one included, as long as they end in one of these codes. More than 5
    /// mean 5. The first wait is 1 s at most, the next ones twice as long up to 10 s.
    ///
    /// [`ChannelBuilder::build`](crate::ChannelBuilder::build) refuses less than 2 attempts, no code without a
    /// [`with_per_attempt_timeout`](Self::with_per_attempt_timeout), OK among the codes, and waits of no time.
    pub fn new(max_attempts: u32, retryable_status_codes: impl IntoIterator<Item = Code>) -> RetryPolicy {
        RetryPolicy {
            max_attempts: max_attempts.min(MAX_ATTEMPTS),
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(10),
            backoff_multiplier: 2.0,
            retryable_status_codes: retryable_status_codes.into_iter().collect(),
            per_attempt_timeout: None,
        }
    }

    /// The same with this bound on the wait before the first retry.
    pub fn with_initial_backoff(mut self, initial_backoff: Duration) -> Self {
        self.initial_backoff = initial_backoff;
        self
    }

    /// The same with this bound on every wait.
    pub fn with_max_backoff(mut self, max_backoff: Duration) -> Self {
        self.max_backoff = max_backoff;
        self
    }

    /// The same with bounds that grow by this factor. One that is not above zero, or no number, means 1.
    pub fn with_backoff_multiplier(mut self, multiplier: f64) -> Self {
        self.backoff_multiplier = if multiplier.is_finite() && multiplier > 0.0 { multiplier } else { 1.0 };
        self
    }

    /// The same with this time for each attempt to be answered in; one that is not is given up and made again, as if it
    /// had failed with a code that is retried. The last attempt has as long as the call.
    pub fn with_per_attempt_timeout(mut self, timeout: Duration) -> Self {
        self.per_attempt_timeout = Some(timeout);
        self
    }

    /// How often a call may go out, the first time included: from 1 to 5.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.max(1)
    }

    /// The bound on the wait before the first retry.
    pub fn initial_backoff(&self) -> Duration {
        self.initial_backoff
    }

    /// The bound on every wait.
    pub fn max_backoff(&self) -> Duration {
        self.max_backoff
    }

    /// What the bound grows by with each retry: finite, and above zero.
    pub fn backoff_multiplier(&self) -> f64 {
        self.backoff_multiplier
    }

    /// Whether a call that ended in this code may be made again.
    pub fn is_retryable(&self, code: Code) -> bool {
        self.retryable_status_codes.contains(code)
    }

    /// One of the codes with which a call may be made again.
    pub(crate) fn any_retryable(&self) -> Option<Code> {
        [Code::DeadlineExceeded, Code::Unavailable].into_iter().chain(Code::ALL).find(|code| self.is_retryable(*code))
    }

    /// How long one attempt may be without an answer.
    pub fn per_attempt_timeout(&self) -> Option<Duration> {
        self.per_attempt_timeout
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        attempts(self.max_attempts)?;
        above_zero("initialBackoff", self.initial_backoff)?;
        above_zero("maxBackoff", self.max_backoff)?;
        if let Some(timeout) = self.per_attempt_timeout {
            above_zero("perAttemptRecvTimeout", timeout)?;
        }
        // With the timeout alone there are retries too.
        if self.retryable_status_codes.is_empty() && self.per_attempt_timeout.is_none() {
            return Err(Problem::new("retryableStatusCodes", "it is empty"));
        }
        self.retryable_status_codes.check("retryableStatusCodes")
    }
}

/// Calls are made several times, and the first good answer counts (gRFC A6). Only for methods that do no harm when they
/// run more than once.
///
/// What a server says of the next attempt (`grpc-retry-pushback-ms`) holds for hedges too. Where the service config comes from the
/// resolver, the calls that a channel begins before that has answered are made once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HedgingPolicy {
    max_attempts: u32,
    delay: Duration,
    non_fatal_status_codes: Codes,
}

impl HedgingPolicy {
    /// Up to `max_attempts` attempts, the first one included: the next goes out when there is no answer after `delay`. More
    /// than 5 mean 5. Any error ends the call, unless [said otherwise](Self::with_non_fatal_status_codes).
    ///
    /// [`ChannelBuilder::build`](crate::ChannelBuilder::build) refuses less than 2 attempts, and OK among the codes.
    pub fn new(max_attempts: u32, delay: Duration) -> HedgingPolicy {
        HedgingPolicy { max_attempts: max_attempts.min(MAX_ATTEMPTS), delay, non_fatal_status_codes: Codes::default() }
    }

    /// The same with codes that do not end the call: after one of them, the next attempt goes out at once.
    pub fn with_non_fatal_status_codes(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        self.non_fatal_status_codes = codes.into_iter().collect();
        self
    }

    /// How often a call may go out, the first time included: from 1 to 5.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.max(1)
    }

    /// How long an attempt has for itself; zero for all at once.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether the other attempts go on when one ended in this code.
    pub fn is_non_fatal(&self, code: Code) -> bool {
        self.non_fatal_status_codes.contains(code)
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        attempts(self.max_attempts)?;
        self.non_fatal_status_codes.check("nonFatalStatusCodes")
    }
}

/// A bound on retries and hedges for when the servers fail more than now and then (gRFC A6): a channel has a number of
/// tokens, of which a failure takes one, and a success gives `token_ratio` back. With half of them or less there are no
/// retries and no hedges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryThrottling {
    max_milli_tokens: u32,
    milli_token_ratio: u32,
}

impl RetryThrottling {
    /// The most tokens there are, and there are at first; and what a success gives back. Both with three decimals, at least
    /// 0.001 and at most 1000: what lies outside means the nearest.
    pub fn new(max_tokens: f64, token_ratio: f64) -> RetryThrottling {
        let bounded = |tokens: f64| milli(tokens).clamp(1, 1_000_000);
        RetryThrottling { max_milli_tokens: bounded(max_tokens), milli_token_ratio: bounded(token_ratio) }
    }

    /// The most tokens there are.
    pub fn max_tokens(&self) -> f64 {
        f64::from(self.max_milli_tokens) / 1000.0
    }

    /// How many tokens a success gives back.
    pub fn token_ratio(&self) -> f64 {
        f64::from(self.milli_token_ratio) / 1000.0
    }

    /// The most tokens there are, in thousandths: from 1 to 1,000,000. A failure takes 1000.
    pub(crate) fn max_milli_tokens(&self) -> u32 {
        self.max_milli_tokens
    }

    /// What a success gives back, in thousandths of a token: from 1 to 1,000,000.
    pub(crate) fn milli_token_ratio(&self) -> u32 {
        self.milli_token_ratio
    }
}

/// Thousandths, without what comes after the third decimal. What is a little less than what was written, as a binary
/// fraction can be, counts as that.
pub(super) fn milli(tokens: f64) -> u32 {
    (tokens * 1000.0 + 1e-6).floor() as u32
}

/// What is said of OK where a code of an error is wanted.
pub(super) const NO_ERROR: &str = "OK is no error";

/// A set of codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Codes(u32);

impl Codes {
    fn contains(self, code: Code) -> bool {
        self.0 & (1 << code as u8) != 0
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn check(self, field: &str) -> Result<(), Problem> {
        if self.contains(Code::Ok) { Err(Problem::new(field, NO_ERROR)) } else { Ok(()) }
    }
}

impl FromIterator<Code> for Codes {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> Self {
        Codes(codes.into_iter().fold(0, |set, code| set | 1 << code as u8))
    }
}
