"""A test in Rust, by rustc alone. Users of rules_rust have its rust_test."""

load("@callwright_bazel//:defs.bzl", "RustProtoInfo", "rustc_arguments")

def _rust_test_impl(ctx):
    test = ctx.actions.declare_file(ctx.label.name)
    infos = [dep[RustProtoInfo] for dep in ctx.attr.deps]
    tools = infos[0].runtime
    named = {crate.name: crate for info in infos for crate in info.transitive_crates.to_list()}
    named.update({crate.name: crate for info in infos for crate in info.crates})
    rlibs = depset(transitive = [info.rlibs for info in infos])
    arguments = ["--test", "--edition=2024", "--crate-name", ctx.label.name, ctx.file.src.path, "-o", test.path]
    arguments += rustc_arguments(tools, named.values(), rlibs)
    arguments += ["--extern", "tokio=" + ctx.file._tokio.path]
    ctx.actions.run(
        executable = tools.rustc,
        arguments = arguments,
        inputs = depset([ctx.file.src, ctx.file._tokio], transitive = [rlibs, tools.runtime_files]),
        outputs = [test],
        mnemonic = "RustTest",
        use_default_shell_env = True,
    )
    return [DefaultInfo(executable = test)]

rust_test = rule(
    implementation = _rust_test_impl,
    test = True,
    attrs = {
        "src": attr.label(mandatory = True, allow_single_file = [".rs"]),
        "deps": attr.label_list(mandatory = True, providers = [RustProtoInfo]),
        "_tokio": attr.label(default = "@callwright_machine//:tokio", allow_single_file = True),
    },
)
