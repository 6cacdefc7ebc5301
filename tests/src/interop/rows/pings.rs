//! Signs of life (gRFC A8): a channel that asks a server of the peer's too often for one, as it is by default, and a server
//! that shows none.

use std::time::{Duration, Instant};

use callwright::{Channel, Code, ConnectivityState, Keepalive};

use super::attempts::{call, report, wait_for_ends};
use super::server::Server;
use super::{Failure, Rows, TIMEOUT, blob, equal, left_ready};
use crate::echo::EchoStub;

/// The time between two PINGs. Less than any user can set.
const OFTEN: Duration = Duration::from_millis(250);
/// How many PINGs a server complains of at the soonest: it bears with two that come too early.
const PINGS: u32 = 3;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    let server = Server::start(&rows.server, &[]).await?;
    rows.run("pings/during_calls", during_calls(&server)).await;
    rows.run("pings/without_calls", without_calls(&server)).await;
    rows.run("pings/silent_server", silent_server(&server)).await;
    Ok(())
}

/// The server gives up the connection, and the next is asked half as often: which a channel does only when it was told GOAWAY
/// `too_many_pings`. How long the call lives on, and what it says in the end, is the server's affair.
async fn during_calls(server: &Server) -> Result<(), Failure> {
    let channel = Channel::builder(server.target()).keepalive(Keepalive::exactly(OFTEN)).build()?;
    for (name, times) in [("first", 1), ("second", 2)] {
        channel.wait_until_ready(TIMEOUT).await?;
        let began = Instant::now();
        let running = tokio::spawn(call(&channel, name, "never").into_future());
        left_ready(&channel).await?;
        let (took, least) = (began.elapsed(), OFTEN * times * PINGS);
        if took < least {
            return Err(Failure(format!("the {name} connection was given up after {took:?}, not {least:?} and more")));
        }
        let ended = running.await?;
        equal("code", ended.map_or_else(|status| status.code(), |_| Code::Ok), Code::Unavailable)?;
        // The next connection answers calls as this one did.
        wait_for_ends(&channel, name, &["cancelled"]).await?;
    }
    Ok(())
}

/// Without calls a server bears even less; the channel connects again for the next one.
async fn without_calls(server: &Server) -> Result<(), Failure> {
    let keepalive = Keepalive::exactly(OFTEN).permit_without_calls(true);
    let channel = Channel::builder(server.target()).keepalive(keepalive).build()?;
    for _ in 0..2 {
        let response = EchoStub::new(channel.clone()).unary_unary(blob(1)).timeout(TIMEOUT).await?;
        equal("response", response, blob(1))?;
        tokio::time::timeout(TIMEOUT, channel.watch_state().wait_for(ConnectivityState::Idle)).await?;
    }
    Ok(())
}

/// Its process is halted, with the connection open: the call ends for want of an answer, long before its deadline, and the
/// next is answered when the process goes on.
async fn silent_server(server: &Server) -> Result<(), Failure> {
    let keepalive = Keepalive::exactly(OFTEN).timeout(PATIENCE);
    let channel = Channel::builder(server.target()).keepalive(keepalive).build()?;
    let silent = tokio::spawn(call(&channel, "silent", "never").into_future());
    wait_for_ends(&channel, "silent", &["running"]).await?;
    server.halt().await?;
    let ended = silent.await?;
    server.go_on().await?;
    let Err(status) = ended else {
        return Err(Failure("a call was answered that never is".to_owned()));
    };
    equal("code", status.code(), Code::Unavailable)?;
    if !status.message().contains("no answer to a PING") {
        return Err(Failure(format!("the call did not end for want of an answer: {status}")));
    }
    report(&channel, "silent").await.map(drop)
}
