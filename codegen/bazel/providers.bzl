"""What the rules tell each other."""

RustCrateInfo = provider(
    doc = "Crates that a rule which compiles Rust can use: what rust_proto_library and rust_grpc_library give.",
    fields = {
        "crates": "List of struct(name, rlib, label): the crates, by the names to use them by.",
        "transitive_crates": "Depset of the same: what these depend on, by the names that the aspect gives.",
        "rlibs": "Depset of File: all rlibs, of the crates and of all below them.",
        "toolchain": "What they were compiled with.",
    },
)

RustProtoInfo = provider(
    doc = "What the aspect makes of a proto_library. It wraps what Rust rules need, so that no rule takes a " +
          "proto_library for a crate: only rules that apply the aspect see it.",
    fields = {
        "messages": "RustCrateInfo: the messages and enums of this proto_library.",
        "services": "RustCrateInfo: its stubs and servicers, over those messages.",
        "extern_crates": "Depset of string: the plugin's parameters that say which crate has the types of which " +
                         ".proto, for this proto_library and all that it imports.",
        "generated_srcs": "Depset of File: the folders with generated messages, of this and of all that it imports.",
        "generated_grpc_srcs": "Depset of File: the folder with the generated services of this one.",
    },
)
