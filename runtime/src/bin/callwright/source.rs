//! Where the command has its descriptors from.

use callwright::Channel;
use callwright::dynamic::{Loader, Module};

use crate::arguments::Source;
use crate::failure::Failure;

/// Loads the descriptors; `channel` is asked where no file is named.
pub(crate) async fn load(source: &Source, channel: Option<&Channel>) -> Result<Module, Failure> {
    let loader = source.folders.iter().fold(Loader::new(), |loader, folder| loader.include(folder));
    if let Some(path) = &source.descriptor_set {
        let bytes = std::fs::read(path)
            .map_err(|error| std::io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display())))?;
        return Ok(loader.load_file_descriptor_set(&bytes)?);
    }
    match channel.filter(|_| source.is_server()) {
        Some(channel) => Ok(loader.load_from_server(channel).await?),
        None => Ok(loader.load(&source.protos)?),
    }
}
