//! Bytes of a peer that follows no rules, to a server or to a client that answers as it can: nothing panics, what is sent are
//! whole frames, and what is kept is bounded.
//!
//! The first byte says which side it is and how the rest is read: as it is, or as frames whose lengths fit and whose streams
//! are few, which get further.

#![no_main]

use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use callwright_http2::{Fields, Config, Connection, ErrorCode, Event, RequestHead};
use http::{HeaderValue, Method, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let (is_client, is_raw, has_begun, step) =
        (mode & 1 != 0, mode & 2 != 0, mode & 4 != 0, 1 + usize::from(mode >> 4) * 37);
    let mut now = Instant::now();
    let mut config = Config::default();
    if mode & 8 != 0 {
        (config.stream_window, config.connection_window, config.max_header_list_size) = (100, 1000, 500);
        (config.max_concurrent_streams, config.idle_frames, config.idle_frames_per_second) = (3, 10, 100);
    }
    let mut connection = if is_client { Connection::client(config, now) } else { Connection::server(config, now) };
    let mut input = Vec::new();
    if has_begun {
        if !is_client {
            input.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        }
        input.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    }
    if is_raw {
        input.extend_from_slice(data)
    } else {
        frames(data, &mut input)
    }
    if is_client {
        for end in [true, false, true] {
            let head = RequestHead {
                method: Method::POST,
                scheme: HeaderValue::from_static("http"),
                authority: None,
                path: HeaderValue::from_static("/a"),
            };
            connection.open(&head, &Fields::new(), end).expect("there is room for three");
        }
    }
    let (mut sent, mut arrived) = (Vec::new(), BytesMut::new());
    for chunk in input.chunks(step) {
        arrived.extend_from_slice(chunk);
        loop {
            let read = connection.handle_read(now, &mut arrived);
            while let Some(event) = connection.poll_event() {
                act(&mut connection, event);
            }
            take(&mut connection, &mut sent);
            if read.is_err() {
                return check(&sent, is_client);
            }
            match connection.poll_timeout() {
                Some(resumes) => now = resumes.max(now + Duration::from_millis(1)),
                None => break,
            }
        }
        assert!(arrived.len() < 9 + 16_384 + step, "{} bytes are kept", arrived.len());
    }
    connection.handle_close();
    assert!(connection.is_done() && connection.open_streams() == 0);
    check(&sent, is_client);
});

/// Frames of `[kind, flags, stream, length, payload..]`.
fn frames(mut data: &[u8], input: &mut Vec<u8>) {
    while let [kind, flags, stream, len, rest @ ..] = data {
        let (payload, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        input.extend_from_slice(&[0, 0, payload.len() as u8, kind % 11, *flags, 0, 0, 0, stream % 12]);
        input.extend_from_slice(payload);
        data = rest;
    }
}

/// What an application might do, by the stream's id.
fn act(connection: &mut Connection, event: Event) {
    match event {
        Event::Headers { id, end, .. } => match id % 8 {
            1 => {
                connection.respond(id, StatusCode::OK, &Fields::new(), false);
                connection.send_data(id, Bytes::from(vec![7; 1000]), false);
                connection.send_trailers(id, Fields::new());
            }
            3 => connection.reset(id, ErrorCode::CANCEL),
            5 => connection.stop_reading(id),
            _ if end => connection.respond(id, StatusCode::OK, &Fields::new(), true),
            _ => {}
        },
        Event::Data { id, data, end } => {
            if id % 8 != 7 {
                connection.read(id, data.len());
            }
            if end && connection.room(id) > 0 {
                connection.send_data(id, data, true);
            }
        }
        _ => {}
    }
}

fn take(connection: &mut Connection, sent: &mut Vec<u8>) {
    while let Some(output) = connection.poll_transmit() {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = output.slices(&mut slices);
        let before = sent.len();
        slices[..filled].iter().for_each(|slice| sent.extend_from_slice(slice));
        output.advance(sent.len() - before);
    }
}

/// What was sent are whole frames.
fn check(sent: &[u8], is_client: bool) {
    let mut rest = if is_client { sent.get(24..).unwrap_or_default() } else { sent };
    while let [a, b, c, kind, _, _, _, _, _, behind @ ..] = rest {
        let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        assert!(*kind < 10 && *kind != 5, "a frame of kind {kind}");
        rest = &behind[len..];
    }
    assert!(rest.is_empty());
}
