//! What a call meets in each state of its channel (`doc/wait-for-ready.md`), where a server of the peer's has a part in it.
//!
//! Codes are compared, not messages: those are ours.

use std::time::{Duration, Instant};

use callwright::service_config::{LoadBalancing, ServiceConfig};
use callwright::{Backoff, Call, Channel, ChannelCredentials, Code, ConnectivityState, Method, Status, Unary};
use tokio::task::JoinHandle;

use super::attempts::{self, report, wait_for_ends};
use super::server::{Server, target};
use super::waits::{LATE, Waits};
use super::{Failure, Rows, TIMEOUT, blob, equal, left_ready};
use crate::echo::{Blob, EchoStub};
use crate::support::RefusedPort;

/// How long calls wait in vain.
const SHORT: Duration = Duration::from_millis(300);
/// How long an attempt to connect may take where that is set.
const PATIENCE: Duration = Duration::from_secs(1);
/// As the document has it.
const DEFAULT_BACKOFF: Waits =
    Waits { initial: Duration::from_secs(1), multiplier: 1.6, max: Duration::from_secs(120) };

/// How a call says whether it waits.
#[derive(Clone, Copy)]
struct Mode {
    name: &'static str,
    wait_for_ready: Option<bool>,
}

const MODES: [Mode; 3] = [
    Mode { name: "unset", wait_for_ready: None },
    Mode { name: "false", wait_for_ready: Some(false) },
    Mode { name: "true", wait_for_ready: Some(true) },
];

/// Of rows in which there is but one.
const WAITS: Mode = Mode { name: "true", wait_for_ready: Some(true) };

pub(super) async fn run(rows: &mut Rows) {
    let command = rows.server.clone();
    let command = command.as_slice();
    for mode in MODES {
        let name = |row: &str| format!("channel_states/{row}/{}", mode.name);
        rows.run(&name("ready"), ready(command, mode)).await;
        rows.run(&name("connecting"), connecting(command, mode)).await;
        rows.run(&name("connecting_in_vain"), connecting_in_vain(command, mode)).await;
        rows.run(&name("server_gone"), server_gone(command, mode)).await;
        rows.run(&name("in_backoff"), in_backoff(command, mode)).await;
        rows.run(&name("server_stops"), server_stops(command, mode)).await;
        rows.run(&name("channel_closed"), channel_closed(command, mode)).await;
        rows.run(&name("deadline_passed"), deadline_passed(command, mode)).await;
        rows.run(&name("tls_to_plaintext"), tls_to_plaintext(command, mode)).await;
        rows.run(&name("configured_to_wait"), configured_to_wait(command, mode)).await;
        rows.run(&name("pick_first"), one_of_two(command, mode, LoadBalancing::pick_first())).await;
        rows.run(&name("round_robin"), one_of_two(command, mode, LoadBalancing::round_robin())).await;
        rows.run(&name("streams_taken"), streams_taken(command, mode)).await;
        rows.run(&name("unknown_method"), unknown_method(command, mode)).await;
    }
    rows.run("channel_states/late_server", late_server(command)).await;
    rows.run("channel_states/closed_while_queued", closed_while_queued(command)).await;
    rows.run("channel_states/given_up_while_queued", given_up_while_queued(command)).await;
}

impl Mode {
    fn set<Req, Res>(self, call: Call<Unary, Req, Res>) -> Call<Unary, Req, Res> {
        match self.wait_for_ready {
            Some(wait) => call.wait_for_ready(wait),
            None => call,
        }
    }

    fn call(self, channel: &Channel) -> Call<Unary, Blob, Blob> {
        self.set(EchoStub::new(channel.clone()).unary_unary(blob(1)).timeout(TIMEOUT))
    }

    /// How a call ends that cannot be sent: at once, or when it has waited for long enough.
    async fn cannot_send(self, channel: &Channel) -> Result<(), Failure> {
        if self.wait_for_ready == Some(true) {
            ends(self.call(channel).timeout(SHORT), Code::DeadlineExceeded).await
        } else {
            ends(self.call(channel), Code::Unavailable).await
        }
    }
}

async fn ready(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let channel = Channel::new(server.target())?;
    ends(mode.call(&channel), Code::Ok).await?;
    equal("state", channel.state(), ConnectivityState::Ready)?;
    ends(mode.call(&channel), Code::Ok).await
}

/// The connection is there, and the server says nothing on it.
async fn connecting(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    server.halt().await?;
    let channel = Channel::new(server.target())?;
    ends(mode.call(&channel).timeout(SHORT), Code::DeadlineExceeded).await?;
    equal("state", channel.state(), ConnectivityState::Connecting)?;
    let waiting = under_way(mode.call(&channel));
    server.go_on().await?;
    waiting.await??;
    Ok(())
}

/// The same, for longer than an attempt to connect may take.
async fn connecting_in_vain(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    server.halt().await?;
    let backoff = Backoff::default().with_initial(SHORT).with_min_connect_timeout(PATIENCE);
    let channel = Channel::builder(server.target()).backoff(backoff).build()?;
    let began = Instant::now();
    if mode.wait_for_ready == Some(true) {
        let waiting = under_way(mode.call(&channel));
        channel.watch_state().wait_for(ConnectivityState::TransientFailure).await;
        server.go_on().await?;
        waiting.await??;
    } else {
        ends(mode.call(&channel), Code::Unavailable).await?;
        server.go_on().await?;
    }
    let took = began.elapsed();
    if took < PATIENCE {
        return Err(Failure(format!("an attempt to connect took {took:?}, not {PATIENCE:?} and more")));
    }
    ends(WAITS.call(&channel), Code::Ok).await
}

/// Of a channel that was READY.
async fn server_gone(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let channel = Channel::new(server.target())?;
    ends(mode.call(&channel), Code::Ok).await?;
    server.kill().await?;
    left_ready(&channel).await?;
    mode.cannot_send(&channel).await
}

/// There is a server again, but it is not time to look for it.
async fn in_backoff(command: &[String], mode: Mode) -> Result<(), Failure> {
    let port = RefusedPort::new();
    let channel = port.failed_channel().await;
    let _server = Server::start_on(command, port.port()).await?;
    mode.cannot_send(&channel).await?;
    equal("state", channel.state(), ConnectivityState::TransientFailure)?;
    channel.reset_connect_backoff();
    ends(mode.call(&channel).wait_for_ready(true), Code::Ok).await
}

/// At once, with a call under way, which no waiting helps.
async fn server_stops(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let channel = Channel::new(server.target())?;
    let running = under_way(mode.set(attempts::call(&channel, "running", "never")));
    wait_for_ends(&channel, "running", &["running"]).await?;
    server.stop().await?;
    equal("code", code(&running.await?), Code::Unavailable)
}

async fn channel_closed(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let channel = Channel::new(server.target())?;
    ends(mode.call(&channel), Code::Ok).await?;
    channel.close();
    ends(mode.call(&channel), Code::Cancelled).await
}

/// Whatever the state: READY here, where nothing else would keep the call from its server.
async fn deadline_passed(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let channel = Channel::new(server.target())?;
    ends(mode.call(&channel), Code::Ok).await?;
    for timeout in [Duration::ZERO, Duration::from_nanos(1)] {
        let late = mode.set(attempts::call(&channel, "late", "0")).timeout(timeout);
        ends(late, Code::DeadlineExceeded).await?;
    }
    wait_for_ends(&channel, "late", &[]).await.map(drop)
}

async fn tls_to_plaintext(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let credentials = ChannelCredentials::tls().build()?;
    let channel = Channel::builder(server.target()).credentials(credentials).build()?;
    mode.cannot_send(&channel).await
}

/// The service config says that calls wait; a call that says otherwise does not.
async fn configured_to_wait(command: &[String], mode: Mode) -> Result<(), Failure> {
    let config = ServiceConfig::from_json(r#"{"methodConfig": [{"name": [{}], "waitForReady": true}]}"#)?;
    let port = RefusedPort::new();
    let channel = Channel::builder(target(port.port())).service_config(config).build()?;
    if mode.wait_for_ready == Some(false) {
        ends(mode.call(&channel), Code::Unavailable).await?;
        let _server = Server::start_on(command, port.port()).await?;
        return ends(mode.call(&channel).wait_for_ready(true), Code::Ok).await;
    }
    ends(mode.call(&channel).timeout(SHORT), Code::DeadlineExceeded).await?;
    let waiting = under_way(mode.call(&channel));
    let _server = Server::start_on(command, port.port()).await?;
    waiting.await??;
    Ok(())
}

/// Of two addresses one has a server, and then neither.
async fn one_of_two(command: &[String], mode: Mode, policy: LoadBalancing) -> Result<(), Failure> {
    let dead = RefusedPort::new();
    let server = Server::start(command, &[]).await?;
    let both = format!("{},127.0.0.1:{}", target(dead.port()), server.port());
    let channel = Channel::builder(both).load_balancing(policy).build()?;
    for _ in 0..10 {
        ends(mode.call(&channel), Code::Ok).await?;
    }
    server.kill().await?;
    left_ready(&channel).await?;
    mode.cannot_send(&channel).await
}

/// The server takes one call at a time; others wait for their turn, or their deadline.
async fn streams_taken(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &["--max_concurrent_streams=1"]).await?;
    let (channel, other) = (Channel::new(server.target())?, Channel::new(server.target())?);
    // A limit is known when the connection is: what is sent before may be refused, which is not what this is about.
    channel.wait_until_ready(TIMEOUT).await?;
    let first = under_way(mode.set(attempts::call(&channel, "first", "never")));
    wait_for_ends(&other, "first", &["running"]).await?;
    ends(mode.set(attempts::call(&channel, "second", "0")).timeout(SHORT), Code::DeadlineExceeded).await?;
    equal("what the server saw of it", report(&other, "second").await?.len(), 0)?;
    let third = under_way(mode.call(&channel));
    first.abort();
    third.await??;
    Ok(())
}

async fn unknown_method(command: &[String], mode: Mode) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let channel = Channel::new(server.target())?;
    for path in ["/callwright.tests.Echo/Nope", "/callwright.tests.Nope/UnaryUnary"] {
        let method: Method<Blob, Blob> = Method::new(path);
        ends(mode.set(Call::unary(&channel, method, blob(1)).timeout(TIMEOUT)), Code::Unimplemented).await?;
    }
    Ok(())
}

/// A call that waits is answered at the first attempt after the server is there; none comes before its time.
async fn late_server(command: &[String]) -> Result<(), Failure> {
    let port = RefusedPort::new();
    let channel = Channel::new(target(port.port()))?;
    let began = Instant::now();
    let waiting = under_way(WAITS.call(&channel));
    channel.watch_state().wait_for(ConnectivityState::TransientFailure).await;
    let _server = Server::start_on(command, port.port()).await?;
    let up = began.elapsed();
    waiting.await??;
    let answered = began.elapsed();
    // As many waits as it takes to be past that time at the soonest.
    let mut soonest = DEFAULT_BACKOFF.least(0);
    let mut latest = DEFAULT_BACKOFF.most(0);
    let mut n = 0;
    while soonest < up {
        n += 1;
        soonest += DEFAULT_BACKOFF.least(n);
        latest += DEFAULT_BACKOFF.most(n);
    }
    let in_time = DEFAULT_BACKOFF.least(0)..=latest + LATE;
    if in_time.contains(&answered) {
        return Ok(());
    }
    Err(Failure(format!(
        "the server was there after {up:?}, and the call answered after {answered:?}: not {in_time:?}"
    )))
}

async fn closed_while_queued(command: &[String]) -> Result<(), Failure> {
    let server = Server::start(command, &[]).await?;
    let channel = Channel::new(server.target())?;
    ends(WAITS.call(&channel), Code::Ok).await?;
    server.kill().await?;
    left_ready(&channel).await?;
    let waiting = under_way(WAITS.call(&channel));
    channel.watch_state().wait_for(ConnectivityState::TransientFailure).await;
    channel.close();
    equal("code", code(&waiting.await?), Code::Cancelled)
}

/// The server that comes later never sees it.
async fn given_up_while_queued(command: &[String]) -> Result<(), Failure> {
    let port = RefusedPort::new();
    let channel = Channel::new(target(port.port()))?;
    let given_up = under_way(WAITS.set(attempts::call(&channel, "given up", "0")));
    channel.watch_state().wait_for(ConnectivityState::TransientFailure).await;
    let kept = under_way(WAITS.set(attempts::call(&channel, "kept", "0")));
    given_up.abort();
    equal("whether the call was given up", given_up.await.is_err(), true)?;
    let _server = Server::start_on(command, port.port()).await?;
    kept.await??;
    equal("what the server saw of the call", report(&channel, "given up").await?.len(), 0)?;
    equal("what it saw of the other", report(&channel, "kept").await?.len(), 1)
}

fn under_way(call: Call<Unary, Blob, Blob>) -> JoinHandle<Result<Blob, Status>> {
    tokio::spawn(call.into_future())
}

async fn ends(call: Call<Unary, Blob, Blob>, expected: Code) -> Result<(), Failure> {
    let result = call.await;
    match result {
        Err(status) if status.code() != expected => Err(Failure(format!("expected {expected:?}, saw {status}"))),
        result => equal("code", code(&result), expected),
    }
}

fn code(result: &Result<Blob, Status>) -> Code {
    result.as_ref().map_or_else(Status::code, |_| Code::Ok)
}
