"""Rust from proto_library, by an aspect (gRFC L86).

The aspect walks the `deps` of a proto_library, and for each runs protoc once and compiles one crate. The rules
rust_proto_library and rust_grpc_library generate nothing: they hand on what the aspect made. So a .proto that many
import is one crate, and its types are the same types for all of them.
"""

_TOOLCHAIN = "@callwright_bazel//:toolchain_type"

RustProtoInfo = provider(
    doc = "The Rust crates of a proto_library and of all that it imports.",
    fields = {
        "crates": "List of struct(name, rlib): what to pass to rustc as --extern, the direct ones.",
        "transitive_crates": "Depset of struct(name, rlib): the same for all that is imported.",
        "rlibs": "Depset of File: all rlibs, the direct ones included.",
        "externs": "Depset of File: the plugin's extern_path parameters for all types of these crates.",
        "generated_srcs": "Depset of File: the folders with the generated sources.",
        "runtime": "The struct of the toolchain that these crates were compiled with.",
    },
)

def _name(text):
    """A name that is a Rust identifier; folders are told from words by two underscores."""
    name = ""
    for char in text.replace("/", "__").elems():
        name += char if char.isalnum() or char == "_" else "_"
    return "_" + name if name[:1].isdigit() else name

def _crate_name(label):
    parts = [part for part in [label.workspace_name, label.package, label.name] if part]
    return _name("/".join(parts))

def _import_name(file, info):
    """The name by which a .proto imports this one."""
    root = info.proto_source_root
    for prefix in [root, file.root.path, file.root.path + "/" + root]:
        if prefix and prefix != "." and file.path.startswith(prefix + "/"):
            return file.path[len(prefix) + 1:]
    return file.path

def _compile(ctx, tools, name, root, sources, crates, rlibs, metadata):
    """Compiles one rlib; `crates` can be named by it, `rlibs` are those and all below them."""
    rlib = ctx.actions.declare_file("lib%s.rlib" % name)
    arguments = ctx.actions.args()
    arguments.add_all(["--crate-type=rlib", "--edition=2024", "--cap-lints=allow", "--crate-name", name])
    arguments.add("-Cmetadata=" + metadata)
    arguments.add(root)
    arguments.add("-o", rlib)
    arguments.add_all(rustc_arguments(tools, crates, rlibs))
    ctx.actions.run(
        executable = tools.rustc,
        arguments = [arguments],
        inputs = depset(sources, transitive = [rlibs, tools.runtime_files]),
        outputs = [rlib],
        mnemonic = "CallwrightRustc",
        progress_message = "Compiling the crate %s" % name,
        use_default_shell_env = True,
    )
    return rlib

def rustc_arguments(tools, crates, rlibs):
    """What rustc has to be told to compile against these crates: for rules that compile Rust."""
    folders = {file.dirname: None for file in rlibs.to_list() + tools.runtime_files.to_list()}
    arguments = ["-Ldependency=" + folder for folder in folders]
    for crate in crates:
        arguments += ["--extern", "%s=%s" % (crate.name, crate.rlib.path)]
    return arguments + ["--extern", "callwright=" + tools.runtime.path]

def _rust_proto_aspect_impl(target, ctx):
    tools = ctx.toolchains[_TOOLCHAIN].callwright
    info = target[ProtoInfo]
    deps = [dep[RustProtoInfo] for dep in ctx.rule.attr.deps]
    transitive = depset(
        [crate for dep in deps for crate in dep.crates],
        transitive = [dep.transitive_crates for dep in deps],
    )
    rlibs = depset(transitive = [dep.rlibs for dep in deps])
    externs = depset(transitive = [dep.externs for dep in deps])
    sources = depset(transitive = [dep.generated_srcs for dep in deps])
    names = [_import_name(file, info) for file in info.direct_sources]

    # The runtime brings the well-known types.
    if names and not [name for name in names if not name.startswith("google/protobuf/")]:
        return [RustProtoInfo(
            crates = [],
            transitive_crates = transitive,
            rlibs = rlibs,
            externs = externs,
            generated_srcs = sources,
            runtime = tools,
        )]

    # Without sources it stands for its deps.
    if not names:
        return [RustProtoInfo(
            crates = [crate for dep in deps for crate in dep.crates],
            transitive_crates = transitive,
            rlibs = rlibs,
            externs = externs,
            generated_srcs = sources,
            runtime = tools,
        )]

    name = _crate_name(ctx.label)
    generated = ctx.actions.declare_directory(ctx.label.name + ".callwright")
    arguments = ctx.actions.args()
    arguments.add("--plugin=protoc-gen-callwright=" + tools.plugin.path)
    arguments.add("--callwright_out=" + generated.path)
    arguments.add("--callwright_opt=flat_output_dir,include_file=lib.rs")
    arguments.add_all(externs, format_each = "@%s")
    roots = info.transitive_proto_path.to_list() + [ctx.bin_dir.path, "."]
    arguments.add_all(["-I" + root for root in {root: None for root in roots}])
    arguments.add_all(names)
    ctx.actions.run(
        executable = tools.protoc,
        tools = [tools.plugin],
        arguments = [arguments],
        inputs = depset(transitive = [info.transitive_sources, externs]),
        outputs = [generated],
        mnemonic = "CallwrightProtoc",
        progress_message = "Generating Rust from %s" % ctx.label,
    )

    rlib = _compile(
        ctx,
        tools,
        name,
        generated.path + "/lib.rs",
        [generated],
        transitive.to_list(),
        rlibs,
        str(ctx.label),
    )

    extern = ctx.actions.declare_file(ctx.label.name + ".callwright.externs")
    ctx.actions.run(
        executable = tools.extern_paths,
        arguments = [name, info.direct_descriptor_set.path, extern.path],
        inputs = [info.direct_descriptor_set],
        outputs = [extern],
        mnemonic = "CallwrightExterns",
    )
    return [RustProtoInfo(
        crates = [struct(name = name, rlib = rlib)],
        transitive_crates = transitive,
        rlibs = depset([rlib], transitive = [rlibs]),
        externs = depset([extern], transitive = [externs]),
        generated_srcs = depset([generated], transitive = [sources]),
        runtime = tools,
    )]

rust_proto_aspect = aspect(
    implementation = _rust_proto_aspect_impl,
    attr_aspects = ["deps"],
    toolchains = [_TOOLCHAIN],
)

def _library_impl(ctx):
    if len(ctx.attr.deps) != 1:
        fail("deps of %s must have one proto_library, and has %d: what that imports comes along by itself." % (
            ctx.label,
            len(ctx.attr.deps),
        ), "deps")
    dep = ctx.attr.deps[0]
    info = dep[RustProtoInfo]
    names = [_name(ctx.label.name)] + [name for name in ctx.attr.imports if name != ctx.label.name]
    crates = info.crates
    rlibs = info.rlibs
    if len(crates) != 1 or dep.label.package != ctx.label.package or dep.label.workspace_name != ctx.label.workspace_name:
        # A crate of this package, that has all that the other has.
        root = ctx.actions.declare_file(ctx.label.name + ".rs")
        ctx.actions.write(root, "".join(["pub use ::%s::*;\n" % crate.name for crate in crates]))
        rlib = _compile(
            ctx,
            info.runtime,
            _crate_name(ctx.label),
            root.path,
            [root],
            crates,
            rlibs,
            str(ctx.label),
        )
        rlibs = depset([rlib], transitive = [rlibs])
        named = rlib
    else:
        named = crates[0].rlib
    return [
        DefaultInfo(files = depset([named])),
        RustProtoInfo(
            crates = [struct(name = name, rlib = named) for name in names],
            transitive_crates = depset(crates, transitive = [info.transitive_crates]),
            rlibs = rlibs,
            externs = info.externs,
            generated_srcs = info.generated_srcs,
            runtime = info.runtime,
        ),
        OutputGroupInfo(generated_srcs = info.generated_srcs),
    ]

_ATTRIBUTES = {
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
    implementation = _library_impl,
    attrs = _ATTRIBUTES,
)

rust_grpc_library = rule(
    doc = "The stubs and servicers of a proto_library, as a crate with the name of this rule. It is the crate that " +
          "rust_proto_library gives too, so the messages are the same types.",
    implementation = _library_impl,
    attrs = _ATTRIBUTES,
)

def _callwright_toolchain_impl(ctx):
    extern_paths = ctx.actions.declare_file(ctx.label.name + ".extern_paths")
    ctx.actions.run(
        executable = ctx.executable.rustc,
        arguments = ["--edition=2024", "-o", extern_paths.path, ctx.file._extern_paths.path],
        inputs = [ctx.file._extern_paths],
        outputs = [extern_paths],
        mnemonic = "CallwrightTool",
        use_default_shell_env = True,
    )
    return [platform_common.ToolchainInfo(callwright = struct(
        protoc = ctx.executable.protoc,
        plugin = ctx.executable.plugin,
        rustc = ctx.executable.rustc,
        runtime = ctx.file.runtime,
        runtime_files = depset([ctx.file.runtime] + ctx.files.runtime_deps),
        extern_paths = extern_paths,
    ))]

callwright_toolchain = rule(
    doc = "What the rules compile with. Register it by a toolchain of the type @callwright_bazel//:toolchain_type.",
    implementation = _callwright_toolchain_impl,
    attrs = {
        "protoc": attr.label(mandatory = True, allow_single_file = True, executable = True, cfg = "host"),
        "plugin": attr.label(
            doc = "protoc-gen-callwright.",
            mandatory = True,
            allow_single_file = True,
            executable = True,
            cfg = "host",
        ),
        "rustc": attr.label(mandatory = True, allow_single_file = True, executable = True, cfg = "host"),
        "runtime": attr.label(doc = "The rlib of callwright.", mandatory = True, allow_single_file = True),
        "runtime_deps": attr.label(
            doc = "The rlibs and procedural macros that the runtime was compiled against.",
            allow_files = True,
        ),
        "_extern_paths": attr.label(
            default = Label("//:extern_paths.rs"),
            allow_single_file = True,
        ),
    },
)
