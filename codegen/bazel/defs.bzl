"""Rust from proto_library, by an aspect (gRFC L86): all that a BUILD file, a WORKSPACE or another rule loads."""

load("//:compile.bzl", _rust_crates = "rust_crates", _rustc_arguments = "rustc_arguments")
load("//:libraries.bzl", _rust_grpc_library = "rust_grpc_library", _rust_proto_library = "rust_proto_library")
load("//:providers.bzl", _RustCrateInfo = "RustCrateInfo")
load("//:toolchain.bzl", _callwright_toolchain = "callwright_toolchain")

# For BUILD files.
rust_proto_library = _rust_proto_library
rust_grpc_library = _rust_grpc_library
callwright_toolchain = _callwright_toolchain

# For rules that compile Rust against them.
RustCrateInfo = _RustCrateInfo
rust_crates = _rust_crates
rustc_arguments = _rustc_arguments
