"""What the rules compile with."""

def _callwright_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(callwright = struct(
        protoc = ctx.executable.protoc,
        plugin = ctx.executable.plugin,
        rustc = ctx.executable.rustc,
        runtime = ctx.file.runtime,
        runtime_files = depset([ctx.file.runtime] + ctx.files.runtime_deps),
    ))]

callwright_toolchain = rule(
    doc = "What the rules compile with. Register it by a toolchain of the type @callwright_bazel//:toolchain_type.",
    implementation = _callwright_toolchain_impl,
    attrs = {
        "protoc": attr.label(mandatory = True, allow_single_file = True, executable = True, cfg = "exec"),
        "plugin": attr.label(
            doc = "protoc-gen-callwright, of the version of the runtime.",
            mandatory = True,
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
        "rustc": attr.label(
            doc = "The rustc that compiled the runtime.",
            mandatory = True,
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
        "runtime": attr.label(doc = "The rlib of callwright.", mandatory = True, allow_single_file = True),
        "runtime_deps": attr.label(
            doc = "The rlibs and procedural macros that the runtime was compiled against.",
            allow_files = True,
        ),
    },
)
