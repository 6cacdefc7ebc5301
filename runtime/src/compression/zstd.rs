//! zstd.

use std::io::{self, Read as _};

use super::{Compressor, DecompressError};

/// log2 of the window of level 19: 8 MiB, which every peer may use for whatever message.
const LEAST_WINDOW_LOG: u32 = 23;

#[derive(Debug)]
pub(super) struct Zstd;

impl Compressor for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn compress(&self, message: &[u8], level: Option<u32>, output: &mut Vec<u8>) -> io::Result<()> {
        let level = level.map_or(zstd::DEFAULT_COMPRESSION_LEVEL, |level| level.min(22) as i32);
        zstd::stream::copy_encode(message, output, level)
    }

    fn decompress(&self, message: &[u8], limit: usize, output: &mut Vec<u8>) -> Result<(), DecompressError> {
        let start = output.len();
        let mut decoder = zstd::stream::Decoder::with_buffer(message).map_err(DecompressError::Corrupt)?;
        // A frame says itself how much memory its window takes: no more than the message may, or than level 19 uses.
        let window_log = limit.checked_ilog2().unwrap_or(0) + 1;
        decoder.window_log_max(window_log.clamp(LEAST_WINDOW_LOG, 27)).map_err(DecompressError::Corrupt)?;
        // One byte more than allowed tells a message at the limit from one past it.
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        decoder.take(bound).read_to_end(output).map_err(DecompressError::Corrupt)?;
        if output.len() - start > limit {
            return Err(DecompressError::TooLarge { limit });
        }
        Ok(())
    }
}
