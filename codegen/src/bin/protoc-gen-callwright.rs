//! The plugin for protoc and buf: `protoc --callwright_out=src/generated helloworld.proto`.

use std::io::{self, Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // What is wrong with the input goes into the response; only a broken pipe to protoc ends here.
        Err(error) => {
            eprintln!("protoc-gen-callwright: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    if let Some(argument) = std::env::args().nth(1) {
        println!("protoc-gen-callwright {}", env!("CARGO_PKG_VERSION"));
        if argument != "--version" {
            println!("A plugin: run by protoc as `protoc --callwright_out=OUT --callwright_opt=OPTIONS FILES..`");
        }
        return Ok(());
    }
    let mut request = Vec::new();
    io::stdin().lock().read_to_end(&mut request)?;
    let mut out = io::stdout().lock();
    out.write_all(&callwright_build::plugin::respond(&request))?;
    out.flush()
}
