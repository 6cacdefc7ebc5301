//! Responses, with the trailers as the last message of their body.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};

use super::Form;
use crate::http_service;

/// The flag of a message that is the trailers.
const TRAILERS: u8 = 0x80;

/// The body of a response: gRPC-Web where the request was that, and else as it is in gRPC.
pub struct Body {
    inner: http_service::Body,
    form: Option<Form>,
}

impl Body {
    pub(super) fn plain(inner: http_service::Body) -> Body {
        Body { inner, form: None }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx)).transpose()?;
        let (Some(frame), Some(form)) = (&frame, self.form) else {
            return Poll::Ready(frame.map(Ok));
        };
        let data = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => data.clone(),
            (None, Some(trailers)) => trailers_message(trailers),
            (None, None) => Bytes::new(),
        };
        Poll::Ready(Some(Ok(Frame::data(match form {
            Form::Binary => data,
            Form::Text => STANDARD.encode(&data).into(),
        }))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.form {
            Some(_) if !self.inner.is_end_stream() => SizeHint::default(),
            _ => self.inner.size_hint(),
        }
    }
}

/// Trailers as the message that they are in a body: lines as HTTP/1 has them.
fn trailers_message(trailers: &HeaderMap) -> Bytes {
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let size: usize = trailers.iter().map(line).sum();
    let mut message = BytesMut::with_capacity(size + 5);
    message.put_u8(TRAILERS);
    // No larger than what a server says in trailers at all.
    message.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            message.put_slice(part);
        }
    }
    message.freeze()
}

/// The response to a request, once the call's handler has sent something; dropping it before cancels the call.
#[must_use = "a call whose response is dropped is cancelled"]
pub struct ResponseFuture {
    answer: Answer,
}

enum Answer {
    Call {
        inner: http_service::ResponseFuture,
        /// `None` for a request that is not gRPC-Web.
        form: Option<Form>,
        /// What is added to the headers.
        added: HeaderMap,
    },
    Ready(Box<Response<Body>>),
}

impl ResponseFuture {
    pub(super) fn ready(response: Response<Body>) -> ResponseFuture {
        ResponseFuture { answer: Answer::Ready(Box::new(response)) }
    }

    /// The response as it is.
    pub(super) fn plain(inner: http_service::ResponseFuture) -> ResponseFuture {
        ResponseFuture { answer: Answer::Call { inner, form: None, added: HeaderMap::new() } }
    }

    /// The response in this form, with these headers.
    pub(super) fn web(inner: http_service::ResponseFuture, form: Form, added: HeaderMap) -> ResponseFuture {
        ResponseFuture { answer: Answer::Call { inner, form: Some(form), added } }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (response, form, added) = match &mut self.answer {
            Answer::Ready(response) => {
                let none = Response::new(Body::plain(http_service::Body::nothing()));
                return Poll::Ready(Ok(std::mem::replace(response, none)));
            }
            Answer::Call { inner, form, added } => (ready!(Pin::new(inner).poll(cx))?, *form, std::mem::take(added)),
        };
        // What HTTP itself says to a request is no message.
        let form = form.filter(|_| response.status() == StatusCode::OK);
        let mut response = response.map(|inner| Body { inner, form });
        if let Some(form) = form {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.response_type()));
        }
        response.headers_mut().extend(added);
        Poll::Ready(Ok(response))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("inner", &self.inner).field("form", &self.form).finish()
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
