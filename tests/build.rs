//! Generates the stubs and servicer traits of gRPC's standard test services.

fn main() -> Result<(), callwright_build::Error> {
    callwright_build::compile_protos(&["proto/grpc/testing/test.proto"], &["proto"])
}
