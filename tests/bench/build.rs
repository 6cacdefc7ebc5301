//! Generates the same services for callwright and for tonic, neither with protoc.

use std::error::Error;
use std::path::PathBuf;

const PROTO: &str = "proto/helloworld.proto";

fn main() -> Result<(), Box<dyn Error>> {
    callwright_build::compile_protos(&[PROTO], &["proto"])?;
    let folder = PathBuf::from(std::env::var("OUT_DIR")?).join("tonic");
    std::fs::create_dir_all(&folder)?;
    let descriptors = protox::compile([PROTO], ["proto"])?;
    tonic_prost_build::configure().out_dir(folder).compile_fds(descriptors)?;
    Ok(())
}
