//! Peers that speak HTTP/2 without being gRPC: what a misbehaving server or client sends.

use std::future::Future;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// A server whose `respond` gets each request, with the number of its connection and of its stream on it.
pub async fn server<F, R>(respond: F) -> String
where
    F: Fn(u32, u32, Request<h2::RecvStream>, SendResponse<Bytes>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        for connection in 0.. {
            let (socket, _) = listener.accept().await.unwrap();
            let respond = respond.clone();
            tokio::spawn(async move {
                // Small messages are not an attack here.
                let mut h2 = h2::server::Builder::new().data_frame_budget(usize::MAX).handshake(socket).await.unwrap();
                let mut stream = 0;
                while let Some(Ok((request, response))) = h2.accept().await {
                    tokio::spawn(respond(connection, stream, request, response));
                    stream += 1;
                }
            });
        }
    });
    address
}

/// The bytes of a message with its prefix.
pub fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = vec![flag];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    Bytes::from(frame)
}

/// The bytes of a string message with its prefix.
pub fn text(message: &str) -> Bytes {
    frame(0, &encoded(&message.to_owned()))
}

/// The bytes of a message.
pub fn encoded<T: callwright::codegen::prost::Message>(message: &T) -> Vec<u8> {
    message.encode_to_vec()
}

/// The head of a response.
pub fn head(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap()
}

/// Trailers, or any headers.
pub fn trailers(entries: &[(&str, &str)]) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for (name, value) in entries {
        trailers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    trailers
}

/// What a server answered to one raw request.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// All data.
    pub body: Vec<u8>,
    /// The trailers; empty where there were none.
    pub trailers: HeaderMap,
}

impl Answer {
    /// The value of a trailer, or of a header where the answer has no trailers of its own.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.trailers.get(name).or_else(|| self.headers.get(name)).map(|value| value.to_str().unwrap())
    }
}

/// Sends one request with these bytes as its body, and waits for the whole answer.
pub async fn request(address: &str, request: Request<()>, body: Vec<Bytes>) -> Answer {
    let address = address.trim_start_matches("ipv4:");
    let socket = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let (response, mut stream) = sender.ready().await.unwrap().send_request(request, false).unwrap();
    for part in body {
        // A server that refuses the head resets the stream: what it answered is read all the same.
        let _ = stream.send_data(part, false);
    }
    let _ = stream.send_data(Bytes::new(), true);
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut bytes = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        bytes.extend(part);
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    connection.abort();
    Answer { status: head.status.as_u16(), headers: head.headers, body: bytes, trailers }
}

/// A gRPC request to a path of the server at this address, as a client would send it.
pub fn grpc_request(path: &str) -> http::request::Builder {
    Request::builder()
        .method("POST")
        .uri(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}
