//! What can be chosen, in one struct: the builder, the plugin's parameters and `cargo xtask gen` all fill this one.

use std::path::PathBuf;

/// The choices that change what is generated.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) btree_map: Vec<String>,
    pub(crate) bytes: Vec<String>,
    pub(crate) boxed: Vec<String>,
    pub(crate) disable_comments: Vec<String>,
    pub(crate) skip_debug: Vec<String>,
    pub(crate) extern_path: Vec<(String, String)>,
    /// Files whose types are in another crate, and its path.
    pub(crate) extern_crate: Vec<(String, String)>,
    /// Where the messages of all packages are; then only services are generated.
    pub(crate) messages_at: Option<String>,
    pub(crate) type_attribute: Vec<(String, String)>,
    pub(crate) message_attribute: Vec<(String, String)>,
    pub(crate) enum_attribute: Vec<(String, String)>,
    pub(crate) field_attribute: Vec<(String, String)>,
    pub(crate) client_attribute: Vec<(String, String)>,
    pub(crate) server_attribute: Vec<(String, String)>,
    pub(crate) type_name_domain: Vec<(String, String)>,
    pub(crate) compile_well_known_types: bool,
    pub(crate) retain_enum_prefix: bool,
    pub(crate) enable_type_names: bool,
    pub(crate) disable_package_emission: bool,
    pub(crate) file_descriptor_set: bool,
    /// Whether a generated server has the descriptors of its file.
    pub(crate) service_descriptors: bool,
    pub(crate) build_client: bool,
    pub(crate) build_server: bool,
    pub(crate) default_package_filename: String,
    pub(crate) include_file: Option<String>,
    /// Whether the include file finds the others in `OUT_DIR` or beside itself.
    pub(crate) include_from_out_dir: bool,
    pub(crate) layout: Layout,
}

/// Where a package's file goes, below the output folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `a.b.rs`
    Flat,
    /// `a/b/a.b.rs`, as protoc-gen-prost has it
    Folders,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            btree_map: Vec::new(),
            bytes: Vec::new(),
            boxed: Vec::new(),
            disable_comments: Vec::new(),
            skip_debug: Vec::new(),
            extern_path: Vec::new(),
            extern_crate: Vec::new(),
            messages_at: None,
            type_attribute: Vec::new(),
            message_attribute: Vec::new(),
            enum_attribute: Vec::new(),
            field_attribute: Vec::new(),
            client_attribute: Vec::new(),
            server_attribute: Vec::new(),
            type_name_domain: Vec::new(),
            compile_well_known_types: false,
            retain_enum_prefix: false,
            enable_type_names: false,
            disable_package_emission: false,
            file_descriptor_set: false,
            service_descriptors: true,
            build_client: true,
            build_server: true,
            default_package_filename: "_".to_owned(),
            include_file: None,
            include_from_out_dir: false,
            layout: Layout::Flat,
        }
    }
}

impl Settings {
    /// Whether a type comes from elsewhere, by prost's rules: `extern_path` names it or a scope around it.
    pub(crate) fn is_extern(&self, element: &str) -> bool {
        let within =
            |path: &str| element.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.extern_path.iter().any(|(path, _)| within(path))
            || (!self.compile_well_known_types && within(".google.protobuf"))
    }

    /// Whether a file's types come from another crate.
    pub(crate) fn is_in_extern_crate(&self, file: &str) -> bool {
        self.extern_crate.iter().any(|(name, _)| name == file)
    }
}

/// Which parser reads `.proto` files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Engine {
    /// protoc if the environment has `PROTOC`, else protox.
    #[default]
    FromEnvironment,
    Protox,
    Protoc(PathBuf),
}

/// Whether one of `paths` covers the element, by prost's rules: `.a.b` is a prefix of whole parts, `b.c` a suffix, `.` all.
pub(crate) fn covers<'a>(paths: impl IntoIterator<Item = &'a String>, element: &str) -> bool {
    paths.into_iter().any(|path| {
        let path = path.as_str();
        path == "." || path == element || {
            if path.starts_with('.') {
                element.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
            } else {
                element.strip_suffix(path).is_some_and(|rest| rest.ends_with('.'))
            }
        }
    })
}
