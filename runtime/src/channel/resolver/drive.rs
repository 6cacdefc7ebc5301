//! The task that asks a channel's resolver: at first, when its answer may be old, and again after it failed.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Resolution, ResolveError, Resolver};
use crate::channel::backoff::{Attempts, Backoff, LONGEST};

/// How far attempts are apart at the least, however the backoff is set.
const LEAST_GAP: Duration = Duration::from_millis(5);

/// What the channel says to the task.
#[derive(Debug, Default)]
pub(in crate::channel) struct Requests {
    /// The addresses may be old.
    pub(in crate::channel) again: Notify,
    /// The wait after a failure is over.
    pub(in crate::channel) backoff_reset: Notify,
}

/// Asks for as long as it is polled, and tells the results.
pub(in crate::channel) async fn drive(
    mut resolver: Box<dyn Resolver>,
    requests: &Requests,
    backoff: Backoff,
    mut tell: impl FnMut(Result<Resolution, ResolveError>),
) {
    let mut attempts = Attempts::new(backoff);
    loop {
        let attempt = attempts.start();
        // Without an answer in time there is none: a resolver that hangs would keep all calls waiting, whatever they say.
        let resolved = tokio::time::timeout_at(attempt.give_up_at, resolver.resolve()).await;
        let resolved = resolved.unwrap_or_else(|_| Err("no answer in time (min_connect_timeout)".into()));
        match resolved {
            Ok(resolution) => {
                attempts.reset();
                tell(Ok(resolution));
                let fresh_until = Instant::now() + resolver.min_interval().min(LONGEST);
                tokio::select! {
                    () = resolver.changed() => {}
                    () = async {
                        requests.again.notified().await;
                        tokio::time::sleep_until(fresh_until).await;
                    } => {}
                }
            }
            Err(error) => {
                let reset = requests.backoff_reset.notified();
                tokio::pin!(reset);
                // Listening starts before the failure is known, so that whoever knows can end the wait.
                reset.as_mut().enable();
                tell(Err(error));
                tokio::select! {
                    () = tokio::time::sleep_until(attempt.next_at.max(Instant::now() + LEAST_GAP)) => {}
                    () = reset => attempts.reset(),
                }
            }
        }
    }
}
