//! Clients that send PINGs more often than they may (gRFC A8): how often that is forgiven.

use std::time::Duration;

use callwright_http2::Stats;
use tokio::time::Instant;

use crate::transport::KeepaliveEnforcement;

/// How many PINGs may come too early; the next one ends the connection.
const FORGIVEN: u32 = 2;
/// How often a client may ask that has no calls, unless it is permitted to.
const WITHOUT_CALLS: Duration = Duration::from_secs(2 * 60 * 60);

/// Counts the PINGs of a client that came too early.
#[derive(Debug)]
pub(super) struct Strikes {
    enforcement: KeepaliveEnforcement,
    /// How many PINGs were looked at, and when the last one came.
    seen: u64,
    last_at: Option<Instant>,
    strikes: u32,
    /// How many frames of headers and data had left by then. With more of them a PING may be meant to measure how those went.
    sent: u64,
}

impl Strikes {
    pub(super) fn new(enforcement: KeepaliveEnforcement) -> Strikes {
        Strikes { enforcement, seen: 0, last_at: None, strikes: 0, sent: 0 }
    }

    /// Whether the PINGs that have come by now are too many.
    pub(super) fn are_out(&mut self, stats: Stats, now: Instant, has_calls: bool) -> bool {
        let new = stats.pings_received - self.seen;
        self.seen = stats.pings_received;
        let sent = stats.headers_sent + stats.data_frames_sent;
        for _ in 0..new.min(u64::from(FORGIVEN) + 2) {
            let last_at = self.last_at.replace(now);
            if std::mem::replace(&mut self.sent, sent) != sent {
                self.strikes = 0;
                continue;
            }
            let least = self.least_time(has_calls);
            let is_early = last_at.is_some_and(|last_at| now.saturating_duration_since(last_at) < least);
            self.strikes += u32::from(is_early);
        }
        self.strikes > FORGIVEN
    }

    fn least_time(&self, has_calls: bool) -> Duration {
        let least = self.enforcement.least_time();
        if has_calls || self.enforcement.permits_without_calls() { least } else { least.max(WITHOUT_CALLS) }
    }
}
