//! Time that stands still until the test moves it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
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
    FakeTime { clock: Clock::of_this_runtime() }
}

/// How often the clock is looked at to see whether it runs.
const LOOKS: usize = 10_000;
/// How often other tasks go first once time has moved, up to 61 of them each time.
const TURNS: usize = 32;
/// Timers come at whole milliseconds, so the last of the way is gone without one.
const LAST_STEP: Duration = Duration::from_millis(2);

/// The clock, held; made by [`strict_fake_time`]. Dropping it lets the clock jump again.
pub struct FakeTime {
    clock: Arc<Clock>,
}

impl FakeTime {
    /// The time now.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Moves time forward by `duration`: what was begun goes on until all tasks wait, then time goes from timer to timer,
    /// and the tasks that waited for each run before the next. So a call that was just spawned has begun, and each of
    /// several retries or pauses comes at its own time.
    ///
    /// It waits for blocking tasks (`spawn_blocking`) that are under way, as Tokio's clock does.
    pub async fn advance(&self, duration: Duration) {
        self.advance_to(Instant::now() + duration).await;
    }

    /// Moves time forward to `instant`, as [`advance`](Self::advance) does; back it cannot go, so for one that has passed
    /// the tasks run and time stays as it is.
    pub async fn advance_to(&self, instant: Instant) {
        let moving = Moving::start(self.clock.clone());
        tokio::time::sleep_until(instant.checked_sub(LAST_STEP).unwrap_or(instant)).await;
        drop(moving);
        let_others_run().await;
        tokio::time::advance(instant.saturating_duration_since(Instant::now())).await;
        let_others_run().await;
    }
}

impl fmt::Debug for FakeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTime").finish_non_exhaustive()
    }
}

async fn let_others_run() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// The clocks that are held, by their runtime.
static CLOCKS: Mutex<Vec<(Id, Weak<Clock>)>> = Mutex::new(Vec::new());

/// The clock of one runtime. It jumps to the next timer when all tasks wait, unless a blocking task runs: so one runs for as
/// long as the clock is held.
struct Clock {
    runtime: Handle,
    held: Mutex<Held>,
}

struct Held {
    /// How many are moving the clock.
    moving: usize,
    /// Ends the blocking task when it is dropped.
    release: Option<mpsc::Sender<()>>,
}

impl Clock {
    fn of_this_runtime() -> Arc<Clock> {
        let runtime = Handle::current();
        let mut clocks = lock(&CLOCKS);
        clocks.retain(|(_, clock)| clock.strong_count() > 0);
        let known = clocks.iter().find(|(id, _)| *id == runtime.id()).and_then(|(_, clock)| clock.upgrade());
        known.unwrap_or_else(|| {
            let id = runtime.id();
            let held = Mutex::new(Held { moving: 0, release: Some(hold(&runtime)) });
            let clock = Arc::new(Clock { runtime, held });
            clocks.push((id, Arc::downgrade(&clock)));
            clock
        })
    }
}

fn hold(runtime: &Handle) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    drop(runtime.spawn_blocking(move || released.recv()));
    release
}

/// Lets the clock move for as long as it lives.
struct Moving {
    clock: Arc<Clock>,
}

impl Moving {
    fn start(clock: Arc<Clock>) -> Moving {
        let mut held = lock(&clock.held);
        held.moving += 1;
        held.release = None;
        drop(held);
        Moving { clock }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        let mut held = lock(&self.clock.held);
        held.moving -= 1;
        if held.moving == 0 {
            held.release = Some(hold(&self.clock.runtime));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
