//! Keepalive as a user sets it, on either side, and as a server's complaints change it (gRFC A8).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The least time between two PINGs, as in grpc-go: servers take more for an attack.
const LEAST_TIME: Duration = Duration::from_secs(10);
/// The least time between the PINGs of a server's client, unless a user says otherwise.
const MIN_TIME: Duration = Duration::from_secs(5 * 60);
/// How long the answer to a PING may take unless a user says otherwise.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Keepalive of a channel's connections (gRFC A8): a connection on which nothing has arrived for some time is asked for a sign of
/// life, an HTTP/2 PING, and closed when there is none. Its calls end in UNAVAILABLE, and the channel connects again.
///
/// Without it, a call on a connection whose server has vanished (a cable, a firewall that forgot the connection) waits for
/// its deadline, or for ever. On Linux the kernel is told too, by TCP_USER_TIMEOUT (gRFC A18): what was sent and is not
/// acknowledged within the timeout breaks the connection.
///
/// Servers count PINGs, and many close the connection of a client that sends them more often than every five minutes, or
/// without calls: with GOAWAY `too_many_pings`, upon which the channel doubles the time between them. Ask who runs the
/// server before you set it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "keepalive is given to ChannelBuilder::keepalive or ServerBuilder::keepalive"]
pub struct Keepalive {
    time: Duration,
    timeout: Duration,
    permit_without_calls: bool,
}

impl Keepalive {
    /// A PING after `time` without a byte from the server. Less than 10 s is raised to 10 s.
    pub fn new(time: Duration) -> Keepalive {
        Keepalive { time: time.max(LEAST_TIME), timeout: TIMEOUT, permit_without_calls: false }
    }

    /// As [`new`](Self::new), without a lower bound.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn exactly(time: Duration) -> Keepalive {
        Keepalive { time, ..Keepalive::new(time) }
    }

    /// How long the server may take for a sign of life after a PING; 20 s unless set. Any byte is one.
    pub fn timeout(mut self, timeout: Duration) -> Keepalive {
        self.timeout = timeout;
        self
    }

    /// Whether PINGs are sent while no call is under way; not unless set. Then a connection that was quiet for longer than the
    /// time is asked as soon as a call begins.
    pub fn permit_without_calls(mut self, permit: bool) -> Keepalive {
        self.permit_without_calls = permit;
        self
    }

    pub(super) fn time(&self) -> Duration {
        self.time
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn is_permitted_without_calls(&self) -> bool {
        self.permit_without_calls
    }
}

/// How often a server's clients may send PINGs (gRFC A8): one whose PINGs come more often, three times with nothing sent to it in
/// between, is told GOAWAY `too_many_pings` and its connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "enforcement is given to ServerBuilder::keepalive_enforcement"]
pub struct KeepaliveEnforcement {
    min_time: Duration,
    permit_without_calls: bool,
}

impl KeepaliveEnforcement {
    /// At most one PING every five minutes, and while the client has no calls one every two hours. The default.
    pub fn new() -> KeepaliveEnforcement {
        KeepaliveEnforcement { min_time: MIN_TIME, permit_without_calls: false }
    }

    /// Any number of PINGs.
    pub fn none() -> KeepaliveEnforcement {
        KeepaliveEnforcement { min_time: Duration::ZERO, permit_without_calls: true }
    }

    /// The least time between two PINGs of a client; five minutes unless set.
    pub fn min_time(mut self, time: Duration) -> KeepaliveEnforcement {
        self.min_time = time;
        self
    }

    /// Whether that holds for clients without calls too; unless set they have to wait for two hours.
    pub fn permit_without_calls(mut self, permit: bool) -> KeepaliveEnforcement {
        self.permit_without_calls = permit;
        self
    }

    pub(super) fn least_time(&self) -> Duration {
        self.min_time
    }

    pub(super) fn permits_without_calls(&self) -> bool {
        self.permit_without_calls
    }
}

impl Default for KeepaliveEnforcement {
    fn default() -> Self {
        KeepaliveEnforcement::new()
    }
}

/// The keepalive of all connections of a channel.
#[derive(Debug)]
pub(super) struct Adapting {
    set: Keepalive,
    /// How often the time was doubled.
    doubled: AtomicU32,
}

impl Adapting {
    pub(super) fn new(set: Keepalive) -> Adapting {
        Adapting { set, doubled: AtomicU32::new(0) }
    }

    /// What the next connection goes by.
    pub(super) fn now(&self) -> Keepalive {
        let times = 2_u32.saturating_pow(self.doubled.load(Ordering::Relaxed));
        Keepalive { time: self.set.time.saturating_mul(times), ..self.set.clone() }
    }

    /// A server has had too many PINGs.
    pub(super) fn slow_down(&self) {
        let _ = self.doubled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |times| times.checked_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_ten_seconds_at_the_least() {
        assert_eq!(Keepalive::new(Duration::from_secs(1)).time, Duration::from_secs(10));
        assert_eq!(Keepalive::new(Duration::from_secs(11)).time, Duration::from_secs(11));
    }

    #[test]
    fn each_complaint_doubles_the_time_and_none_overflows_it() {
        let adapting = Adapting::new(Keepalive::new(Duration::from_secs(10)));
        for expected in [10, 20, 40] {
            assert_eq!(adapting.now().time, Duration::from_secs(expected));
            adapting.slow_down();
        }
        (0..100).for_each(|_| adapting.slow_down());
        assert!(adapting.now().time > Duration::from_secs(1_000_000));
    }
}
