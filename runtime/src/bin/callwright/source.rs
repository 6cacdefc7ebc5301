//! Where the command has its descriptors from.

use std::time::{Duration, Instant};

use callwright::dynamic::{Loader, Module};
use callwright::{Channel, Status};

use crate::arguments::{Options, Source};
use crate::failure::Failure;

/// When the command has to be done: the timeout is of all of it, the questions to the server included.
pub(crate) fn deadline(options: &Options) -> Option<Instant> {
    options.timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Loads the descriptors; `channel` is asked where no file is named, after a wait for its server where that is wanted.
pub(crate) async fn load(
    source: &Source,
    channel: Option<&Channel>,
    options: &Options,
    deadline: Option<Instant>,
) -> Result<Module, Failure> {
    let loader = source.folders.iter().fold(Loader::new(), |loader, folder| loader.include(folder));
    if let Some(path) = &source.descriptor_set {
        let bytes = std::fs::read(path)
            .map_err(|error| std::io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display())))?;
        return Ok(loader.load_file_descriptor_set(&bytes)?);
    }
    let Some(channel) = channel.filter(|_| source.is_server()) else { return Ok(loader.load(&source.protos)?) };
    let left = || deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
    if options.wait_for_ready {
        channel.wait_until_ready(left()).await?;
    }
    match tokio::time::timeout(left(), loader.load_from_server(channel)).await {
        Ok(loaded) => Ok(loaded?),
        Err(_) => Err(Status::deadline_exceeded("the server did not describe its services in time").into()),
    }
}
