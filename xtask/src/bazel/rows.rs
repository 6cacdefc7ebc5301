//! The rows of gRFC L86, and what has to fail.

use super::Report;
use super::run::Bazel;

/// What passes, as tests that Bazel runs.
const TESTS: [&str; 16] = [
    "//:external_test",
    "//:import_from_this_package_test",
    "//:import_moved_test",
    "//:import_test",
    "//:imports_test",
    "//:in_subpackage_test",
    "//:kept_names_test",
    "//:transitive_test",
    "//collision:collision_test",
    "//forwarded:forwarded_test",
    "//namespaced/upper/example:import_no_strip_test",
    "//namespaced/upper/example:import_strip_test",
    "//namespaced/upper/example:no_import_no_strip_test",
    "//namespaced/upper/example:no_import_strip_test",
    "//same_package:same_package_test",
    "//subdir:generated_proto_test",
];

/// What passes by being analyzed: rules that look at what others give, and fail if it is not what it should be.
const ANALYSES: [(&str, &str); 2] = [
    ("//:no_leak", "other rules over a proto_library see nothing of ours"),
    ("//:names", "no two labels are one crate"),
];

/// What has to fail, and what its error has to say.
const FAILURES: [(&str, &[&str], &str); 8] = [
    ("no dep is an error", &["//:no_dep"], "deps of //:no_dep must have one proto_library, and has 0"),
    ("two deps are an error", &["//:two_deps"], "deps of //:two_deps must have one proto_library, and has 2"),
    (
        "two crates of one name are an error",
        &["//collision:two_of_one_name"],
        "//collision/a-b:message_rust_proto and //collision/a_b:message_rust_proto are both the crate `message_rust_proto`",
    ),
    ("what is no name is an error", &["//:no_name"], "imports of //:no_name: `no-name` cannot be the name of a crate"),
    ("a rule that hides a crate of Rust's is an error", &["//:std"], "//:std: `std` cannot be the name of a crate"),
    (
        "a rule without deps is an error",
        &["//forwarded:without_deps_rust_proto"],
        "//forwarded:without_deps, a forward_proto, has no `deps`",
    ),
    ("a proto_library is no crate", &["//:proto_library_is_no_crate"], "RustCrateInfo"),
    (
        "another registered toolchain is used",
        &["//:helloworld_rust_proto", "--extra_toolchains=@callwright_machine//:refusing_toolchain"],
        "protoc-gen-callwright: Plugin failed with status code 1",
    ),
];

/// Runs all.
pub(super) fn run(bazel: &Bazel<'_>, report: &mut Report) {
    report.row("bazel build //...", bazel.run(&["build", "//..."]).map(drop));
    let output = bazel.run(&["test", "//...", "--test_output=errors", "--nocache_test_results", "--test_env=PATH"]);
    let output = output.unwrap_or_else(|output| output);
    for test in TESTS {
        let result = if has_passed(&output, test) { Ok(()) } else { Err(output.clone()) };
        report.row(&format!("bazel test {test}"), result);
    }
    for (target, name) in ANALYSES {
        report.row(name, bazel.run(&["build", target]).map(drop));
    }
    report.row("what rules_rust knows of crates is enough to use ours", with_rules_rust(bazel));
    for (name, args, error) in FAILURES {
        let result = match bazel.run(&[&["build"], args].concat()) {
            Err(output) if output.contains(error) => Ok(()),
            Err(output) => Err(format!("{output}\nit does not say: {error}")),
            Ok(output) => Err(format!("{output}\nit does not fail")),
        };
        report.row(name, result);
    }
    report.row("the well-known types are not generated", well_known_types(bazel));
    report.row("only what is asked for has its services generated", no_services(bazel));
}

/// Whether Bazel says that this test was run now and passed.
fn has_passed(output: &str, test: &str) -> bool {
    let mut lines = output.lines().filter_map(|line| line.strip_prefix(test));
    lines.any(|rest| rest.starts_with(' ') && rest.contains(" PASSED in ") && !rest.contains("(cached)"))
}

/// rules_rust itself cannot be fetched: another stands in for the part of it that is used.
fn with_rules_rust(bazel: &Bazel<'_>) -> Result<(), String> {
    let test = "//with_rules_rust:with_rules_rust_test";
    let toolchains = "--extra_toolchains=@callwright_machine//rules_rust:callwright_toolchain,@callwright_machine//rules_rust:rust_toolchain";
    let output =
        bazel.run(&["test", test, toolchains, "--test_output=errors", "--nocache_test_results", "--test_env=PATH"])?;
    if has_passed(&output, test) { Ok(()) } else { Err(output) }
}

fn well_known_types(bazel: &Bazel<'_>) -> Result<(), String> {
    let actions = bazel.run(&["aquery", "--include_aspects", "mnemonic(CallwrightProtoc, deps(//:import_test))"])?;
    if !actions.contains("from //:helloworld_proto") {
        return Err(format!("{actions}\nthere is no action for helloworld.proto"));
    }
    if actions.contains("from @com_google_protobuf//") {
        return Err(format!("{actions}\nthere is an action for google.protobuf"));
    }
    Ok(())
}

/// dependency_proto declares a service that user_proto's users did not ask for.
fn no_services(bazel: &Bazel<'_>) -> Result<(), String> {
    bazel.run(&["clean"])?;
    let log = bazel.explain("//same_package:user_rust_grpc")?;
    let actions = super::explain::ours(&log);
    let expected = [
        "Compiling the crate same_package__dependency_proto",
        "Compiling the crate same_package__user_proto",
        "Compiling the crate same_package__user_proto____grpc",
        "Generating Rust into dependency_proto.callwright from //same_package:dependency_proto",
        "Generating Rust into user_proto.callwright from //same_package:user_proto",
        "Generating Rust into user_proto.callwright_grpc from //same_package:user_proto",
    ];
    if actions == expected { Ok(()) } else { Err(format!("was run: {actions:#?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_counts_if_it_was_run_now() {
        let output =
            "//:a_test        PASSED in 0.1s\n//:b_test   (cached) PASSED in 0.1s\n//:c_test  FAILED in 0.1s\n";
        assert!(has_passed(output, "//:a_test"));
        for test in ["//:a", "//:b_test", "//:c_test", "//:d_test"] {
            assert!(!has_passed(output, test), "{test}");
        }
    }
}
