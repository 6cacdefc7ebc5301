//! gRPC for Rust.

mod call;
mod channel;
mod codec;
mod compression;
mod metadata;
pub mod server;
mod status;
mod transport;

pub use call::{Bidi, ClientStreaming, Method, Response, ServerStreaming, Unary};
pub use channel::{
    Backoff, Call, Channel, ChannelBuilder, ChannelError, ConnectivityState, Reply, RequestSender, StateWatch,
    Streaming, TargetError,
};
pub use codec::{Codec, CodecError, Prost};
pub use compression::{Compression, CompressionError, Compressor, DecompressError};
pub use metadata::{IntoMetadataValue, Metadata, MetadataError, MetadataValue};
pub use server::{
    AuthContext, BindError, Cancelled, Outcome, Requests, Responses, RunningServer, Server, ServerBuilder,
    ServerContext,
};
pub use status::{Code, Status};
pub use transport::address::Address;

/// What generated code is made of; for that code alone.
#[doc(hidden)]
pub mod codegen {
    pub use prost;
    pub use prost_types;
}

/// Includes the code that `callwright_build` generated for a package: `include_proto!("helloworld")`.
#[macro_export]
macro_rules! include_proto {
    ($package:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $package, ".rs"));
    };
}
