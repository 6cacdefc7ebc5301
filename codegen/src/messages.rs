//! Messages and enums: prost-build writes them, here it is fed and its result collected.
//!
//! It also resolves the Rust types of the rpcs, so that these are exactly the ones it wrote.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use prost_build::{Config, Module, Service, ServiceGenerator};
use prost_types::FileDescriptorProto;

use crate::error::Error;
use crate::settings::Settings;

/// The path under which generated code finds prost.
const PROST: &str = "::callwright::codegen::prost";
const PROST_TYPES: &str = "::callwright::codegen::prost_types";

/// What prost-build made of the files.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// Rust for each package that has messages or enums.
    pub(crate) modules: BTreeMap<Module, String>,
    /// The services of all files, in the order of the files.
    pub(crate) services: Vec<Service>,
}

/// Runs prost-build over all files, imports included: it needs them to see which types contain each other.
pub(crate) fn generate(files: Vec<FileDescriptorProto>, settings: &Settings) -> Result<Messages, Error> {
    let services = Rc::new(RefCell::new(Vec::new()));
    let mut config = configure(settings);
    config.service_generator(Box::new(Collect { services: Rc::clone(&services) }));
    let requests = files.into_iter().map(|file| (Module::from_protobuf_package_name(file.package()), file)).collect();
    let modules = config.generate(requests).map_err(|error| Error::Setting(error.to_string()))?;
    Ok(Messages { modules: modules.into_iter().collect(), services: services.take() })
}

/// Keeps the services and writes nothing.
struct Collect {
    services: Rc<RefCell<Vec<Service>>>,
}

impl ServiceGenerator for Collect {
    fn generate(&mut self, service: Service, _buf: &mut String) {
        self.services.borrow_mut().push(service);
    }
}

fn configure(settings: &Settings) -> Config {
    let mut config = Config::new();
    config.prost_path(PROST).prost_types_path(PROST_TYPES);
    config.btree_map(&settings.btree_map).bytes(&settings.bytes).skip_debug(&settings.skip_debug);
    for path in &settings.boxed {
        config.boxed(path);
    }
    for (path, rust) in &settings.extern_path {
        config.extern_path(path, rust);
    }
    for (path, attribute) in &settings.type_attribute {
        config.type_attribute(path, attribute);
    }
    for (path, attribute) in &settings.message_attribute {
        config.message_attribute(path, attribute);
    }
    for (path, attribute) in &settings.enum_attribute {
        config.enum_attribute(path, attribute);
    }
    for (path, attribute) in &settings.field_attribute {
        config.field_attribute(path, attribute);
    }
    for (path, domain) in &settings.type_name_domain {
        config.type_name_domain([path], domain);
    }
    if settings.compile_well_known_types {
        config.compile_well_known_types();
    }
    if settings.retain_enum_prefix {
        config.retain_enum_prefix();
    }
    if settings.enable_type_names {
        config.enable_type_names();
    }
    config
}
