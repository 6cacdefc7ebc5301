"""A test in Rust, by rustc alone. Users of rules_rust have its rust_test."""

load("@callwright_bazel//:defs.bzl", "RustCrateInfo", "rust_crates", "rustc_arguments")

def _rust_test_impl(ctx):
    test = ctx.actions.declare_file(ctx.label.name)
    infos = [dep[RustCrateInfo] for dep in ctx.attr.deps]
    toolchain = infos[0].toolchain
    rlibs = depset(transitive = [info.rlibs for info in infos])
    arguments = ["--test", "--edition=2024", "--crate-name", ctx.label.name, ctx.file.src.path, "-o", test.path]
    arguments += rustc_arguments(toolchain, rust_crates(ctx.attr.deps), rlibs)
    arguments += ["--extern", "tokio=" + ctx.file._tokio.path]
    ctx.actions.run(
        executable = toolchain.rustc,
        arguments = arguments,
        inputs = depset([ctx.file.src, ctx.file._loopback, ctx.file._tokio], transitive = [rlibs, toolchain.runtime_files]),
        outputs = [test],
        mnemonic = "RustTest",
        progress_message = "Compiling the test %s" % ctx.label,
        use_default_shell_env = True,
    )
    return [DefaultInfo(executable = test)]

rust_test = rule(
    implementation = _rust_test_impl,
    test = True,
    attrs = {
        "src": attr.label(mandatory = True, allow_single_file = [".rs"]),
        "deps": attr.label_list(mandatory = True, providers = [RustCrateInfo]),
        "_loopback": attr.label(default = "//:loopback.rs", allow_single_file = True),
        "_tokio": attr.label(default = "@callwright_machine//:tokio", allow_single_file = True),
    },
)
