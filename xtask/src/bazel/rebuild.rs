//! What is built again when a file changes, as Bazel's own log has it: what depends on it, and nothing beside.

use super::Report;
use super::explain;
use super::files;
use super::run::Bazel;

/// A change of one file, and what it may run.
struct Change {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    runs: &'static [&'static str],
}

/// leaf <- middle <- top -> lone; each change is made on top of those before it.
const CHANGES: [Change; 5] = [
    Change {
        name: "a changed message builds all that depend on it again",
        file: "leaf.proto",
        from: "int32 number = 1;",
        to: "int32 number = 1;\n    int32 other = 2;",
        runs: &[
            "Compiling the crate leaf_proto",
            "Compiling the crate middle_proto",
            "Compiling the crate top_proto",
            "Compiling the test //:imports_test",
            "Compiling the test //:transitive_test",
            "Generating Rust into leaf_proto.callwright from //:leaf_proto",
            "Generating Rust into middle_proto.callwright from //:middle_proto",
            "Generating Rust into top_proto.callwright from //:top_proto",
        ],
    },
    Change {
        name: "a changed message that one other uses builds that one again",
        file: "lone.proto",
        from: "int32 number = 1;",
        to: "int32 number = 1;\n  int32 other = 2;",
        runs: &[
            "Compiling the crate lone_proto",
            "Compiling the crate top_proto",
            "Compiling the test //:imports_test",
            "Compiling the test //:transitive_test",
            "Generating Rust into lone_proto.callwright from //:lone_proto",
            "Generating Rust into top_proto.callwright from //:top_proto",
        ],
    },
    Change {
        name: "a changed message in the middle does not build what it imports again",
        file: "middle.proto",
        from: "HTTPLeaf leaf = 1;",
        to: "HTTPLeaf leaf = 1;\n  int32 other = 3;",
        runs: &[
            "Compiling the crate middle_proto",
            "Compiling the crate top_proto",
            "Compiling the test //:imports_test",
            "Compiling the test //:transitive_test",
            "Generating Rust into middle_proto.callwright from //:middle_proto",
            "Generating Rust into top_proto.callwright from //:top_proto",
        ],
    },
    Change {
        name: "a comment that is no documentation is generated from, and compiles nothing",
        file: "leaf.proto",
        from: "package shared;",
        to: "package shared;\n\n// To whom it may concern.\n",
        runs: &[
            "Generating Rust into leaf_proto.callwright from //:leaf_proto",
            "Generating Rust into middle_proto.callwright from //:middle_proto",
            "Generating Rust into top_proto.callwright from //:top_proto",
        ],
    },
    Change {
        name: "a changed service builds no message again",
        file: "same_package/dependency.proto",
        from: "rpc SayHello(SHA256Hash) returns (SHA256Hash);",
        to: "rpc SayHello(SHA256Hash) returns (SHA256Hash);\n  rpc Another(SHA256Hash) returns (SHA256Hash);",
        runs: &[
            "Compiling the crate same_package__dependency_proto____grpc",
            // A server brings the descriptors of all that it imports.
            "Compiling the crate same_package__user_proto____grpc",
            "Compiling the test //same_package:same_package_test",
            "Generating Rust into dependency_proto.callwright from //same_package:dependency_proto",
            "Generating Rust into dependency_proto.callwright_grpc from //same_package:dependency_proto",
            "Generating Rust into user_proto.callwright from //same_package:user_proto",
            "Generating Rust into user_proto.callwright_grpc from //same_package:user_proto",
        ],
    },
];

pub(super) fn rows(bazel: &Bazel<'_>, report: &mut Report) {
    if let Err(error) = bazel.run(&["build", "//..."]) {
        return report.row("bazel build //... before the changes", Err(error));
    }
    report.row("where nothing changed, nothing is run", nothing(bazel));
    for change in &CHANGES {
        report.row(change.name, make(bazel, change));
    }
}

fn nothing(bazel: &Bazel<'_>) -> Result<(), String> {
    let log = bazel.explain("//...")?;
    // Bazel's own, which it runs always: it writes down when it ran.
    let run: Vec<_> =
        explain::actions(&log).into_iter().filter(|action| !action.starts_with("BazelWorkspaceStatusAction")).collect();
    if run.is_empty() && log.contains("Build options") {
        Ok(())
    } else {
        Err(format!("was run: {run:#?}\nthe log: {log}"))
    }
}

fn make(bazel: &Bazel<'_>, change: &Change) -> Result<(), String> {
    let path = bazel.workspace().join(change.file);
    let text = files::read(&path)?;
    if !text.contains(change.from) {
        return Err(format!("{}: there is no {:?}", change.file, change.from));
    }
    files::write(&path, &text.replace(change.from, change.to))?;
    let log = bazel.explain("//...")?;
    let run = explain::ours(&log);
    if run == change.runs { Ok(()) } else { Err(format!("was run: {run:#?}\ndue were: {:#?}", change.runs)) }
}
