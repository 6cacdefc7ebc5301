use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Decoder, Encoding, Side, append, encode};
use crate::codec::{BytesCodec, Codec, CodecError, Prost};
use crate::compression::{Compression, Compressor, Compressors, DecompressError};
use crate::status::Code;

fn frame(message: &str, compression: Compression) -> Bytes {
    let compressors = Compressors::default();
    let compressor = compressors.find(compression).unwrap();
    let encoding = Encoding {
        compressor: compressor.as_deref(),
        compressors: &compressors,
        limit: usize::MAX,
        sender: Side::Client,
    };
    encode(&Prost, &message.to_owned(), &encoding).unwrap()
}

fn decoder(compression: Compression, limit: usize) -> Decoder {
    Decoder::new(Compressors::default().find(compression).unwrap(), limit, Side::Client)
}

#[test]
fn messages_survive_any_cut_of_the_stream() {
    let long = "y".repeat(500);
    let stream =
        [frame("", Compression::Gzip), frame("one", Compression::Gzip), frame(&long, Compression::Gzip)].concat();
    for step in [1, 2, 3, 5, 7, 64, stream.len()] {
        let (mut decoder, mut seen) = (decoder(Compression::Gzip, 4096), Vec::new());
        for chunk in stream.chunks(step) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(message) = decoder.next(&BytesCodec).unwrap() {
                seen.push((message.content.unwrap().len(), message.compressed));
            }
        }
        assert_eq!(seen, [(0, false), (5, false), (503, true)], "chunks of {step}");
        assert!(decoder.is_at_boundary());
    }
}

#[test]
fn a_message_in_tiny_chunks_is_kept_as_one() {
    let mut decoder = decoder(Compression::None, 100_000);
    let stream = frame(&"y".repeat(50_000), Compression::None);
    for byte in stream.chunks(1) {
        assert!(decoder.next(&BytesCodec).unwrap().is_none());
        decoder.push(Bytes::copy_from_slice(byte));
        assert!(decoder.more.as_ref().is_none_or(|more| more.chunks.len() <= 1));
    }
    assert_eq!(decoder.next(&BytesCodec).unwrap().unwrap().content.unwrap(), stream[5..]);
    assert!(decoder.is_at_boundary());
}

#[test]
fn a_message_that_does_not_shrink_goes_out_plain() {
    assert_eq!(frame("x", Compression::Gzip)[0], 0);
    assert_eq!(frame(&"x".repeat(1000), Compression::Gzip)[0], 1);
}

#[test]
fn a_message_below_the_minimum_size_goes_out_plain() {
    let mut compressors = Compressors::default();
    compressors.min_size = 2000;
    let gzip = compressors.find(Compression::Gzip).unwrap();
    let encoding =
        Encoding { compressor: gzip.as_deref(), compressors: &compressors, limit: usize::MAX, sender: Side::Client };
    assert_eq!(encode(&Prost, &"x".repeat(1000), &encoding).unwrap()[0], 0);
    assert_eq!(encode(&Prost, &"x".repeat(3000), &encoding).unwrap()[0], 1);
}

#[test]
fn the_limit_is_told_from_the_prefix_alone() {
    let mut decoder = decoder(Compression::None, 10);
    decoder.push(Bytes::from_static(&[0, 0, 0, 0, 11]));
    assert_eq!(decoder.next(&BytesCodec).unwrap_err().code(), Code::ResourceExhausted);
}

#[test]
fn the_limit_holds_for_the_decompressed_size() {
    let mut decoder = decoder(Compression::Gzip, 100);
    decoder.push(frame(&"x".repeat(1000), Compression::Gzip));
    assert_eq!(decoder.next(&BytesCodec).unwrap_err().code(), Code::ResourceExhausted);
}

#[test]
fn compressed_without_encoding_and_unknown_flags_are_internal() {
    for flag in [1, 2, 255] {
        let mut decoder = decoder(Compression::None, 100);
        decoder.push(Bytes::copy_from_slice(&[flag, 0, 0, 0, 0]));
        assert_eq!(decoder.next(&BytesCodec).unwrap_err().code(), Code::Internal, "flag {flag}");
    }
}

#[test]
fn a_message_over_the_sending_limit_is_refused() {
    let compressors = Compressors::default();
    let encoding = Encoding { compressor: None, compressors: &compressors, limit: 4, sender: Side::Client };
    let message = "long".to_owned();
    let error = encode(&Prost, &message, &encoding).unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error.message(), "request of 6 bytes is over the client's limit of 4 bytes (max_send_message_size)");
    let error = encode(&Prost, &message, &Encoding { sender: Side::Server, ..encoding }).unwrap_err();
    assert_eq!(error.message(), "response of 6 bytes is over the server's limit of 4 bytes (max_send_message_size)");
}

/// Replaces the output where it should append, and has no eye on the limit.
#[derive(Debug)]
struct Careless;

impl Compressor for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn compress(&self, _: &[u8], _: Option<u32>, output: &mut Vec<u8>) -> io::Result<()> {
        output.clear();
        Ok(())
    }

    fn decompress(&self, message: &[u8], _: usize, output: &mut Vec<u8>) -> Result<(), DecompressError> {
        *output = message.repeat(1000);
        Ok(())
    }
}

#[test]
fn a_careless_compressor_breaks_neither_the_frame_nor_the_limit() {
    let compressors = Compressors::default();
    let encoding =
        Encoding { compressor: Some(&Careless), compressors: &compressors, limit: usize::MAX, sender: Side::Client };
    assert_eq!(encode(&Prost, &"x".repeat(10), &encoding).unwrap(), frame(&"x".repeat(10), Compression::None));
    let mut decoder = Decoder::new(Some(Arc::new(Careless)), 100, Side::Server);
    decoder.push(Bytes::from_static(&[1, 0, 0, 0, 1, b'x']));
    assert_eq!(decoder.next(&BytesCodec).unwrap_err().code(), Code::ResourceExhausted);
}

#[test]
fn a_message_in_parts_is_read_without_joining_them_and_what_is_wrong_with_it_is_its_own() {
    let long = "y".repeat(100_000);
    let stream =
        [frame(&long, Compression::None), frame("one", Compression::None), frame(&long, Compression::None)].concat();
    for step in [1, 1000, 16_384, 70_000] {
        let (mut decoder, mut seen) = (decoder(Compression::None, usize::MAX), Vec::<String>::new());
        for chunk in stream.chunks(step) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(message) = decoder.next(&Prost).unwrap() {
                seen.push(message.content.unwrap());
            }
        }
        assert_eq!((seen, decoder.is_at_boundary()), (vec![long.clone(), "one".into(), long.clone()], true));
    }
    // The second field's length is past the end of the first message, and not read from the one behind it.
    let broken = [
        &[0, 0, 0, 0x10, 0x02][..],
        &[0x0a, 0],
        &[b'x'; 0x0ffe],
        &[0x0a, 0xff, 0x7f],
        &frame("one", Compression::None),
    ]
    .concat();
    let mut decoder = decoder(Compression::None, usize::MAX);
    broken.chunks(2000).for_each(|chunk| decoder.push(Bytes::copy_from_slice(chunk)));
    let first = decoder.next::<String>(&Prost).unwrap().unwrap();
    assert!(first.content.is_err());
    assert!(Prost.encoded_len(&"one".to_owned()).is_some());
}

/// Says how long a message is, and does something else.
#[derive(Debug)]
struct Liar(usize, fn(&mut BytesMut));

impl Codec<()> for Liar {
    fn encode(&self, _: &(), buffer: &mut BytesMut) -> Result<(), CodecError> {
        self.1(buffer);
        Ok(())
    }

    fn encoded_len(&self, _: &()) -> Option<usize> {
        Some(self.0)
    }

    fn decode(&self, _: Bytes) -> Result<(), CodecError> {
        Ok(())
    }
}

#[test]
fn a_codec_that_does_not_do_what_it_says_ends_its_call_and_no_more() {
    let compressors = Compressors::default();
    let encoding = Encoding { compressor: None, compressors: &compressors, limit: 1000, sender: Side::Client };
    let code = |liar: Liar| encode(&liar, &(), &encoding).unwrap_err().code();
    assert_eq!(code(Liar(usize::MAX, |_| {})), Code::ResourceExhausted);
    assert_eq!(code(Liar(10, |buffer| buffer.clear())), Code::Internal);
    assert_eq!(code(Liar(10, |buffer| buffer.resize(2000, 0))), Code::Internal);
    assert_eq!(code(Liar(10, |_| {})), Code::Internal);
    let mut buffer = BytesMut::new();
    for liar in [Liar(10, |buffer| buffer.clear()), Liar(10, |buffer| buffer.resize(2000, 0)), Liar(10, |_| {})] {
        assert_eq!(append(&liar, &(), 10, &mut buffer).unwrap_err().code(), Code::Internal);
    }
}
