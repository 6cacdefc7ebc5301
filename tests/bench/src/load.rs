//! The load: calls that follow each other (closed loop), or that start at a rate (open loop).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, sleep_until};

use crate::Failure;
use crate::accounting::Usage;
use crate::client::{Client, Job};
use crate::flags::{ClientFlags, Mode};
use crate::measures::{Measures, Totals};

/// How long calls may take to end when the time is over, before they are left alone.
const GRACE: Duration = Duration::from_secs(10);

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured.
    pub totals: Totals,
    /// How many bytes a message has.
    pub size: usize,
    /// Calls that failed, and what the first of them said.
    pub failures: (u64, Option<String>),
    /// How long it was measured.
    pub elapsed: Duration,
    /// What the process used meanwhile; the memory is that at the end.
    pub used: Usage,
}

/// What the workers of a run share.
struct Run {
    job: Job,
    measures: Measures,
    /// Calls that are still to start, where a number was asked for.
    left: Option<AtomicI64>,
    /// From when on calls count.
    from: Instant,
    /// When the time is over; without a number of calls.
    until: Instant,
}

/// Connects, makes the calls, and gives what they add up to.
///
/// # Errors
/// If a connection cannot be made. Calls that fail are counted.
pub async fn run<C: Client>(flags: &ClientFlags) -> Result<Outcome, Failure> {
    let mut clients = Vec::with_capacity(flags.connections);
    for number in 1..=flags.connections {
        let connected = C::connect(flags).await;
        clients.push(Arc::new(connected.map_err(|error| format!("connection {number}: {error}"))?));
    }
    if flags.mode == Mode::Idle {
        return hold(flags, &clients).await;
    }
    let now = Instant::now();
    let warmup = if flags.calls.is_some() { Duration::ZERO } else { flags.warmup };
    let run = Arc::new(Run {
        job: Job::new(flags),
        measures: Measures::new()?,
        left: flags.calls.map(|calls| AtomicI64::new(i64::try_from(calls).unwrap_or(i64::MAX))),
        from: now + warmup,
        until: now + warmup + flags.duration,
    });
    let mut workers = JoinSet::new();
    match flags.rate {
        Some(rate) => {
            let dispatcher = Dispatcher::new(run.clone(), clients, rate, flags.connections * flags.concurrency);
            workers.spawn(dispatcher.dispatch());
        }
        None => {
            for (number, client) in clients.iter().enumerate() {
                for _ in 0..flags.concurrency {
                    workers.spawn(work(run.clone(), client.clone(), number));
                }
            }
        }
    }
    run.measure(&mut workers).await
}

/// One call after the other.
async fn work<C: Client>(run: Arc<Run>, client: Arc<C>, connection: usize) {
    let mut now = Instant::now();
    while run.takes_another(now) {
        let started = now;
        match client.call(&run.job).await {
            Ok(messages) => {
                now = Instant::now();
                run.record(connection, started, now, messages);
            }
            // A worker ends with its first failure: most are for good, and would be counted without an end.
            Err(error) => return run.measures.fail(error),
        }
    }
}

impl Run {
    fn takes_another(&self, now: Instant) -> bool {
        match &self.left {
            Some(left) => left.fetch_sub(1, Ordering::Relaxed) > 0,
            None => now < self.until,
        }
    }

    fn record(&self, connection: usize, started: Instant, ended: Instant, messages: u64) {
        let is_in_time = self.left.is_some() || (self.from..self.until).contains(&ended);
        if is_in_time {
            self.measures.record(connection, ended - started, messages);
        }
    }

    /// Waits for the workers. `measuring` and `measured` are for who wants to look at the server at these moments.
    async fn measure(&self, workers: &mut JoinSet<()>) -> Result<Outcome, Failure> {
        sleep_until(self.from.into()).await;
        println!("measuring");
        let (started, before) = (Instant::now(), Usage::now());
        if self.left.is_none() {
            sleep_until(self.until.into()).await;
        } else {
            finish(workers).await?;
        }
        let (elapsed, after) = (started.elapsed(), Usage::now());
        println!("measured");
        if self.left.is_none() && tokio::time::timeout(GRACE, finish(workers)).await.is_err() {
            self.measures.fail(format!("a call did not end within {GRACE:?} after the time was over").into());
        }
        Ok(Outcome {
            totals: self.measures.totals()?,
            size: self.job.body.len(),
            failures: self.measures.failures(),
            elapsed,
            used: Usage {
                cpu: after.cpu.saturating_sub(before.cpu),
                allocations: after.allocations.saturating_sub(before.allocations),
                rss_kib: after.rss_kib,
            },
        })
    }
}

async fn finish(workers: &mut JoinSet<()>) -> Result<(), Failure> {
    while let Some(ended) = workers.join_next().await {
        ended?;
    }
    Ok(())
}

/// Starts calls at a rate, connection after connection.
struct Dispatcher<C> {
    run: Arc<Run>,
    clients: Vec<Arc<C>>,
    /// Between one start and the next.
    interval: Duration,
    /// How many calls may be under way: above it a start is late, and its latency says so.
    limit: usize,
    under_way: Arc<AtomicUsize>,
}

impl<C: Client> Dispatcher<C> {
    fn new(run: Arc<Run>, clients: Vec<Arc<C>>, rate: f64, limit: usize) -> Self {
        let under_way = Arc::default();
        Dispatcher { run, clients, interval: Duration::from_secs_f64(1.0 / rate), limit, under_way }
    }

    async fn dispatch(self) {
        let mut calls = JoinSet::new();
        let mut intended = Instant::now();
        for connection in (0..self.clients.len()).cycle() {
            if !self.run.takes_another(intended) {
                break;
            }
            // By yields and not by a timer: Tokio's has steps of a millisecond, which is more than most calls take.
            while Instant::now() < intended || self.under_way.load(Ordering::Relaxed) >= self.limit {
                if self.run.left.is_none() && Instant::now() >= self.run.until {
                    break;
                }
                yield_now().await;
            }
            self.under_way.fetch_add(1, Ordering::Relaxed);
            let (run, client) = (self.run.clone(), self.clients[connection].clone());
            let under_way = self.under_way.clone();
            calls.spawn(async move {
                match client.call(&run.job).await {
                    Ok(messages) => run.record(connection, intended, Instant::now(), messages),
                    Err(error) => run.measures.fail(error),
                }
                under_way.fetch_sub(1, Ordering::Relaxed);
            });
            while calls.try_join_next().is_some() {}
            intended += self.interval;
        }
        while calls.join_next().await.is_some() {}
    }
}

/// One call on each connection, which are then held until stdin ends or the time is over.
async fn hold<C: Client>(flags: &ClientFlags, clients: &[Arc<C>]) -> Result<Outcome, Failure> {
    let (measures, before, started) = (Measures::new()?, Usage::now(), Instant::now());
    let job = Job { mode: Mode::Unary, ..Job::new(flags) };
    for (number, client) in clients.iter().enumerate() {
        let called = Instant::now();
        match client.call(&job).await {
            Ok(messages) => measures.record(number, called.elapsed(), messages),
            Err(error) => measures.fail(error),
        }
    }
    let after = Usage::now();
    println!("holding");
    let (at_end, end) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let mut line = String::new();
        while matches!(std::io::stdin().read_line(&mut line), Ok(1..)) {}
        // Nobody waits where the duration was over first.
        let _ = at_end.send(());
    });
    tokio::select! {
        _ = end => {}
        () = sleep(flags.duration) => {}
    }
    Ok(Outcome {
        totals: measures.totals()?,
        size: job.body.len(),
        failures: measures.failures(),
        elapsed: started.elapsed(),
        used: Usage { cpu: after.cpu.saturating_sub(before.cpu), ..after },
    })
}
