//! How streams and connections end.

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
