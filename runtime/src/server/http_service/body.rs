//! The body of a response.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::status::{Status, wire};
use crate::transport::Event;
use crate::transport::http_body::Download;

/// The body of a response: messages as gRPC frames them, and trailers with the status of the call.
///
/// It never fails: a call that breaks ends with a status. Dropping it before its end cancels the call.
pub struct Body {
    content: Content,
}

enum Content {
    Call(Download),
    Text(Bytes),
    Nothing,
}

impl Body {
    pub(super) fn call(download: Download) -> Body {
        Body { content: Content::Call(download) }
    }

    pub(super) fn text(text: &'static str) -> Body {
        Body { content: Content::Text(Bytes::from_static(text.as_bytes())) }
    }

    pub(crate) fn nothing() -> Body {
        Body { content: Content::Nothing }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (frame, is_last) = match &mut self.content {
            Content::Call(download) => match ready!(download.poll_event(cx)) {
                Ok(Event::Data { data, end }) => (Some(Frame::data(data)), end),
                Ok(Event::Trailers(trailers)) => (Some(Frame::trailers(HeaderMap::from(&trailers))), true),
                // A second head is never sent.
                Ok(Event::End | Event::Headers { .. }) => (None, true),
                Err(error) => (Some(Frame::trailers(trailers(&error.to_last_words()))), true),
            },
            Content::Text(text) => (Some(Frame::data(std::mem::take(text))), true),
            Content::Nothing => (None, true),
        };
        if is_last {
            self.content = Content::Nothing;
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Call(_) => SizeHint::default(),
            Content::Text(text) => SizeHint::with_exact(text.len() as u64),
            Content::Nothing => SizeHint::with_exact(0),
        }
    }
}

/// What a call with this status ends with.
pub(super) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    wire::encode(status, &mut trailers);
    trailers
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("ended", &matches!(self.content, Content::Nothing)).finish_non_exhaustive()
    }
}
