//! What the end-to-end and interoperability tests share.

pub mod http2_driver;
pub mod interop;
pub mod support;

/// gRPC's standard test services: messages, stubs, servicer traits.
pub mod testing {
    callwright::include_proto!("grpc.testing");
}

/// A service with one method of each kind, for tests that bring their own servicer.
pub mod echo {
    callwright::include_proto!("callwright.tests");
}
