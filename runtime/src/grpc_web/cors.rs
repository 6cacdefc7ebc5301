//! Which pages may call: Cross-Origin Resource Sharing, as the Fetch standard has it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::response::Body;
use crate::http_service;
use crate::status::wire::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS};

/// How long browsers may remember what they were told, unless it is said.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(3600);

/// How browsers are served, and which.
///
/// Without more, only pages of the server's own origin can call it. A CORS layer around the service may do in the place of
/// these: what is not allowed here is not answered for here.
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until they are given to HttpService::grpc_web"]
pub struct GrpcWeb {
    origins: Origins,
    credentials: bool,
    exposed: Vec<HeaderName>,
    max_age: Duration,
}

#[derive(Clone)]
enum Origins {
    Listed(Vec<String>),
    Any,
    Judged(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Default for GrpcWeb {
    fn default() -> Self {
        GrpcWeb::new()
    }
}

impl GrpcWeb {
    /// No other origin may call.
    pub fn new() -> GrpcWeb {
        GrpcWeb {
            origins: Origins::Listed(Vec::new()),
            credentials: false,
            exposed: vec![GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS],
            max_age: DEFAULT_MAX_AGE,
        }
    }

    /// Lets pages of this origin call, beside those that were allowed before by this: scheme, host, and port where it is not the
    /// scheme's own, such as `https://app.example` or `http://localhost:8080`.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        let origin = origin.into().trim_end_matches('/').to_ascii_lowercase();
        match &mut self.origins {
            Origins::Listed(origins) => origins.push(origin),
            Origins::Any | Origins::Judged(_) => self.origins = Origins::Listed(vec![origin]),
        }
        self
    }

    /// Lets pages of all origins call that `judge` agrees to, in the place of what was said before.
    pub fn allow_origin_if(mut self, judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.origins = Origins::Judged(Arc::new(judge));
        self
    }

    /// Lets all pages call, in the place of what was said before: what every client may call anyway. Never with
    /// [credentials](Self::allow_credentials).
    pub fn allow_any_origin(mut self) -> Self {
        self.origins = Origins::Any;
        self
    }

    /// Has browsers send cookies and certificates along for pages of other origins that ask for it; not unless set. A header
    /// `authorization` that the page sets itself needs this not.
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Lets pages of other origins see this header of a response: initial metadata, or trailing metadata of a call that has
    /// nothing but a status. `grpc-status`, `grpc-message` and `grpc-status-details-bin` they see anyway, and trailing metadata
    /// in a body.
    pub fn expose_header(mut self, name: HeaderName) -> Self {
        self.exposed.push(name);
        self
    }

    /// How long browsers may remember that a page may call, before they ask again; 1 hour unless set, and most do not for longer
    /// than 2.
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = time;
        self
    }

    /// The answer to a browser that asks whether a page may call; `None` for what is no such question.
    pub(super) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
        let asks = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin = headers.get(header::ORIGIN).filter(|_| asks)?;
        let mut response = Response::new(Body::plain(http_service::Body::nothing()));
        let Some(mut allowed) = self.allow(origin) else {
            *response.status_mut() = StatusCode::FORBIDDEN;
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
            return Some(response);
        };
        allowed.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        if let Some(asked) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age.as_secs()));
        allowed.append(header::VARY, HeaderValue::from_static("access-control-request-headers"));
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = allowed;
        Some(response)
    }

    /// What is added to the response of a call.
    pub(super) fn headers(&self, request: &HeaderMap) -> HeaderMap {
        let mut headers = match request.get(header::ORIGIN) {
            Some(origin) => self.allow(origin),
            None => None,
        };
        if let Some(headers) = &mut headers {
            let names: Vec<_> = self.exposed.iter().map(HeaderName::as_str).collect();
            if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
            }
        }
        headers.unwrap_or_else(|| self.vary())
    }

    /// What says that pages of this origin may call; `None` where they may not.
    fn allow(&self, origin: &HeaderValue) -> Option<HeaderMap> {
        let mut headers = self.vary();
        if let Origins::Any = self.origins {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return Some(headers);
        }
        let text = origin.to_str().ok()?;
        let is_allowed = match &self.origins {
            Origins::Listed(origins) => origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(text)),
            Origins::Judged(judge) => judge(text),
            Origins::Any => true,
        };
        if !is_allowed {
            return None;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        Some(headers)
    }

    /// What says that a response is one origin's alone, where it is.
    fn vary(&self) -> HeaderMap {
        let by_origin = (header::VARY, HeaderValue::from_static("origin"));
        let depends = match &self.origins {
            Origins::Any => false,
            Origins::Listed(origins) => !origins.is_empty(),
            Origins::Judged(_) => true,
        };
        HeaderMap::from_iter(depends.then_some(by_origin))
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origins::Listed(origins) => origins.fmt(f),
            Origins::Any => f.write_str("any"),
            Origins::Judged(_) => f.write_str("judged"),
        }
    }
}
