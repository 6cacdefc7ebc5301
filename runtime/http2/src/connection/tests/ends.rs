//! How streams and connections end.

use std::time::Duration;

use super::*;

#[test]
fn resets_reach_the_other_side() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.take_events();
    // More than one frame: it waits for its turn, and is dropped.
    pair.client.connection.send_data(id, vec![0; 20_000].into(), false);
    pair.client.connection.reset(id, ErrorCode::CANCEL);
    pair.drive();
    let events = pair.server.take_events();
    assert!(
        matches!(events[..], [Event::Reset { id: 1, code: ErrorCode::CANCEL, by_peer: true, unprocessed: false }]),
        "{events:?}"
    );
    let id = pair.open(false);
    pair.drive();
    pair.server.connection.reset(id, ErrorCode::REFUSED_STREAM);
    // On its way when the reset arrives.
    pair.client.connection.send_data(id, vec![0; 100].into(), true);
    pair.drive();
    let events = pair.client.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Reset { unprocessed: true, .. })), "{events:?}");
    assert_eq!((pair.client.error, pair.server.error), (None, None));
}

#[test]
fn a_server_that_answers_early_tells_the_client_to_stop() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.connection.stop_reading(id);
    pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
    pair.server.connection.send_data(id, vec![1; 200_000].into(), false);
    pair.server.connection.send_trailers(id, trailers());
    pair.drive();
    let events = pair.client.take_events();
    assert_eq!(pair.client.body, 200_000);
    let last: Vec<_> = events.iter().rev().take(3).collect();
    assert!(
        matches!(
            last[..],
            [Event::Reset { code: ErrorCode::NO_ERROR, .. }, Event::StreamFreed, Event::Trailers { .. }]
        ),
        "{last:?}"
    );
}

#[test]
fn a_drain_takes_what_was_on_its_way_and_ends_with_the_last_stream() {
    let mut pair = Pair::ready();
    let first = pair.open(true);
    pair.drive();
    pair.server.connection.drain();
    // On its way before the client knows.
    let second = pair.open(true);
    pair.drive();
    assert_eq!(pair.client.connection.open(&request(), &fields(), true), Err(OpenError::Closed));
    assert_eq!(pair.server.connection.open_streams(), 2);
    for id in [first, second] {
        assert!(!pair.server.connection.is_done());
        pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), true);
    }
    pair.drive();
    assert!(pair.server.connection.is_done() && pair.client.connection.is_done());
}

#[test]
fn a_goaway_gives_back_what_was_not_processed() {
    let mut pair = Pair::ready();
    pair.server.connection.go_away(ErrorCode::NO_ERROR, "");
    pair.open(true);
    pair.drive();
    let events = pair.client.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Reset { id: 1, unprocessed: true, .. })), "{events:?}");
    assert_eq!(pair.server.connection.open_streams(), 0);
}

#[test]
fn late_frames_of_a_stream_that_a_goaway_passed_over_are_ignored() {
    let mut pair = Pair::ready();
    pair.open(true);
    pair.drive();
    pair.server.connection.go_away(ErrorCode::NO_ERROR, "");
    // On its way before the client knows: headers and a body.
    let late = pair.open(false);
    pair.client.connection.send_data(late, vec![1; 100].into(), false);
    pair.client.connection.send_trailers(late, trailers());
    pair.drive();
    assert_eq!(pair.server.error, None);
    // The last id does not rise with the late one, not even in the GOAWAY of an error.
    pair.inject(&raw(frame::DATA, 0, 0, &[])).unwrap();
    let sent = frames(&pair.server.transmit(usize::MAX));
    assert_eq!(sent.last().unwrap().1[..4], [0, 0, 0, 1]);
}

#[test]
fn after_its_last_word_a_connection_sends_no_more_data() {
    let mut pair = Pair::ready();
    let id = pair.open(true);
    pair.drive();
    pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
    pair.server.connection.send_data(id, vec![0; 10_000].into(), true);
    pair.inject(&raw(frame::PING, 0, 1, &[0; 8])).unwrap();
    let sent = frames(&pair.server.transmit(usize::MAX));
    assert_eq!(sent.last().unwrap().0.kind, frame::GOAWAY);
}

#[test]
fn a_closed_connection_is_done_and_opens_nothing() {
    let mut pair = Pair::ready();
    pair.open(true);
    pair.client.connection.handle_close();
    pair.client.handle(pair.now);
    assert!(matches!(pair.client.take_events()[..], [Event::StreamFreed, Event::Reset { id: 1, by_peer: true, .. }]));
    assert!(pair.client.connection.is_done());
    assert_eq!(pair.client.connection.open(&request(), &fields(), true), Err(OpenError::Closed));
}

/// A server that gives header blocks ten seconds.
fn impatient() -> Pair {
    let config = Config { header_read_timeout: Some(Duration::from_secs(10)), ..Config::default() };
    let mut pair = Pair::new(Config::default(), config);
    pair.drive();
    pair.server.take_events();
    pair
}

/// `:method: POST`, `:scheme: http`, `:path: /`.
const REQUEST: [u8; 3] = [0x83, 0x86, 0x84];

#[test]
fn a_header_block_that_is_not_whole_in_its_time_ends_the_connection() {
    let frame = raw(1, 4, 1, &REQUEST);
    // A frame whose kind can be told, one that lacks its last byte, and a block that goes on in another frame.
    for begun in [&frame[..4], &frame[..frame.len() - 1], &raw(1, 0, 1, &REQUEST[..1])] {
        let mut pair = impatient();
        let began = pair.now;
        assert_eq!(pair.inject(begun), None);
        assert_eq!(pair.server.connection.poll_timeout(), Some(began + Duration::from_secs(10)));
        pair.now = began + Duration::from_millis(9_999);
        assert_eq!(pair.inject(&[]), None);
        pair.now = began + Duration::from_secs(10);
        let error = pair.inject(&[]);
        assert!(
            matches!(error, Some(ConnectionError::Peer { code: ErrorCode::ENHANCE_YOUR_CALM, .. })),
            "{error:?} after {begun:?}"
        );
        assert_eq!(pair.server.connection.poll_timeout(), None);
    }
}

#[test]
fn bytes_that_come_one_by_one_gain_a_header_block_no_time() {
    let mut pair = impatient();
    let frame = raw(1, 4, 1, &[&REQUEST[..], &[0, 1, b'a', 20], &[b'v'; 20]].concat());
    let ends = frame.iter().position(|byte| {
        pair.now += Duration::from_secs(1);
        pair.inject(&[*byte]).is_some()
    });
    // The fourth byte tells what it is.
    assert_eq!(ends, Some(13));
}

#[test]
fn each_header_block_has_a_time_of_its_own() {
    let mut pair = impatient();
    assert_eq!(pair.inject(&raw(1, 0, 1, &REQUEST[..1])), None);
    pair.now += Duration::from_secs(9);
    // The next one begins in the same read.
    let next = raw(1, 4, 3, &REQUEST);
    assert_eq!(pair.inject(&[raw(9, 4, 1, &REQUEST[1..]), next[..10].to_vec()].concat()), None);
    pair.now += Duration::from_secs(9);
    assert_eq!(pair.inject(&next[10..]), None);
    assert_eq!(pair.server.connection.poll_timeout(), None);
    // Of frames that are no headers nothing is expected.
    let data = raw(0, 1, 3, b"hello");
    pair.inject(&data[..12]);
    assert_eq!(pair.server.connection.poll_timeout(), None);
    pair.now += Duration::from_secs(60);
    assert_eq!(pair.inject(&data[12..]), None);
    assert_eq!(pair.server.take_events().len(), 3);
}
