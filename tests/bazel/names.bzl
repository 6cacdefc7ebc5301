"""The names of crates: readable, and never one for two labels."""

load("@callwright_bazel//:names.bzl", "GRPC_SUFFIX", "crate_name")

_READABLE = {
    "//:leaf_proto": "leaf_proto",
    "//type:match": "type__match",
    "//a/b:c_proto": "a__b__c_proto",
    "@repository//a:b": "repository___a__b",
    "@repository//:b": "repository___b",
}

# In each list, what is spelled without special characters is the same.
_ALIKE = [
    ["//a-b:c", "//a_b:c", "//a.b:c", "//a_b:c-", "//a_b:c_"],
    ["//a/b:c", "//a:b/c", "//:a/b/c", "//a__b:c", "//a:b__c", "//:a__b__c", "@a//b:c", "@a//:b/c", "//a/b:_c", "//a/b_:c"],
    ["//:1", "//:_1", "@a//:1", "//a:1", "//a:_1"],
    ["//:core", "//:type", "//:self", "//:callwright", "//:-core", "//:core-", "//:type_"],
    ["//:a", "//:a-", "//:-a", "//a:a", "@a//:a", "@a//a:a", "//a/a:a", "//:a____0102", "//:a____grpc"],
]

def _label(text):
    """The parts of a label, without a look at whether there is such a target."""
    workspace, rest = text.split("//")
    package, name = rest.split(":")
    return struct(workspace_name = workspace.lstrip("@"), package = package, name = name)

def _names_impl(ctx):
    for label, expected in _READABLE.items():
        name = crate_name(_label(label))
        if name != expected:
            fail("%s is the crate %s, not %s" % (label, name, expected))
    seen = {}
    for label in [label for alike in _ALIKE for label in alike]:
        if crate_name(_label(label)) in ["core", "type", "self", "callwright"]:
            fail("%s is a crate of a name that Rust keeps for itself" % label)
        for name in [crate_name(_label(label)), crate_name(_label(label)) + GRPC_SUFFIX]:
            if name in seen:
                fail("%s and %s are both the crate %s" % (seen[name], label, name))
            seen[name] = label
    return [DefaultInfo()]

names = rule(implementation = _names_impl)
