//! The rows of `_metadata_flags_test.py` (24) and of aio's `wait_for_ready_test.py` (12).
//!
//! Calls that wait are made while nobody listens, and released by a server that starts when every channel has failed to
//! connect.

use std::future::Future;
use std::pin::Pin;

use callwright::{Call, Channel, Code, ConnectivityState, Status, Streaming};
use futures_util::stream;
use tokio::task::JoinHandle;

use super::server::{Server, closed_port, target};
use super::{Failure, Rows, TIMEOUT, blob, equal};
use crate::echo::{Blob, EchoStub};

/// One way to make a call, with the flag of the row.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    call: fn(EchoStub, Option<bool>) -> Running,
}

type Running = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// The eight ways of grpcio, as ours: awaited, with the metadata around the response, and on a task of its own.
const WAYS: [Way; 8] = [
    Way { name: "unary_unary_call", call: |stub, wait| Box::pin(unary_unary(stub, wait)) },
    Way { name: "unary_unary_with_call", call: |stub, wait| Box::pin(unary_unary_with_metadata(stub, wait)) },
    Way { name: "unary_unary_future", call: |stub, wait| Box::pin(joined(tokio::spawn(unary_unary(stub, wait)))) },
    Way { name: "unary_stream_call", call: |stub, wait| Box::pin(unary_stream(stub, wait, STREAMS)) },
    Way { name: "stream_unary_call", call: |stub, wait| Box::pin(stream_unary(stub, wait, STREAMS)) },
    Way { name: "stream_unary_with_call", call: |stub, wait| Box::pin(stream_unary_with_metadata(stub, wait)) },
    Way {
        name: "stream_unary_future",
        call: |stub, wait| Box::pin(joined(tokio::spawn(stream_unary(stub, wait, STREAMS)))),
    },
    Way { name: "stream_stream_call", call: |stub, wait| Box::pin(stream_stream(stub, wait, STREAMS)) },
];

/// The four kinds of aio's test, whose server is an aio server too.
const AIO_WAYS: [Way; 4] = [
    Way { name: "unary_unary", call: |stub, wait| Box::pin(unary_unary(stub, wait)) },
    Way { name: "unary_stream", call: |stub, wait| Box::pin(unary_stream(stub, wait, AIO_STREAMS)) },
    Way { name: "stream_unary", call: |stub, wait| Box::pin(stream_unary(stub, wait, AIO_STREAMS)) },
    Way { name: "stream_stream", call: |stub, wait| Box::pin(ping_pong(stub, wait)) },
];

/// How long the streams of a call are, and how large their messages.
#[derive(Clone, Copy)]
struct Streams {
    length: usize,
    size: usize,
}

const STREAMS: Streams = Streams { length: 200, size: 3 };
const AIO_STREAMS: Streams = Streams { length: 5, size: 42 };

pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    for (prefix, ways, flags) in [("wait_for_ready", &WAYS[..], &[][..]), ("wait_for_ready/aio", &AIO_WAYS, &["--aio"])]
    {
        if !flags.is_empty() && !rows.aio {
            continue;
        }
        for way in ways {
            rows.run(&format!("{prefix}/default/{}", way.name), fails_fast(way, None)).await;
            rows.run(&format!("{prefix}/disabled/{}", way.name), fails_fast(way, Some(false))).await;
        }
        enabled(rows, prefix, ways, flags).await?;
    }
    Ok(())
}

async fn fails_fast(way: &Way, wait_for_ready: Option<bool>) -> Result<(), Failure> {
    let stub = EchoStub::new(Channel::new(target(closed_port()?))?);
    match (way.call)(stub, wait_for_ready).await {
        Ok(()) => Err(Failure("the call succeeded without a server".to_owned())),
        Err(status) => equal("code", status.code(), Code::Unavailable),
    }
}

/// Every way at once, each on a channel of its own.
async fn enabled(rows: &mut Rows, prefix: &str, ways: &[Way], flags: &[&str]) -> Result<(), Failure> {
    let port = closed_port()?;
    let mut waiting = Vec::new();
    for way in ways {
        let name = format!("{prefix}/enabled/{}", way.name);
        if rows.wants(&name) {
            let channel = Channel::new(target(port))?;
            let call = tokio::spawn((way.call)(EchoStub::new(channel.clone()), Some(true)));
            waiting.push((name, channel, call));
        }
    }
    for (_, channel, _) in &waiting {
        let mut states = channel.watch_state();
        tokio::time::timeout(TIMEOUT, states.wait_for(ConnectivityState::TransientFailure)).await?;
    }
    if waiting.is_empty() {
        return Ok(());
    }
    let port = format!("--port={port}");
    let _server = Server::start(&rows.server, &[flags, &[port.as_str()]].concat()).await?;
    for (name, _, call) in waiting {
        rows.run(&name, async { Ok(joined(call).await?) }).await;
    }
    Ok(())
}

async fn unary_unary(stub: EchoStub, wait: Option<bool>) -> Result<(), Status> {
    same(&with(stub.unary_unary(blob(STREAMS.size)), wait).await?, STREAMS)
}

async fn unary_unary_with_metadata(stub: EchoStub, wait: Option<bool>) -> Result<(), Status> {
    same(with(stub.unary_unary(blob(STREAMS.size)), wait).send().await?.message(), STREAMS)
}

async fn unary_stream(stub: EchoStub, wait: Option<bool>, streams: Streams) -> Result<(), Status> {
    let call = with(stub.unary_stream(blob(streams.size)), wait).metadata("x-responses", streams.length.to_string());
    drain(call.await?, streams).await
}

async fn stream_unary(stub: EchoStub, wait: Option<bool>, streams: Streams) -> Result<(), Status> {
    let requests = stream::iter((0..streams.length).map(move |_| blob(streams.size)));
    same(&with(stub.stream_unary(), wait).send_all(requests).await?, streams)
}

async fn stream_unary_with_metadata(stub: EchoStub, wait: Option<bool>) -> Result<(), Status> {
    let (mut requests, reply) = with(stub.stream_unary(), wait).start();
    for _ in 0..STREAMS.length {
        requests.send(blob(STREAMS.size)).await?;
    }
    requests.finish();
    same(reply.response().await?.message(), STREAMS)
}

async fn stream_stream(stub: EchoStub, wait: Option<bool>, streams: Streams) -> Result<(), Status> {
    let requests = stream::iter((0..streams.length).map(move |_| blob(streams.size)));
    drain(with(stub.stream_stream(), wait).send_all(requests).await?, streams).await
}

async fn ping_pong(stub: EchoStub, wait: Option<bool>) -> Result<(), Status> {
    let (mut requests, mut responses) = with(stub.stream_stream(), wait).start();
    for _ in 0..AIO_STREAMS.length {
        requests.send(blob(AIO_STREAMS.size)).await?;
        same(&responses.message().await?.unwrap_or_default(), AIO_STREAMS)?;
    }
    requests.finish();
    match responses.message().await? {
        None => Ok(()),
        Some(_) => Err(Status::data_loss("more responses came than requests went out")),
    }
}

async fn joined(call: JoinHandle<Result<(), Status>>) -> Result<(), Status> {
    call.await.unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}

async fn drain(mut responses: Streaming<Blob>, streams: Streams) -> Result<(), Status> {
    let mut count = 0;
    while let Some(response) = responses.message().await? {
        same(&response, streams)?;
        count += 1;
    }
    if count == streams.length {
        return Ok(());
    }
    Err(Status::data_loss(format!("{count} responses came, expected {}", streams.length)))
}

fn same(response: &Blob, streams: Streams) -> Result<(), Status> {
    if *response == blob(streams.size) {
        Ok(())
    } else {
        Err(Status::data_loss("a message did not come as it was sent"))
    }
}

fn with<K, Req, Res>(call: Call<K, Req, Res>, wait: Option<bool>) -> Call<K, Req, Res> {
    let call = call.timeout(TIMEOUT);
    match wait {
        Some(wait) => call.wait_for_ready(wait),
        None => call,
    }
}
