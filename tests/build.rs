//! Generates the stubs and servicer traits of gRPC's standard test services, and of the echo service.

fn main() -> Result<(), callwright_build::Error> {
    callwright_build::compile_protos(
        &["proto/grpc/testing/test.proto", "proto/callwright/tests/echo.proto"],
        &["proto"],
    )
}
