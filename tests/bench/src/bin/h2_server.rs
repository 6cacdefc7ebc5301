//! A bare h2 server, without gRPC: it answers every request with its own body.

use std::net::SocketAddr;

use bytes::Bytes;
use callwright_bench::Failure;
use callwright_bench::server::{self, MAX_CONCURRENT_STREAMS, MAX_MESSAGE_BYTES};
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// As hyper, and so tonic, has it.
const WINDOW: u32 = 1 << 20;

fn main() -> Result<(), Failure> {
    server::run(serve)
}

async fn serve(address: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            // A client that leaves is no failure of the server.
            let _ = connection(socket).await;
        });
    }
}

async fn connection(socket: TcpStream) -> Result<(), Failure> {
    let mut connection = Builder::new()
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buffer_size(MAX_MESSAGE_BYTES)
        .handshake(socket)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(async move {
            // A client that has reset its stream gets no answer.
            let _ = echo(request, respond).await;
        });
    }
    Ok(())
}

async fn echo(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), Failure> {
    let mut body = request.into_body();
    let head = Response::builder().header("content-type", "application/grpc").body(())?;
    let mut response = respond.send_response(head, false)?;
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        response.send_data(data, false)?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    response.send_trailers(trailers)?;
    Ok(())
}
