//! The bound on retries and hedges when servers fail more than now and then (gRFC A6, "Throttling").

use std::sync::atomic::{AtomicU32, Ordering};

use super::service_config::RetryThrottling;

/// What a failure takes, in thousandths of a token.
const FAILURE: u32 = 1000;

/// The tokens of a channel.
#[derive(Debug)]
pub(super) struct Throttle {
    settings: RetryThrottling,
    milli_tokens: AtomicU32,
}

impl Throttle {
    pub(super) fn new(settings: RetryThrottling) -> Throttle {
        Throttle { settings, milli_tokens: AtomicU32::new(settings.max_milli_tokens()) }
    }

    /// An attempt succeeded.
    pub(super) fn succeeded(&self) {
        self.change(|tokens| {
            tokens.saturating_add(self.settings.milli_token_ratio()).min(self.settings.max_milli_tokens())
        });
    }

    /// An attempt failed in a way that a policy retries, or the server asked for no more; whether there may be another.
    pub(super) fn failed(&self) -> bool {
        self.change(|tokens| tokens.saturating_sub(FAILURE));
        self.allows()
    }

    /// Whether there may be another attempt: with more than half of the tokens.
    pub(super) fn allows(&self) -> bool {
        self.milli_tokens.load(Ordering::Relaxed) > self.settings.max_milli_tokens() / 2
    }

    fn change(&self, by: impl Fn(u32) -> u32) {
        let _ = self.milli_tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| Some(by(tokens)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_tokens_end_retries_until_successes_bring_them_back() {
        let throttle = Throttle::new(RetryThrottling::new(4.0, 0.5));
        assert!(throttle.allows());
        assert!(throttle.failed());
        assert!(!throttle.failed(), "2 of 4 are left");
        throttle.succeeded();
        assert!(throttle.allows());
        (0..100).for_each(|_| throttle.succeeded());
        assert!(throttle.failed() && !throttle.failed(), "there are never more than 4");
        (0..100).for_each(|_| _ = throttle.failed());
        (0..4).for_each(|_| throttle.succeeded());
        assert!(!throttle.allows());
        throttle.succeeded();
        assert!(throttle.allows());
    }
}
