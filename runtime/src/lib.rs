//! gRPC for Rust: calls that wait for their server, compression at every level, and a server context that tells a
//! handler all about its call.
//!
//! `callwright_build` turns a `.proto` file into messages, a stub `GreeterStub` for the client, and a trait
//! `GreeterServicer` with `GreeterServer` for the server; [`include_proto!`] brings them in. This crate is all that the
//! generated code needs, prost included.
//!
//! # Calls
//!
//! A stub's method returns a [`Call`]: it takes options, and is made when it is awaited.
//!
//! ```no_run
//! use std::time::Duration;
//! use callwright::{Channel, Compression};
//! # use callwright::{Call, Method, Status, Unary};
//! # struct GreeterStub(Channel);
//! # impl GreeterStub {
//! #     fn new(channel: Channel) -> Self { GreeterStub(channel) }
//! #     fn say_hello(&self, request: String) -> Call<Unary, String, String> {
//! #         Call::unary(&self.0, Method::new("/helloworld.Greeter/SayHello"), request)
//! #     }
//! # }
//! # async fn example(request: String) -> Result<(), Box<dyn std::error::Error>> {
//!
//! let channel = Channel::builder("dns:///localhost:50051").build()?; // connects when it is first used
//! let greeter = GreeterStub::new(channel);
//! let reply = greeter
//!     .say_hello(request)
//!     .wait_for_ready(true)
//!     .timeout(Duration::from_secs(5))
//!     .compression(Compression::Gzip)
//!     .metadata("x-request-id", "42")
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! `send()` in place of `await` gives a [`Response`], with the initial and the trailing metadata kept apart. A stream of
//! responses is a [`Streaming`]; a call that streams its requests takes them whole (`send_all`) or gives both its halves
//! at once (`start`): a [`RequestSender`] and a [`Streaming`] or a [`Reply`].
//!
//! # Waiting for a server
//!
//! A call on a channel that is not connected is queued while the channel connects. When it cannot, a fail-fast call
//! ends in UNAVAILABLE, naming the address, the stage and the cause; a wait-for-ready call stays queued until a server
//! is there or its deadline has passed. [`Channel`] has the whole table. wait-for-ready does not hide a call that broke
//! after it had reached the server.
//!
//! # Deadlines and cancellation
//!
//! A timeout covers the whole call: queue, connection, messages, trailers. It travels with the call; both sides end in
//! DEADLINE_EXCEEDED. Dropping a call's future or stream cancels it: the handler is dropped, and what it started
//! elsewhere can watch [`ServerContext::cancelled`].
//!
//! # Servers
//!
//! ```no_run
//! use callwright::{Compression, Server};
//! # use callwright::server::{Methods, Service};
//! # struct GreeterServer;
//! # impl Service for GreeterServer { fn register(self, _: &mut Methods) {} }
//!
//! # async fn example(greeter: GreeterServer) -> Result<(), callwright::BindError> {
//! Server::builder().compression(Compression::Gzip).add_service(greeter).serve("[::]:50051").await?;
//! # Ok(())
//! # }
//! ```
//!
//! A handler is an `async fn` of the generated trait: the request or [`Requests`], [`Responses`] where it streams them,
//! and a [`ServerContext`]. One that is left out answers UNIMPLEMENTED; one that panics ends its call in INTERNAL, and
//! nothing else.
//!
//! [`ServerBuilder`] says how many connections and calls there may be, how large messages and metadata, and how long a client may
//! dawdle; it listens at several addresses where it is to ([`ServerBuilder::listen`]), also on sockets that the process was given
//! ([`ListenAddress`]). [`RunningServer::shutdown`] loses no call.
//!
//! A server may also be a part of an HTTP server that is there already, axum or hyper, and be called by browsers: `http_service` and
//! `grpc_web`, behind features of the same name.
//!
//! # Compression
//!
//! Set on the channel ([`ChannelBuilder::compression`]), on a call ([`Call::compression`]), on the server
//! ([`ServerBuilder::compression`]), on a response ([`ServerContext::set_response_compression`]), and off for one message
//! ([`ServerContext::disable_next_message_compression`], [`RequestSender::disable_next_message_compression`]); the
//! narrower setting wins. A server sends only what its client accepts.
//!
//! # Names and load balancing
//!
//! A target names servers: by DNS, by their addresses, or in a scheme of your own ([`resolver`]). How calls are spread over them is
//! a [`LoadBalancing`](service_config::LoadBalancing): the first that can be reached gets all calls unless said otherwise; what it
//! does not offer, a [`balancer`] of your own may.
//!
//! ```no_run
//! use callwright::Channel;
//! use callwright::service_config::LoadBalancing;
//!
//! # fn example() -> Result<(), callwright::ChannelError> {
//! let channel = Channel::builder("ipv4:10.0.0.1:50051,10.0.0.2:50051")
//!     .load_balancing(LoadBalancing::round_robin())
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Retries
//!
//! A [`ServiceConfig`](service_config::ServiceConfig) says which calls are made again when they failed, and which are made several
//! times at once (gRFC A6), beside timeouts, wait-for-ready and health checks. A call that no server has looked at is sent again
//! without any.
//!
//! ```no_run
//! use callwright::service_config::{MethodConfig, MethodName, RetryPolicy, ServiceConfig};
//! use callwright::{Channel, Code};
//!
//! # fn example() -> Result<(), callwright::ChannelError> {
//! let retry = RetryPolicy::new(4, [Code::Unavailable]); // 4 attempts, the first one included
//! let method = MethodConfig::new([MethodName::service("helloworld.Greeter")]).with_retry_policy(retry);
//! let config = ServiceConfig::new().with_method(method);
//! let channel = Channel::builder("dns:///localhost:50051").service_config(config).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Security
//!
//! Connections are plaintext unless [`ChannelCredentials`] and [`ServerCredentials`] say otherwise, which needs the feature `tls`
//! or `tls-aws-lc`; a target `https://host` is TLS too. [`ServerContext::peer_identities`] tells a handler who its caller is.
//! [`credentials`] has those of calls. [`Keepalive`] finds connections that have died, and a [`Proxy`] is asked for a tunnel.
//!
//! # Interceptors
//!
//! Code around the calls of a channel, or around one call, which sees and changes what passes, refuses, answers itself or calls
//! again: [`interceptor`]. Code around the calls of a server, or of one service, which sees the context before and after the handler:
//! [`server::interceptor`], with some that are ready-made.
//!
//! # Errors
//!
//! Every failure is a [`Status`]: a [`Code`] that gRPC's documents give it, a message that says what was tried and what
//! to do, and the cause as its source.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `zstd` | [`Compression::Zstd`] |
//! | `tls` | [`ChannelCredentials`] and [`ServerCredentials`] over TLS, with rustls and the cryptography of ring |
//! | `tls-aws-lc` | the same with the cryptography of aws-lc; with both, aws-lc is used |
//! | `jwt` | `ServiceAccount` in the module [`credentials`]: call credentials of a Google service account, which signs its tokens itself |
//! | `macros` | `protos!`, `services!`, `protos_and_services!`: generated code without a build script |
//! | `status` | typed error details in the module [`status`]: google.rpc's ten standard details, and your own |
//! | `health` | the module `health`: a server says whether it and its services take calls |
//! | `reflection` | the module `reflection`: a server tells tools what services it has |
//! | `channelz` | the module `channelz`: a server shows what the channels, servers and sockets of its process do |
//! | `http-service` | the module `http_service`: a server as a tower service, inside of axum, hyper or another HTTP server |
//! | `grpc-web` | the module `grpc_web`: browsers call such a server, by gRPC-Web; with it comes `http-service` |
//! | `orca` | the module `orca`: a server tells its clients how much it has to do |
//! | `opentelemetry` | the module `opentelemetry`: metrics (gRFC A66) and traces (gRFC A72) of clients and servers |
//! | `admin` | the module `admin`: channelz, and what may come beside it, in one line |
//! | `testing` | the module `testing`: tests of servicers and of clients without sockets, and time that the test moves |
//! | `dynamic` | the module `dynamic`: protos parsed at run time, and calls and servicers without generated code |
//! | `dns` | DNS without the operating system: service configs in DNS (`ChannelBuilder::service_config_from_dns`), and a DNS server of a target's own; with it comes `service-config` |
//! | `service-config` | service configs in JSON: `ServiceConfig::from_json`, `ChannelBuilder::service_config_json` |
//! | `cli` | the command `callwright`: calls any service from the shell |

// Generated code names this crate by its name.
#[cfg(any(
    feature = "channelz",
    feature = "dynamic",
    feature = "health",
    feature = "orca",
    feature = "reflection",
    feature = "status"
))]
extern crate self as callwright;

mod address;
#[cfg(feature = "admin")]
pub mod admin;
mod call;
mod channel;
#[cfg(feature = "channelz")]
pub mod channelz;
mod codec;
mod compression;
pub mod credentials;
#[cfg(feature = "dynamic")]
pub mod dynamic;
mod generated;
#[cfg(feature = "grpc-web")]
pub mod grpc_web;
#[cfg(feature = "health")]
pub mod health;
mod metadata;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
#[cfg(feature = "orca")]
pub mod orca;
#[cfg(feature = "reflection")]
pub mod reflection;
pub mod server;
mod spare_memory;
pub mod stats;
pub mod status;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
#[cfg(any(feature = "dynamic", feature = "service-config"))]
mod unique_json;
mod waker_slot;

pub use address::Address;
pub use call::{Bidi, ClientStreaming, ConnectivityState, Method, Response, ServerStreaming, Unary};
pub use channel::{
    Backoff, Call, Channel, ChannelBuilder, ChannelError, Reply, RequestSender, StateWatch, Streaming, TargetError,
    TargetUri, balancer, interceptor, resolver, service_config,
};
pub use codec::{BytesCodec, Codec, CodecError, MessageBytes, Prost};
pub use compression::{Compression, CompressionError, Compressor, DecompressError};
#[cfg(feature = "jwt")]
pub use credentials::ServiceAccount;
pub use credentials::{BearerToken, CallCredentials, ChannelCredentials, CredentialsError, ServerCredentials};
#[cfg(feature = "_tls")]
pub use credentials::{ChannelTlsBuilder, ClientCertificates, ServerTlsBuilder};
pub use metadata::{IntoMetadataValue, Metadata, MetadataError, MetadataValue};
#[cfg(feature = "http-service")]
pub use server::http_service;
pub use server::{
    AuthContext, BindError, Cancelled, ListenAddress, MethodLimits, Outcome, Requests, Responses, RunningServer,
    Server, ServerBuilder, ServerContext, UnixCredentials,
};
pub use status::{Code, Status};
pub use transport::{Keepalive, KeepaliveEnforcement, ListeningSocket, Proxy, ProxyError};

#[cfg(feature = "macros")]
pub use callwright_macros::{protos, protos_and_services, services};

/// The library that generated messages are made with, for its traits: `callwright::prost::Message`.
pub use prost;
/// The messages of the well-known types: `callwright::prost_types::Timestamp`.
pub use prost_types;
/// The library that TLS is made with, for a configuration of your own.
#[cfg(feature = "_tls")]
pub use rustls;

/// What generated code is made of; for that code alone.
#[doc(hidden)]
pub mod codegen {
    pub use bytes::Bytes;
    pub use prost;
    pub use prost_types;
}

/// Includes what `callwright_build` generated for a package: `include_proto!("helloworld")`.
///
/// The file is `$OUT_DIR/<package>.rs`, so it works in crates whose build script generated it.
#[macro_export]
macro_rules! include_proto {
    ($package:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $package, ".rs"));
    };
}
