//! The repositories that stand in for what Bazel would fetch.

pub(super) const NAMES: [&str; 6] =
    ["remote_coverage_tools", "rules_cc", "rules_java", "rules_rust", "com_google_protobuf", "callwright_machine"];

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
    // As much of rules_rust as rules_rust.bzl and a test of it use: what describes a crate, and a toolchain.
    ("rules_rust/BUILD", r#""#),
    ("rules_rust/rust/BUILD", r#"toolchain_type(name = "toolchain_type", visibility = ["//visibility:public"])"#),
    (
        "rules_rust/rust/defs.bzl",
        r#"CrateInfo = provider(fields = [
    "aliases", "compile_data", "deps", "edition", "is_test", "name", "output", "owner", "proc_macro_deps", "root",
    "rustc_env", "srcs", "type",
])
DepInfo = provider(fields = [
    "direct_crates", "link_search_path_files", "transitive_build_infos", "transitive_crate_outputs", "transitive_crates",
    "transitive_metadata_outputs", "transitive_noncrates",
])
def _create_crate_info(**kwargs):
    return CrateInfo(**kwargs)
rust_common = struct(create_crate_info = _create_crate_info, crate_info = CrateInfo, dep_info = DepInfo)
"#,
    ),
    (
        "callwright_machine/rules_rust/BUILD",
        r#"load("@callwright_bazel//:rules_rust.bzl", "callwright_toolchain")
load(":compiled.bzl", "compiled_crate", "rust_toolchain")
package(default_visibility = ["//visibility:public"])
compiled_crate(name = "callwright_crate", crate = "callwright", rlib = "//:runtime/libcallwright.rlib", below = "//:runtime_deps")
compiled_crate(name = "tokio_crate", crate = "tokio", rlib = "//:tokio", below = "//:runtime_deps")
callwright_toolchain(
    name = "callwright",
    protoc = "//:protoc",
    plugin = "//:runtime/protoc-gen-callwright",
    runtime = ":callwright_crate",
)
toolchain(
    name = "callwright_toolchain",
    toolchain = ":callwright",
    toolchain_type = "@callwright_bazel//:toolchain_type",
)
rust_toolchain(name = "rust", rustc = "//:rustc")
toolchain(name = "rust_toolchain", toolchain = ":rust", toolchain_type = "@rules_rust//rust:toolchain_type")
"#,
    ),
    (
        "callwright_machine/rules_rust/compiled.bzl",
        r#"load("@rules_rust//rust:defs.bzl", "rust_common")
load(":rustc.bzl", "SYSROOT", "TARGET")
_EMPTY = {}
def _crate(name, file):
    return rust_common.create_crate_info(name = name, output = file, aliases = _EMPTY)
def _compiled_crate_impl(ctx):
    files = depset(ctx.files.below)
    return [_crate(ctx.attr.crate, ctx.file.rlib), rust_common.dep_info(
        direct_crates = depset(),
        link_search_path_files = depset(),
        transitive_build_infos = depset(),
        transitive_crate_outputs = files,
        transitive_crates = depset([_crate(file.basename, file) for file in files.to_list()]),
        transitive_metadata_outputs = files,
        transitive_noncrates = depset(),
    )]
compiled_crate = rule(implementation = _compiled_crate_impl, attrs = {
    "crate": attr.string(),
    "rlib": attr.label(allow_single_file = True),
    "below": attr.label(allow_files = True),
})
def _rust_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(
        rustc = ctx.file.rustc,
        all_files = depset(),
        sysroot = SYSROOT,
        target_flag_value = TARGET,
    )]
rust_toolchain = rule(implementation = _rust_toolchain_impl, attrs = {"rustc": attr.label(allow_single_file = True)})
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
exports_files(["protoc", "rustc", "runtime/libcallwright.rlib", "runtime/protoc-gen-callwright"])
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
    protoc = "@com_google_protobuf//:protoc",
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
