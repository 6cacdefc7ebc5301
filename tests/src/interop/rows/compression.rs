//! The rows of `_compression_test.py` (64 and 2 of single messages) and of aio's `compression_test.py` (8).
//!
//! The flags of responses are those that our client sees; those of requests are what a third party read on the wire: the
//! server's proxy, which tells them in the trailing metadata.

use callwright::{Call, Channel, Code, Compression, Metadata, Status};
use futures_util::stream;

use super::server::Server;
use super::{Failure, Rows, TIMEOUT, blob, equal};
use crate::echo::EchoStub;

const STREAM_LENGTH: usize = 12;
const SIZE: usize = 100;
const SWITCH: [(&str, Option<Compression>); 2] = [("none", None), ("gzip", Some(Compression::Gzip))];
const GZIP: Option<Compression> = Some(Compression::Gzip);
const DEFLATE: Option<Compression> = Some(Compression::Deflate);

/// One of the four kinds of call.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    client_streams: bool,
    server_streams: bool,
}

const UNARY_UNARY: Kind = Kind { name: "unary_unary", client_streams: false, server_streams: false };
const UNARY_STREAM: Kind = Kind { name: "unary_stream", client_streams: false, server_streams: true };
const STREAM_UNARY: Kind = Kind { name: "stream_unary", client_streams: true, server_streams: false };
const STREAM_STREAM: Kind = Kind { name: "stream_stream", client_streams: true, server_streams: true };

/// What one call is set to.
#[derive(Clone, Copy)]
struct Settings<'a> {
    kind: Kind,
    on_channel: Option<Compression>,
    on_call: Option<Compression>,
    /// What the server is told, as metadata.
    script: &'a [(&'a str, &'a str)],
}

/// The flag bytes of a call's messages, as digits.
#[derive(Debug, PartialEq)]
struct FlagBytes {
    requests: String,
    responses: String,
}

impl FlagBytes {
    fn new(requests: impl Into<String>, responses: impl Into<String>) -> FlagBytes {
        FlagBytes { requests: requests.into(), responses: responses.into() }
    }
}

pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    matrix(rows).await?;
    single_messages(rows).await?;
    without_gzip(rows).await?;
    of_responses(rows).await
}

async fn matrix(rows: &mut Rows) -> Result<(), Failure> {
    for (server_name, on_server) in SWITCH {
        let flag = format!("--compression={}", on_server.unwrap_or(Compression::None));
        let server = Server::start(&rows.server, &["--observe", &flag]).await?;
        for kind in [UNARY_UNARY, UNARY_STREAM, STREAM_UNARY, STREAM_STREAM] {
            for bits in 0..8 {
                let [channel, call, response] = [4, 2, 1].map(|bit| SWITCH[usize::from(bits & bit != 0)]);
                let name = format!(
                    "compression/{}/channel-{}/call-{}/server-{server_name}/response-{}",
                    kind.name, channel.0, call.0, response.0
                );
                let script: &[_] = if response.1.is_some() { &[("x-response-compression", "gzip")] } else { &[] };
                let settings = Settings { kind, on_channel: channel.1, on_call: call.1, script };
                let expected = FlagBytes::new(
                    digits(channel.1.or(call.1).is_some(), kind.client_streams),
                    digits(on_server.or(response.1).is_some(), kind.server_streams),
                );
                rows.run(&name, succeeds(&server, settings, expected)).await;
            }
        }
    }
    Ok(())
}

async fn single_messages(rows: &mut Rows) -> Result<(), Failure> {
    let server = Server::start(&rows.server, &["--observe", "--compression=deflate"]).await?;
    let resets = format!("0{}", "1".repeat(STREAM_LENGTH - 1));
    for (name, plain, expected) in
        [("disable_next", "all", "0".repeat(STREAM_LENGTH)), ("disable_next_resets", "0", resets)]
    {
        let script = &[("x-plain", plain)];
        let settings = Settings { kind: UNARY_STREAM, on_channel: None, on_call: None, script };
        let expected = FlagBytes::new("0", expected);
        rows.run(&format!("compression/{name}"), succeeds(&server, settings, expected)).await;
    }
    Ok(())
}

/// An aio server that takes deflate, and gzip no more.
async fn without_gzip(rows: &mut Rows) -> Result<(), Failure> {
    let server = Server::start(&rows.server, &["--observe", "--aio", "--accept=deflate"]).await?;
    for (place, gzip, deflate) in [("channel", (GZIP, None), (DEFLATE, None)), ("call", (None, GZIP), (None, DEFLATE))]
    {
        let settings = |(on_channel, on_call)| Settings { kind: UNARY_UNARY, on_channel, on_call, script: &[] };
        let refused = fails(&server, settings(gzip), Code::Unimplemented);
        rows.run(&format!("compression/aio/{place}_gzip_where_it_is_disabled"), refused).await;
        let taken = succeeds(&server, settings(deflate), FlagBytes::new("1", "0"));
        rows.run(&format!("compression/aio/{place}_deflate"), taken).await;
    }
    Ok(())
}

/// What an aio handler may set, and when.
async fn of_responses(rows: &mut Rows) -> Result<(), Failure> {
    let settings = |kind, script| Settings { kind, on_channel: None, on_call: None, script };
    let server = Server::start(&rows.server, &["--observe", "--aio"]).await?;
    rows.run("compression/aio/set_compression_only_before_the_initial_metadata", async {
        let early = &[("x-response-compression", "gzip"), ("x-responses", "3")];
        succeeds(&server, settings(UNARY_STREAM, early), FlagBytes::new("0", "111")).await?;
        let late = &[("x-response-compression", "gzip"), ("x-metadata-first", "1")];
        // The handler gets an exception, which grpcio makes UNKNOWN.
        fails(&server, settings(UNARY_STREAM, late), Code::Unknown).await
    })
    .await;
    let script = &[("x-response-compression", "gzip"), ("x-plain", "0")];
    let unary = succeeds(&server, settings(UNARY_UNARY, script), FlagBytes::new("0", "0"));
    rows.run("compression/aio/disable_compression_unary", unary).await;
    let script = &[("x-response-compression", "gzip"), ("x-plain", "1"), ("x-responses", "3")];
    let stream = succeeds(&server, settings(UNARY_STREAM, script), FlagBytes::new("0", "101"));
    rows.run("compression/aio/disable_compression_stream", stream).await;

    let server = Server::start(&rows.server, &["--observe", "--aio", "--compression=deflate"]).await?;
    let default = succeeds(&server, settings(UNARY_UNARY, &[]), FlagBytes::new("0", "1"));
    rows.run("compression/aio/server_default_deflate", default).await;
    Ok(())
}

async fn succeeds(server: &Server, settings: Settings<'_>, expected: FlagBytes) -> Result<(), Failure> {
    equal("flag bytes", call(server, settings).await?, expected)
}

async fn fails(server: &Server, settings: Settings<'_>, code: Code) -> Result<(), Failure> {
    match call(server, settings).await {
        Ok(flags) => Err(Failure(format!("the call succeeded with {flags:?}, expected {code}"))),
        Err(status) => equal("code", status.code(), code),
    }
}

/// Makes one call on a channel of its own. Every message must arrive intact.
async fn call(server: &Server, settings: Settings<'_>) -> Result<FlagBytes, Status> {
    let mut channel = Channel::builder(server.target());
    if let Some(compression) = settings.on_channel {
        channel = channel.compression(compression);
    }
    let channel = channel.build().map_err(|error| Status::internal(error.to_string()))?;
    let stub = EchoStub::new(channel);
    let (mut responses, expected) = match (settings.kind.client_streams, settings.kind.server_streams) {
        (false, false) => {
            let response = with(stub.unary_unary(blob(SIZE)), settings).send().await?;
            intact(response.message())?;
            return Ok(FlagBytes::new(told(response.trailing_metadata()), digit(response.was_compressed())));
        }
        (true, false) => {
            let (mut sender, reply) = with(stub.stream_unary(), settings).start();
            for _ in 0..STREAM_LENGTH {
                sender.send(blob(SIZE)).await?;
            }
            sender.finish();
            let response = reply.response().await?;
            intact(response.message())?;
            return Ok(FlagBytes::new(told(response.trailing_metadata()), digit(response.was_compressed())));
        }
        (false, true) => {
            let call = with(stub.unary_stream(blob(SIZE)), settings);
            let asked = settings.script.iter().find(|(key, _)| *key == "x-responses");
            let expected = asked.and_then(|(_, value)| value.parse().ok());
            match expected {
                Some(expected) => (call.await?, expected),
                None => (call.metadata("x-responses", STREAM_LENGTH.to_string()).await?, STREAM_LENGTH),
            }
        }
        (true, true) => {
            let requests = stream::iter((0..STREAM_LENGTH).map(|_| blob(SIZE)));
            (with(stub.stream_stream(), settings).send_all(requests).await?, STREAM_LENGTH)
        }
    };
    let mut flags = String::new();
    while let Some(message) = responses.message().await? {
        intact(&message)?;
        flags.push_str(digit(responses.last_was_compressed()));
    }
    if flags.len() != expected {
        return Err(Status::data_loss(format!("{} responses came, expected {expected}", flags.len())));
    }
    Ok(FlagBytes::new(responses.trailing_metadata().map(told).unwrap_or_default(), flags))
}

fn with<K, Req, Res>(mut call: Call<K, Req, Res>, settings: Settings<'_>) -> Call<K, Req, Res> {
    for (key, value) in settings.script {
        call = call.metadata(key, *value);
    }
    if let Some(compression) = settings.on_call {
        call = call.compression(compression);
    }
    call.timeout(TIMEOUT)
}

fn intact(message: &crate::echo::Blob) -> Result<(), Status> {
    if *message == blob(SIZE) { Ok(()) } else { Err(Status::data_loss("a message did not arrive as it was sent")) }
}

fn told(trailing: &Metadata) -> String {
    trailing.get("x-request-flags").unwrap_or("not told").to_owned()
}

fn digit(flag: bool) -> &'static str {
    if flag { "1" } else { "0" }
}

fn digits(flag: bool, streams: bool) -> String {
    digit(flag).repeat(if streams { STREAM_LENGTH } else { 1 })
}
