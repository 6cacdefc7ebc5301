//! A bare h2 client, without gRPC: it sends bodies, and reads what comes back.

use std::process::ExitCode;

use bytes::Bytes;
use callwright_bench::Failure;
use callwright_bench::client::{self, Client, Job, expect};
use callwright_bench::flags::{ClientFlags, Mode};
use callwright_bench::server::MAX_CONCURRENT_STREAMS;
use h2::client::{Builder, SendRequest};
use http::{Request, Uri};
use tokio::net::TcpStream;

/// As hyper, and so tonic, has them.
const WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;
/// What is before a message: a flag, and its length.
const PREFIX: usize = 5;

struct Bare {
    requests: SendRequest<Bytes>,
    uri: Uri,
    body: Bytes,
}

impl Client for Bare {
    async fn connect(flags: &ClientFlags) -> Result<Self, Failure> {
        if !matches!(flags.mode, Mode::Unary | Mode::Idle) {
            return Err("the bare h2 client makes unary calls only".into());
        }
        let authority = format!("{}:{}", flags.host, flags.port);
        let socket = TcpStream::connect(&authority).await?;
        socket.set_nodelay(true)?;
        let (requests, connection) = Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(MAX_CONCURRENT_STREAMS as usize)
            .handshake(socket)
            .await?;
        tokio::spawn(async move {
            // Where the connection fails, so do its calls, and they are counted.
            let _ = connection.await;
        });
        let uri = format!("http://{authority}/helloworld.Greeter/SayHello").parse()?;
        Ok(Bare { requests: requests.ready().await?, uri, body: framed(flags.size)? })
    }

    async fn call(&self, _job: &Job) -> Result<u64, Failure> {
        let mut requests = self.requests.clone().ready().await?;
        let request = Request::post(self.uri.clone())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let (response, mut send) = requests.send_request(request, false)?;
        send.send_data(self.body.clone(), true)?;
        let mut body = response.await?.into_body();
        let mut came = 0;
        while let Some(data) = body.data().await {
            let data = data?;
            came += data.len();
            body.flow_control().release_capacity(data.len())?;
        }
        let trailers = body.trailers().await?.ok_or("a response without trailers")?;
        if trailers.get("grpc-status").is_none_or(|status| status != "0") {
            return Err(format!("a response ended with {trailers:?}").into());
        }
        expect("bytes", came as u64, self.body.len() as u64)?;
        Ok(1)
    }
}

/// A `HelloRequest` with a name of this size, encoded once and for all: any gRPC server can answer it, and a bare one
/// sends it back.
fn framed(size: usize) -> Result<Bytes, Failure> {
    let mut message = vec![0x0a];
    let mut rest = size;
    while rest >= 0x80 {
        message.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    message.push(rest as u8);
    message.resize(message.len() + size, b'x');
    let mut body = Vec::with_capacity(PREFIX + message.len());
    body.push(0);
    body.extend(u32::try_from(message.len())?.to_be_bytes());
    body.extend(message);
    Ok(body.into())
}

fn main() -> ExitCode {
    client::run::<Bare>()
}
