//! Attacks on memory: what a peer can make this side hold.

use bytes::Bytes;
use callwright_http2::{Config, Connection, ErrorCode, Event, Fields};
use http::StatusCode;

use super::peer::*;

fn answer_much(connection: &mut Connection, event: &Event) {
    if let Event::Headers { id, .. } = event {
        connection.respond(*id, StatusCode::OK, &Fields::new(), false);
        fill(connection, *id);
    }
}

/// Sends as long as there is room.
fn fill(connection: &mut Connection, id: u32) {
    while connection.room(id) > 0 {
        connection.send_data(id, Bytes::from(vec![0; 16 * 1024]), false);
    }
}

/// Many streams, answered with much that the peer does not take: what they have to send together is bounded, and a stream that
/// the peer does take goes on.
#[test]
fn answers_on_many_streams_that_the_peer_does_not_take() {
    let config = Config::default();
    let bound = config.max_send_buffered + 1000 * 2 * 16 * 1024;
    let mut victim = Victim::new(config, |connection, event| {
        answer_much(connection, event);
        if let Event::Writable { id } = event {
            fill(connection, *id);
        }
    });
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    victim.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    ids(1000).for_each(|id| assert!(victim.send(&request(id, true))));
    assert!((bound / 2..bound + 1024 * 1024).contains(&victim.most_memory()), "{} of {bound}", victim.most_memory());
    let before = victim.connection.stats().data_frames_sent;
    for _ in 0..100 {
        victim.send(&[window_update(0, 64 * 1024), window_update(1999, 64 * 1024)].concat());
    }
    let sent = victim.connection.stats().data_frames_sent - before;
    assert!((100..=400).contains(&sent), "{sent}");
}

/// What a stream that was reset leaves is its place among the last 4,096: 64 KiB in all, however many there were.
#[test]
fn state_of_streams_that_are_gone() {
    let mut victim = Victim::idle();
    for id in ids(200_000) {
        victim.send(&[request(id, false), frame(RST_STREAM, 0, id, &[0; 4])].concat());
    }
    assert!(victim.most_memory() < 256 * 1024, "{}", victim.most_memory());
}

/// Bodies that the application does not read: as much as `max_buffered` says, in whatever streams, and then the window of
/// the connection is shut. A peer that goes on all the same is cut off.
#[test]
fn bodies_that_nobody_reads() {
    let mut config = Config::default();
    (config.max_buffered, config.connection_window) = (4 * 1024 * 1024, 1024 * 1024);
    let mut victim = Victim::new(config, |_, _| {});
    victim.keeps = true;
    ids(100).for_each(|id| assert!(victim.send(&request(id, false))));
    let part = vec![0; 16_384];
    let taken = ids(100).cycle().take(10_000).take_while(|id| victim.send(&frame(DATA, 0, *id, &part))).count();
    assert!(taken <= 4 * 64, "{taken}");
    assert_eq!(victim.error(), Some(ErrorCode::FLOW_CONTROL_ERROR));
    // A payload of 16 KiB may hold a buffer that is larger than it.
    assert!(victim.most_memory() < 3 * 4 * 1024 * 1024, "{}", victim.most_memory());
}

/// RUSTSEC-2026-0258: bodies in tiny frames, each of which would cost a hundred times its bytes. Beyond 256 that are unread
/// on a stream they cost what they weigh, twice at most.
#[test]
fn bodies_in_tiny_frames_that_nobody_reads() {
    let mut victim = Victim::idle();
    victim.keeps = true;
    ids(20).for_each(|id| assert!(victim.send(&request(id, false))));
    for _ in 0..500 {
        for id in ids(20) {
            assert!(victim.send(&frame(DATA, 0, id, &[7]).repeat(100)));
        }
    }
    // 1,000,000 bytes.
    assert_eq!(victim.kept.len(), 20 + 20 * 256, "a request and 256 parts for each stream");
    let bound = 20 * 256 * 400 + 2 * 1_000_000 + 512 * 1024;
    assert!(victim.most_memory() < bound, "{} of {bound}", victim.most_memory());
}

/// Small payloads in large read buffers hold the payload and not the buffer.
#[test]
fn small_payloads_in_large_buffers() {
    let mut victim = Victim::idle();
    victim.keeps = true;
    victim.send(&[request(1, false), request(3, false)].concat());
    victim.connection.stop_reading(3);
    for _ in 0..1000 {
        victim.send(&[frame(DATA, 0, 3, &[0; 15_000]), frame(DATA, 0, 1, &[0; 1024])].concat());
    }
    assert!(victim.most_memory() < 2 * 1024 * 1024 + 512 * 1024, "{}", victim.most_memory());
}

/// Responses that the peer asks for and does not take, with its windows open: what waits to be written is 128 KiB, and what
/// waits behind that is what the application gave, `max_send_buffer` and one part for each stream.
#[test]
fn responses_that_nobody_takes() {
    let mut victim = Victim::new(Config::default(), answer_much);
    victim.reads = false;
    ids(50).for_each(|id| assert!(victim.send(&request(id, true))));
    let bound = 50 * (Config::default().max_send_buffer + 16 * 1024) + 1024 * 1024;
    assert!(victim.most_memory() < bound, "{} of {bound}", victim.most_memory());
}

/// The same with windows of zero: nothing is lost of what the application gave, and nothing more is asked of it.
#[test]
fn responses_to_windows_of_zero() {
    let mut victim = Victim::new(Config::default(), answer_much);
    victim.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    ids(50).for_each(|id| assert!(victim.send(&request(id, true))));
    assert_eq!(victim.connection.stats().data_frames_sent, 0);
    let bound = 50 * (Config::default().max_send_buffer + 16 * 1024) + 1024 * 1024;
    assert!(victim.most_memory() < bound, "{} of {bound}", victim.most_memory());
    for id in ids(50) {
        victim.send(&frame(RST_STREAM, 0, id, &[0; 4]));
    }
    assert_eq!(victim.connection.open_streams(), 0);
}

/// Calls that are answered at once by a server whose peer does not read: no more are taken once 256 KiB of answers wait.
#[test]
fn calls_whose_answers_nobody_takes() {
    let mut victim = Victim::new(Config::default(), |connection, event| {
        if let Event::Headers { id, .. } = event {
            connection.respond(*id, StatusCode::OK, &Fields::new(), true);
        }
    });
    victim.reads = false;
    let taken = ids(100_000).take_while(|id| victim.send(&request(*id, true))).count();
    assert!(taken < 256 * 1024 / 10 + 1, "{taken}");
    assert!(victim.most_memory() < 1024 * 1024, "{}", victim.most_memory());
}

/// Headers that come by the byte hold what has come of them.
#[test]
fn headers_that_come_by_the_byte() {
    let mut victim = Victim::idle();
    let block = [&REQUEST[..], &[0x40, 1, b'a', 0x7f, 0xe1, 0x5c], &[b'v'; 12_000]].concat();
    let bytes = [frame(HEADERS, 0, 1, &block), frame(CONTINUATION, 0, 1, &[0x82])].concat();
    bytes.iter().for_each(|byte| assert!(victim.send(&[*byte])));
    assert!(victim.most_memory() < 64 * 1024, "{}", victim.most_memory());
}

/// Header lists as large as they may be, on as many streams as there may be, hold seven times their size where all fields are
/// as small as can be: each has its own name and value.
#[test]
fn headers_of_many_streams() {
    let mut config = Config::default();
    config.max_concurrent_streams = 100;
    let mut victim = Victim::new(config, |_, _| {});
    victim.keeps = true;
    let mut block = REQUEST.to_vec();
    for at in 0..440u32 {
        block.extend_from_slice(&[0, 3, b'a' + (at % 26) as u8, b'a' + (at / 26 % 26) as u8, b'x', 1, b'v']);
    }
    ids(1000).for_each(|id| assert!(victim.send(&frame(HEADERS, END_HEADERS, id, &block))));
    assert_eq!(victim.connection.open_streams(), 100);
    assert!(victim.most_memory() < 100 * 16 * 1024 * 7, "{}", victim.most_memory());
}
