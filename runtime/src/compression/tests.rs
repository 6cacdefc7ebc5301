use std::sync::Arc;

use http::HeaderValue;

use super::{AcceptEncoding, Compression, Compressor, Compressors, DecompressError};

fn all() -> Vec<Arc<dyn Compressor>> {
    let compressors = Compressors::default();
    let mut all = vec![Compression::Deflate, Compression::Gzip];
    if cfg!(feature = "zstd") {
        all.push(Compression::Zstd);
    }
    all.into_iter().map(|compression| compressors.find(compression).unwrap().unwrap()).collect()
}

#[test]
fn every_algorithm_gives_back_what_it_took() {
    let mut noise = vec![0u8; 300_000];
    let mut state = 1u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    for compressor in all() {
        for message in [&b""[..], b"x", &[7; 100_000], &noise] {
            for level in [None, Some(1), Some(9)] {
                let (mut small, mut back) = (Vec::new(), Vec::new());
                compressor.compress(message, level, &mut small).unwrap();
                compressor.decompress(&small, message.len(), &mut back).unwrap();
                assert!(back == message, "{} level {level:?} of {} bytes", compressor.name(), message.len());
            }
        }
    }
}

#[derive(Debug)]
struct Named(&'static str);

impl Compressor for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    fn compress(&self, _: &[u8], _: Option<u32>, _: &mut Vec<u8>) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn decompress(&self, _: &[u8], limit: usize, _: &mut Vec<u8>) -> Result<(), DecompressError> {
        Err(DecompressError::TooLarge { limit })
    }
}

#[test]
fn a_name_that_no_header_can_hold_is_refused_when_it_is_set_up() {
    for name in ["", "identity", "a,b", "a b", "LZ4", "a\nb", "\u{fc}"] {
        let builder = crate::Channel::builder("127.0.0.1:1").compressor(Named(name));
        assert!(builder.build().is_err(), "{name:?}");
    }
    assert!(crate::Channel::builder("127.0.0.1:1").compressor(Named("x-lz4_1.9")).build().is_ok());
}

#[test]
fn decompression_stops_at_the_limit() {
    for compressor in all() {
        let mut bomb = Vec::new();
        compressor.compress(&vec![0; 8 << 20], None, &mut bomb).unwrap();
        let mut output = Vec::new();
        let error = compressor.decompress(&bomb, 1 << 20, &mut output).unwrap_err();
        assert!(matches!(error, DecompressError::TooLarge { limit } if limit == 1 << 20), "{error:?}");
        assert!(output.capacity() <= 4 << 20, "{} grew to {}", compressor.name(), output.capacity());
    }
}

#[test]
fn broken_input_is_corrupt_and_never_endless() {
    for compressor in all() {
        let mut whole = Vec::new();
        compressor.compress(&[7; 1000], None, &mut whole).unwrap();
        for input in [&b""[..], b"not compressed at all", &whole[..whole.len() / 2], &whole[..whole.len() - 1]] {
            let error = compressor.decompress(input, 1 << 20, &mut Vec::new());
            assert!(matches!(error, Err(DecompressError::Corrupt(_))), "{} of {input:?}: {error:?}", compressor.name());
        }
    }
}

#[test]
fn limit_of_zero_accepts_the_empty_message() {
    for compressor in all() {
        let mut empty = Vec::new();
        compressor.compress(b"", None, &mut empty).unwrap();
        compressor.decompress(&empty, 0, &mut Vec::new()).unwrap();
    }
}

#[test]
fn accepted_encodings_can_be_restricted() {
    let mut compressors = Compressors::default();
    compressors.accept_only(vec![Compression::Deflate]);
    assert_eq!(compressors.accept_header(), "identity,deflate");
    assert!(compressors.accepted("gzip").is_err());
    assert!(compressors.accepted("deflate").unwrap().is_some());
    assert!(compressors.accepted("identity").unwrap().is_none());
    assert!(compressors.accepted("snappy").is_err());
}

#[test]
fn a_silent_peer_takes_identity_alone() {
    let silent = AcceptEncoding::new(None);
    assert!(silent.lists("identity") && !silent.lists("gzip"));
    let header = HeaderValue::from_static("identity, deflate,gzip");
    let peer = AcceptEncoding::new(Some(&header));
    assert!(peer.lists("gzip") && peer.lists("deflate") && !peer.lists("zstd") && !peer.lists("gz"));
}

#[cfg(feature = "zstd")]
#[test]
fn a_window_larger_than_any_message_is_refused() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(27)).unwrap();
    std::io::Write::write_all(&mut encoder, b"small").unwrap();
    let frame = encoder.finish().unwrap();
    let zstd = Compressors::default().find(Compression::Zstd).unwrap().unwrap();
    let error = zstd.decompress(&frame, 4 << 20, &mut Vec::new());
    assert!(matches!(error, Err(DecompressError::Corrupt(_))), "{error:?}");
    zstd.decompress(&frame, 128 << 20, &mut Vec::new()).unwrap();
}
