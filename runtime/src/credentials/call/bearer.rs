//! Bearer tokens (RFC 6750): one that is given, or those that a function fetches.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::time::Instant;

use super::{CallContext, CallCredentials};
use crate::credentials::error::CredentialsError;
use crate::metadata::Metadata;
use crate::status::Status;

/// How long before its end a token is fetched anew, while the old one is still used: so long, and no more than a quarter of
/// its life.
const AHEAD: Duration = Duration::from_secs(60);

/// A token, as a function gives it to [`BearerToken::from_fn`].
#[derive(Clone)]
#[must_use]
pub struct Token {
    value: String,
    lifetime: Option<Duration>,
}

impl Token {
    /// A token that stays valid.
    pub fn new(value: impl Into<String>) -> Token {
        Token { value: value.into(), lifetime: None }
    }

    /// How long it is valid from now on.
    pub fn expires_in(mut self, lifetime: Duration) -> Token {
        self.lifetime = Some(lifetime);
        self
    }
}

impl fmt::Debug for Token {
    /// Its value is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// Call credentials that are a bearer token: the metadata `authorization: Bearer ...`. Cheap to clone.
///
/// ```
/// use std::time::Duration;
/// use callwright::credentials::{BearerToken, Token};
///
/// let credentials = BearerToken::from_fn(|| async {
///     // Ask an authority for it here.
///     Ok(Token::new("a token").expires_in(Duration::from_secs(3600)))
/// });
/// ```
#[derive(Clone)]
pub struct BearerToken {
    source: Source,
}

#[derive(Clone)]
enum Source {
    Given(Arc<str>),
    Fetched(Arc<Fetched>),
}

type Fetching = Pin<Box<dyn Future<Output = Result<Token, Status>> + Send>>;
/// A token that is being fetched, for all who wait for it.
type Awaited = Shared<Pin<Box<dyn Future<Output = Result<Arc<str>, Status>> + Send>>>;

struct Fetched {
    fetch: Box<dyn Fn() -> Fetching + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// What all calls wait for that need a new token.
    fetching: Option<Awaited>,
}

/// A token that was fetched.
struct Kept {
    value: Arc<str>,
    /// When a new one is fetched, and when this one is no longer used.
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl BearerToken {
    /// A token that stays the same. White space around it is left out, since files that hold tokens end in a new line.
    ///
    /// # Errors
    /// [`CredentialsError::Input`] for a token that is empty, or that cannot stand in a header.
    pub fn new(token: impl AsRef<str>) -> Result<BearerToken, CredentialsError> {
        let token = token.as_ref().trim();
        check(token).map_err(|problem| CredentialsError::Input {
            input: "bearer token".to_owned(),
            problem: problem.to_owned(),
        })?;
        Ok(BearerToken { source: Source::Given(token.into()) })
    }

    /// Tokens that a function fetches. One is kept until it ends, and fetched anew one minute before that while calls go on with
    /// the old one. It is fetched once for all calls that wait for it, on a task of its own: a call that is given up does not
    /// stop it.
    ///
    /// The function's errors end the calls that wait; the next call tries again.
    pub fn from_fn<F, Fut>(fetch: F) -> BearerToken
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Token, Status>> + Send + 'static,
    {
        let fetch: Box<dyn Fn() -> Fetching + Send + Sync> = Box::new(move || Box::pin(fetch()));
        BearerToken { source: Source::Fetched(Arc::new(Fetched { fetch, state: Mutex::default() })) }
    }

    async fn token(&self) -> Result<Arc<str>, Status> {
        match &self.source {
            Source::Given(token) => Ok(token.clone()),
            Source::Fetched(fetched) => fetched.token().await,
        }
    }
}

impl CallCredentials for BearerToken {
    fn metadata<'a>(
        &'a self,
        _: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send + 'a>> {
        Box::pin(async move { authorization(&self.token().await?) })
    }
}

/// The metadata that carries a token.
pub(super) fn authorization(token: &str) -> Result<Metadata, Status> {
    let mut metadata = Metadata::new();
    metadata.append("authorization", format!("Bearer {token}"))?;
    Ok(metadata)
}

fn check(token: &str) -> Result<(), &'static str> {
    match token.bytes().all(|byte| byte.is_ascii_graphic()) {
        _ if token.is_empty() => Err("it is empty"),
        false => Err("it has a character that no token has: they are visible ASCII without spaces"),
        true => Ok(()),
    }
}

impl Fetched {
    async fn token(self: &Arc<Self>) -> Result<Arc<str>, Status> {
        let now = Instant::now();
        let fetching = {
            let mut state = self.lock();
            let usable = state.kept.as_ref().filter(|kept| kept.ends_at.is_none_or(|at| now < at));
            let usable = usable.map(|kept| (kept.value.clone(), kept.renew_at.is_some_and(|at| at <= now)));
            if let Some((value, false)) = usable {
                return Ok(value);
            }
            let fetching = state.fetching.get_or_insert_with(|| self.clone().fetch()).clone();
            if let Some((value, true)) = usable {
                return Ok(value);
            }
            fetching
        };
        fetching.await
    }

    /// Begins to fetch a token.
    fn fetch(self: Arc<Self>) -> Awaited {
        let task = tokio::spawn(async move {
            // Whatever becomes of it, the next call may try again.
            let _over = Over(&self);
            let token = (self.fetch)().await?;
            check(token.value.trim()).map_err(|problem| {
                Status::internal(format!(
                    "call credentials failed: the bearer token that was fetched cannot be used: {problem}"
                ))
            })?;
            let kept = Kept::new(&token, Instant::now());
            let value = kept.value.clone();
            self.lock().kept = Some(kept);
            Ok(value)
        });
        let ended = task.map(|ended| {
            ended.unwrap_or_else(|_| {
                Err(Status::internal(
                    "call credentials failed: the function that fetches the bearer token did not come back",
                ))
            })
        });
        let ended: Pin<Box<dyn Future<Output = Result<Arc<str>, Status>> + Send>> = Box::pin(ended);
        ended.shared()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the waiting for a token, also where the function panicked.
struct Over<'a>(&'a Fetched);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.lock().fetching = None;
    }
}

impl Kept {
    fn new(token: &Token, now: Instant) -> Kept {
        let at = |lifetime: Duration| now.checked_add(lifetime);
        Kept {
            value: token.value.trim().into(),
            renew_at: token.lifetime.and_then(|lifetime| at(lifetime - AHEAD.min(lifetime / 4))),
            ends_at: token.lifetime.and_then(at),
        }
    }
}

impl fmt::Debug for BearerToken {
    /// The token is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn call() -> CallContext {
        CallContext::new("example.com", "/a.B/C")
    }

    async fn value(credentials: &BearerToken) -> Result<String, Status> {
        let metadata = credentials.metadata(&call()).await?;
        Ok(metadata.get("authorization").unwrap().to_owned())
    }

    /// Tokens that are numbered, each of which takes a second to fetch.
    fn numbered(lifetime: Option<Duration>) -> (BearerToken, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let credentials = BearerToken::from_fn(move || {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let token = Token::new(format!("token-{number}"));
                Ok(match lifetime {
                    Some(lifetime) => token.expires_in(lifetime),
                    None => token,
                })
            }
        });
        (credentials, count)
    }

    #[tokio::test]
    async fn a_token_is_sent_as_it_is() {
        let credentials = BearerToken::new("a.token\n").unwrap();
        assert_eq!(value(&credentials).await.unwrap(), "Bearer a.token");
        assert!(credentials.requires_tls());
        assert!(!format!("{credentials:?} {:?}", Token::new("a.token")).contains("a.token"));
    }

    #[test]
    fn what_no_token_is_made_of_is_refused() {
        for (token, why) in
            [("", "empty"), (" \n", "empty"), ("a b", "visible ASCII"), ("a\r\nb: c", "visible"), ("\u{e9}", "visible")]
        {
            let error = BearerToken::new(token).unwrap_err().to_string();
            assert!(error.contains("bearer token") && error.contains(why), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_fetched_once_for_all_calls() {
        let (credentials, count) = numbered(None);
        let calls: Vec<_> = (0..10).map(|_| value(&credentials)).collect();
        for token in futures_util::future::join_all(calls).await {
            assert_eq!(token.unwrap(), "Bearer token-0");
        }
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        assert_eq!(value(&credentials).await.unwrap(), "Bearer token-0");
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_ahead_of_its_end_while_the_old_one_is_used() {
        let (credentials, count) = numbered(Some(Duration::from_secs(3600)));
        assert_eq!(value(&credentials).await.unwrap(), "Bearer token-0");
        tokio::time::advance(Duration::from_secs(3539)).await;
        assert_eq!(value(&credentials).await.unwrap(), "Bearer token-0");
        assert_eq!(count.load(Ordering::Relaxed), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(value(&credentials).await.unwrap(), "Bearer token-0");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(value(&credentials).await.unwrap(), "Bearer token-1");
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_has_ended_is_not_used() {
        let (credentials, _) = numbered(Some(Duration::from_secs(3600)));
        assert_eq!(value(&credentials).await.unwrap(), "Bearer token-0");
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(value(&credentials).await.unwrap(), "Bearer token-1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_does_not_stop_the_fetching() {
        let (credentials, count) = numbered(None);
        let impatient = tokio::time::timeout(Duration::from_millis(100), value(&credentials)).await;
        assert!(impatient.is_err());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(value(&credentials).now_or_never().unwrap().unwrap(), "Bearer token-0");
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_error_the_next_call_tries_again() {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let credentials = BearerToken::from_fn(move || {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => Err(Status::unavailable("not now")),
                    1 => panic!("as asked for"),
                    2 => Ok(Token::new("a b")),
                    _ => Ok(Token::new("good")),
                }
            }
        });
        assert_eq!(value(&credentials).await.unwrap_err().message(), "not now");
        assert!(value(&credentials).await.unwrap_err().message().contains("did not come back"));
        assert!(value(&credentials).await.unwrap_err().message().contains("cannot be used"));
        assert_eq!(value(&credentials).await.unwrap(), "Bearer good");
    }
}
