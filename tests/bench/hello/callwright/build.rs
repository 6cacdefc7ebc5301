//! Generates the stub and the servicer trait.

fn main() -> Result<(), callwright_build::Error> {
    callwright_build::compile_protos(&["proto/helloworld.proto"], &["proto"])
}
