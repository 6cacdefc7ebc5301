//! Compression of messages (gRFC L46, `doc/compression.md`): which algorithms there are, and which one applies.

mod compressor;
mod negotiation;
#[cfg(test)]
mod tests;
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;

pub use compressor::{Compressor, DecompressError};
pub(crate) use negotiation::{AcceptEncoding, Compressors};

/// An algorithm that messages are compressed with.
///
/// Set on a channel, a call, a server or a response; the narrower setting wins, and [`Compression::None`] is a
/// setting like any other: it switches off what a wider one switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// No compression: `identity`.
    None,
    /// zlib (RFC 1950), which gRPC calls `deflate`.
    Deflate,
    /// `gzip` (RFC 1952).
    Gzip,
    /// `zstd` (RFC 8878); needs the feature `zstd`.
    Zstd,
    /// A [`Compressor`] of your own, by its name.
    Custom(&'static str),
}

impl Compression {
    /// The name on the wire, as in `grpc-encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "identity",
            Compression::Deflate => "deflate",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Custom(name) => name,
        }
    }

    /// The algorithm of this name.
    pub(crate) fn of(name: &'static str) -> Compression {
        let built_in = [Compression::None, Compression::Deflate, Compression::Gzip, Compression::Zstd];
        built_in.into_iter().find(|known| known.name() == name).unwrap_or(Compression::Custom(name))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a compression that was asked for cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// `zstd` was asked for and the crate was built without it.
    #[error("compression zstd needs the feature \"zstd\" of the crate callwright")]
    FeatureMissing,
    /// A custom algorithm was asked for that nobody registered.
    #[error("no compressor named {0:?} is registered: give it to the builder with compressor(..)")]
    NotRegistered(&'static str),
    /// A custom algorithm has a name that cannot stand in `grpc-encoding`, or the name of no compression.
    #[error(
        "compressor name {0:?} cannot be used: it takes lower case letters, digits, '-', '_' and '.', and is not \"identity\""
    )]
    InvalidName(&'static str),
}
