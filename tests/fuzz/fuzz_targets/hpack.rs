//! Header blocks, one after the other, against the decoder of the crate `loona-hpack`: what is taken has the same fields there.
//!
//! The other way round does not hold: it also takes what RFC 7541 forbids, such as tables that grow in the middle of a
//! block. The blocks follow a request's pseudo-headers, `[length, block..]` each.

#![no_main]

use std::time::Instant;

use bytes::BytesMut;
use callwright_http2::{Config, Connection, Event};
use libfuzzer_sys::fuzz_target;

/// `:method: POST`, `:scheme: http`, `:path: /`.
const HEAD: [u8; 3] = [0x83, 0x86, 0x84];

fuzz_target!(|data: &[u8]| {
    let now = Instant::now();
    let mut server = Connection::server(Config::default(), now);
    let mut theirs = loona_hpack::Decoder::new();
    let mut arrived = BytesMut::from(&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..]);
    let (mut data, mut id) = (data, 1u32);
    while let [len, rest @ ..] = data {
        let (block, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        data = rest;
        // Where the table changes its size, that comes before all fields.
        let updates = block.iter().take_while(|byte| **byte & 0xe0 == 0x20 && **byte != 0x3f).count();
        let block = [&block[..updates], &HEAD, &block[updates..]].concat();
        arrived.extend_from_slice(&[0, (block.len() >> 8) as u8, block.len() as u8, 1, 5]);
        arrived.extend_from_slice(&id.to_be_bytes());
        arrived.extend_from_slice(&block);
        let taken = server.handle_read(now, &mut arrived).is_ok();
        if !taken {
            return;
        }
        let fields = theirs.decode(&block).unwrap_or_else(|error| panic!("taken here only: {error:?} {block:x?}"));
        while let Some(event) = server.poll_event() {
            let Event::Headers { id: opened, headers: ours, .. } = event else { continue };
            assert_eq!(opened, id);
            // In HTTP `host` is the authority.
            let mut theirs: Vec<_> =
                fields.iter().filter(|(name, _)| name[0] != b':' && name != b"host").cloned().collect();
            let mut ours: Vec<_> = ours
                .fields
                .iter()
                .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
                .collect();
            theirs.sort();
            ours.sort();
            assert_eq!(ours, theirs);
        }
        id += 2;
    }
});
