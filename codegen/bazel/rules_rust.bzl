"""For users of rules_rust: the same rules, whose crates rust_library, rust_binary and rust_test take as deps.

A workspace without rules_rust never loads this file.
"""

load("@rules_rust//rust:defs.bzl", "rust_common")
load("//:libraries.bzl", "LIBRARY_ATTRIBUTES", "rust_grpc_library_impl", "rust_proto_library_impl")
load("//:toolchain.bzl", "GENERATOR_ATTRIBUTES", "toolchain_struct")

_RUST = "@rules_rust//rust:toolchain_type"

# Of the file, and so frozen, which what is in a depset has to be.
_EMPTY = {}

def _crate(crate):
    """A crate of ours as rules_rust describes one. It is compiled already, so what would compile it is left empty."""
    return rust_common.create_crate_info(
        name = crate.name,
        type = "rlib",
        root = crate.rlib,
        srcs = depset(),
        deps = depset(),
        proc_macro_deps = depset(),
        aliases = _EMPTY,
        output = crate.rlib,
        edition = "2024",
        rustc_env = _EMPTY,
        is_test = False,
        compile_data = depset(),
        owner = crate.label,
    )

def _with_rules_rust(ctx, providers):
    info = [provider for provider in providers if hasattr(provider, "transitive_crates")][0]
    runtime = getattr(info.toolchain, "rules_rust", None)
    if not runtime:
        fail("%s: the registered callwright toolchain is not one of rules_rust.bzl" % ctx.label)
    below = runtime.dep

    # What is said of the runtime is said of all that is linked with it; fields differ between versions of rules_rust.
    fields = {name: getattr(below, name) for name in dir(below) if name not in ["to_json", "to_proto"]}
    rlibs = depset([runtime.crate.output], transitive = [info.rlibs, below.transitive_crate_outputs])
    fields.update(
        direct_crates = depset(),
        transitive_crates = depset(
            [_crate(crate) for crate in info.transitive_crates.to_list()] + [runtime.crate],
            transitive = [below.transitive_crates],
        ),
        transitive_crate_outputs = rlibs,
        transitive_metadata_outputs = rlibs,
    )
    return providers + [_crate(info.crates[0]), rust_common.dep_info(**fields)]

def _rust_proto_library_impl(ctx):
    return _with_rules_rust(ctx, rust_proto_library_impl(ctx))

def _rust_grpc_library_impl(ctx):
    return _with_rules_rust(ctx, rust_grpc_library_impl(ctx))

rust_proto_library = rule(
    doc = "rust_proto_library of defs.bzl, as a crate of rules_rust.",
    implementation = _rust_proto_library_impl,
    attrs = LIBRARY_ATTRIBUTES,
)

rust_grpc_library = rule(
    doc = "rust_grpc_library of defs.bzl, as a crate of rules_rust.",
    implementation = _rust_grpc_library_impl,
    attrs = LIBRARY_ATTRIBUTES,
)

def _callwright_toolchain_impl(ctx):
    rust = ctx.toolchains[_RUST]
    crate = ctx.attr.runtime[rust_common.crate_info]
    dep = ctx.attr.runtime[rust_common.dep_info]
    return [platform_common.ToolchainInfo(callwright = toolchain_struct(
        ctx,
        rustc = rust.rustc,
        rustc_files = rust.all_files,
        rustc_flags = ["--sysroot=" + rust.sysroot, "--target=" + rust.target_flag_value],
        runtime = crate.output,
        runtime_files = depset([crate.output], transitive = [dep.transitive_crate_outputs]),
        rules_rust = struct(crate = crate, dep = dep),
    ))]

callwright_toolchain = rule(
    doc = "callwright_toolchain of defs.bzl, with the rustc of rules_rust and a runtime that rules_rust compiled.",
    implementation = _callwright_toolchain_impl,
    attrs = dict(
        GENERATOR_ATTRIBUTES,
        runtime = attr.label(
            doc = "The crate callwright.",
            mandatory = True,
            providers = [rust_common.crate_info, rust_common.dep_info],
        ),
    ),
    toolchains = [_RUST],
)
