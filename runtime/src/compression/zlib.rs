//! gzip and deflate, over one implementation of zlib.

use std::io;
use std::sync::{Mutex, PoisonError};

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Compressor, DecompressError};

/// zlib's own default, and grpc's.
const DEFAULT_LEVEL: u32 = 6;
/// log2 of the window: the largest, as every peer expects.
const WINDOW_BITS: u8 = 15;
/// How many idle states are kept: one is some 300 KiB and costs more to set up than a small message to compress.
const POOL_SIZE: usize = 16;
/// How much the output grows at a time.
const STEP: usize = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Zlib,
    Gzip,
}

#[derive(Debug)]
pub(super) struct Zlib {
    format: Format,
    idle: Mutex<Vec<(u32, Compress)>>,
}

impl Zlib {
    pub(super) fn new(format: Format) -> Zlib {
        Zlib { format, idle: Mutex::new(Vec::new()) }
    }

    fn take(&self, level: u32) -> Compress {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = idle.iter().position(|(known, _)| *known == level) {
            return idle.swap_remove(index).1;
        }
        drop(idle);
        let level = flate2::Compression::new(level);
        match self.format {
            Format::Zlib => Compress::new(level, true),
            Format::Gzip => Compress::new_gzip(level, WINDOW_BITS),
        }
    }

    fn give_back(&self, level: u32, mut state: Compress) {
        state.reset();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < POOL_SIZE {
            idle.push((level, state));
        }
    }
}

impl Compressor for Zlib {
    fn name(&self) -> &'static str {
        match self.format {
            Format::Zlib => "deflate",
            Format::Gzip => "gzip",
        }
    }

    fn compress(&self, message: &[u8], level: Option<u32>, output: &mut Vec<u8>) -> io::Result<()> {
        let level = level.unwrap_or(DEFAULT_LEVEL).min(9);
        let mut state = self.take(level);
        loop {
            // A message larger than its input never leaves, so room for the input is room enough for most.
            output.reserve(STEP.min(message.len() + 64));
            let read = usize::try_from(state.total_in()).map_err(io::Error::other)?;
            let rest = message.get(read..).unwrap_or_default();
            if state.compress_vec(rest, output, FlushCompress::Finish)? == Status::StreamEnd {
                break;
            }
        }
        self.give_back(level, state);
        Ok(())
    }

    fn decompress(&self, message: &[u8], limit: usize, output: &mut Vec<u8>) -> Result<(), DecompressError> {
        let mut state = match self.format {
            Format::Zlib => Decompress::new(true),
            Format::Gzip => Decompress::new_gzip(WINDOW_BITS),
        };
        let start = output.len();
        loop {
            let written = output.len() - start;
            // One byte more than allowed tells a message at the limit from one past it.
            let room = (limit - written.min(limit)).saturating_add(1).min(STEP.max(written));
            output.reserve_exact(room);
            let before = (state.total_in(), output.len());
            let read = usize::try_from(before.0).unwrap_or(usize::MAX);
            let rest = message.get(read..).unwrap_or_default();
            let status = state
                .decompress_vec(rest, output, FlushDecompress::None)
                .map_err(|error| DecompressError::Corrupt(error.into()))?;
            if output.len() - start > limit {
                return Err(DecompressError::TooLarge { limit });
            }
            if status == Status::StreamEnd {
                return Ok(());
            }
            if before == (state.total_in(), output.len()) {
                return Err(DecompressError::Corrupt(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}
