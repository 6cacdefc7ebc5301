//! Generates the greeter of the examples and the echo service of the tests.

fn main() -> Result<(), callwright_build::Error> {
    let protos = ["../../examples/proto/helloworld.proto", "../proto/callwright/tests/echo.proto"];
    callwright_build::compile_protos(&protos, &["../../examples/proto", "../proto"])
}
