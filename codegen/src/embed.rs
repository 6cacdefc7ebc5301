//! Descriptors in generated servers: what a server's reflection tells of them.
//!
//! A file's descriptors are written once, by the first of its services; the others point there.

use std::collections::HashMap;

use prost_build::Service;
use syn::Ident;

use crate::descriptor::Loaded;
use crate::error::Error;
use crate::settings::Settings;

/// Where a generated server has its descriptors.
#[derive(Debug)]
pub(crate) enum Descriptors {
    /// Nowhere.
    None,
    /// A serialized `FileDescriptorSet` of its own.
    Own(Vec<u8>),
    /// At the server of another service of the same file.
    At(Ident),
}

/// The descriptors of the services' files, as they are asked for.
pub(crate) struct Embedded<'a> {
    loaded: &'a Loaded,
    wanted: bool,
    /// The file of each service, by package and name.
    files: HashMap<(&'a str, &'a str), &'a str>,
    /// The server that has the descriptors of a file.
    held: HashMap<&'a str, Ident>,
}

impl<'a> Embedded<'a> {
    pub(crate) fn new(loaded: &'a Loaded, settings: &Settings) -> Self {
        let services = loaded.files.iter().flat_map(|file| {
            let place = |service: &'a str| ((file.proto.package(), service), file.proto.name());
            file.proto.service.iter().map(move |service| place(service.name()))
        });
        let wanted = settings.build_server && settings.service_descriptors;
        Embedded { loaded, wanted, files: services.collect(), held: HashMap::new() }
    }

    /// Where `server`, made for `service`, has its descriptors.
    pub(crate) fn take(&mut self, service: &Service, server: &Ident) -> Result<Descriptors, Error> {
        let name = (service.package.as_str(), service.proto_name.as_str());
        let Some(file) = self.files.get(&name).copied().filter(|_| self.wanted) else {
            return Ok(Descriptors::None);
        };
        if let Some(holder) = self.held.get(file) {
            return Ok(Descriptors::At(holder.clone()));
        }
        self.held.insert(file, server.clone());
        self.loaded.service_set(file).map(Descriptors::Own)
    }
}
