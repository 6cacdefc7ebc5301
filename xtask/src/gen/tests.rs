use prost::Message;

use super::*;

fn gen_with(args: &[&str]) -> Result<ExitCode, String> {
    let arguments = parse(args.iter().map(OsString::from)).map_err(|error| error.to_string())?;
    execute(&arguments)
}

#[test]
fn check_fails_on_drift_and_passes_after_writing() {
    let folder = tempfile::tempdir().unwrap();
    let proto = folder.path().join("a.proto");
    fs::write(&proto, "syntax = \"proto3\"; package a; message M { int32 x = 1; }").unwrap();
    let (include, proto) = (folder.path().to_str().unwrap(), proto.to_str().unwrap());
    let out = folder.path().join("out");
    let args = ["-I", include, "--out", out.to_str().unwrap(), proto];
    let checked = [&args[..], &["--check"]].concat();

    assert_eq!(gen_with(&checked), Ok(ExitCode::FAILURE), "nothing was written yet");
    assert!(!out.exists(), "a check writes nothing");
    assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));
    assert_eq!(gen_with(&checked), Ok(ExitCode::SUCCESS));

    let file = out.join("a.rs");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "// mine\n").unwrap();
    assert_eq!(gen_with(&checked), Ok(ExitCode::FAILURE));
    assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));
    fs::copy(&file, out.join("b.rs")).unwrap();
    assert_eq!(gen_with(&checked), Ok(ExitCode::FAILURE), "a file that is left over is drift too");
    fs::write(out.join("b.rs"), "// hand-written\n").unwrap();
    assert_eq!(gen_with(&checked), Ok(ExitCode::SUCCESS), "a file of somebody else is none of our business");
}

#[test]
fn a_broken_proto_writes_nothing_and_tells_the_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.proto"), "syntax = \"proto3\"; package good; message M {}").unwrap();
    fs::write(folder.path().join("bad.proto"), "syntax = \"proto3\";\nmessage M { Missing x = 1; }").unwrap();
    let out = folder.path().join("out");
    let include = folder.path().to_str().unwrap();
    let error = gen_with(&["-I", include, "--out", out.to_str().unwrap(), "good.proto", "bad.proto"]).unwrap_err();
    // Either parser may be at work, by PROTOC.
    assert!(error.contains("bad.proto:2:13: ") && error.contains("is not defined"), "{error}");
    assert!(!out.exists());
}

#[test]
fn what_cannot_all_be_written_is_not_written_at_all() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let text = format!("syntax = \"proto3\"; package {name}; message M {{}}");
        fs::write(folder.path().join(format!("{name}.proto")), text).unwrap();
    }
    let [include, file, out] = ["", "file", "out"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    fs::write(&file, "").unwrap();
    let args = ["-I", &include, "--out", &out, "a.proto", "b.proto"];
    let below_file = format!("{file}/manifest.json");
    for option in ["--manifest", "--depfile"] {
        let error = gen_with(&[&args[..], &[option, &below_file]].concat()).unwrap_err();
        assert!(error.contains("manifest.json"), "{error}");
        assert!(!Path::new(&out).join("a.rs").exists(), "{option}");
    }
    fs::create_dir_all(Path::new(&out).join("b.rs")).unwrap();
    let error = gen_with(&args).unwrap_err();
    assert!(error.contains("b.rs: is a directory"), "{error}");
    assert!(!Path::new(&out).join("a.rs").exists());
    fs::remove_dir(Path::new(&out).join("b.rs")).unwrap();

    let new = folder.path().join("new/folder/manifest.json");
    assert_eq!(gen_with(&[&args[..], &["--manifest", new.to_str().unwrap()]].concat()), Ok(ExitCode::SUCCESS));
    assert!(new.is_file());
    assert_eq!(held(Path::new(&out)).len(), 2, "nothing is left beside");
}

#[test]
fn messages_alone_can_be_asked_for() {
    for options in [&["--option", "no_client,no_server"][..], &["--option", "no_client", "--option", "no_server"]] {
        let args = [options, &["--out", "x", "a.proto"]].concat();
        assert!(parse(args.iter().map(OsString::from)).is_ok(), "{options:?}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let both = ["--out", "x", "a.proto", "--client-only", "--server-only"];
    for args in [&["a.proto"][..], &["--out", "x"], &["--what"], &both] {
        assert!(gen_with(args).is_err(), "{args:?}");
    }
}

#[test]
fn a_file_of_another_crate_is_not_generated() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codegen/tests/protos");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let [include, out] = [&protos, &out].map(|path| path.to_str().unwrap());
    let args = ["-I", include, "--out", out, "--extern-crate", "apart/dependency.proto=::other", "apart/user.proto"];
    assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));
    let files = held(Path::new(out));
    let text = &files["apart.type.self_.rs"];
    assert!(text.contains("::other::apart::r#type::self_::sha256_hash::http_header::Type"), "{text}");
    assert!(text.contains("trait UsedServicer") && !text.contains("KeptServicer"), "{text}");
    assert!(text.contains("struct Use ") && !text.contains("struct Sha256Hash"), "{text}");
}

#[derive(Clone, PartialEq, prost::Message)]
struct Set {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(string, repeated, tag = "1")]
    file_to_generate: Vec<String>,
    #[prost(string, tag = "2")]
    parameter: String,
    #[prost(bytes = "vec", repeated, tag = "15")]
    proto_file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(message, repeated, tag = "15")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "15")]
    content: String,
}

fn held(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn xtask_and_build_rs_and_the_plugin_write_the_same_bytes() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codegen/tests/protos");
    let files = ["comments.proto", "routeguide.proto", "split/one.proto", "split/two.proto", "well_known.proto"];
    let folder = tempfile::tempdir().unwrap();
    let (by_xtask, by_build_rs) = (folder.path().join("xtask"), folder.path().join("build.rs"));

    let option = "bytes=.,file_descriptor_set,type_attribute=.=#[doc(alias = \"a\\, b\")]";
    let mut args = vec!["-I", protos.to_str().unwrap(), "--out", by_xtask.to_str().unwrap(), "--option", option];
    args.extend(files);
    assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));

    let builder = callwright_build::configure()
        .bytes(["."])
        .file_descriptor_set(true)
        .type_attribute(".", "#[doc(alias = \"a, b\")]")
        .out_dir(&by_build_rs);
    builder.compile_protos(&files, &[&protos]).unwrap();
    assert_eq!(held(&by_xtask), held(&by_build_rs));

    let generated = builder.generate(&files, &[&protos]).unwrap();
    let request = Request {
        file_to_generate: files.map(str::to_owned).to_vec(),
        parameter: format!("flat_output_dir,{option}"),
        proto_file: Set::decode(generated.file_descriptor_set()).unwrap().file,
    };
    let response = callwright_build::plugin::respond(&request.encode_to_vec());
    let response = Response::decode(response.as_slice()).unwrap();
    let by_plugin: BTreeMap<_, _> = response.file.into_iter().map(|file| (file.name, file.content)).collect();
    assert_eq!(by_plugin, held(&by_xtask));
}

#[test]
fn the_manifest_is_the_same_whatever_the_folder_and_the_order() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codegen/tests/protos");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("elsewhere");
    fs::create_dir_all(copy.join("split")).unwrap();
    let files = ["routeguide.proto", "split/one.proto", "split/two.proto"];
    for file in files {
        fs::copy(protos.join(file), copy.join(file)).unwrap();
    }
    let mut manifests = Vec::new();
    for (number, (include, order)) in [(&protos, [0, 1, 2]), (&copy, [2, 0, 1])].into_iter().enumerate() {
        let out = folder.path().join(format!("out{number}"));
        let manifest = folder.path().join(format!("manifest{number}.json"));
        let mut args = vec!["-I", include.to_str().unwrap(), "--out", out.to_str().unwrap()];
        args.extend(["--manifest", manifest.to_str().unwrap(), "--module-tree", "mod.rs", "--client-only"]);
        args.extend(order.map(|index| files[index]));
        assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));
        manifests.push(fs::read_to_string(&manifest).unwrap());

        assert_eq!(gen_with(&[&args[..], &["--check"]].concat()), Ok(ExitCode::SUCCESS));
        fs::write(&manifest, "{}").unwrap();
        assert_eq!(gen_with(&[&args[..], &["--check"]].concat()), Ok(ExitCode::FAILURE));
        assert!(out.join("mod.rs").is_file());
        assert!(!fs::read_to_string(out.join("routeguide.rs")).unwrap().contains("Servicer"));
    }
    assert_eq!(manifests[0], manifests[1]);
    let manifest: serde_json::Value = serde_json::from_str(&manifests[0]).unwrap();
    assert!(manifest["inputs"]["split/one.proto"].as_str().unwrap().starts_with("sha256:"), "{manifest}");
    assert!(manifest["outputs"]["mod.rs"].is_string(), "{manifest}");
}

#[test]
fn the_depfile_names_imports_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.proto"), "syntax = \"proto3\"; package a; import \"b.proto\";").unwrap();
    fs::write(folder.path().join("b.proto"), "syntax = \"proto3\"; package b; message B {}").unwrap();
    let (include, out, depfile) = (folder.path(), folder.path().join("out"), folder.path().join("a.d"));
    let [include, out] = [include, &out].map(|path| path.to_str().unwrap());
    let args = ["-I", include, "--out", out, "--depfile", depfile.to_str().unwrap(), "a.proto"];
    assert_eq!(gen_with(&args), Ok(ExitCode::SUCCESS));
    let text = fs::read_to_string(&depfile).unwrap();
    assert!(
        text.starts_with(&format!("{out}/b.rs: \\\n")) && text.contains("a.proto") && text.contains("b.proto"),
        "{text}"
    );
}

#[test]
fn the_manifest_names_files_as_import_does_and_a_descriptor_set_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let [outer, inner, out] = ["p", "p/q", "out"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    fs::create_dir_all(&inner).unwrap();
    let (a, b) = (Path::new(&outer).join("a.proto"), Path::new(&inner).join("b.proto"));
    fs::write(a, "syntax = \"proto3\"; package a; import \"b.proto\"; message A { b.B b = 1; }").unwrap();
    fs::write(b, "syntax = \"proto3\"; package b; message B {}").unwrap();
    let manifest = folder.path().join("manifest.json");
    let inputs = |args: &[&str]| {
        let all = [args, &["--out", &out, "--manifest", manifest.to_str().unwrap()]].concat();
        assert_eq!(gen_with(&all), Ok(ExitCode::SUCCESS));
        let manifest: serde_json::Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
        manifest["inputs"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(inputs(&["-I", &outer, "-I", &inner, "a.proto"]), ["a.proto", "b.proto"]);
    assert_eq!(inputs(&["-I", &inner, "-I", &outer, "a.proto"]), ["a.proto", "b.proto"]);

    let generated = callwright_build::configure().generate(&["a.proto"], &[&outer, &inner]).unwrap();
    let set = folder.path().join("set.bin");
    fs::write(&set, generated.file_descriptor_set()).unwrap();
    let set = set.to_str().unwrap();
    // From the current folder, wherever that is.
    let relative = "../".repeat(64) + set.trim_start_matches('/');
    assert_eq!(inputs(&["--descriptor-set", set]), ["set.bin"]);
    assert_eq!(inputs(&["--descriptor-set", &relative]), ["set.bin"]);
}
