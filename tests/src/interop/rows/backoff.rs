//! When a channel tries again to connect (`doc/connection-backoff.md`), until a server of the peer's answers.
//!
//! A listener of the row's own takes the connections and closes them; then the peer's server takes its port, which refuses
//! them in between.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use callwright::{Backoff, Channel, ConnectivityState, Status};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::server::{Server, target};
use super::waits::{LATE, Waits};
use super::{Failure, Rows, TIMEOUT, blob};
use crate::echo::{Blob, EchoStub};
use crate::support::RefusedPort;

const WAITS: Waits = Waits { initial: Duration::from_millis(200), multiplier: 1.6, max: Duration::from_secs(1) };
/// An attempt that is noted late makes the wait that follows look shorter.
const EARLY: Duration = Duration::from_millis(50);
/// So many attempts that waits without an upper limit would be too long.
const MANY: usize = 9;
/// So many attempts that waits which go on where they were take longer than waits which start anew.
const FEW: usize = 4;

pub(super) async fn run(rows: &mut Rows) {
    let server = rows.server.clone();
    rows.run("backoff/gaps", gaps(&server)).await;
    rows.run("backoff/anew", anew(&server)).await;
}

/// The waits grow up to their limit, and the call that waited through them is answered by the server.
async fn gaps(server: &[String]) -> Result<(), Failure> {
    let port = RefusedPort::new();
    let closing = Closing::listen(&port, MANY)?;
    let channel = channel(&port)?;
    let waiting = call(&channel);
    let gaps = closing.gaps().await?;
    let _server = Server::start_on(server, port.port()).await?;
    let up = Instant::now();
    waiting.await??;
    let waited = up.elapsed();
    if waited > WAITS.most(MANY) + LATE {
        return Err(Failure(format!("answered {waited:?} after the server was up")));
    }
    WAITS.hold(&gaps, EARLY)
}

/// A channel that was READY and loses its server waits as it did at first.
async fn anew(server: &[String]) -> Result<(), Failure> {
    let port = RefusedPort::new();
    let closing = Closing::listen(&port, FEW)?;
    let channel = channel(&port)?;
    let waiting = call(&channel);
    closing.gaps().await?;
    let running = Server::start_on(server, port.port()).await?;
    waiting.await??;
    running.kill().await?;
    channel.watch_state().wait_for(ConnectivityState::Idle).await;
    let closing = Closing::listen(&port, FEW)?;
    let waiting = call(&channel);
    let gaps = closing.gaps().await?;
    WAITS.hold(&gaps, EARLY)?;
    // Each may be late, but not all so late that they might have gone on from where they were.
    let (total, longest): (Duration, Duration) = (gaps.iter().sum(), gaps.iter().map(|_| WAITS.least(MANY)).sum());
    if total >= longest {
        return Err(Failure(format!("the waits did not start anew: {gaps:?}")));
    }
    let _server = Server::start_on(server, port.port()).await?;
    waiting.await??;
    Ok(())
}

fn channel(port: &RefusedPort) -> Result<Channel, Failure> {
    let backoff = Backoff::default().with_initial(WAITS.initial).with_multiplier(WAITS.multiplier).with_max(WAITS.max);
    Ok(Channel::builder(target(port.port())).backoff(backoff).build()?)
}

/// A call that waits for its server, under way.
fn call(channel: &Channel) -> JoinHandle<Result<Blob, Status>> {
    let call = EchoStub::new(channel.clone()).unary_unary(blob(1)).wait_for_ready(true).timeout(TIMEOUT);
    tokio::spawn(call.into_future())
}

/// Closes every connection as it comes; no more come once it is done: the port refuses them.
struct Closing {
    accepted: oneshot::Receiver<std::io::Result<Vec<Instant>>>,
}

impl Closing {
    /// Takes so many connections.
    fn listen(port: &RefusedPort, count: usize) -> Result<Closing, Failure> {
        let listener = TcpListener::bind(port.address())?;
        let (sender, accepted) = oneshot::channel();
        // A thread that does nothing else notes them as soon as they come.
        thread::spawn(move || {
            let accept = |_| listener.accept().map(|_| Instant::now());
            let times = (0..count).map(accept).collect();
            drop(listener);
            let _ = sender.send(times);
        });
        Ok(Closing { accepted })
    }

    /// Waits for the last of them; the times between them.
    async fn gaps(self) -> Result<Vec<Duration>, Failure> {
        let times = tokio::time::timeout(TIMEOUT, self.accepted).await???;
        let next = times.iter().skip(1);
        Ok(times.iter().zip(next).map(|(time, next)| *next - *time).collect())
    }
}
