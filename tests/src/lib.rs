//! What the end-to-end and interoperability tests share.

/// gRPC's standard test services: messages, stubs, servicer traits.
pub mod testing {
    callwright::include_proto!("grpc.testing");
}
