//! The flags of all servers, and those of all clients.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::*;

const SERVER_USAGE: &str = "\
Serves helloworld.Greeter/SayHello on 127.0.0.1, and helloworld.Streamer where the library has streams.

Options:
  --port P     the port (default: 50051)
  --threads N  Tokio's workers; 1 is its current_thread runtime (default: 1)
  --control    answers each line `report` on stdin with what the process has used, and ends at the end of stdin;
               without it the server runs until it is killed, for an hour at most
  --help       this text";

const CLIENT_USAGE: &str = "\
Calls a server of this suite, and prints how that went.

Options:
  --host H          where the server is (default: 127.0.0.1)
  --port P          its port (default: 50051)
  --connections C   how many connections; all are there before the time starts (default: 1)
  --concurrency M   how many calls are in flight on each (default: 1)
  --duration S      how many seconds are measured (default: 5)
  --warmup S        how many seconds of load come before (default: 0)
  --calls N         so many calls in all, in place of a time; nothing is warmed up
  --rate R          open loop: so many calls a second start whatever becomes of the others, at most C x M in flight,
                    and latencies count from when a call should have started
  --mode MODE       unary, server_stream, client_stream, bidi, or idle: one call on each connection, which are then
                    held until stdin or the duration ends (default: unary)
  --size BYTES      how large a message is (default: 100)
  --messages N      how many messages a stream has (default: 1000)
  --threads N       Tokio's workers; 1 is its current_thread runtime (default: 1)
  --help            this text";

/// What a server is told.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerFlags {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Tokio's workers.
    pub threads: usize,
    /// Whether it listens to its stdin.
    pub control: bool,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One message each way.
    Unary,
    /// One request, a stream of responses.
    ServerStream,
    /// A stream of requests, one response.
    ClientStream,
    /// A stream both ways: all that is sent comes back.
    Bidi,
    /// Connections that are held, after one call on each.
    Idle,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientFlags {
    /// Where the server is.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How many connections.
    pub connections: usize,
    /// How many calls at once on each.
    pub concurrency: usize,
    /// How long it is measured.
    pub duration: Duration,
    /// How long there is load before.
    pub warmup: Duration,
    /// How many calls, in place of a time.
    pub calls: Option<u64>,
    /// How many calls start in a second, where they do not wait for each other.
    pub rate: Option<f64>,
    /// What it does.
    pub mode: Mode,
    /// Bytes in a message.
    pub size: usize,
    /// Messages in a stream.
    pub messages: u32,
    /// Tokio's workers.
    pub threads: usize,
}

impl Default for ServerFlags {
    fn default() -> Self {
        ServerFlags { port: 50051, threads: 1, control: false }
    }
}

impl Default for ClientFlags {
    fn default() -> Self {
        ClientFlags {
            host: "127.0.0.1".to_owned(),
            port: 50051,
            connections: 1,
            concurrency: 1,
            duration: Duration::from_secs(5),
            warmup: Duration::ZERO,
            calls: None,
            rate: None,
            mode: Mode::Unary,
            size: 100,
            messages: 1000,
            threads: 1,
        }
    }
}

impl ServerFlags {
    /// Those of this process; a mistake or `--help` ends it.
    pub fn from_env() -> ServerFlags {
        or_exit(ServerFlags::parse(std::env::args_os().skip(1)), SERVER_USAGE)
    }

    fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<ServerFlags>, lexopt::Error> {
        let mut flags = ServerFlags::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("port") => flags.port = parser.value()?.parse()?,
                Long("threads") => flags.threads = positive(&mut parser)?,
                Long("control") => flags.control = true,
                Short('h') | Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(flags))
    }
}

impl ClientFlags {
    /// Those of this process; a mistake or `--help` ends it.
    pub fn from_env() -> ClientFlags {
        or_exit(ClientFlags::parse(std::env::args_os().skip(1)), CLIENT_USAGE)
    }

    fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<ClientFlags>, lexopt::Error> {
        let mut flags = ClientFlags::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("host") => flags.host = parser.value()?.string()?,
                Long("port") => flags.port = parser.value()?.parse()?,
                Long("connections") => flags.connections = positive(&mut parser)?,
                Long("concurrency") => flags.concurrency = positive(&mut parser)?,
                Long("duration") => flags.duration = seconds(&mut parser)?,
                Long("warmup") => flags.warmup = seconds(&mut parser)?,
                Long("calls") => flags.calls = Some(parser.value()?.parse()?),
                Long("rate") => flags.rate = Some(rate(&mut parser)?),
                Long("mode") => flags.mode = mode(&mut parser)?,
                Long("size") => flags.size = parser.value()?.parse()?,
                Long("messages") => flags.messages = parser.value()?.parse()?,
                Long("threads") => flags.threads = positive(&mut parser)?,
                Short('h') | Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(flags))
    }
}

fn or_exit<T>(flags: Result<Option<T>, lexopt::Error>, usage: &str) -> T {
    match flags {
        Ok(Some(flags)) => flags,
        Ok(None) => {
            println!("{usage}");
            std::process::exit(0)
        }
        Err(error) => {
            eprintln!("{error}\n\n{usage}");
            std::process::exit(2)
        }
    }
}

fn positive(parser: &mut lexopt::Parser) -> Result<usize, lexopt::Error> {
    match parser.value()?.parse()? {
        0 => Err("a number of connections, calls or threads has to be 1 or more".into()),
        number => Ok(number),
    }
}

fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    let seconds = parser.value()?.parse()?;
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds} seconds: {error}").into())
}

fn rate(parser: &mut lexopt::Parser) -> Result<f64, lexopt::Error> {
    let rate: f64 = parser.value()?.parse()?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err(format!("{rate} calls/s is no rate").into()) }
}

fn mode(parser: &mut lexopt::Parser) -> Result<Mode, lexopt::Error> {
    match parser.value()?.string()?.as_str() {
        "unary" => Ok(Mode::Unary),
        "server_stream" => Ok(Mode::ServerStream),
        "client_stream" => Ok(Mode::ClientStream),
        "bidi" => Ok(Mode::Bidi),
        "idle" => Ok(Mode::Idle),
        other => Err(format!("no mode {other:?}: unary, server_stream, client_stream, bidi, idle").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(args: &[&str]) -> Result<Option<ClientFlags>, lexopt::Error> {
        ClientFlags::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn a_client_knows_what_it_is_told() {
        let flags = client(&["--mode", "bidi", "--duration", "0.5", "--rate", "1e4"]).unwrap().unwrap();
        assert_eq!((flags.mode, flags.duration, flags.rate), (Mode::Bidi, Duration::from_millis(500), Some(1e4)));
        assert_eq!(client(&["--help"]).unwrap(), None);
        for wrong in [["--mode", "both"], ["--duration", "-1"], ["--rate", "0"], ["--threads", "0"], ["--what", "1"]] {
            assert!(client(&wrong).is_err(), "{wrong:?}");
        }
    }
}
