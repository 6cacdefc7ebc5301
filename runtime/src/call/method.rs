//! One method of a service: its path and the types of its messages.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::codec::{Codec, Prost, SharedCodec};

/// A method as client and server know it: its path, and how its messages become bytes.
///
/// Generated code makes these; by hand they serve a protocol without a generator:
///
/// ```
/// use callwright::Method;
///
/// let method: Method<String, String> = Method::new("/example.Echo/Say");
/// assert_eq!(method.path(), "/example.Echo/Say");
/// ```
pub struct Method<Req: 'static, Res: 'static> {
    path: Cow<'static, str>,
    request: SharedCodec<Req>,
    response: SharedCodec<Res>,
}

impl<Req, Res> Method<Req, Res>
where
    Req: prost::Message + Default + 'static,
    Res: prost::Message + Default + 'static,
{
    /// A method of prost messages; `path` is `/package.Service/Method`.
    pub const fn new(path: &'static str) -> Self {
        Method {
            path: Cow::Borrowed(path),
            request: SharedCodec::Static(&Prost),
            response: SharedCodec::Static(&Prost),
        }
    }
}

impl<Req: 'static, Res: 'static> Method<Req, Res> {
    /// A method whose messages have codecs of their own; `path` is `/package.Service/Method`.
    pub fn with_codecs(
        path: impl Into<Cow<'static, str>>,
        request: Arc<dyn Codec<Req>>,
        response: Arc<dyn Codec<Res>>,
    ) -> Self {
        Method { path: path.into(), request: SharedCodec::Shared(request), response: SharedCodec::Shared(response) }
    }

    /// The path, `/package.Service/Method`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same with another path.
    pub(crate) fn at(mut self, path: String) -> Self {
        if self.path != path {
            self.path = Cow::Owned(path);
        }
        self
    }

    pub(crate) fn into_parts(self) -> (Cow<'static, str>, SharedCodec<Req>, SharedCodec<Res>) {
        (self.path, self.request, self.response)
    }
}

impl<Req: 'static, Res: 'static> Clone for Method<Req, Res> {
    fn clone(&self) -> Self {
        Method { path: self.path.clone(), request: self.request.clone(), response: self.response.clone() }
    }
}

impl<Req: 'static, Res: 'static> fmt::Debug for Method<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.path).finish()
    }
}
