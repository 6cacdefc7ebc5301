//! Attacks on work: each frame is cheap to send, and is to cost this side more.

use bytes::Bytes;
use callwright_http2::{Config, Connection, ErrorCode, Event, Fields};
use http::StatusCode;

use super::peer::*;

/// What the peer makes this side hold beside its streams, at most: output that waits, and tables.
const LITTLE: usize = 768 * 1024;

/// CVE-2023-44487: requests that are cancelled at once, which never count as open. At most 10,000 a second are begun, and
/// nothing is left of them.
#[test]
fn rapid_reset() {
    let mut victim = Victim::idle();
    for id in ids(100_000) {
        victim.send(&[request(id, true), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat());
    }
    victim.slowed(100_000);
    assert_eq!(victim.connection.open_streams(), 0);
    assert!(victim.most_memory() < LITTLE, "{}", victim.most_memory());
}

/// CVE-2025-8671 (MadeYouReset) and CVE-2019-9514: errors that make this side reset the stream, so that its handler ends and
/// another stream may be opened. At most 5,000 a second; state of streams that were reset is 16 bytes each for the last 4,096.
#[test]
fn resets_that_this_side_is_made_to_send() {
    for wrong in [window_update(0, 0), frame(PRIORITY, 0, 0, &[0; 4]), frame(DATA, END_STREAM, 0, &[])] {
        let mut victim = Victim::idle();
        for id in ids(50_000) {
            let mut wrong = wrong.clone();
            wrong[5..9].copy_from_slice(&id.to_be_bytes());
            victim.send(&[request(id, true), wrong].concat());
        }
        // The request that is refused is one frame, what is wrong about it another, but for DATA.
        victim.slowed(50_000);
        assert_eq!(victim.connection.stats().streams_reset, 50_000);
        assert!(victim.most_memory() < LITTLE, "{}", victim.most_memory());
    }
}

/// The same, with the answers not taken: no more is read once 256 KiB of them wait.
#[test]
fn resets_that_nobody_takes() {
    let mut victim = Victim::idle();
    victim.reads = false;
    let taken =
        ids(100_000).take_while(|id| victim.send(&[request(*id, true), window_update(*id, 0)].concat())).count();
    assert!(taken <= 256 * 1024 / 13, "{taken}");
    assert!(victim.most_memory() < LITTLE, "{}", victim.most_memory());
}

/// Streams over the limit are refused, and refusing costs credit.
#[test]
fn streams_over_the_limit() {
    let mut victim = Victim::idle();
    ids(4096 + 50_000).for_each(|id| assert!(victim.send(&request(id, false))));
    victim.slowed(50_000);
    assert_eq!(victim.connection.open_streams(), 4096);
}

/// CVE-2019-9512 and 9515, and their kin: frames that have an answer, or change nothing.
#[test]
fn frames_that_do_no_work() {
    let kinds = [
        frame(PING, 0, 0, &[0; 8]),
        frame(PING, 1, 0, &[0; 8]),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]),
        frame(SETTINGS, 1, 0, &[]),
        frame(PRIORITY, 0, 9, &[0; 5]),
        window_update(1, 1),
        frame(DATA, 0, 1, &[]),
        frame(DATA, 8, 1, &[4, 0, 0, 0, 0]),
        frame(GOAWAY, 0, 0, &[b'x'; 1000]),
        frame(99, 0, 0, &[]),
    ];
    for kind in kinds {
        let mut victim = Victim::idle();
        victim.send(&request(1, false));
        for _ in 0..500 {
            assert!(victim.send(&kind.repeat(100)));
        }
        victim.slowed(50_000);
        assert!(victim.most_memory() < LITTLE, "{} for frame {}", victim.most_memory(), kind[3]);
    }
}

/// The window of a stream given by the byte, so that each byte becomes a frame.
#[test]
fn windows_that_are_given_by_the_byte() {
    let mut victim = Victim::new(Config::default(), |connection, event| {
        if let Event::Headers { id, .. } = event {
            connection.respond(*id, StatusCode::OK, &Fields::new(), false);
            connection.send_data(*id, Bytes::from(vec![0; 200_000]), true);
        }
    });
    victim.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    victim.send(&window_update(0, 1_000_000));
    victim.send(&request(1, true));
    for _ in 0..50_000 {
        victim.send(&window_update(1, 1));
    }
    victim.slowed(50_000);
    assert!(victim.connection.stats().data_frames_sent > 40_000);
}

/// A change of the windows is work for each stream: a frame of SETTINGS has one at most, and it costs what it is worth.
#[test]
fn changes_of_all_windows() {
    let mut victim = Victim::idle();
    ids(4096).for_each(|id| assert!(victim.send(&request(id, false))));
    let change = |size: u32| [&[0, 4][..], &size.to_be_bytes()].concat();
    let settings: Vec<u8> = (0..2000).flat_map(|at| change(at % 2)).collect();
    (0..1000).for_each(|_| assert!(victim.send(&frame(SETTINGS, 0, 0, &settings))));
    victim.slowed(1000 * 4096 / 16);
}

/// RUSTSEC-2024-0332: a header block without an end is given up at 64 frames, or at 64 KiB.
#[test]
fn continuations_without_end() {
    for payload in [&[][..], &[0], &[0; 1000], &[0; 16_384]] {
        let mut victim = Victim::idle();
        victim.send(&frame(HEADERS, 0, 1, &REQUEST));
        let taken = (0..1000).take_while(|_| victim.send(&frame(CONTINUATION, 0, 1, payload))).count();
        assert!(taken <= 64 && victim.error() == Some(ErrorCode::ENHANCE_YOUR_CALM), "{taken}");
        assert!(victim.most_memory() < 256 * 1024, "{}", victim.most_memory());
    }
}

/// Blocks in as many frames as may be, which do end.
#[test]
fn blocks_in_many_parts() {
    let mut victim = Victim::idle();
    for id in ids(2000) {
        let mut block = frame(HEADERS, END_STREAM, id, &REQUEST);
        (0..63).for_each(|_| block.extend(frame(CONTINUATION, 0, id, &[])));
        block.extend(frame(CONTINUATION, END_HEADERS, id, &[]));
        victim.send(&block);
        victim.connection.reset(id, ErrorCode::CANCEL);
    }
    victim.slowed(2000 * 64);
}

/// An entry of the table that one byte stands for, again and again: 16 KiB stand for 64 MiB. It is answered with 431, nothing
/// of it is kept, and a block costs a frame for each KiB.
#[test]
fn header_lists_that_unpack_to_much() {
    let mut victim = Victim::idle();
    let entry = [&REQUEST[..], &[0x40, 1, b'a', 0x7f, 0xa1, 0x1e], &[b'v'; 4000]].concat();
    victim.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &entry));
    victim.connection.reset(1, ErrorCode::CANCEL);
    let bomb = [&REQUEST[..], &[0xbe; 16_000]].concat();
    for id in ids(3000).skip(1) {
        assert!(victim.send(&frame(HEADERS, END_HEADERS | END_STREAM, id, &bomb)));
    }
    assert_eq!(victim.connection.open_streams(), 0);
    victim.slowed(2999 * 15);
    assert!(victim.most_memory() < 256 * 1024, "{}", victim.most_memory());
}

/// RFC 9113 section 6.9.1: a window over 2^31-1 is an error of the connection, or of the stream.
#[test]
fn windows_that_overflow() {
    let mut victim = Victim::idle();
    victim.send(&window_update(0, 0x7fff_ffff));
    assert_eq!(victim.error(), Some(ErrorCode::FLOW_CONTROL_ERROR));
    drop(victim);
    let mut victim = Victim::idle();
    victim.send(&[request(1, false), window_update(1, 0x7fff_ffff)].concat());
    assert_eq!((victim.error(), victim.connection.open_streams()), (None, 0));
    victim.send(&[request(3, false), window_update(3, 0x7fff_0000)].concat());
    victim.send(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]));
    assert_eq!(victim.error(), Some(ErrorCode::FLOW_CONTROL_ERROR));
}

/// A peer that is slowed down is still answered: a PING between others comes back within the time that those before it take.
#[test]
fn a_flood_holds_up_its_own_connection_and_no_more_than_its_rate() {
    fn application(_: &mut Connection, _: &Event) {}
    let mut victim = Victim::new(Config::default(), application);
    victim.send(&frame(PRIORITY, 0, 9, &[0; 5]).repeat(20_000));
    let before = victim.elapsed();
    victim.send(&[frame(PRIORITY, 0, 9, &[0; 5]).repeat(1000), frame(PING, 0, 0, b"are you?")].concat());
    assert!((victim.elapsed() - before).as_millis() <= 110, "{:?}", victim.elapsed() - before);
    assert!(victim.sent.ends_with(b"are you?"));
}
