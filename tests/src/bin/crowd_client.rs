//! A crowd of clients, each with a connection of its own: many that have made one call and are idle then, and some that make
//! calls all the time. Says `idle` when the first are there, and goes on at a line on the standard input.
//!
//! Usage: `crowd_client TARGET IDLE BUSY CALLS`

use std::error::Error;
use std::time::{Duration, Instant};

use callwright::{Channel, Status};
use callwright_tests::support::say;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::AsyncReadExt as _;

/// How many connections are made at once: as many as wait in the server's backlog without being refused.
const AT_ONCE: usize = 100;
/// How long one call may take before it is not answered.
const TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, idle, busy, calls] = &arguments[..] else {
        return Err("usage: crowd_client TARGET IDLE BUSY CALLS".into());
    };
    let idle = connect(target, idle.parse()?).await?;
    println!("idle");
    tokio::io::stdin().read_u8().await?;

    let busy = connect(target, busy.parse()?).await?;
    let (began, calls) = (Instant::now(), calls.parse()?);
    let tasks: Vec<_> = busy.iter().map(|client| tokio::spawn(client.clone().call_often(calls))).collect();
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    for task in tasks {
        let (count, slow) = task.await??;
        (answered, slowest) = (answered + count, slowest.max(slow));
    }
    println!("answered {answered} ms {} slowest_ms {}", began.elapsed().as_millis(), slowest.as_millis());

    // Those that were idle are known by the addresses that they had.
    let same: Vec<bool> = stream::iter(idle)
        .map(|client| async move { client.is_still_there().await })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    println!("same {}", same.into_iter().filter(|same| *same).count());
    Ok(())
}

/// A client, and the address that the server knows it by.
#[derive(Clone)]
struct Client {
    channel: Channel,
    address: String,
}

async fn connect(target: &str, count: usize) -> Result<Vec<Client>, Box<dyn Error>> {
    let clients = stream::iter(0..count).map(|_| async {
        let channel = Channel::new(target)?;
        let address = say(&channel, "").timeout(TIMEOUT).await?;
        Ok(Client { channel, address })
    });
    clients.buffer_unordered(AT_ONCE).try_collect().await
}

impl Client {
    /// Makes calls one by one; how many were answered by the same connection, and how long the slowest took.
    async fn call_often(self, calls: u32) -> Result<(u32, Duration), Status> {
        let (mut answered, mut slowest) = (0, Duration::ZERO);
        for _ in 0..calls {
            let began = Instant::now();
            answered += u32::from(self.is_still_there().await?);
            slowest = slowest.max(began.elapsed());
        }
        Ok((answered, slowest))
    }

    async fn is_still_there(&self) -> Result<bool, Status> {
        Ok(say(&self.channel, "").timeout(TIMEOUT).await? == self.address)
    }
}
