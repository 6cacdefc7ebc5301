//! Generates the examples' stubs and servicer traits; no protoc needed.

fn main() -> Result<(), callwright_build::Error> {
    callwright_build::compile_protos(&["proto/helloworld.proto", "proto/routeguide.proto"], &["proto"])
}
