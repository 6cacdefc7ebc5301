//! Servers and sockets as channelz shows them.

use super::address::address;
use super::channel::trace;
use super::{number, timestamp};
use crate::generated::channelz_v1::{Server, ServerData, ServerRef, Socket, SocketData, SocketRef};
use crate::stats::{ServerStats, SocketStats};

pub(super) fn server(stats: &ServerStats) -> Server {
    let calls = stats.calls();
    let listen_socket: Vec<_> = stats.listeners().iter().map(|stats| socket_ref(stats)).collect();
    let name = listen_socket.iter().map(|socket| socket.name.as_str()).collect::<Vec<_>>().join(", ");
    Server {
        r#ref: Some(ServerRef { server_id: number(stats.id()), name }),
        data: Some(ServerData {
            trace: Some(trace(stats.trace())),
            calls_started: number(calls.started),
            calls_succeeded: number(calls.succeeded),
            calls_failed: number(calls.failed),
            last_call_started_timestamp: calls.last_started.map(timestamp),
        }),
        listen_socket,
    }
}

pub(super) fn socket_ref(stats: &SocketStats) -> SocketRef {
    SocketRef { socket_id: number(stats.id()), name: name(stats) }
}

fn name(stats: &SocketStats) -> String {
    let of = |address: Option<&crate::Address>| address.map(crate::Address::to_uri).unwrap_or_default();
    match stats.remote() {
        None => of(stats.local()),
        remote => format!("{} -> {}", of(stats.local()), of(remote)),
    }
}

pub(super) fn socket(stats: &SocketStats) -> Socket {
    let counts = stats.counts();
    Socket {
        r#ref: Some(socket_ref(stats)),
        data: Some(SocketData {
            streams_started: number(counts.streams_started),
            streams_succeeded: number(counts.streams_succeeded),
            streams_failed: number(counts.streams_failed),
            messages_sent: number(counts.messages_sent),
            messages_received: number(counts.messages_received),
            last_local_stream_created_timestamp: counts.last_local_stream_created.map(timestamp),
            last_remote_stream_created_timestamp: counts.last_remote_stream_created.map(timestamp),
            last_message_sent_timestamp: counts.last_message_sent.map(timestamp),
            last_message_received_timestamp: counts.last_message_received.map(timestamp),
            ..SocketData::default()
        }),
        local: stats.local().map(address),
        remote: stats.remote().map(address),
        ..Socket::default()
    }
}
