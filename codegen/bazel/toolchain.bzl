"""What the rules compile with."""

# protoc and the plugin, which every toolchain has.
GENERATOR_ATTRIBUTES = {
    "protoc": attr.label(mandatory = True, allow_files = True, executable = True, cfg = "exec"),
    "plugin": attr.label(
        doc = "protoc-gen-callwright, of the version of the runtime.",
        mandatory = True,
        allow_files = True,
        executable = True,
        cfg = "exec",
    ),
}

def _program(target, executable):
    """What runs it: with all that a target brings along, or the file that it is."""
    files_to_run = target[DefaultInfo].files_to_run
    return files_to_run if files_to_run and files_to_run.executable else executable

def toolchain_struct(ctx, **kwargs):
    """What the aspect and the rules get of a toolchain.

    Args:
      ctx: of a rule with GENERATOR_ATTRIBUTES.
      **kwargs: rustc, a program; rustc_files, a depset that it needs; rustc_flags, a list; runtime, the rlib of
        callwright; runtime_files, a depset of it and of all that it was compiled against.
    """
    return struct(
        protoc = _program(ctx.attr.protoc, ctx.executable.protoc),
        plugin = _program(ctx.attr.plugin, ctx.executable.plugin),
        plugin_path = ctx.executable.plugin.path,
        **kwargs
    )

def _callwright_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(callwright = toolchain_struct(
        ctx,
        rustc = _program(ctx.attr.rustc, ctx.executable.rustc),
        rustc_files = depset(),
        rustc_flags = [],
        runtime = ctx.file.runtime,
        runtime_files = depset([ctx.file.runtime] + ctx.files.runtime_deps),
    ))]

callwright_toolchain = rule(
    doc = "What the rules compile with. Register it by a toolchain of the type @callwright_bazel//:toolchain_type.",
    implementation = _callwright_toolchain_impl,
    attrs = dict(
        GENERATOR_ATTRIBUTES,
        rustc = attr.label(
            doc = "The rustc that compiled the runtime.",
            mandatory = True,
            allow_files = True,
            executable = True,
            cfg = "exec",
        ),
        runtime = attr.label(doc = "The rlib of callwright.", mandatory = True, allow_single_file = True),
        runtime_deps = attr.label(
            doc = "The rlibs and procedural macros that the runtime was compiled against.",
            allow_files = True,
        ),
    ),
)
