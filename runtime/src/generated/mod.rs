//! What the generator made of the protos in `runtime/proto`; `cargo xtask test` checks that it still would.

/// The package `google.rpc`.
#[cfg(feature = "status")]
pub(crate) mod google_rpc {
    include!("google.rpc.rs");
}

/// The package `grpc.channelz.v1`.
#[cfg(feature = "channelz")]
pub(crate) mod channelz_v1 {
    include!("grpc.channelz.v1.rs");
}

/// The package `grpc.health.v1`.
#[cfg(feature = "health")]
pub(crate) mod health_v1 {
    include!("grpc.health.v1.rs");
}

/// The package `grpc.reflection.v1`.
#[cfg(any(feature = "reflection", feature = "dynamic"))]
pub(crate) mod reflection_v1 {
    include!("grpc.reflection.v1.rs");
}

/// The package `grpc.reflection.v1alpha`.
#[cfg(feature = "reflection")]
pub(crate) mod reflection_v1alpha {
    include!("grpc.reflection.v1alpha.rs");
}

/// The packages `xds.data.orca.v3` and `xds.service.orca.v3`, of which the second uses the first.
#[cfg(feature = "orca")]
pub(crate) mod xds {
    pub(crate) mod data {
        pub(crate) mod orca {
            pub(crate) mod v3 {
                include!("xds.data.orca.v3.rs");
            }
        }
    }

    pub(crate) mod service {
        pub(crate) mod orca {
            pub(crate) mod v3 {
                include!("xds.service.orca.v3.rs");
            }
        }
    }
}
