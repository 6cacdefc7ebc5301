//! What the examples share: the code generated from their protos, and the features that the route guide knows.

pub mod features;

/// The messages, stubs and servicer traits of `helloworld.proto`.
pub mod helloworld {
    callwright::include_proto!("helloworld");
}

/// The messages, stubs and servicer traits of `routeguide.proto`.
pub mod routeguide {
    callwright::include_proto!("routeguide");
}

/// The README's programs, compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The guide's programs, likewise.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../docs/channelz.md")]
    struct Channelz;
    #[doc = include_str!("../../docs/client-interceptors.md")]
    struct ClientInterceptors;
    #[doc = include_str!("../../docs/health.md")]
    struct Health;
    #[doc = include_str!("../../docs/names-and-load-balancing.md")]
    struct NamesAndLoadBalancing;
    #[doc = include_str!("../../docs/observability.md")]
    struct Observability;
    #[doc = include_str!("../../docs/orca.md")]
    struct Orca;
    #[doc = include_str!("../../docs/reflection.md")]
    struct Reflection;
    #[doc = include_str!("../../docs/retries.md")]
    struct Retries;
    #[doc = include_str!("../../docs/security.md")]
    struct Security;
    #[doc = include_str!("../../docs/server-interceptors.md")]
    struct ServerInterceptors;
    #[doc = include_str!("../../docs/server.md")]
    struct Server;
    #[doc = include_str!("../../docs/status.md")]
    struct Status;
}
