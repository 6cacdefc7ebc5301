//! Our server, as a user would write it.

use std::net::SocketAddr;

use callwright::{Requests, Responses, Server, ServerContext, Status};
use callwright_bench::Failure;
use callwright_bench::server::{self, MAX_CONCURRENT_STREAMS, MAX_MESSAGE_BYTES};
use helloworld::{
    Chunk, GreeterServer, GreeterServicer, HelloReply, HelloRequest, Received, StreamerServer, StreamerServicer, Wanted,
};

mod helloworld {
    callwright::include_proto!("helloworld");
}

struct Greeter;

impl GreeterServicer for Greeter {
    async fn say_hello(&self, request: HelloRequest, _context: &mut ServerContext) -> Result<HelloReply, Status> {
        Ok(HelloReply { message: request.name })
    }
}

struct Streamer;

impl StreamerServicer for Streamer {
    async fn download(
        &self,
        wanted: Wanted,
        chunks: &mut Responses<Chunk>,
        _context: &mut ServerContext,
    ) -> Result<(), Status> {
        let body = vec![b'x'; wanted.size as usize];
        for _ in 0..wanted.messages {
            chunks.send(Chunk { body: body.clone() }).await?;
        }
        Ok(())
    }

    async fn upload(&self, mut chunks: Requests<Chunk>, _context: &mut ServerContext) -> Result<Received, Status> {
        let mut messages = 0;
        while chunks.message().await?.is_some() {
            messages += 1;
        }
        Ok(Received { messages })
    }

    async fn echo(
        &self,
        mut chunks: Requests<Chunk>,
        echoes: &mut Responses<Chunk>,
        _context: &mut ServerContext,
    ) -> Result<(), Status> {
        while let Some(chunk) = chunks.message().await? {
            echoes.send(chunk).await?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Failure> {
    server::run(serve)
}

async fn serve(address: SocketAddr) -> Result<(), Failure> {
    let server = Server::builder()
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_receive_message_size(MAX_MESSAGE_BYTES)
        .max_send_message_size(MAX_MESSAGE_BYTES)
        .add_service(GreeterServer::new(Greeter))
        .add_service(StreamerServer::new(Streamer));
    Ok(server.serve(address).await?)
}
