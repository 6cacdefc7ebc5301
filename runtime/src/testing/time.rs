//! Time that stands still until the test moves it.

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::Instant;

/// Holds the clock of a test that began with it stopped: deadlines, backoffs and sleeps come only as
/// [`FakeTime::advance`] passes them (grpcio-testing's `strict_fake_time`).
///
/// ```
/// # use std::time::Duration;
/// # use callwright::testing::strict_fake_time;
/// // A test has #[tokio::test(start_paused = true)].
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let time = strict_fake_time();
/// let sleep = tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)));
/// tokio::task::yield_now().await;
/// time.advance(Duration::from_secs(3599)).await;
/// assert!(!sleep.is_finished());
/// time.advance(Duration::from_secs(1)).await;
/// sleep.await.unwrap();
/// # }
/// ```
///
/// Without this, the stopped clock of Tokio jumps to the next timer as soon as nothing else can happen, which is all
/// that many tests need.
///
/// # Panics
/// Where the clock is not stopped: the test lacks `start_paused = true`, or there is no Tokio runtime.
#[track_caller]
pub fn strict_fake_time() -> FakeTime {
    let start = Instant::now();
    // A clock that runs has moved by then: the finest tick is shorter than so many looks at it.
    let runs = (0..LOOKS).any(|_| Instant::now() != start);
    assert!(!runs, "the clock runs: begin the test with #[tokio::test(start_paused = true)]");
    // A stopped clock jumps to the next timer when all tasks wait, unless a blocking task runs.
    let (release, released) = mpsc::channel::<()>();
    drop(tokio::task::spawn_blocking(move || released.recv()));
    FakeTime { _release: release }
}

/// How often the clock is looked at to see whether it runs.
const LOOKS: usize = 10_000;

/// The clock, held; made by [`strict_fake_time`]. Dropping it lets the clock jump again.
pub struct FakeTime {
    _release: mpsc::Sender<()>,
}

impl FakeTime {
    /// The time now.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Moves time forward by `duration`, and lets the tasks that wait for it run.
    pub async fn advance(&self, duration: Duration) {
        tokio::time::advance(duration).await;
    }

    /// Moves time forward to `instant`; back it cannot go, so one that has passed changes nothing.
    pub async fn advance_to(&self, instant: Instant) {
        self.advance(instant.saturating_duration_since(Instant::now())).await;
    }
}

impl fmt::Debug for FakeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTime").finish_non_exhaustive()
    }
}
