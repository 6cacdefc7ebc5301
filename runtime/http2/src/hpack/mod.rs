//! Header compression (RFC 7541): both tables, the decoder and the encoder.
//!
//! The decoder takes every block that the RFC allows. The encoder is made for the few shapes of gRPC's headers: what is the
//! same in every call of a connection goes into the dynamic table, what differs goes out as it is.

mod decoder;
mod encoder;
mod field;
mod huffman;
mod integer;
mod static_table;
mod table;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
pub(crate) use field::{Name, Value};

/// The size of the dynamic table that both sides begin with, in bytes.
pub(crate) const DEFAULT_TABLE_SIZE: usize = 4096;

/// Why a header block cannot be read; the connection is lost with it, since the tables differ from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HpackError {
    /// The block ends inside of a field.
    #[error("the block is cut off")]
    Truncated,
    /// A number that does not fit.
    #[error("an integer is too large")]
    Integer,
    /// An index that neither table has.
    #[error("an index is in neither table")]
    Index,
    /// A string that is not in the Huffman code.
    #[error("a string is not in the Huffman code")]
    Huffman,
    /// A table larger than this side allowed, or a change of its size in the middle of a block.
    #[error("the size of the table is set wrongly")]
    TableSize,
}
