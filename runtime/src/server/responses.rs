//! A stream of responses, as a handler writes it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;

use super::exchange::Exchange;
use crate::codec::SharedCodec;
use crate::codec::frame::{self, Encoding};
use crate::status::{Code, Status};

/// Sends the responses of a call, one by one. The stream ends when the handler returns.
pub struct Responses<T: 'static> {
    exchange: Arc<Exchange>,
    codec: SharedCodec<T>,
}

impl<T: 'static> Responses<T> {
    pub(super) fn new(exchange: Arc<Exchange>, codec: SharedCodec<T>) -> Self {
        Responses { exchange, codec }
    }

    /// Sends one message; waits while the client's flow control allows no more. The first sends the initial metadata.
    ///
    /// # Errors
    /// CANCELLED when the client is gone; INTERNAL or RESOURCE_EXHAUSTED for a message that cannot be encoded or is too
    /// large. Return it: there is nobody left to send to, or it is the status that the client should see.
    pub async fn send(&mut self, message: T) -> Result<(), Status> {
        let mut frame = self.encode(&message)?;
        poll_fn(|cx| self.exchange.poll_send(cx, &mut frame)).await
    }

    /// Sends the one message of a unary response, unless the handler has set another code than OK.
    pub(super) fn reply(&mut self, message: &T) -> Result<(), Status> {
        if self.exchange.code().is_some_and(|code| code != Code::Ok) {
            return Ok(());
        }
        let frame = self.encode(message)?;
        self.exchange.send_now(frame)
    }

    fn encode(&self, message: &T) -> Result<Bytes, Status> {
        let compressor = self.exchange.begin_message()?;
        let settings = self.exchange.settings();
        let encoding = Encoding {
            compressor: compressor.as_deref(),
            compressors: &settings.compressors,
            limit: settings.max_send_message_size,
        };
        frame::encode(self.codec.codec(), message, &encoding)
    }
}

impl<T: 'static> fmt::Debug for Responses<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}
