//! Broken input: `file:line:column: what is wrong`, never a panic, and nothing written.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// Writes these files into a folder, generates from the first, and compares the error.
#[track_caller]
fn refused(files: &[(&str, &str)], expected: &str) {
    let folder = folder(files);
    let error = error_of(&folder, &[files[0].0]);
    assert_eq!(error, expected);
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The error, with paths relative to the folder; the output folder must stay untouched.
#[track_caller]
fn error_of(folder: &TempDir, protos: &[&str]) -> String {
    let out = folder.path().join("out");
    let builder = callwright_build::configure().protox().out_dir(&out);
    let error = match builder.compile_protos(protos, &[folder.path()]) {
        Ok(()) => panic!("accepted"),
        Err(error) => error,
    };
    assert!(!out.exists(), "something was written");
    let prefix = format!("{}/", folder.path().display());
    format!("{error:?}").replace(&prefix, "")
}

/// A file with this body, in proto3, whose body begins in line 3.
#[track_caller]
fn body(body: &str, expected: &str) {
    refused(&[("a.proto", &format!("syntax = \"proto3\";\npackage p;\n{body}\n"))], expected);
}

#[test]
fn syntax() {
    body("message M { string name = 1 }", "a.proto:3:29: expected ';' or '[', but found '}'");
    body("message M { string name; }", "a.proto:3:24: expected '=', but found ';'");
    body(
        "message M {",
        "a.proto:3:12: expected a message field, oneof, reserved range, enum, message, option or '}', but reached end of file",
    );
    body("service S { rpc R(M) returns M; } message M {}", "a.proto:3:30: expected '(', but found 'M'");
    body("message M { string name = 1 [default = \"unclosed]; }", "a.proto:3:53: unterminated string");
    body("/* never closed", "a.proto:3:16: expected comment terminator, but reached end of file");
    body("message \u{e9} {}", "a.proto:3:9: invalid token");
    refused(&[("a.proto", "syntax = \"proto4\";")], "a.proto:1:10: unknown syntax 'proto4'");
    refused(
        &[("a.proto", "hello world")],
        "a.proto:1:1: expected 'enum', 'extend', 'import', 'message', 'option', 'service', 'package' or ';', but found 'hello'",
    );
    refused(&[("a.proto", "\0\0\0\0")], "a.proto:1:1: invalid token");
}

#[test]
fn names_that_are_not_there() {
    body("message M { Missing x = 1; }", "a.proto:3:13: name 'Missing' is not defined");
    body("service S { rpc R(Missing) returns (M); }\nmessage M {}", "a.proto:3:19: name 'Missing' is not defined");
    body(
        "import \"not/there.proto\";\nmessage M {}",
        "a.proto:3:1: import \"not/there.proto\" not found; looked for not/there.proto",
    );
    body(
        "import \"/etc/passwd\";",
        "a.proto:3:8: an import is a path below an include path, with `/`, without `.` and `..`",
    );
    body(
        "import \"../a.proto\";",
        "a.proto:3:8: an import is a path below an include path, with `/`, without `.` and `..`",
    );
    body("import \"\";", "a.proto:3:8: an import is a path below an include path, with `/`, without `.` and `..`");
    body("message M { option (unknown) = 1; }", "a.proto:3:13: name 'unknown' is not defined");
    body("message M { string s = 1 [unknown = 1]; }", "a.proto:3:27: option field 'unknown' is not defined");
}

#[test]
fn import_cycles() {
    refused(
        &[
            ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";"),
            ("b.proto", "syntax = \"proto3\";\nimport \"c.proto\";"),
            ("c.proto", "syntax = \"proto3\";\n\n  import \"b.proto\";"),
        ],
        "c.proto:3:3: import cycle: b.proto -> c.proto -> b.proto",
    );
    refused(
        &[("a.proto", "syntax = \"proto3\";\nimport \"a.proto\";")],
        "a.proto:2:1: import cycle: a.proto -> a.proto",
    );
    refused(
        &[
            ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";\nimport \"b.proto\";"),
            ("b.proto", "syntax = \"proto3\";"),
        ],
        "a.proto:3:1: b.proto is imported twice",
    );
}

#[test]
fn numbers() {
    body("message M { string a = 1;\n string b = 1; }", "a.proto:4:13: field number '1' is already used");
    body("message M { string a = 0; }", "a.proto:3:24: message numbers must be between 1 and 536870911");
    body("message M { string a = 536870912; }", "a.proto:3:24: message numbers must be between 1 and 536870911");
    body("message M { string a = 19000; }", "a.proto:3:24: invalid field number '19000'");
    body("message M { string a = -1; }", "a.proto:3:24: message numbers must be between 1 and 536870911");
    body(
        "message M { reserved 2 to 4;\n string a = 3; }",
        "a.proto:4:13: field number '3' conflicts with reserved range '2 to 4'",
    );
    body("message M { reserved \"a\";\n string a = 3; }", "a.proto:4:2: field a has a reserved name");
    body("message M { string a = 99999999999999999999; }", "a.proto:3:24: integer is too large");
    body("message M { reserved 5 to 2; }", "a.proto:3:1: message M reserves a range that ends before it begins");
    body("enum E { reserved \"ONE\";\n ZERO = 0;\n ONE = 1; }", "a.proto:5:2: enum value ONE has a reserved name");
}

#[test]
fn enums() {
    body("enum E {}", "a.proto:3:1: enums must have at least one value");
    body("enum E { ONE = 1; }", "a.proto:3:16: the first value for proto3 enums must be 0");
    body("enum E { ZERO = 0;\n NULL = 0; }", "a.proto:4:9: enum number '0' has already been used");
    body("enum E { ZERO = 0;\n ZERO = 1; }", "a.proto:4:2: name 'p.ZERO' is defined twice");
    body("enum E { ZERO = 0; }\nenum F { ZERO = 0; }", "a.proto:4:10: name 'p.ZERO' is defined twice");
    body("message M { oneof o {} }", "a.proto:3:13: a oneof must have at least one field");
}

#[test]
fn duplicates() {
    body("message M {}\nmessage M {}", "a.proto:4:9: name 'p.M' is defined twice");
    body(
        "message M { string a = 1;\n string a = 2; }",
        "a.proto:4:9: camel-case name of field 'a' conflicts with field 'a'",
    );
    body("service S {}\nservice S {}", "a.proto:4:9: name 'p.S' is defined twice");
    body(
        "message M {}\nservice S { rpc R(M) returns (M);\n rpc R(M) returns (M); }",
        "a.proto:5:6: name 'p.S.R' is defined twice",
    );
    body("package q;", "a.proto:3:1: multiple package names specified");
}

#[test]
fn types_where_they_may_not_stand() {
    body("message M { group G = 1 {} }", "a.proto:3:13: groups are not allowed in proto3 syntax");
    body("service S { rpc R(string) returns (M); }\nmessage M {}", "a.proto:3:19: name 'string' is not defined");
    body(
        "service S { rpc R(E) returns (M); }\nmessage M {}\nenum E { ZERO = 0; }",
        "a.proto:3:19: 'p.E' is not a message type",
    );
    body(
        "message M { map<float, string> m = 1; }",
        "a.proto:3:17: a map field key type must be an integer, boolean or string",
    );
    body("message M { required string a = 1; }", "a.proto:3:13: required fields are not allowed in proto3 syntax");
    body("message M { string a = 1 [default = \"x\"]; }", "a.proto:3:27: default values are not allowed in proto3");
    body("message M { string a = 1 [packed = true]; }", "a.proto:3:13: field a cannot be packed; repeated numbers can");
    body("message M { extensions 4 to max; }", "a.proto:3:1: message M of proto3 has extensions");
    refused(
        &[
            ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";\nmessage M { E e = 1; }"),
            ("b.proto", "syntax = \"proto2\";\nenum E { ONE = 1; }"),
        ],
        "a.proto:3:13: field e of proto3 has an enum of proto2: .E",
    );
    body(
        "option java_package = 3;",
        "a.proto:3:1: expected a value of type 'string' for option 'java_package', but found '3'",
    );
    body(
        "message M { optional string a = 1 [deprecated = maybe]; }",
        "a.proto:3:36: expected a value of type 'bool' for option 'deprecated', but found 'maybe'",
    );
}

#[test]
fn names_that_are_one_in_rust() {
    body(
        "message FooBar {}\nmessage foo_bar {}",
        "a.proto:4:1: message foo_bar is called `FooBar` in Rust, and so is message FooBar at a.proto:3:1; rename one of them",
    );
    body(
        "message FooBar {}\nenum Foo_Bar { ZERO = 0; }",
        "a.proto:4:1: enum Foo_Bar is called `FooBar` in Rust, and so is message FooBar at a.proto:3:1; rename one of them",
    );
    body(
        "message M { message N {}\n enum n { ZERO = 0; } }",
        "a.proto:4:2: enum n is called `N` in Rust, and so is message N at a.proto:3:13; rename one of them",
    );
    body(
        "service S { rpc GetIt(M) returns (M);\n rpc get_it(M) returns (M); }\nmessage M {}",
        "a.proto:4:2: rpc get_it is called `get_it` in Rust, and so is rpc GetIt at a.proto:3:13; rename one of them",
    );
    body(
        "service S { rpc New(M) returns (M);\n rpc new_(M) returns (M); }\nmessage M {}",
        "a.proto:4:2: rpc new_ is called `new_` in Rust, and so is rpc New at a.proto:3:13; rename one of them",
    );
    body(
        "service S {}\nmessage SStub {}",
        "a.proto:3:1: the Stub of service S is called `SStub` in Rust, and so is message SStub at a.proto:4:1; rename one of them",
    );
    body(
        "service S {}\nmessage SServicer {}",
        "a.proto:3:1: the Servicer of service S is called `SServicer` in Rust, and so is message SServicer at a.proto:4:1; rename one of them",
    );
    body(
        "service S {}\nmessage SServer {}",
        "a.proto:3:1: the Server of service S is called `SServer` in Rust, and so is message SServer at a.proto:4:1; rename one of them",
    );
    body(
        "service Foo {}\nservice foo {}",
        "a.proto:4:1: the Server of service foo is called `FooServer` in Rust, and so is the Server of service Foo at a.proto:3:1; rename one of them\na.proto:4:1: the Servicer of service foo is called `FooServicer` in Rust, and so is the Servicer of service Foo at a.proto:3:1; rename one of them\na.proto:4:1: the Stub of service foo is called `FooStub` in Rust, and so is the Stub of service Foo at a.proto:3:1; rename one of them",
    );
    body(
        "enum E { E_ONE_TWO = 0;\n ONE_TWO = 1; }",
        "a.proto:4:2: enum value ONE_TWO is called `OneTwo` in Rust, and so is enum value E_ONE_TWO at a.proto:3:10; rename one of them",
    );
    body(
        "message M { oneof o { string foo_bar = 1;\n string FooBar = 2; } }",
        "a.proto:4:9: camel-case name of field 'foo_bar' conflicts with field 'FooBar'",
    );
    refused(
        &[(
            "a.proto",
            "syntax = \"proto2\";\nmessage M { optional string foo_bar = 1;\n optional string FooBar = 2; }",
        )],
        "a.proto:3:2: field FooBar is called `foo_bar` in Rust, and so is field foo_bar at a.proto:2:13; rename one of them",
    );
    refused(
        &[
            ("a.proto", "syntax = \"proto3\";\npackage p;\nimport \"b.proto\";\nmessage FooBar {}"),
            ("b.proto", "syntax = \"proto3\";\npackage p;\n\nmessage foo_bar {}"),
        ],
        "b.proto:4:1: message foo_bar is called `FooBar` in Rust, and so is message FooBar at a.proto:4:1; rename one of them",
    );
    body("message ___ {}", "a.proto:3:1: message ___ would have no name in Rust");
}

#[test]
fn a_message_and_a_package_that_are_one_module() {
    let folder = folder(&[
        (
            "a.proto",
            "syntax = \"proto3\";\npackage p;\nimport \"b.proto\";\nmessage Inner { oneof o { inner.q.M m = 1; } }",
        ),
        ("b.proto", "syntax = \"proto3\";\npackage p.inner.q;\nmessage M {}"),
    ]);
    let builder = callwright_build::configure().protox();
    assert!(builder.generate(&["a.proto"], &[folder.path()]).is_ok(), "they may go into modules that are apart");
    let error = builder.include_file("all.rs").generate(&["a.proto"], &[folder.path()]).unwrap_err().to_string();
    assert_eq!(
        error.replace(&format!("{}/", folder.path().display()), ""),
        "a.proto:4:1: the module of message Inner is called `p::inner` in Rust, and so is the module of package p.inner.q \
         at b.proto:2:1; rename one of them"
    );
}

#[test]
fn editions_need_protoc() {
    refused(
        &[("a.proto", "// 2023\n\n edition = \"2023\";\nmessage M {}")],
        "a.proto:3:2: edition 2023 is read by protoc alone: set PROTOC to the path of protoc 27 or newer (32 for edition 2024), or give a descriptor set",
    );
    refused(
        &[("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";"), ("b.proto", "/* x */ edition = '2024';")],
        "b.proto:1:9: edition 2024 is read by protoc alone: set PROTOC to the path of protoc 27 or newer (32 for edition 2024), or give a descriptor set",
    );
}

#[test]
fn one_place_is_named_once_however_it_is_spelled() {
    let here = std::env::current_dir().unwrap();
    for includes in [&["".into()][..], &[".".into(), "./".into(), here.clone()], &[here.join("."), here]] {
        let error = callwright_build::configure().protox().generate(&["c.proto"], includes).unwrap_err();
        assert_eq!(error.to_string(), "c.proto: file not found; looked for c.proto");
    }
    let importing = folder(&[("a.proto", "syntax = \"proto3\";\nimport \"no.proto\";")]);
    let includes = [importing.path().to_owned(), importing.path().join("."), importing.path().to_owned()];
    let error = callwright_build::configure().protox().generate(&["a.proto"], &includes).unwrap_err();
    assert_eq!(error.to_string().matches("/no.proto").count(), 1, "{error}");
}

#[test]
fn files_that_cannot_be_found() {
    let folder = folder(&[("in/a.proto", "syntax = \"proto3\";"), ("out_of_it/b.proto", "syntax = \"proto3\";")]);
    let path = |name: &str| folder.path().join(name);
    let error = |proto: std::path::PathBuf| {
        let includes = [path("in"), path("also")];
        let error = callwright_build::configure().protox().generate(&[proto], &includes).unwrap_err();
        format!("{error:?}").replace(&format!("{}/", folder.path().display()), "")
    };
    assert_eq!(
        error("c.proto".into()),
        "c.proto: file not found; looked for c.proto, in/c.proto, also/c.proto (there is no such folder)"
    );
    assert_eq!(error(path("in/c.proto")), "in/c.proto: file not found; looked for in/c.proto");
    assert_eq!(
        error(path("out_of_it/b.proto")),
        "out_of_it/b.proto: not inside any include path (in, also (there is no such folder)); add the folder from which it is to be imported"
    );
    assert_eq!(error(path("in")), "in: is a folder; name the .proto files");
    let none: [&str; 0] = [];
    let error = callwright_build::configure().generate(&none, &none).unwrap_err();
    assert_eq!(error.to_string(), "no .proto file is named");
}

#[test]
fn a_file_hidden_by_an_earlier_include_path_is_not_mistaken_for_it() {
    let folder = folder(&[("one/a.proto", "syntax = \"proto3\";"), ("two/a.proto", "syntax = \"proto3\";")]);
    let includes = [folder.path().join("one"), folder.path().join("two")];
    let error = callwright_build::configure().protox().generate(&[folder.path().join("two/a.proto")], &includes);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("two/a.proto: hidden by ") && text.contains("one/a.proto"), "{text}");
}

#[test]
fn text_that_is_not_utf_8() {
    let folder = folder(&[]);
    fs::write(folder.path().join("a.proto"), b"syntax = \"proto3\";\n// \xff\n").unwrap();
    assert_eq!(error_of(&folder, &["a.proto"]), "a.proto:2:4: not valid UTF-8");
    fs::write(folder.path().join("a.proto"), b"\xff\xfes\0").unwrap();
    assert_eq!(error_of(&folder, &["a.proto"]), "a.proto:1:1: not valid UTF-8");
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_accepted() {
    let folder =
        folder(&[("a.proto", "\u{feff}syntax = \"proto3\";\r\nmessage M {\r\n  // x\r\n  int32 a = 1;\r\n}\r\n")]);
    let generated = callwright_build::configure().protox().generate(&["a.proto"], &[folder.path()]).unwrap();
    assert!(generated.files()["_.rs"].contains("    /// x\n"));
    assert!(!generated.files()["_.rs"].contains('\r'));
}

#[test]
fn nothing_is_written_when_one_of_several_is_broken() {
    let folder = folder(&[
        ("good.proto", "syntax = \"proto3\"; package good; message M {}"),
        ("bad.proto", "syntax = \"proto3\"; package bad;\nmessage M { X x = 1; }"),
    ]);
    assert_eq!(error_of(&folder, &["good.proto", "bad.proto"]), "bad.proto:2:13: name 'X' is not defined");
}

#[test]
fn random_damage_never_panics() {
    let sources = ["comments", "keywords", "messages_only", "old_style", "options", "well_known"].map(|name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/protos/{name}.proto"));
        fs::read_to_string(path).unwrap()
    });
    let pieces = [
        "{", "}", "(", ";", "\"", "'", "/*", "//", "=", "1", "-", "message", "stream", "\u{0}", "\\", "[", "]", "group",
    ];
    let folder = folder(&[]);
    // A generator of its own, so that a failure can be repeated.
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for round in 0..600 {
        let mut text = sources[round % sources.len()].clone();
        for _ in 0..=random(3) {
            let mut at = random(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let mut end = (at + random(12)).min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.replace_range(at..end.max(at), pieces[random(pieces.len())]);
        }
        fs::write(folder.path().join("a.proto"), &text).unwrap();
        if let Err(error) = callwright_build::configure().protox().generate(&["a.proto"], &[folder.path()]) {
            let error = error.to_string();
            assert!(!error.contains("gave up"), "{error}\n{text}");
            assert!(error.contains("a.proto:"), "{error}\n{text}");
        }
    }
}

#[test]
fn deep_nesting_is_refused_without_a_stack_overflow() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let messages: String = (0..100).map(|_| "message M {\n").chain((0..100).map(|_| "}")).collect();
    body(&messages, "a.proto:34:1: reached maximum recursion limit for nested messages");
    body(&deep("message M {", "}"), "a.proto:3:2211: nested more than 200 levels deep");
    body(&format!("option (x) = {};", deep("{ a ", "}")), "a.proto:3:814: nested more than 200 levels deep");
    body(&format!("option (x) = {{ a: {} }};", deep("[", "]")), "a.proto:3:218: nested more than 200 levels deep");
    body(
        &format!("message M {{ string a = 1 [x = {}]; }}", deep("<", ">")),
        "a.proto:3:229: nested more than 200 levels deep",
    );
    body(&format!("option x = {};", "-".repeat(100_000)), "a.proto:3:13: expected a numeric literal, but found '-'");
    body(
        &format!("message M {{ a{} b = 1; }}", ".a".repeat(100_000)),
        "a.proto:3:13: name 'a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a. ..",
    );
}
