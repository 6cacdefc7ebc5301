"""The rules. They generate nothing: they hand on what the aspect made, under their own names."""

load("//:aspect.bzl", "is_well_known", "rust_proto_aspect")
load("//:compile.bzl", "compile_crate")
load("//:names.bzl", "crate_name", "identifier", "is_crate_name")
load("//:providers.bzl", "RustCrateInfo", "RustProtoInfo")

def _only_dep(ctx):
    if len(ctx.attr.deps) != 1:
        fail("deps of %s must have one proto_library, and has %d: what that imports comes along by itself." % (
            ctx.label,
            len(ctx.attr.deps),
        ), "deps")
    return ctx.attr.deps[0]

def _names(ctx):
    """The names by which the crate can be used."""
    for name in ctx.attr.imports:
        if not is_crate_name(name):
            fail("imports of %s: `%s` cannot be the name of a crate" % (ctx.label, name), "imports")
    own = identifier(ctx.label.name)
    if not is_crate_name(own):
        fail("%s: `%s` cannot be the name of a crate: give the rule another name" % (ctx.label, own))
    return [own] + [name for name in ctx.attr.imports if name != own]

def _reexport(ctx, info, text):
    """A crate of this package, that has all that others have."""
    root = ctx.actions.declare_file(ctx.label.name + ".rs")
    ctx.actions.write(root, text)
    name = crate_name(ctx.label)
    return compile_crate(ctx, info.toolchain, name, root.path, [root], info.crates, info.rlibs)

def _library(ctx, dep, info, generated_srcs):
    """What both rules give: the crates of `info`, as one crate under the names of this rule."""
    crates = info.crates
    rlibs = info.rlibs
    is_here = dep.label.package == ctx.label.package and dep.label.workspace_name == ctx.label.workspace_name
    if len(crates) == 1 and is_here:
        rlib = crates[0].rlib
    else:
        text = "".join(["pub use ::%s::*;\n" % crate.name for crate in crates])
        if len(crates) > 1:
            # By their own names too: what two of them call the same is in none of the globs.
            text += "".join(["pub use ::%s;\n" % crate.name for crate in crates])
        if not crates and is_well_known(dep[ProtoInfo]):
            text = "pub mod google { pub mod protobuf { pub use ::callwright::prost_types::*; } }\n"
        rlib = _reexport(ctx, info, text)
        rlibs = depset([rlib], transitive = [rlibs])
    return [
        DefaultInfo(files = depset([rlib])),
        RustCrateInfo(
            crates = [struct(name = name, rlib = rlib, label = ctx.label) for name in _names(ctx)],
            transitive_crates = depset(crates, transitive = [info.transitive_crates]),
            rlibs = rlibs,
            toolchain = info.toolchain,
        ),
        OutputGroupInfo(generated_srcs = generated_srcs),
    ]

def rust_proto_library_impl(ctx):
    """The crate with the messages."""
    dep = _only_dep(ctx)
    info = dep[RustProtoInfo]
    return _library(ctx, dep, info.messages, info.generated_srcs)

def rust_grpc_library_impl(ctx):
    """The crate with the stubs and servicers."""
    dep = _only_dep(ctx)
    info = dep[RustProtoInfo]
    return _library(ctx, dep, info.services, info.generated_grpc_srcs)

LIBRARY_ATTRIBUTES = {
    "deps": attr.label_list(
        doc = "The one proto_library. What it imports comes along by itself.",
        mandatory = True,
        providers = [ProtoInfo],
        aspects = [rust_proto_aspect],
    ),
    "imports": attr.string_list(
        doc = "Names by which the crate can be used besides the name of this rule.",
    ),
}

rust_proto_library = rule(
    doc = "The messages of a proto_library, as a crate with the name of this rule.",
    implementation = rust_proto_library_impl,
    attrs = LIBRARY_ATTRIBUTES,
)

rust_grpc_library = rule(
    doc = "The stubs and servicers of a proto_library, as a crate with the name of this rule. Their messages are the " +
          "types of the rust_proto_library of the same proto_library.",
    implementation = rust_grpc_library_impl,
    attrs = LIBRARY_ATTRIBUTES,
)
