"""A rule over proto_library that is not ours."""

load("@callwright_bazel//:defs.bzl", "RustCrateInfo")
load("@callwright_bazel//:providers.bzl", "RustProtoInfo")

def _no_leak_impl(ctx):
    for dep in ctx.attr.deps:
        for provider in [RustCrateInfo, RustProtoInfo]:
            if provider in dep:
                fail("%s has a provider of the Rust rules" % dep.label)
    return [DefaultInfo(files = depset(transitive = [dep[DefaultInfo].files for dep in ctx.attr.deps]))]

no_leak = rule(
    implementation = _no_leak_impl,
    attrs = {"deps": attr.label_list(providers = [ProtoInfo])},
)
