//! Windows, turns, and what is held of bodies.

use super::*;

#[test]
fn bodies_larger_than_the_windows_pass_and_no_more_is_sent_than_is_read() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    let body = 10 * 1024 * 1024;
    pair.server.reads = false;
    pair.client.connection.send_data(id, vec![7; body].into(), true);
    assert_eq!(pair.client.connection.room(id), 0);
    pair.drive();
    assert_eq!(pair.server.body, Config::default().stream_window as usize);
    pair.server.reads = true;
    pair.server.connection.read(id, pair.server.body);
    pair.drive();
    assert_eq!(pair.server.body, body);
    assert!(pair.client.take_events().iter().any(|event| matches!(event, Event::Writable { id: 1 })));
}

#[test]
fn streams_that_nobody_reads_do_not_stop_the_others() {
    let mut pair = Pair::ready();
    pair.server.reads = false;
    let windows = 2 * Config::default().connection_window / Config::default().stream_window;
    for _ in 0..windows {
        let id = pair.open(false);
        pair.client.connection.send_data(id, vec![0; 2 * 1024 * 1024].into(), true);
    }
    pair.drive();
    let id = pair.open(false);
    pair.client.connection.send_data(id, Bytes::from_static(b"hello"), true);
    pair.server.take_events();
    pair.drive();
    let events = pair.server.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Data { end: true, .. })), "{events:?}");
}

#[test]
fn streams_take_turns() {
    let mut pair = Pair::ready();
    let ids: Vec<_> = (0..4).map(|_| pair.open(false)).collect();
    pair.client.transmit(usize::MAX);
    for id in &ids {
        pair.client.connection.send_data(*id, vec![0; 100_000].into(), true);
    }
    let sent = frames(&pair.client.transmit(usize::MAX));
    let order: Vec<_> = sent.iter().map(|(head, _)| head.stream).collect();
    assert_eq!(order[..8], [1, 3, 5, 7, 1, 3, 5, 7]);
}

/// A path on which answers take `latency` rounds, with 64 KiB a round; gives the window that the server came to.
fn window_after(latency: usize) -> u32 {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    let mut on_its_way: VecDeque<Vec<u8>> = (0..latency).map(|_| Vec::new()).collect();
    for _ in 0..200 + 20 * latency {
        if pair.client.connection.room(id) > 0 {
            pair.client.connection.send_data(id, vec![0; 256 * 1024].into(), false);
        }
        let there = pair.client.transmit(64 * 1024);
        pair.server.arrived.extend_from_slice(&there);
        pair.server.handle(pair.now);
        on_its_way.push_back(pair.server.transmit(usize::MAX));
        let back = on_its_way.pop_front().unwrap();
        pair.client.arrived.extend_from_slice(&back);
        pair.client.handle(pair.now);
    }
    pair.server.connection.stream_window
}

#[test]
fn windows_grow_to_what_the_path_carries() {
    let Config { stream_window, max_stream_window, .. } = Config::default();
    assert_eq!(window_after(1), stream_window);
    // 64 KiB a round, 40 rounds: 2.5 MiB are on their way.
    let window = window_after(40);
    assert!((4 * 1024 * 1024..=8 * 1024 * 1024).contains(&window), "{window}");
    assert_eq!(window_after(300), max_stream_window);
}

#[test]
fn a_small_window_holds_from_its_acknowledgement_on() {
    let config = Config { stream_window: 1000, ..Config::default() };
    let mut pair = Pair::new(Config::default(), config);
    pair.server.reads = false;
    // Before the client knows of the window, the default one holds.
    let id = pair.open(false);
    pair.client.connection.send_data(id, vec![0; 100_000].into(), true);
    pair.drive();
    assert_eq!((pair.server.body, pair.server.error.clone()), (65_535, None));
    let next = pair.open(false);
    pair.client.connection.send_data(next, vec![0; 5000].into(), true);
    pair.drive();
    assert_eq!((pair.server.body, pair.server.error.clone()), (66_535, None));
    pair.server.reads = true;
    pair.server.connection.read(id, 65_535);
    pair.server.connection.read(next, 1000);
    pair.drive();
    assert_eq!((pair.server.body, pair.server.error), (105_000, None));
}

#[test]
fn what_is_read_before_a_small_window_is_acknowledged_counts_after_it() {
    let config = Config { stream_window: 300, ..Config::default() };
    let mut pair = Pair::new(Config::default(), config);
    let id = pair.open(false);
    pair.client.connection.send_data(id, vec![0; 9000].into(), false);
    let sent = pair.client.transmit(usize::MAX);
    pair.inject(&sent);
    assert_eq!(pair.server.body, 9000);
    pair.client.connection.send_data(id, vec![0; 9000].into(), true);
    pair.drive();
    assert_eq!(pair.server.body, 18_000);
}

#[test]
fn streams_of_a_client_begin_with_the_window_that_the_last_ones_grew_to() {
    let mut pair = Pair::ready();
    // The path is long: all of a window arrives before the answer to a PING does.
    let id = pair.open(true);
    pair.drive();
    pair.server.connection.respond(id, StatusCode::OK, &fields(), false);
    pair.server.connection.send_data(id, vec![0; 3_000_000].into(), false);
    let mut held = Vec::new();
    for _ in 0..200 {
        let there = pair.server.transmit(64 * 1024);
        pair.client.arrived.extend_from_slice(&there);
        pair.client.handle(pair.now);
        held.extend(pair.client.transmit(usize::MAX));
        if held.len() > 1000 || there.is_empty() {
            pair.server.arrived.extend_from_slice(&std::mem::take(&mut held));
            pair.server.handle(pair.now);
        }
    }
    pair.drive();
    let window = pair.client.connection.stream_window;
    assert!(window > Config::default().stream_window, "{window}");
    let next = pair.open(true);
    pair.drive();
    assert_eq!(pair.server.connection.streams.get(next).unwrap().send_window.room(), window as usize);
    assert_eq!(pair.client.connection.streams.get(next).unwrap().recv_window.room(), i64::from(window));
}

#[test]
fn a_small_payload_does_not_hold_the_buffer_it_came_in() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.take_events();
    // At the end of a large buffer, so that what is left of it is as small as the payload.
    let mut bytes = BytesMut::with_capacity(64 * 1024);
    bytes.extend_from_slice(&raw(frame::PING, 0, 0, &[0; 8]).repeat(3800));
    bytes.extend_from_slice(&raw(frame::DATA, 0, id, &[7; 500]));
    assert!(bytes.capacity() == 64 * 1024 && bytes.len() > 64_000);
    let whole = bytes.as_ptr_range();
    pair.server.connection.handle_read(pair.now, &mut bytes).unwrap();
    let Some(Event::Data { data, .. }) = pair.server.connection.poll_event() else { panic!() };
    assert!(data.len() == 500 && !whole.contains(&data.as_ptr()));
}

#[test]
fn tiny_parts_that_nobody_reads_are_gathered_and_none_is_lost() {
    let mut pair = Pair::ready();
    let id = pair.open(false);
    pair.drive();
    pair.server.take_events();
    pair.server.reads = false;
    let part = |n: u32| raw(frame::DATA, 0, id, &n.to_be_bytes());
    let parts: Vec<u8> = (0..10_000).flat_map(part).collect();
    pair.inject(&parts);
    assert_eq!(pair.server.events.len(), 256);
    // All that was passed on is read: the rest comes as one.
    pair.server.connection.read(id, 256 * 4);
    pair.inject(&[]);
    assert_eq!(pair.server.events.len(), 257);
    pair.inject(&part(10_000));
    pair.inject(&raw(frame::DATA, 1, id, &10_001u32.to_be_bytes()));
    let mut all = Vec::new();
    for event in pair.server.take_events() {
        let Event::Data { data, .. } = event else { panic!("{event:?}") };
        all.extend_from_slice(&data);
    }
    assert_eq!(all, (0..10_002u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>());
    assert_eq!(pair.server.connection.streams.get(id).unwrap().recv_window.unread(), all.len() - 256 * 4);
}

#[test]
fn two_sides_with_much_to_send_do_not_wait_for_each_other() {
    let mut pair = Pair::ready();
    let big = Fields::from_iter([(http::HeaderName::from_static("x-big"), "x".repeat(8000).parse().unwrap())]);
    let ids: Vec<u32> = (0..100).map(|_| pair.client.connection.open(&request(), &big, true).unwrap()).collect();
    // The client has 800 KB to send and reads what comes all the same.
    assert!(pair.client.connection.wants_read());
    let mut answered = 0;
    for _ in 0..10_000 {
        let there = pair.client.transmit(10_000);
        pair.server.arrived.extend_from_slice(&there);
        pair.server.handle(pair.now);
        for event in pair.server.take_events() {
            if let Event::Headers { id, .. } = event {
                pair.server.connection.respond(id, StatusCode::OK, &big, true);
            }
        }
        let back = pair.server.transmit(10_000);
        pair.client.arrived.extend_from_slice(&back);
        pair.client.handle(pair.now);
        answered += pair.client.take_events().iter().filter(|event| matches!(event, Event::Headers { .. })).count();
        if answered == ids.len() {
            return;
        }
    }
    panic!("{answered} of {}", ids.len());
}

#[test]
fn many_streams_stopped_by_the_window_of_the_connection_cost_no_more_than_few() {
    let mut pair = Pair::new(Config { connection_window: 0, ..Config::default() }, Config::default());
    pair.drive();
    let mut settings = Vec::new();
    settings.extend_from_slice(&[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    pair.inject(&raw(frame::SETTINGS, 0, 0, &settings));
    for _ in 0..100 {
        pair.open(true);
    }
    pair.drive();
    for id in (1..200).step_by(2) {
        pair.server.connection.respond(id, StatusCode::OK, &Fields::new(), false);
        pair.server.connection.send_data(id, vec![0; 1000].into(), false);
        pair.server.connection.send_trailers(id, trailers());
    }
    pair.server.transmit(usize::MAX);
    let (stopped, in_line) = (pair.server.connection.stopped.len(), pair.server.connection.line.len());
    assert_eq!((stopped + pair.server.connection.open_streams(), in_line), (70, 0), "65,535 of 100,000 bytes went");
    pair.inject(&raw(frame::WINDOW_UPDATE, 0, 0, &10_000u32.to_be_bytes()));
    let sent = frames(&pair.server.transmit(usize::MAX));
    assert_eq!(sent.iter().filter(|(head, _)| head.kind == frame::HEADERS).count(), 10);
    // Streams that are gone do not pile up in the line.
    for id in (1..200).step_by(2) {
        pair.inject(&raw(frame::RST_STREAM, 0, id, &[0, 0, 0, 8]));
    }
    assert!(pair.server.connection.stopped.len() <= crate::connection::STALE);
}
