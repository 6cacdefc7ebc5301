//! Serves `callwright.tests.Echo` by one server after the other on one port, each of which shuts down gracefully after so many
//! calls, and tells which calls were seen: for clients in other languages that count what became of theirs.
//!
//! The body of a request is the name of its call. `UnaryUnary` answers after a few milliseconds, so that many calls are under way
//! whenever a server goes; `StreamStream` answers each message, and its first one is the name.
//!
//! With the metadata `x-report: 1`, `UnaryUnary` waits until the servers that were told to go have gone, and answers with a line
//! `gone NUMBER CALLS` for each, where CALLS were under way when it was told, and a line `call NAME TIMES` for each call.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callwright::{Requests, Responses};
use callwright::{RunningServer, Server, ServerContext, Status};
use callwright_tests::echo::{Blob, EchoServer, EchoServicer};
use callwright_tests::interop::flags::{Flag, Flags, usage};
use callwright_tests::interop::lifetime::UNTIL_STDIN_CLOSES;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

const ABOUT: &str = "Serves callwright.tests.Echo on 127.0.0.1 by servers that follow each other.";
const FLAGS: [Flag; 3] = [
    UNTIL_STDIN_CLOSES,
    Flag { name: "calls", default: "500", help: "how many calls each server begins before the next takes over" },
    Flag {
        name: "keep_socket",
        default: "false",
        help: "hand the listening socket on, so that nobody is refused meanwhile; else each server binds its own",
    },
];

/// How long servers may take to go. No call takes as long.
const GRACE: Duration = Duration::from_secs(30);
/// How long a handler takes at most, in milliseconds.
const WORK: u64 = 20;

/// What was seen, by all servers together.
#[derive(Clone)]
struct Record {
    calls: Arc<Mutex<BTreeMap<String, u32>>>,
    /// How many calls have begun.
    begun: Arc<watch::Sender<u64>>,
    /// How many are under way.
    running: Arc<watch::Sender<u64>>,
    servers: Arc<watch::Sender<Servers>>,
}

/// The servers that were told to go.
#[derive(Clone, Debug, Default)]
struct Servers {
    told: usize,
    /// How many calls each had that has gone.
    gone: Vec<u64>,
}

/// A call that is under way.
struct Running(Record);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

impl Record {
    fn begin(&self, name: &[u8]) -> Running {
        let name = String::from_utf8_lossy(name).into_owned();
        *self.calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).entry(name).or_default() += 1;
        self.running.send_modify(|running| *running += 1);
        self.begun.send_modify(|begun| *begun += 1);
        Running(self.clone())
    }

    async fn report(&self) -> String {
        let mut servers = self.servers.subscribe();
        // They are gone when their calls are, or not at all: then the report says less than was asked for.
        let all = servers.wait_for(|servers| servers.gone.len() == servers.told);
        let _ = tokio::time::timeout(GRACE, all).await;
        let servers = self.servers.borrow().clone();
        let mut lines = format!("told {}\n", servers.told);
        for (number, calls) in servers.gone.iter().enumerate() {
            let _ = writeln!(lines, "gone {number} {calls}");
        }
        for (name, times) in self.calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).iter() {
            let _ = writeln!(lines, "call {name} {times}");
        }
        lines
    }
}

impl EchoServicer for Record {
    async fn unary_unary(&self, request: Blob, context: &mut ServerContext) -> Result<Blob, Status> {
        if context.invocation_metadata().contains_key("x-report") {
            return Ok(Blob { body: self.report().await.into_bytes() });
        }
        let _running = self.begin(&request.body);
        let work =
            request.body.iter().fold(7, |work: u64, byte| work.wrapping_mul(31).wrapping_add((*byte).into())) % WORK;
        tokio::time::sleep(Duration::from_millis(work)).await;
        Ok(request)
    }

    async fn stream_stream(
        &self,
        mut requests: Requests<Blob>,
        responses: &mut Responses<Blob>,
        _: &mut ServerContext,
    ) -> Result<(), Status> {
        let mut running = None;
        while let Some(request) = requests.message().await? {
            running.get_or_insert_with(|| self.begin(&request.body));
            responses.send(request).await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Flags::parse(&FLAGS, std::env::args().skip(1)) {
        Ok(flags) => run(&flags).await,
        Err(error) => Err(format!("{error}\n\n{}", usage("restarting_server", ABOUT, &FLAGS)).into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("restarting_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let (calls, keep_socket) = (flags.number("calls", 1..)?, flags.bool("keep_socket")?);
    let record = Record {
        calls: Arc::default(),
        begun: Arc::new(watch::Sender::new(0)),
        running: Arc::new(watch::Sender::new(0)),
        servers: Arc::new(watch::Sender::new(Servers::default())),
    };
    let kept = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = kept.local_addr()?;
    let mut kept = Some(kept);
    let mut running = serve(&record, address, kept.as_ref()).await?;
    if !keep_socket {
        kept = None;
    }
    println!("listening on {address}");
    let until_stdin_closes = flags.bool(UNTIL_STDIN_CLOSES.name)?;
    let restarting = async {
        let mut begun = record.begun.subscribe();
        for round in 1.. {
            begun.wait_for(|begun| *begun >= round * u64::from(calls)).await?;
            let (old, under_way) = (running, *record.running.borrow());
            record.servers.send_modify(|servers| servers.told += 1);
            let servers = record.servers.clone();
            tokio::spawn(async move {
                old.shutdown(GRACE).await;
                servers.send_modify(|servers| servers.gone.push(under_way));
            });
            running = serve(&record, address, kept.as_ref()).await?;
        }
        Ok(())
    };
    let ended = async {
        if !until_stdin_closes {
            std::future::pending::<()>().await;
        }
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    };
    tokio::select! {
        result = restarting => result,
        () = ended => Ok(()),
    }
}

/// The next server: on the socket that is kept, or as soon as the one before no longer listens.
async fn serve(
    record: &Record,
    address: SocketAddr,
    kept: Option<&std::net::TcpListener>,
) -> Result<RunningServer, Box<dyn Error>> {
    let server = Server::builder().add_service(EchoServer::new(record.clone()));
    if let Some(kept) = kept {
        return Ok(server.bind_listener(kept.try_clone()?).await?);
    }
    let listener = loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            bound => break bound?,
        }
    };
    Ok(server.bind_listener(listener).await?)
}
