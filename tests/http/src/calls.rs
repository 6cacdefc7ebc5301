//! Our client, over HTTP/2.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callwright::{Channel, Code, Compression};
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::Failure;
use crate::report::{Report, same};
use crate::servers::{self, Running};
use crate::service::{Notes, blob, server};
use callwright_http_tests::echo::EchoStub;
use callwright_http_tests::helloworld::{GreeterStub, HelloRequest};

/// How large a message of a large stream is, and how many there are: 16 MiB.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 256;
/// How many of them may be on their way to somebody who does not read: what both windows and all buffers hold, at most.
const AHEAD: usize = PIECES / 2;
/// How long a counter has to stand still.
const STILL: Duration = Duration::from_millis(300);

/// A server, and what its handlers note.
#[derive(Clone)]
struct Setting {
    target: String,
    notes: Arc<Notes>,
}

impl Setting {
    fn channel(&self) -> Result<Channel, Failure> {
        Ok(Channel::new(&self.target)?)
    }

    fn greeter(&self) -> Result<GreeterStub, Failure> {
        Ok(GreeterStub::new(self.channel()?))
    }

    fn echo(&self) -> Result<EchoStub, Failure> {
        Ok(EchoStub::new(self.channel()?))
    }
}

type Test = fn(Setting) -> Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

const ROWS: [(&str, Test); 14] = [
    ("unary", |setting| Box::pin(unary(setting))),
    ("server_streaming", |setting| Box::pin(server_streaming(setting))),
    ("client_streaming", |setting| Box::pin(client_streaming(setting))),
    ("bidi", |setting| Box::pin(bidi(setting))),
    ("metadata", |setting| Box::pin(metadata(setting))),
    ("status", |setting| Box::pin(status(setting))),
    ("early_end", |setting| Box::pin(early_end(setting))),
    ("compression", |setting| Box::pin(compression(setting))),
    ("deadline", |setting| Box::pin(deadline(setting))),
    ("cancel", |setting| Box::pin(cancel(setting))),
    ("disconnect", |setting| Box::pin(disconnect(setting))),
    ("large_response_bounded", |setting| Box::pin(large_response(setting))),
    ("large_request_bounded", |setting| Box::pin(large_request(setting))),
    ("plain_grpc_over_http1_refused", |setting| Box::pin(over_http1(setting))),
];

pub(crate) async fn run(report: &mut Report) -> Result<(), Failure> {
    for (name, test) in ROWS {
        let notes = Arc::default();
        let running = servers::axum(server(&notes).into_http_service()?, std::future::pending()).await?;
        report.run(&format!("axum/{name}"), test(Setting { target: running.target(), notes })).await;
    }
    for (name, test) in ROWS {
        let notes = Arc::default();
        let running = servers::hyper(server(&notes).into_http_service()?).await?;
        report.run(&format!("hyper/{name}"), test(Setting { target: running.target(), notes })).await;
    }
    report.run("axum/route_beside", route_beside()).await;
    report.run("axum/peer", peer()).await;
    report.run("axum/graceful", graceful()).await;
    Ok(())
}

fn hello(name: &str) -> HelloRequest {
    HelloRequest { name: name.into() }
}

async fn unary(setting: Setting) -> Result<(), Failure> {
    same("message", setting.greeter()?.say_hello(hello("you")).await?.message, "Hello, you!".into())
}

async fn server_streaming(setting: Setting) -> Result<(), Failure> {
    let mut replies = setting.echo()?.unary_stream(blob("100 10")).await?;
    let mut count = 0;
    while let Some(reply) = replies.message().await? {
        same("size", reply.body.len(), 10)?;
        count += 1;
    }
    same("messages", count, 100)
}

async fn client_streaming(setting: Setting) -> Result<(), Failure> {
    let requests = stream::iter((0..100).map(|_| blob([7; 10])));
    same("bytes", setting.echo()?.stream_unary().send_all(requests).await?, blob("1000"))
}

async fn bidi(setting: Setting) -> Result<(), Failure> {
    let (mut requests, mut replies) = setting.echo()?.stream_stream().start();
    for word in ["one", "two", "three"] {
        requests.send(blob(word)).await?;
        same("reply", replies.message().await?, Some(blob(word)))?;
    }
    requests.finish();
    same("end", replies.message().await?, None)
}

async fn metadata(setting: Setting) -> Result<(), Failure> {
    let response = setting.greeter()?.say_hello(hello("you")).send().await?;
    same("initial", response.initial_metadata().get("x-greeter"), Some("yes"))?;
    same("trailing", response.trailing_metadata().get("cost"), Some("3"))?;
    same("binary", response.trailing_metadata().get_bin("cost-bin"), Some(&[0, 1, 2][..]))
}

async fn status(setting: Setting) -> Result<(), Failure> {
    let Err(status) = setting.greeter()?.say_hello(hello("nobody")).await else {
        return Err("it succeeded".into());
    };
    let got = (status.code(), status.message(), status.details());
    same("status", got, (Code::NotFound, "nobody is here: ✗", &b"details"[..]))?;
    let mut replies = setting.echo()?.unary_stream(blob("fail after one")).await?;
    same("message", replies.message().await?, Some(blob("one")))?;
    same("code", replies.message().await.map_err(|status| status.code()), Err(Code::OutOfRange))
}

/// The server ends the call while the client still sends.
async fn early_end(setting: Setting) -> Result<(), Failure> {
    let echo = setting.echo()?;
    for before in [0, 100] {
        let requests = stream::iter((0..before).map(|_| blob("one"))).chain(stream::repeat_with(|| blob("enough")));
        let mut replies = match echo.stream_stream().send_all(requests).await {
            Ok(replies) => replies,
            Err(status) => {
                same("code", status.code(), Code::OutOfRange)?;
                continue;
            }
        };
        for _ in 0..before {
            same("reply", replies.message().await?, Some(blob("one")))?;
        }
        same("code", replies.message().await.map_err(|status| status.code()), Err(Code::OutOfRange))?;
    }
    Ok(())
}

async fn compression(setting: Setting) -> Result<(), Failure> {
    let (long, echo) = (blob(vec![7; 100_000]), setting.echo()?);
    for compression in [Compression::Gzip, Compression::Deflate] {
        same("message", echo.unary_unary(long.clone()).compression(compression).await? == long, true)?;
    }
    Ok(())
}

async fn deadline(setting: Setting) -> Result<(), Failure> {
    let call = setting.greeter()?.say_hello(hello("forever")).timeout(Duration::from_millis(200));
    same("code", call.await.map_err(|status| status.code()), Err(Code::DeadlineExceeded))?;
    setting.notes.until_dropped(1).await;
    Ok(())
}

async fn cancel(setting: Setting) -> Result<(), Failure> {
    // Before there is a response, and in the middle of one.
    let call = tokio::spawn(setting.greeter()?.say_hello(hello("forever")).into_future());
    setting.notes.until_waiting(1).await;
    call.abort();
    setting.notes.until_dropped(1).await;
    let mut replies = setting.echo()?.unary_stream(blob("forever after one")).await?;
    same("message", replies.message().await?, Some(blob("one")))?;
    setting.notes.until_waiting(2).await;
    drop(replies);
    setting.notes.until_dropped(2).await;
    Ok(())
}

async fn disconnect(setting: Setting) -> Result<(), Failure> {
    let channel = setting.channel()?;
    let call = tokio::spawn(GreeterStub::new(channel.clone()).say_hello(hello("forever")).into_future());
    setting.notes.until_waiting(1).await;
    channel.close();
    setting.notes.until_dropped(1).await;
    same("code", call.await?.map_err(|status| status.code()), Err(Code::Cancelled))
}

/// Waits until a counter stands still, and says where.
async fn still(counter: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    loop {
        let now = counter.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return now;
        }
        before = now;
        tokio::time::sleep(STILL).await;
    }
}

async fn large_response(setting: Setting) -> Result<(), Failure> {
    let mut replies = setting.echo()?.unary_stream(blob(format!("{PIECES} {PIECE}"))).await?;
    let ahead = still(&setting.notes.sent).await;
    if ahead > AHEAD {
        return Err(format!("{ahead} messages of {PIECE} bytes were sent to somebody who does not read").into());
    }
    let mut count = 0;
    while let Some(reply) = replies.message().await? {
        same("size", reply.body.len(), PIECE)?;
        count += 1;
    }
    same("messages", count, PIECES)
}

async fn large_request(setting: Setting) -> Result<(), Failure> {
    let (mut requests, reply) = setting.echo()?.stream_unary().metadata("wait", "yes").start();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..PIECES {
            requests.send(blob(vec![7; PIECE])).await?;
            counter.fetch_add(1, Ordering::Relaxed);
        }
        requests.finish();
        Ok::<_, callwright::Status>(())
    });
    let ahead = still(&sent).await;
    if ahead > AHEAD {
        return Err(format!("{ahead} messages of {PIECE} bytes were taken by somebody who does not read").into());
    }
    setting.notes.go.notify_one();
    sending.await??;
    same("bytes", reply.await?, blob((PIECES * PIECE).to_string()))
}

/// The response to a request of HTTP/1.1, whole.
async fn http1(target: &str, request: &str) -> Result<String, Failure> {
    let mut socket = TcpStream::connect(target).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    socket.read_to_string(&mut response).await?;
    Ok(response)
}

async fn over_http1(setting: Setting) -> Result<(), Failure> {
    let head = "POST /helloworld.Greeter/SayHello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    let request = format!("{head}content-type: application/grpc\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0");
    let response = http1(&setting.target, &request).await?;
    same("line", response.lines().next(), Some("HTTP/1.1 505 HTTP Version Not Supported"))?;
    same("says why", response.contains("gRPC needs HTTP/2"), true)?;
    same("calls", setting.notes.begun.load(Ordering::Relaxed), 0)
}

async fn greeting(notes: &Arc<Notes>) -> Result<(Running, Setting), Failure> {
    let running = servers::axum(server(notes).into_http_service()?, std::future::pending()).await?;
    let setting = Setting { target: running.target(), notes: notes.clone() };
    Ok((running, setting))
}

async fn route_beside() -> Result<(), Failure> {
    let (_running, setting) = greeting(&Arc::default()).await?;
    let response = http1(&setting.target, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    same("line", response.lines().next(), Some("HTTP/1.1 200 OK"))?;
    same("body", response.ends_with("\r\n\r\nhome"), true)?;
    unary(setting).await
}

async fn peer() -> Result<(), Failure> {
    let (_running, setting) = greeting(&Arc::default()).await?;
    let peer = setting.greeter()?.say_hello(hello("peer")).await?.message;
    same("is an address of this machine", peer.starts_with("ipv4:127.0.0.1:"), true)
}

async fn graceful() -> Result<(), Failure> {
    let notes = Arc::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let signal = async move { drop(stopped.await) };
    let mut running = servers::axum(server(&notes).into_http_service()?, signal).await?;
    let setting = Setting { target: running.target(), notes };
    let channel = setting.channel()?;
    let mut replies = EchoStub::new(channel.clone()).unary_stream(blob("steps")).await?;
    same("message", replies.message().await?, Some(blob("first")))?;
    let _ = stop.send(());
    // It has said that it takes no more calls.
    channel.watch_state().wait_for(callwright::ConnectivityState::Idle).await;
    setting.notes.go.notify_one();
    same("message", replies.message().await?, Some(blob("second")))?;
    same("end", replies.message().await?, None)?;
    running.ended().await
}
