//! The builder for `build.rs`, and for whoever wants the generated text itself.

use std::env;
use std::path::{Path, PathBuf};

use crate::descriptor::Loaded;
use crate::error::Error;
use crate::generate::{Scope, generate};
use crate::generated::Generated;
use crate::guard;
use crate::load::{self, include::Includes};
use crate::parameter;
use crate::settings::{Engine, Settings};
use crate::write;

/// What is generated, and from what; see [`crate::configure`].
///
/// Wherever a path of a protobuf element is asked for, the rules are prost's: `.` is everything, `.pkg.Message` all from
/// there on, `Message.field` every element whose full name ends so.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `compile_protos` or `generate` is called"]
pub struct Builder {
    settings: Settings,
    engine: Engine,
    out_dir: Option<PathBuf>,
    file_descriptor_set_path: Option<PathBuf>,
    quiet: bool,
}

impl Builder {
    /// Uses the Rust type at `rust_path` for the message or package `proto_path` (`.pkg`), and generates nothing for it.
    pub fn extern_path(mut self, proto_path: impl Into<String>, rust_path: impl Into<String>) -> Self {
        self.settings.extern_path.push((proto_path.into(), rust_path.into()));
        self
    }

    /// Uses the types that were generated from `file` into another crate, whose path is `rust_path`, and generates none of
    /// them: `extern_crate("shop/v1/item.proto", "::item_proto")` finds `shop.v1.Item` at `::item_proto::shop::v1::Item`, so
    /// that crate has its modules nested as the packages are, as [`include_file`](Self::include_file) writes them.
    ///
    /// `file` is named as an import names it. Its services are generated only if it is itself one of the files asked for:
    /// then they use the messages of the other crate. Several files of one package may be in as many crates. A file that
    /// is neither asked for nor imported may be named; the well-known types stay the runtime's, unless
    /// [`compile_well_known_types`](Self::compile_well_known_types) is set; [`extern_path`](Self::extern_path) for one of the types counts more.
    pub fn extern_crate(mut self, file: impl Into<String>, rust_path: impl Into<String>) -> Self {
        self.settings.extern_crate.push((file.into(), rust_path.into()));
        self
    }

    /// Makes these `bytes` fields [`Bytes`](https://docs.rs/bytes) instead of `Vec<u8>`.
    pub fn bytes(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.bytes.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Makes these map fields `BTreeMap`s instead of `HashMap`s.
    pub fn btree_map(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.btree_map.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Boxes a field.
    pub fn boxed(mut self, path: impl Into<String>) -> Self {
        self.settings.boxed.push(path.into());
        self
    }

    /// Puts an attribute on these messages, enums and oneofs.
    pub fn type_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.settings.type_attribute.push((path.into(), attribute.into()));
        self
    }

    /// Puts an attribute on these messages.
    pub fn message_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.settings.message_attribute.push((path.into(), attribute.into()));
        self
    }

    /// Puts an attribute on these enums and oneofs.
    pub fn enum_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.settings.enum_attribute.push((path.into(), attribute.into()));
        self
    }

    /// Puts an attribute on these fields.
    pub fn field_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.settings.field_attribute.push((path.into(), attribute.into()));
        self
    }

    /// Puts an attribute on the stubs of these services.
    pub fn client_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.settings.client_attribute.push((path.into(), attribute.into()));
        self
    }

    /// Puts an attribute on the servers of these services.
    pub fn server_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.settings.server_attribute.push((path.into(), attribute.into()));
        self
    }

    /// Leaves the `.proto`'s comments on these elements out.
    pub fn disable_comments(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.disable_comments.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Derives no `Debug` for these types, so that a hand-written one can stand beside them.
    pub fn skip_debug(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.skip_debug.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Generates the `google.protobuf` types that are imported, instead of using those of `prost-types`.
    pub fn compile_well_known_types(mut self) -> Self {
        self.settings.compile_well_known_types = true;
        self
    }

    /// Leaves the name of an enum before the names of its values.
    pub fn retain_enum_prefix(mut self) -> Self {
        self.settings.retain_enum_prefix = true;
        self
    }

    /// Implements `prost::Name` for all messages.
    pub fn enable_type_names(mut self) -> Self {
        self.settings.enable_type_names = true;
        self
    }

    /// The domain in the type URLs of these messages (default: none); with [`enable_type_names`](Self::enable_type_names).
    pub fn type_name_domain(mut self, path: impl Into<String>, domain: impl Into<String>) -> Self {
        self.settings.type_name_domain.push((path.into(), domain.into()));
        self
    }

    /// Leaves the package out of the names that go over the wire: `/Greeter/SayHello`.
    pub fn disable_package_emission(mut self) -> Self {
        self.settings.disable_package_emission = true;
        self
    }

    /// The name, without `.rs`, of the file for what has no package (default: `_`).
    pub fn default_package_filename(mut self, name: impl Into<String>) -> Self {
        self.settings.default_package_filename = name.into();
        self
    }

    /// Also writes a file of this name that includes all others, in the modules that their paths expect.
    pub fn include_file(mut self, name: impl Into<String>) -> Self {
        self.settings.include_file = Some(name.into());
        self
    }

    /// Adds `pub const FILE_DESCRIPTOR_SET: &[u8]` to each package: its serialized descriptors and those it imports,
    /// custom options included, comments left out (default: no).
    ///
    /// Where `google/protobuf/descriptor.proto` is imported, its text is the one that came with the parser, and so differs
    /// from one protoc to the next.
    pub fn file_descriptor_set(mut self, emit: bool) -> Self {
        self.settings.file_descriptor_set = emit;
        self
    }

    /// Whether each `FooServer` has the serialized descriptors of its file and of all that it imports, for the server's
    /// reflection (default: yes). Comments are left out, as are the files below `google/protobuf` that every protoc has.
    /// A program that is built without the feature `reflection` does not contain them.
    pub fn service_descriptors(mut self, embed: bool) -> Self {
        self.settings.service_descriptors = embed;
        self
    }

    /// Also writes the serialized descriptors of everything, comments included, to this file.
    pub fn file_descriptor_set_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.file_descriptor_set_path = Some(path.into());
        self
    }

    /// Where files are written (default: the `OUT_DIR` that cargo sets).
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Whether `FooStub`s are generated (default: yes).
    pub fn build_client(mut self, build: bool) -> Self {
        self.settings.build_client = build;
        self
    }

    /// Whether `FooServicer`s and `FooServer`s are generated (default: yes).
    pub fn build_server(mut self, build: bool) -> Self {
        self.settings.build_server = build;
        self
    }

    /// Whether cargo is told which files were read, on stdout (default: yes). Outside of a build script nobody listens.
    pub fn emit_rerun_if_changed(mut self, emit: bool) -> Self {
        self.quiet = !emit;
        self
    }

    /// Reads `.proto` files with the protoc at `program`, whatever the environment says. Editions need it.
    pub fn protoc(mut self, program: impl Into<PathBuf>) -> Self {
        self.engine = Engine::Protoc(program.into());
        self
    }

    /// Reads `.proto` files in this process, even if the environment has `PROTOC`.
    pub fn protox(mut self) -> Self {
        self.engine = Engine::Protox;
        self
    }

    /// Applies options as a plugin gets them: `build_options` of `bytes=.,extern_path=.a=::b,no_server`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if one is unknown or its value is not what it takes.
    pub fn parameter(mut self, parameter: &str) -> Result<Self, Error> {
        parameter::apply(parameter, &mut self.settings)?;
        Ok(self)
    }

    /// Generates services alone. Their messages are found below this Rust path, where those of all packages were
    /// generated before: `crate::proto`, whose `helloworld` holds the messages of package `helloworld`.
    pub fn messages_at(mut self, path: impl Into<String>) -> Self {
        self.settings.messages_at = Some(path.into());
        self
    }

    /// Generates and writes `<package>.rs` for every package of `protos` and of what they import, and tells cargo to run
    /// the build script again when one of the files read, or `PROTOC`, changes.
    ///
    /// Each of `protos` lies in one of the folders `includes` (default: the current one) or is named relative to it.
    ///
    /// # Errors
    ///
    /// What is wrong with the input, as `file:line:column: text`; then nothing is written.
    pub fn compile_protos(&self, protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
        self.write(|builder| builder.generate(protos, includes))
    }

    /// As [`compile_protos`](Self::compile_protos), from a serialized `FileDescriptorSet` that holds all imports.
    ///
    /// # Errors
    ///
    /// As [`compile_protos`](Self::compile_protos).
    pub fn compile_descriptor_set(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.write(|builder| builder.generate_from_descriptor_set(path, &[] as &[&str]))
    }

    fn write(&self, generate: impl FnOnce(&Self) -> Result<Generated, Error>) -> Result<(), Error> {
        let out_dir = match &self.out_dir {
            Some(folder) => folder.clone(),
            None => env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                let text = "there is no output folder: cargo sets OUT_DIR for a build script; elsewhere, set `out_dir`";
                Error::Setting(text.to_owned())
            })?,
        };
        if !self.quiet {
            for variable in ["PROTOC", "PROTOC_INCLUDE"] {
                println!("cargo:rerun-if-env-changed={variable}");
            }
        }
        let mut builder = self.clone();
        builder.settings.include_from_out_dir = self.out_dir.is_none();
        let generated = generate(&builder)?;
        if !self.quiet {
            for path in generated.read() {
                println!("cargo:rerun-if-changed={}", path.display());
            }
        }
        generated.write(&out_dir)?;
        if let Some(path) = &self.file_descriptor_set_path {
            write::one(path, generated.file_descriptor_set())?;
        }
        Ok(())
    }

    /// Generates in memory.
    ///
    /// # Errors
    ///
    /// As [`compile_protos`](Self::compile_protos).
    pub fn generate(&self, protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<Generated, Error> {
        let protos: Vec<_> = protos.iter().map(|path| path.as_ref().to_owned()).collect();
        let includes: Vec<_> = includes.iter().map(|path| path.as_ref().to_owned()).collect();
        self.run(|| load::files(&protos, &Includes::new(&includes), &self.engine))
    }

    /// Generates in memory from a serialized `FileDescriptorSet`: all its files, or those named by `protos` and what they
    /// import.
    ///
    /// # Errors
    ///
    /// As [`compile_protos`](Self::compile_protos).
    pub fn generate_from_descriptor_set(
        &self,
        path: impl AsRef<Path>,
        protos: &[impl AsRef<Path>],
    ) -> Result<Generated, Error> {
        let path = path.as_ref();
        let protos: Vec<_> = protos.iter().map(|path| path.as_ref().to_owned()).collect();
        self.run(|| load::descriptor_set::load(path, &protos))
    }

    fn run(&self, load: impl FnOnce() -> Result<Loaded, Error> + Send) -> Result<Generated, Error> {
        guard::run(|| {
            let loaded = load()?;
            let output = generate(&loaded, &self.settings, Scope::Everything)?;
            Ok(Generated::new(output, loaded))
        })
    }
}
