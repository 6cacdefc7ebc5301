//! The one response of a call, still to come.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use super::source::Source;
use crate::call::Response;
use crate::metadata::Metadata;
use crate::status::Status;

/// The one response of a call, still to come. Dropping it cancels the call at the server.
///
/// `.await` gives the message, [`response`](Self::response) gives it with its metadata.
#[must_use = "dropping a reply cancels its call"]
pub struct Reply<T: 'static> {
    source: Source<T>,
}

impl<T: 'static> Reply<T> {
    pub(super) fn new(source: Source<T>) -> Self {
        Reply { source }
    }

    /// Waits for the message and the metadata around it.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn response(mut self) -> Result<Response<T>, Status> {
        let message = self.source.single().await?;
        let initial = self.source.initial_metadata().cloned().unwrap_or_default();
        let trailing = match self.source.outcome() {
            Some(Ok(trailing)) => trailing.clone(),
            Some(Err(_)) | None => Metadata::new(),
        };
        Ok(Response::new(message, initial, trailing).with_compressed(self.source.last_was_compressed()))
    }
}

impl<T: Send + 'static> IntoFuture for Reply<T> {
    type Output = Result<T, Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move { self.source.single().await })
    }
}

impl<T: 'static> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("source", &self.source).finish_non_exhaustive()
    }
}
