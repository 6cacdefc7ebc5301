//! What an algorithm must be able to do.

use std::fmt;
use std::io;

/// A compression algorithm: the built-in ones, or your own registered with a channel or a server.
///
/// One value serves all calls at once; what is dear to set up belongs in a pool inside it.
pub trait Compressor: fmt::Debug + Send + Sync + 'static {
    /// The name on the wire, as in `grpc-encoding`: lower case letters, digits, `-`, `_` and `.`.
    fn name(&self) -> &'static str;

    /// Appends `message`, compressed, to `output`. `level` is the user's setting; `None` means the algorithm's default.
    ///
    /// # Errors
    /// Whatever went wrong; the message then goes out uncompressed.
    fn compress(&self, message: &[u8], level: Option<u32>, output: &mut Vec<u8>) -> io::Result<()>;

    /// Appends `message`, decompressed, to `output`, and stops as soon as that would exceed `limit` bytes.
    ///
    /// # Errors
    /// [`DecompressError::TooLarge`] at the limit, [`DecompressError::Corrupt`] for input that is not of this algorithm.
    fn decompress(&self, message: &[u8], limit: usize, output: &mut Vec<u8>) -> Result<(), DecompressError>;
}

/// Why a message could not be decompressed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// The message is larger than the limit; the decompressor stopped there.
    #[error("the decompressed message is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The bytes are not valid in this encoding.
    #[error("the compressed message is corrupt: {0}")]
    Corrupt(#[source] io::Error),
}
