//! What a call proves who it is from by: metadata that is made for it.

mod bearer;
#[cfg(feature = "jwt")]
mod service_account;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::metadata::Metadata;
use crate::status::{Code, Status};

pub use bearer::{BearerToken, Token};
#[cfg(feature = "jwt")]
pub use service_account::ServiceAccount;

/// Credentials of calls, in place of those of a connection: each call carries metadata that proves who it is from.
///
/// ```
/// use std::{future::Future, pin::Pin};
/// use callwright::credentials::{CallContext, CallCredentials};
/// use callwright::{Metadata, Status};
///
/// #[derive(Debug)]
/// struct ApiKey(String);
///
/// impl CallCredentials for ApiKey {
///     fn metadata<'a>(
///         &'a self,
///         _: &'a CallContext,
///     ) -> Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send + 'a>> {
///         Box::pin(async {
///             let mut metadata = Metadata::new();
///             metadata.append("x-api-key", self.0.as_str())?;
///             Ok(metadata)
///         })
///     }
/// }
/// ```
pub trait CallCredentials: fmt::Debug + Send + Sync + 'static {
    /// What is added to the metadata of a call. It may wait, for a token say: the call waits with it, up to its deadline.
    ///
    /// # Errors
    /// The status that the call ends with. UNAVAILABLE is for what may succeed later; a code that only a server's method may
    /// give becomes INTERNAL (gRFC A54).
    fn metadata<'a>(
        &'a self,
        call: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send + 'a>>;

    /// Whether they may go over connections only that nobody else can read, as what is secret must: so unless said otherwise.
    /// Those are TLS, and the targets `unix:`, `unix-abstract:` and `inproc:`, as gRPC's local credentials have it. A call on
    /// another connection ends in UNAUTHENTICATED then.
    fn requires_tls(&self) -> bool {
        true
    }
}

/// What credentials are told of the call that they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallContext {
    service_url: String,
    method: String,
}

impl CallContext {
    /// A call of `method`, `/package.Service/Method`, to a server of this authority.
    pub fn new(authority: &str, method: impl Into<String>) -> CallContext {
        let method = method.into();
        let host = authority.strip_suffix(":443").unwrap_or(authority);
        let service = method.rsplit_once('/').map_or("", |(service, _)| service);
        CallContext { service_url: format!("https://{host}{service}"), method }
    }

    /// The service as a URL, `https://host/package.Service`: what tokens for one service alone name as their audience. The port
    /// is in it where it is not 443.
    pub fn service_url(&self) -> &str {
        &self.service_url
    }

    /// The method's path, `/package.Service/Method`.
    pub fn method(&self) -> &str {
        &self.method
    }
}

/// The metadata that credentials add to a call on a connection that nobody else can read, or that others can.
///
/// # Errors
/// UNAUTHENTICATED for credentials that require TLS on a connection without it. What the credentials failed with, unless
/// the code is one that only a method may give: INTERNAL then (gRFC A54).
pub(crate) async fn metadata_for(
    credentials: &dyn CallCredentials,
    call: &CallContext,
    is_private: bool,
) -> Result<Metadata, Status> {
    if credentials.requires_tls() && !is_private {
        return Err(Status::unauthenticated(format!(
            "the credentials of the call to {} may not go over a plaintext connection: set ChannelCredentials::tls()",
            call.method
        )));
    }
    credentials.metadata(call).await.map_err(|status| match status.code() {
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::DataLoss => {
            let text = format!("call credentials failed: {} ({:?})", status.message(), status.code());
            Status::internal(text).with_source(std::sync::Arc::new(status))
        }
        _ => status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fails(Code);

    impl CallCredentials for Fails {
        fn metadata<'a>(
            &'a self,
            _: &'a CallContext,
        ) -> Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send + 'a>> {
            Box::pin(std::future::ready(Err(Status::new(self.0, "as asked for"))))
        }

        fn requires_tls(&self) -> bool {
            self.0 == Code::Unavailable
        }
    }

    #[test]
    fn a_service_is_named_as_tokens_name_it() {
        for (authority, method, url) in [
            ("example.com", "/a.B/C", "https://example.com/a.B"),
            ("example.com:443", "/a.B/C", "https://example.com/a.B"),
            ("example.com:50051", "/a.B/C", "https://example.com:50051/a.B"),
            ("[::1]:443", "/a.B/C", "https://[::1]/a.B"),
            ("example.com", "", "https://example.com"),
        ] {
            let call = CallContext::new(authority, method);
            assert_eq!((call.service_url(), call.method()), (url, method));
        }
    }

    #[tokio::test]
    async fn codes_that_only_a_method_may_give_become_internal() {
        use Code::*;
        let call = CallContext::new("example.com", "/a.B/C");
        for code in Code::ALL {
            let status = metadata_for(&Fails(code), &call, true).await.unwrap_err();
            match code {
                Ok | InvalidArgument | NotFound | AlreadyExists | FailedPrecondition | Aborted | OutOfRange
                | DataLoss => {
                    assert_eq!(status.code(), Internal, "{code:?}");
                    assert!(status.message().starts_with("call credentials failed: as asked for"), "{status:?}");
                }
                _ => assert_eq!((status.code(), status.message()), (code, "as asked for")),
            }
        }
    }

    #[tokio::test]
    async fn what_is_secret_does_not_go_over_plaintext() {
        let call = CallContext::new("example.com", "/a.B/C");
        let status = metadata_for(&Fails(Code::Unavailable), &call, false).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        let status = metadata_for(&Fails(Code::Cancelled), &call, false).await.unwrap_err();
        assert_eq!(status.code(), Code::Cancelled);
    }
}
