"""One row for each combination of import_prefix and strip_import_prefix."""

load("@callwright_bazel//:defs.bzl", "rust_grpc_library", "rust_proto_library")
load("//:rust_test.bzl", "rust_test")

def namespaced_test(name, path, **kwargs):
    """A proto_library with `kwargs`, its crates, a .proto that imports it by `path`, and a test of all."""
    native.proto_library(
        name = name + "_proto",
        srcs = ["namespaced_example.proto"],
        **kwargs
    )
    rust_proto_library(
        name = name + "_rust_proto",
        imports = ["messages"],
        deps = [name + "_proto"],
    )
    rust_grpc_library(
        name = name + "_rust_grpc",
        imports = ["stubs"],
        deps = [name + "_proto"],
    )
    native.genrule(
        name = name + "_user",
        outs = [name + "_user.proto"],
        cmd = "\n".join([
            "cat > $@ << END",
            "syntax = \"proto3\";",
            "package user;",
            "import \"%s\";" % path,
            "message User { namespaced.upper.example.NamespacedExample example = 1; }",
            "END",
        ]),
    )
    native.proto_library(
        name = name + "_user_proto",
        srcs = [name + "_user.proto"],
        deps = [name + "_proto"],
    )
    rust_proto_library(
        name = name + "_user_rust_proto",
        imports = ["user"],
        deps = [name + "_user_proto"],
    )
    rust_test(
        name = name + "_test",
        src = "namespaced_test.rs",
        deps = [
            name + "_rust_grpc",
            name + "_rust_proto",
            name + "_user_rust_proto",
        ],
    )
