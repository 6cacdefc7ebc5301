//! Calls with a token.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::selection::Selection;
use super::{Next, ServerInterceptor};
use crate::metadata::Metadata;
use crate::server::ServerContext;
use crate::status::Status;

type Checked<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

/// Lets those calls pass whose `authorization: Bearer TOKEN` is found good, and refuses the others with UNAUTHENTICATED.
///
/// What the check gives for a good token, the caller's identity say, is found by the handler in
/// [`ServerContext::extensions`]. An error of the check is what the client sees: UNAUTHENTICATED for a bad token,
/// PERMISSION_DENIED for one that may not do this. A call with several `authorization` entries is refused. Over plaintext a token can
/// be read by all who pass it on.
///
/// ```
/// use callwright::server::interceptor::BearerAuth;
/// use callwright::{Server, Status};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// let auth = BearerAuth::new(|token: String| async move {
///     match token.as_str() {
///         "sesame" => Ok(User("Ali".into())), // context.extensions().get::<User>() in the handler
///         _ => Err(Status::unauthenticated("no such token")),
///     }
/// });
/// let builder = Server::builder().interceptor(auth.except(["grpc.health.v1.Health"]));
/// ```
pub struct BearerAuth<T> {
    check: Box<dyn Fn(String) -> Checked<T> + Send + Sync>,
    except: Selection,
}

impl<T: Clone + Send + Sync + 'static> BearerAuth<T> {
    /// Has `check` look at the token of each call. Should it wait, for a key server say, the call waits with it.
    pub fn new<F>(check: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, Status>> + Send + 'static,
    {
        BearerAuth { check: Box::new(move |token| Box::pin(check(token))), except: Selection::default() }
    }

    /// Lets calls of these pass as they are: services (`package.Service`) or methods (`package.Service/Method`).
    pub fn except<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.except = Selection::new(names);
        self
    }
}

/// The token of `Bearer TOKEN` (RFC 6750, section 2.1); the scheme is the same in any case.
fn token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The token of a call.
fn token_of(metadata: &Metadata) -> Result<&str, Status> {
    let mut values = metadata.get_all("authorization");
    let Some(value) = values.next() else {
        return Err(Status::unauthenticated("the call has no token: it belongs into the metadata `authorization`"));
    };
    // Whoever looks before or after this may take another of them for the caller's.
    if values.next().is_some() {
        return Err(Status::unauthenticated("the call has several of the metadata `authorization`"));
    }
    let token = value.as_str().and_then(token);
    token.ok_or_else(|| Status::unauthenticated("the metadata `authorization` is not `Bearer` and a token"))
}

impl<T: Clone + Send + Sync + 'static> ServerInterceptor for BearerAuth<T> {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        if self.except.has(context.method()) {
            return next.run(context).await;
        }
        let token = token_of(context.invocation_metadata())?;
        let identity = (self.check)(token.to_owned()).await?;
        context.extensions_mut().insert(identity);
        next.run(context).await
    }
}

impl<T> fmt::Debug for BearerAuth<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerAuth").field("except", &self.except).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_its_scheme() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("BEARER a.b-c~d+e/f=", Some("a.b-c~d+e/f=")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("", None),
        ] {
            assert_eq!(token(value), expected, "{value:?}");
        }
    }
}
