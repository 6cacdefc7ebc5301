//! A Google service account that signs its tokens itself, without asking an authority for them (AIP-4111).

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::bearer::authorization;
use super::{CallContext, CallCredentials};
use crate::credentials::error::CredentialsError;
use crate::metadata::Metadata;
use crate::status::Status;

/// How long a token is valid: the most that Google takes.
const LIFETIME: Duration = Duration::from_secs(3600);
/// How long before its end a token is no longer used.
const AHEAD: Duration = Duration::from_secs(60);
/// How many servers' tokens are kept.
const KEPT: usize = 64;

/// Call credentials of a Google service account: a JSON Web Token for the server that is called, signed with the account's own key
/// (RS256), as the metadata `authorization: Bearer ...`. What grpc-go calls `oauth.NewJWTAccessFromKey`. Cheap to clone.
///
/// The token's audience is `https://host/`, without the service (AIP-4111); it is valid for an hour and used until a minute
/// before its end.
#[derive(Clone)]
pub struct ServiceAccount {
    account: Arc<Account>,
}

struct Account {
    email: String,
    header: Header,
    key: EncodingKey,
    /// The tokens by their audience, and how long each is used.
    tokens: Mutex<HashMap<String, (String, Instant)>>,
}

/// A key file, as Google makes them.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key_id: String,
    private_key: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    /// The account of a key as it was downloaded, JSON with `"type": "service_account"`.
    ///
    /// # Errors
    /// [`CredentialsError::Input`] for what is no such key.
    pub fn from_json(key: impl AsRef<[u8]>) -> Result<ServiceAccount, CredentialsError> {
        let bad = |problem: String| CredentialsError::Input { input: "service account key".to_owned(), problem };
        let file: KeyFile = serde_json::from_slice(key.as_ref()).map_err(|error| bad(reason(&error)))?;
        if file.kind != "service_account" {
            return Err(bad(format!("its type is {:?} and not \"service_account\"", file.kind)));
        }
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes())
            .map_err(|error| bad(format!("its private_key is no RSA key in PEM: {error}")))?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(file.private_key_id);
        let account = Account { email: file.client_email, header, key, tokens: Mutex::default() };
        // A key that cannot sign is better known now.
        account.sign("https://example.com/", SystemTime::now()).map_err(|error| bad(error.message().to_owned()))?;
        Ok(ServiceAccount { account: Arc::new(account) })
    }

    /// As [`from_json`](Self::from_json), from a file.
    ///
    /// # Errors
    /// [`CredentialsError::File`] for a file that cannot be read, and as [`from_json`](Self::from_json).
    pub fn from_file(path: impl AsRef<Path>) -> Result<ServiceAccount, CredentialsError> {
        let path = path.as_ref();
        let key = std::fs::read(path).map_err(|error| CredentialsError::File {
            input: "service account key".to_owned(),
            path: path.to_owned(),
            source: Arc::new(error),
        })?;
        ServiceAccount::from_json(key)
    }
}

impl Account {
    fn token(&self, audience: &str) -> Result<String, Status> {
        let now = Instant::now();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, _)) = tokens.get(audience).filter(|(_, until)| now < *until) {
            return Ok(token.clone());
        }
        let token = self.sign(audience, SystemTime::now())?;
        if tokens.len() >= KEPT {
            tokens.clear();
        }
        tokens.insert(audience.to_owned(), (token.clone(), now + LIFETIME - AHEAD));
        Ok(token)
    }

    fn sign(&self, audience: &str, now: SystemTime) -> Result<String, Status> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let Account { email, header, key, .. } = self;
        let claims = Claims { iss: email, sub: email, aud: audience, iat: now, exp: now + LIFETIME.as_secs() };
        jsonwebtoken::encode(header, &claims, key)
            .map_err(|error| Status::internal(format!("the key of {email} cannot sign a token: {error}")))
    }
}

impl CallCredentials for ServiceAccount {
    fn metadata<'a>(
        &'a self,
        call: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send + 'a>> {
        let token = self.account.token(&audience(call.service_url()));
        Box::pin(std::future::ready(token.and_then(|token| authorization(&token))))
    }
}

/// What is wrong with a key file, without a word of it: a message of serde's quotes what it found.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((field, _)) => format!("it has no {field:?}"),
        None => {
            format!("it is no JSON object with the fields of a key (line {}, column {})", error.line(), error.column())
        }
    }
}

/// The URL of the server, without the service.
fn audience(service_url: &str) -> String {
    let host = service_url.strip_prefix("https://").unwrap_or(service_url);
    format!("https://{}/", host.split('/').next().unwrap_or_default())
}

impl fmt::Debug for ServiceAccount {
    /// Its key is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceAccount").field(&self.account.email).finish()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::{Value, json};

    use super::*;

    /// Made for these tests alone.
    const KEY: &str = include_str!("testdata/key.pem");
    const PUBLIC_KEY: &str = include_str!("testdata/public.pem");

    fn key_file() -> Value {
        json!({
            "type": "service_account",
            "project_id": "a-project",
            "client_email": "me@a-project.example",
            "private_key_id": "key-1",
            "private_key": KEY,
        })
    }

    fn account() -> ServiceAccount {
        ServiceAccount::from_json(key_file().to_string()).unwrap()
    }

    async fn token(account: &ServiceAccount, authority: &str, method: &str) -> String {
        let metadata = account.metadata(&CallContext::new(authority, method)).await.unwrap();
        metadata.get("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()
    }

    #[tokio::test]
    async fn the_token_is_for_the_server_and_signed_by_the_account() {
        let token = token(&account(), "example.com:443", "/a.B/C").await;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://example.com/"]);
        let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
        let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(decoded.header.kid.as_deref(), Some("key-1"));
        assert_eq!(decoded.header.typ.as_deref(), Some("JWT"));
        assert_eq!(decoded.claims["iss"], "me@a-project.example");
        assert_eq!(decoded.claims["sub"], "me@a-project.example");
        let times = ["iat", "exp"].map(|name| decoded.claims[name].as_u64().unwrap());
        assert_eq!(times[1] - times[0], 3600);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(times[0].abs_diff(now) < 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_used_until_a_minute_before_its_end() {
        let account = account();
        let first = token(&account, "example.com", "/a.B/C").await;
        let kept = || account.account.tokens.lock().unwrap()["https://example.com/"].1;
        let until = kept();
        tokio::time::advance(Duration::from_secs(3539)).await;
        assert_eq!(token(&account, "example.com", "/a.B/Other").await, first);
        assert_eq!(kept(), until);
        tokio::time::advance(Duration::from_secs(1)).await;
        token(&account, "example.com", "/a.B/C").await;
        assert_eq!(kept() - until, Duration::from_secs(3540));
        assert_ne!(token(&account, "other.example", "/a.B/C").await, first);
    }

    #[tokio::test]
    async fn no_more_tokens_are_kept_than_a_bound() {
        let account = account();
        for server in 0..KEPT + 2 {
            token(&account, &format!("server-{server}.example"), "/a.B/C").await;
        }
        assert!(account.account.tokens.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn what_is_no_key_says_why_and_tells_no_secret() {
        let says = |key: &str, why: &str| {
            let error = ServiceAccount::from_json(key).unwrap_err().to_string();
            assert!(error.contains("service account key") && error.contains(why), "{error}");
            assert!(!error.contains("secret"), "{error}");
        };
        says("", "no JSON object");
        says("\"secret\"", "no JSON object");
        says("{}", "has no \"type\"");
        says(r#"{"type": 7, "private_key": "secret"}"#, "no JSON object");
        let with = |field: &str, value: Value| {
            let mut file = key_file();
            file[field] = value;
            file.to_string()
        };
        says(&with("type", json!("authorized_user")), "its type is \"authorized_user\"");
        says(&with("private_key", json!("a secret")), "private_key is no RSA key");
        let mut file = key_file();
        file.as_object_mut().unwrap().remove("client_email");
        says(&file.to_string(), "has no \"client_email\"");
        assert!(!format!("{:?}", account()).contains("PRIVATE"));
        let error = ServiceAccount::from_file("/not/there.json").unwrap_err().to_string();
        assert!(error.contains("/not/there.json"), "{error}");
    }
}
