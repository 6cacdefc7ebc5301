"""The aspect: it walks the `deps` of a proto_library, and makes two crates of each, its messages and its services.

Nothing is generated twice: a .proto that many import is one crate, and its types are the same types for all of them.
Bazel runs what is asked for, so the services of what is only imported are never generated.
"""

load("//:compile.bzl", "compile_crate")
load("//:names.bzl", "GRPC_SUFFIX", "crate_name")
load("//:providers.bzl", "RustCrateInfo", "RustProtoInfo")

_TOOLCHAIN = "@callwright_bazel//:toolchain_type"

# No package gets a file of this name.
_ROOT = "_lib.rs"

def _import_name(file, info):
    """The name by which a .proto imports this one."""
    root = info.proto_source_root
    for prefix in [root, file.root.path + "/" + root, file.root.path]:
        if prefix and prefix != "." and file.path.startswith(prefix + "/"):
            return file.path[len(prefix) + 1:]
    return file.path

def is_well_known(info):
    """Whether these are files of google.protobuf, which the runtime brings."""
    names = [_import_name(file, info) for file in info.direct_sources]
    return bool(names) and not [name for name in names if not name.startswith("google/protobuf/")]

def _generate(ctx, toolchain, info, folder, names, options, extern_crates):
    """Generates Rust from the files of one proto_library."""
    generated = ctx.actions.declare_directory(ctx.label.name + folder)
    roots = info.transitive_proto_path.to_list() + [ctx.bin_dir.path, "."]
    arguments = ctx.actions.args()
    arguments.add("--plugin=protoc-gen-callwright=" + toolchain.plugin_path)
    arguments.add("--callwright_out=" + generated.path)
    arguments.add("--callwright_opt=" + ",".join(["flat_output_dir", "include_file=" + _ROOT] + options))
    arguments.add_all(extern_crates, format_each = "--callwright_opt=%s")
    arguments.add_all(["-I" + root for root in {root: None for root in roots}])
    arguments.add_all(names)
    ctx.actions.run(
        executable = toolchain.protoc,
        tools = [toolchain.plugin],
        arguments = [arguments],
        inputs = info.transitive_sources,
        outputs = [generated],
        mnemonic = "CallwrightProtoc",
        progress_message = "Generating Rust into %s from %s" % (ctx.label.name + folder, ctx.label),
    )
    return generated

def _rust_proto_aspect_impl(target, ctx):
    if ProtoInfo not in target:
        # Among the deps of a rule that is no proto_library, and hands on what one says.
        return []
    toolchain = ctx.toolchains[_TOOLCHAIN].callwright
    info = target[ProtoInfo]
    if not hasattr(ctx.rule.attr, "deps"):
        fail("%s, a %s, has no `deps`, by which its imports are found: name a proto_library" % (ctx.label, ctx.rule.kind))
    targets = [dep for dep in ctx.rule.attr.deps if RustProtoInfo in dep]
    in_deps = {file: None for dep in targets for file in dep[ProtoInfo].direct_sources}
    deps = [dep[RustProtoInfo] for dep in targets]
    transitive = depset(
        [crate for dep in deps for crate in dep.messages.crates],
        transitive = [dep.messages.transitive_crates for dep in deps],
    )
    rlibs = depset(transitive = [dep.messages.rlibs for dep in deps])
    extern_crates = depset(transitive = [dep.extern_crates for dep in deps])
    generated_srcs = depset(transitive = [dep.generated_srcs for dep in deps])

    has_own = bool([file for file in info.direct_sources if file not in in_deps])
    if not has_own or is_well_known(info):
        # Without sources of its own it stands for its deps; the well-known types come with the runtime.
        stands_for = [] if is_well_known(info) else deps
        return [RustProtoInfo(
            messages = RustCrateInfo(
                crates = [crate for dep in stands_for for crate in dep.messages.crates],
                transitive_crates = transitive,
                rlibs = rlibs,
                toolchain = toolchain,
            ),
            services = RustCrateInfo(
                crates = [crate for dep in stands_for for crate in dep.services.crates],
                transitive_crates = transitive,
                rlibs = depset(transitive = [rlibs] + [dep.services.rlibs for dep in stands_for]),
                toolchain = toolchain,
            ),
            extern_crates = extern_crates,
            generated_srcs = generated_srcs,
            generated_grpc_srcs = depset(transitive = [dep.generated_grpc_srcs for dep in stands_for]),
        )]

    names = [_import_name(file, info) for file in info.direct_sources]
    name = crate_name(ctx.label)
    options = ["no_client", "no_server"]
    generated = _generate(ctx, toolchain, info, ".callwright", names, options, extern_crates)
    root = generated.path + "/" + _ROOT
    rlib = compile_crate(ctx, toolchain, name, root, [generated], transitive.to_list(), rlibs)
    crate = struct(name = name, rlib = rlib, label = ctx.label)
    messages = RustCrateInfo(
        crates = [crate],
        transitive_crates = transitive,
        rlibs = depset([rlib], transitive = [rlibs]),
        toolchain = toolchain,
    )

    # The plugin generates the services of what it is asked for, and no message that is in a crate already.
    own = ["extern_crate=%s=::%s" % (file.replace(",", "\\,"), name) for file in names]
    extern_crates = depset(own, transitive = [extern_crates])
    transitive = depset([crate], transitive = [transitive])
    generated_grpc = _generate(ctx, toolchain, info, ".callwright_grpc", names, [], extern_crates)
    root = generated_grpc.path + "/" + _ROOT
    grpc_name = name + GRPC_SUFFIX
    rlib = compile_crate(ctx, toolchain, grpc_name, root, [generated_grpc], transitive.to_list(), messages.rlibs)
    return [RustProtoInfo(
        messages = messages,
        services = RustCrateInfo(
            crates = [struct(name = grpc_name, rlib = rlib, label = ctx.label)],
            transitive_crates = transitive,
            rlibs = depset([rlib], transitive = [messages.rlibs]),
            toolchain = toolchain,
        ),
        extern_crates = extern_crates,
        generated_srcs = depset([generated], transitive = [generated_srcs]),
        generated_grpc_srcs = depset([generated_grpc]),
    )]

rust_proto_aspect = aspect(
    implementation = _rust_proto_aspect_impl,
    attr_aspects = ["deps"],
    toolchains = [_TOOLCHAIN],
)
