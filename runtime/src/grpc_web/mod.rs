//! gRPC-Web (feature `grpc-web`): browsers call a server, which speaks their protocol itself and needs no proxy beside it
//! (grpc/grpc `doc/PROTOCOL-WEB.md`).
//!
//! ```
//! use callwright::Server;
//! use callwright::grpc_web::GrpcWeb;
//!
//! # fn example() -> Result<(), callwright::BindError> {
//! let grpc = Server::builder()
//!     // .add_service(GreeterServer::new(MyGreeter))
//!     .into_http_service()?
//!     .grpc_web(GrpcWeb::new().allow_origin("https://app.example"));
//! // axum::Router::new().fallback_service(grpc)
//! # Ok(())
//! # }
//! ```
//!
//! It takes requests of any version of HTTP whose content type is `application/grpc-web` or `application/grpc-web-text`, each as it
//! is or with `+proto`, and answers in kind: as text where the request's `accept` asks for that, or says neither and the request is
//! text. Trailers are the last message of the body; a call that has nothing but a status has it in its headers. All other requests
//! are answered as the [`HttpService`] alone answers them, so that clients of plain gRPC share the address.
//!
//! Browsers have no calls that stream both ways at once: over HTTP/1.1 they send the whole request before they look at the response.
//! Binary metadata is base64, as in gRPC, in text too.
//!
//! # Other origins
//!
//! A page may call the server it comes from. Pages of other origins may not, unless [`GrpcWeb`] allows it: browsers ask first, since
//! the content type is none of a form, and are told by the service. Requests that name another origin are not refused, only not
//! made readable; who is no browser can name any origin, so that this is no protection of the server.

mod cors;
mod request;
mod response;

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};

use crate::call::APPLICATION_GRPC;
use crate::http_service::HttpService;

pub use self::cors::GrpcWeb;
pub use self::response::{Body, ResponseFuture};

use self::request::RequestBody;

/// What a body may fail with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How messages and trailers stand in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Binary,
    /// As base64, in pieces of which each may be padded.
    Text,
}

impl Form {
    const ALL: [Form; 2] = [Form::Binary, Form::Text];

    fn content_type(self) -> &'static str {
        match self {
            Form::Binary => "application/grpc-web",
            Form::Text => "application/grpc-web-text",
        }
    }

    /// What a response of this form says of itself.
    fn response_type(self) -> &'static str {
        match self {
            Form::Binary => "application/grpc-web+proto",
            Form::Text => "application/grpc-web-text+proto",
        }
    }

    /// The form that a media type names, whose messages are protobuf.
    fn of(media_type: &str) -> Option<Form> {
        let name = media_type.split(';').next().unwrap_or_default().trim();
        let names = |form: &Form| [form.content_type(), form.response_type()];
        Form::ALL.into_iter().find(|form| names(form).iter().any(|known| name.eq_ignore_ascii_case(known)))
    }

    /// The form of a request.
    fn of_request(headers: &HeaderMap) -> Option<Form> {
        Form::of(headers.get(header::CONTENT_TYPE)?.to_str().ok()?)
    }

    /// The form of the response to a request of this form.
    fn of_response(self, headers: &HeaderMap) -> Form {
        let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let mut accepted = accepted.flat_map(|value| value.split(',')).filter_map(Form::of);
        accepted.next().unwrap_or(self)
    }
}

/// A server as a service of HTTP requests, which browsers can call; made by [`HttpService::grpc_web`].
#[derive(Clone)]
pub struct GrpcWebService {
    inner: HttpService,
    settings: GrpcWeb,
}

impl HttpService {
    /// Has browsers call the server too.
    pub fn grpc_web(self, settings: GrpcWeb) -> GrpcWebService {
        GrpcWebService { inner: self, settings }
    }
}

impl GrpcWebService {
    /// The service without this.
    pub fn http_service(&self) -> &HttpService {
        &self.inner
    }

    /// Stops gracefully, as [`HttpService::shutdown`] does.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.shutdown(grace).await;
    }
}

impl<B> tower_service::Service<Request<B>> for GrpcWebService
where
    B: http_body::Body<Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        if let Some(answer) = self.settings.preflight(request.method(), request.headers()) {
            return ResponseFuture::ready(answer);
        }
        let form = Form::of_request(request.headers()).filter(|_| *request.method() == Method::POST);
        let Some(form) = form else {
            return ResponseFuture::plain(self.inner.call(request));
        };
        let (respond_in, added) = (form.of_response(request.headers()), self.settings.headers(request.headers()));
        let mut request = request.map(|body| RequestBody::new(body, form));
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(APPLICATION_GRPC));
        ResponseFuture::web(self.inner.answer(request), respond_in, added)
    }
}

impl fmt::Debug for GrpcWebService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcWebService").field("inner", &self.inner).field("settings", &self.settings).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_a_form() {
        for (named, form) in [
            ("application/grpc-web", Some(Form::Binary)),
            ("application/grpc-web+proto", Some(Form::Binary)),
            ("application/grpc-web+proto; charset=utf-8", Some(Form::Binary)),
            ("application/grpc-web-text", Some(Form::Text)),
            ("application/grpc-web-text+proto;q=1", Some(Form::Text)),
            ("application/grpc-web+json", None),
            ("application/grpc-web-texts", None),
            ("application/grpc", None),
            ("", None),
        ] {
            assert_eq!(Form::of(named), form, "{named}");
        }
    }

    #[test]
    fn a_response_has_the_form_that_is_accepted_or_that_of_the_request() {
        for (accept, binary, text) in [
            (None, Form::Binary, Form::Text),
            (Some("*/*"), Form::Binary, Form::Text),
            (Some("application/grpc-web-text"), Form::Text, Form::Text),
            (Some("text/html, application/grpc-web+proto"), Form::Binary, Form::Binary),
        ] {
            let accept = accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept)));
            let headers = HeaderMap::from_iter(accept);
            assert_eq!(Form::Binary.of_response(&headers), binary, "{headers:?}");
            assert_eq!(Form::Text.of_response(&headers), text, "{headers:?}");
        }
    }
}
