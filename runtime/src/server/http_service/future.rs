//! A response that is on its way.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::body::{self, Body};
use crate::call::APPLICATION_GRPC;
use crate::status::Status;
use crate::transport::Event;
use crate::transport::http_body::Download;

/// The response to a request, once the call's handler has sent something; dropping it before cancels the call.
#[must_use = "a call whose response is dropped is cancelled"]
pub struct ResponseFuture {
    answer: Option<Answer>,
}

enum Answer {
    Call(Download),
    Ready(Box<Response<Body>>),
}

impl ResponseFuture {
    pub(super) fn new(download: Download) -> ResponseFuture {
        ResponseFuture { answer: Some(Answer::Call(download)) }
    }

    pub(crate) fn ready(response: Response<Body>) -> ResponseFuture {
        ResponseFuture { answer: Some(Answer::Ready(Box::new(response))) }
    }

    /// A call that has ended with this status, and nothing else.
    pub(super) fn status(status: &Status) -> ResponseFuture {
        ResponseFuture::ready(trailers_only(status))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let event = match &mut self.answer {
            Some(Answer::Call(download)) => Some(ready!(download.poll_event(cx))),
            Some(Answer::Ready(_)) | None => None,
        };
        let response = match (event, self.answer.take()) {
            (Some(Ok(Event::Headers { status, headers, end })), Some(Answer::Call(download))) => {
                let body = if end { Body::nothing() } else { Body::call(download) };
                response(status, HeaderMap::from(&headers), body)
            }
            (Some(Err(error)), _) => trailers_only(&error.to_last_words()),
            (None, Some(Answer::Ready(response))) => *response,
            // A response begins with its head, and a future that was ready is not polled again.
            _ => trailers_only(&Status::internal("the response has no head")),
        };
        Poll::Ready(Ok(response))
    }
}

fn response(status: u16, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

fn trailers_only(status: &Status) -> Response<Body> {
    let mut headers = body::trailers(status);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(APPLICATION_GRPC));
    response(200, headers, Body::nothing())
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
