"""A test that knows of its deps what rules_rust tells of crates, and nothing of ours."""

load("@rules_rust//rust:defs.bzl", "rust_common")

def _rust_test_impl(ctx):
    test = ctx.actions.declare_file(ctx.label.name)
    rust = ctx.toolchains["@rules_rust//rust:toolchain_type"]
    crates = [dep[rust_common.crate_info] for dep in ctx.attr.deps]
    infos = [dep[rust_common.dep_info] for dep in ctx.attr.deps]
    below = depset(transitive = [info.transitive_crates for info in infos]).to_list()
    arguments = ["--test", "--edition=2024", "--crate-name", ctx.label.name, ctx.file.src.path, "-o", test.path]
    arguments += ["--sysroot=" + rust.sysroot, "--target=" + rust.target_flag_value]
    arguments += ["--extern=%s=%s" % (crate.name, crate.output.path) for crate in crates]
    arguments += ["-Ldependency=" + folder for folder in {crate.output.dirname: None for crate in crates + below}]
    ctx.actions.run(
        executable = rust.rustc,
        arguments = arguments,
        inputs = depset(
            [ctx.file.src, ctx.file._loopback] + [crate.output for crate in crates],
            transitive = [info.transitive_crate_outputs for info in infos] + [rust.all_files],
        ),
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
        "deps": attr.label_list(providers = [rust_common.crate_info, rust_common.dep_info]),
        "_loopback": attr.label(default = "//:loopback.rs", allow_single_file = True),
    },
    toolchains = ["@rules_rust//rust:toolchain_type"],
)
