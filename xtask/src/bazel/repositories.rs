//! The repositories that stand in for what Bazel would fetch.

pub(super) const NAMES: [&str; 5] =
    ["remote_coverage_tools", "rules_cc", "rules_java", "com_google_protobuf", "callwright_machine"];

/// Path and text of each file.
pub(super) const REPOSITORIES: &[(&str, &str)] = &[
    (
        "remote_coverage_tools/BUILD",
        r#"package(default_visibility = ["//visibility:public"])
filegroup(name = "coverage_report_generator")
filegroup(name = "Main")
"#,
    ),
    ("rules_cc/BUILD", r#""#),
    ("rules_cc/cc/BUILD", r#""#),
    (
        "rules_cc/cc/defs.bzl",
        r#"cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
fdo_prefetch_hints = native.fdo_prefetch_hints
fdo_profile = native.fdo_profile
objc_import = native.objc_import
objc_library = native.objc_library
"#,
    ),
    ("rules_java/BUILD", r#""#),
    ("rules_java/java/BUILD", r#""#),
    (
        "rules_java/java/defs.bzl",
        r#"java_binary = native.java_binary
java_import = native.java_import
java_library = native.java_library
java_test = native.java_test
java_lite_proto_library = native.java_lite_proto_library
java_proto_library = native.java_proto_library
java_package_configuration = native.java_package_configuration
java_plugin = native.java_plugin
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
"#,
    ),
    (
        "com_google_protobuf/BUILD",
        r#"package(default_visibility = ["//visibility:public"])
sh_binary(name = "protoc", srcs = ["protoc.bin"])
proto_library(name = "any_proto", srcs = ["include/google/protobuf/any.proto"], strip_import_prefix = "include")
proto_library(name = "duration_proto", srcs = ["include/google/protobuf/duration.proto"], strip_import_prefix = "include")
proto_library(name = "timestamp_proto", srcs = ["include/google/protobuf/timestamp.proto"], strip_import_prefix = "include")
"#,
    ),
    (
        "callwright_machine/BUILD",
        r#"load("@callwright_bazel//:defs.bzl", "callwright_toolchain")
package(default_visibility = ["//visibility:public"])
callwright_toolchain(
    name = "callwright",
    protoc = "protoc",
    plugin = "runtime/protoc-gen-callwright",
    rustc = "rustc",
    runtime = "runtime/libcallwright.rlib",
    runtime_deps = ":runtime_deps",
)
toolchain(
    name = "toolchain",
    toolchain = ":callwright",
    toolchain_type = "@callwright_bazel//:toolchain_type",
)
# Another, that can be told from the first.
callwright_toolchain(
    name = "refusing",
    protoc = "protoc",
    plugin = "refusing_plugin",
    rustc = "rustc",
    runtime = "runtime/libcallwright.rlib",
    runtime_deps = ":runtime_deps",
)
toolchain(
    name = "refusing_toolchain",
    toolchain = ":refusing",
    toolchain_type = "@callwright_bazel//:toolchain_type",
)
filegroup(name = "runtime_deps", srcs = glob(["runtime/*.rlib", "runtime/*.so"]))
filegroup(name = "tokio", srcs = glob(["runtime/libtokio-*.rlib"]))
"#,
    ),
];
