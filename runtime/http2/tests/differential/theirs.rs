//! The calls of a script by `h2`.

use std::collections::BTreeMap;
use std::future::poll_fn;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

use super::script::{Message, Random, Script, Seen};

/// Makes all calls at once; gives what was seen of the responses.
pub(crate) async fn call(socket: DuplexStream, script: Script, mut random: Random) -> BTreeMap<usize, Seen> {
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size([100, 65_535, 1_000_000][random.below(3)])
        .initial_connection_window_size(1_000_000)
        .header_table_size([0, 100, 4096, 10_000][random.below(4)])
        .max_frame_size([16_384, 50_000][random.below(2)])
        .max_header_list_size(100_000)
        .handshake::<_, Bytes>(socket)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let mut calls = JoinSet::new();
    for (number, (request, _)) in script.calls.into_iter().enumerate() {
        let mut client = client.clone().ready().await.unwrap();
        let mut head = Request::post(format!("http://localhost/{number}")).body(()).unwrap();
        *head.headers_mut() = request.fields.clone();
        let end = request.body.is_empty() && request.trailers.is_none() && random.below(2) == 0;
        let (response, stream) = client.send_request(head, end).unwrap();
        let parts = request.parts(&mut random);
        calls.spawn(async move { (number, exchange(response, stream, request, parts, end).await) });
    }
    let seen = calls.join_all().await.into_iter().collect();
    drop(client);
    connection.await.unwrap().unwrap();
    seen
}

async fn exchange(
    response: ResponseFuture,
    stream: SendStream<Bytes>,
    request: Message,
    parts: Vec<Bytes>,
    ended: bool,
) -> Seen {
    let sending = async {
        if !ended {
            send(stream, request, parts).await;
        }
    };
    let receiving = async {
        match response.await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                receive(head.headers, body).await
            }
            Err(error) => {
                let mut seen = Seen::default();
                seen.reset(error.reason().expect("a reset").into());
                seen
            }
        }
    };
    tokio::join!(sending, receiving).1
}

/// Answers all calls; gives what was seen of the requests.
pub(crate) async fn serve(socket: DuplexStream, script: Script, mut random: Random) -> BTreeMap<usize, Seen> {
    let mut connection = h2::server::Builder::new()
        .initial_window_size([100, 65_535, 1_000_000][random.below(3)])
        .initial_connection_window_size(1_000_000)
        .max_concurrent_streams([1, 5, 100][random.below(3)])
        .header_table_size([0, 100, 4096, 10_000][random.below(4)])
        .max_frame_size([16_384, 50_000][random.below(2)])
        .max_header_list_size(100_000)
        .handshake::<_, Bytes>(socket)
        .await
        .unwrap();
    let mut calls = JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = match accepted {
            // The client needs no more than its responses.
            Err(error) if error.is_io() => break,
            accepted => accepted.unwrap(),
        };
        let number: usize = request.uri().path()[1..].parse().unwrap();
        assert_eq!((request.method().as_str(), request.uri().host()), ("POST", Some("localhost")));
        let response = script.calls[number].1.clone();
        let parts = response.parts(&mut random);
        calls.spawn(async move {
            let (head, body) = request.into_parts();
            let seen = receive(head.headers, body).await;
            let mut head = Response::new(());
            *head.headers_mut() = response.fields.clone();
            let stream = respond.send_response(head, false).unwrap();
            send(stream, response, parts).await;
            (number, seen)
        });
    }
    calls.join_all().await.into_iter().collect()
}

async fn send(mut stream: SendStream<Bytes>, message: Message, parts: Vec<Bytes>) {
    for mut part in parts {
        while !part.is_empty() {
            stream.reserve_capacity(part.len());
            let Some(Ok(room)) = poll_fn(|context| stream.poll_capacity(context)).await else { return };
            // Reset by the peer, which the other direction tells of.
            if stream.send_data(part.split_to(room.min(part.len())), false).is_err() {
                return;
            }
        }
    }
    match (message.reset, message.trailers) {
        (Some(code), _) => stream.send_reset(Reason::from(code)),
        (None, Some(trailers)) => drop(stream.send_trailers(trailers)),
        (None, None) => drop(stream.send_data(Bytes::new(), true)),
    }
}

async fn receive(fields: HeaderMap, mut body: RecvStream) -> Seen {
    let mut seen = Seen { fields, ..Seen::default() };
    while let Some(part) = body.data().await {
        match part {
            Ok(part) => {
                body.flow_control().release_capacity(part.len()).unwrap();
                seen.body.extend_from_slice(&part);
            }
            Err(error) => {
                seen.reset(error.reason().expect("a reset").into());
                return seen;
            }
        }
    }
    match body.trailers().await {
        Ok(trailers) => seen.trailers = trailers,
        Err(error) => seen.reset(error.reason().expect("a reset").into()),
    }
    seen
}
