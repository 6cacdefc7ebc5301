"""Rules that are no proto_library, and hand on what one says."""

def _forward_impl(ctx):
    return [[dep for dep in ctx.attr.deps if ProtoInfo in dep][0][ProtoInfo]]

forward = rule(
    implementation = _forward_impl,
    attrs = {"deps": attr.label_list(allow_files = True)},
)

def _forward_proto_impl(ctx):
    return [ctx.attr.proto[ProtoInfo]]

forward_proto = rule(
    implementation = _forward_proto_impl,
    attrs = {"proto": attr.label(providers = [ProtoInfo])},
)
