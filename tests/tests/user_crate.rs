//! A crate of a user's own, with no dependency but `callwright` and no build script: what the compiler says to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GOOD: &str = "\
syntax = \"proto3\";
package user;
import \"user_types.proto\";
service Users {
  rpc Find(types.Key) returns (types.User);
}
";

const TYPES: &str = "\
syntax = \"proto3\";
package types;
message Key { string id = 1; }
message User { string name = 1; }
";

/// A crate in a folder of its own, which is built with what the workspace has built already.
struct UserCrate {
    folder: PathBuf,
}

impl UserCrate {
    fn new(name: &str, features: &str, main: &str) -> UserCrate {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("src")).unwrap();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\ncallwright = {{ path = \
             {:?}, features = [{features}] }}\n\n[workspace]\n",
            workspace.join("runtime")
        );
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        let user = UserCrate { folder };
        user.write("src/main.rs", main);
        user
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap();
    }

    /// The program that `cargo run` ran.
    fn program(&self) -> PathBuf {
        target().join("debug").join(self.folder.file_name().unwrap())
    }

    /// Runs cargo in the crate; whether it succeeded, and what it printed.
    fn cargo(&self, task: &str) -> (bool, String) {
        let output = Command::new(env!("CARGO"))
            .args([task, "--offline", "--quiet", "--target-dir"])
            .arg(target())
            .current_dir(&self.folder)
            .env("CARGO_TERM_COLOR", "never")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// The target folder of all these crates.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("user-crates")
}

#[test]
fn macros_need_no_build_script_and_no_other_dependency_and_follow_their_files() {
    let main = "callwright::protos_and_services!(\"user.proto\");\nfn main() { println!(\"{:?} {}\", \
                types::User { name: \"you\".into() }, user::UsersStub::SERVICE_NAME); }\n";
    let user = UserCrate::new("macro-user", "\"macros\"", main);
    user.write("user_types.proto", TYPES);
    user.write("user.proto", GOOD);
    let (ok, said) = user.cargo("run");
    assert!(ok && said.contains("User { name: \"you\" } user.Users"), "{said}");
    // Without the feature `reflection` the program does not contain the descriptors of its services.
    let program = fs::read(user.program()).unwrap();
    let contains = |part: &[u8]| program.windows(part.len()).any(|window| window == part);
    assert!(contains(b"user.Users") && !contains(b"\x12\x04user\x1a\x10user_types.proto"));

    // A change of an imported file alone rebuilds.
    user.write("user_types.proto", &TYPES.replace("name = 1;", "name = 1; int32 age = 2;"));
    let (ok, said) = user.cargo("build");
    assert!(!ok && said.contains("missing field `age`"), "{said}");
    user.write("user_types.proto", TYPES);
    let (ok, said) = user.cargo("build");
    assert!(ok, "{said}");

    // A mistake is an error with its place, at the macro.
    user.write("user.proto", &GOOD.replace("types.User", "types.Usr"));
    let (ok, said) = user.cargo("build");
    assert!(!ok && said.contains("error: user.proto:5:32: 'types.Usr' resolves to"), "{said}");
    assert!(said.contains("src/main.rs:1:34"), "{said}");
    user.write("src/main.rs", "callwright::protos!(\"nope.proto\");\nfn main() {}\n");
    let (ok, said) = user.cargo("build");
    assert!(!ok && said.contains("error: nope.proto: file not found; looked for nope.proto\n"), "{said}");
    user.write("src/main.rs", "callwright::services!(\"user.proto\");\nfn main() {}\n");
    let (ok, said) = user.cargo("build");
    assert!(!ok && said.contains("services!(.., protos = crate::proto)"), "{said}");
}

#[test]
fn what_a_feature_would_bring_is_named_with_the_feature() {
    let main = "use callwright::admin::Admin;\nuse callwright::channelz::Channelz;\nuse callwright::health::Health;\n\
                use callwright::orca::OrcaService;\nuse callwright::reflection::Reflection;\nuse callwright::status::ErrorInfo;\n\
                use callwright::testing::TestServer;\nfn main() { callwright::dynamic::protos(\"a.proto\").unwrap(); }\ncallwright::protos!(\"a.proto\");\n";
    let user = UserCrate::new("feature-user", "", main);
    let (ok, said) = user.cargo("check");
    assert!(!ok, "{said}");
    for feature in ["admin", "channelz", "dynamic", "health", "macros", "orca", "reflection", "status", "testing"] {
        let hint = format!("the item is gated behind the `{feature}` feature");
        assert!(said.contains(&hint), "{hint:?} is not in {said}");
    }
}

#[test]
fn a_deprecated_field_warns_who_uses_it_and_nobody_else() {
    let main =
        "#![deny(warnings)]\ncallwright::protos!(\"old.proto\");\nfn main() { println!(\"{:?}\", a::A::default()); }\n";
    let user = UserCrate::new("deprecated-user", "\"macros\"", main);
    let fields = "string old = 1 [deprecated = true]; optional int32 older = 2 [deprecated = true];";
    user.write("old.proto", &format!("syntax = \"proto3\"; package a; message A {{ {fields} }}"));
    let (ok, said) = user.cargo("run");
    assert!(ok && said.contains("A { old"), "{said}");
    user.write("src/main.rs", "callwright::protos!(\"old.proto\");\nfn main() { drop(a::A::default().old); }\n");
    let (ok, said) = user.cargo("build");
    assert!(ok && said.contains("warning: use of deprecated field `a::A::old`"), "{said}");
    assert_eq!(said.matches("use of deprecated").count(), 1, "{said}");
}
