//! The one response of a call, still to come.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use super::reader::Reader;
use crate::call::Response;
use crate::codec::SharedCodec;
use crate::metadata::Metadata;
use crate::status::Status;

/// The one response of a call, still to come. Dropping it cancels the call at the server.
///
/// `.await` gives the message, [`response`](Self::response) gives it with its metadata.
#[must_use = "dropping a reply cancels its call"]
pub struct Reply<T: 'static> {
    reader: Reader,
    codec: SharedCodec<T>,
}

impl<T: 'static> Reply<T> {
    pub(super) fn new(reader: Reader, codec: SharedCodec<T>) -> Self {
        Reply { reader, codec }
    }

    /// Waits for the message and the metadata around it.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn response(mut self) -> Result<Response<T>, Status> {
        let message = self.reader.single(&self.codec).await?;
        let initial = self.reader.initial_metadata().cloned().unwrap_or_default();
        let trailing = match self.reader.outcome() {
            Some(Ok(trailing)) => trailing.clone(),
            Some(Err(_)) | None => Metadata::new(),
        };
        Ok(Response::new(message, initial, trailing).with_compressed(self.reader.last_was_compressed()))
    }
}

impl<T: Send + 'static> IntoFuture for Reply<T> {
    type Output = Result<T, Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move { self.reader.single(&self.codec).await })
    }
}

impl<T: 'static> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("reader", &self.reader).finish_non_exhaustive()
    }
}
