//! The channel of the command: how it is secured, and what all its calls carry.

use callwright::interceptor::{CallDetails, Interceptor, Next, RequestMessages, ResponseMessages};
use callwright::{Channel, ChannelCredentials, ChannelError, Metadata, MetadataError, Status};

use crate::arguments::{Options, Tls};
use crate::failure::Failure;

/// A channel as the command line asks for it.
pub(crate) fn open(target: &str, options: &Options) -> Result<Channel, Failure> {
    let mut builder = Channel::builder(target);
    if options.tls.is_wanted() {
        builder = builder.credentials(credentials(&options.tls)?);
    }
    if !options.headers.is_empty() {
        builder = builder.interceptor(Headers(metadata(&options.headers)?));
    }
    Ok(builder.build()?)
}

fn credentials(tls: &Tls) -> Result<ChannelCredentials, ChannelError> {
    let mut builder = ChannelCredentials::tls();
    if let Some(path) = &tls.cacert {
        builder = builder.root_certificates_file(path);
    }
    if let Some((certificate, key)) = &tls.identity {
        builder = builder.identity_files(certificate, key);
    }
    if let Some(name) = &tls.server_name {
        builder = builder.server_name(name);
    }
    Ok(builder.build()?)
}

fn metadata(headers: &[(String, String)]) -> Result<Metadata, Status> {
    let mut metadata = Metadata::new();
    let wrong = |error: MetadataError| Status::invalid_argument(error.to_string());
    for (key, value) in headers {
        if !key.ends_with("-bin") {
            metadata.append(key, value).map_err(wrong)?;
            continue;
        }
        let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, value)
            .map_err(|error| Status::invalid_argument(format!("the value of {key} is not base64: {error}")))?;
        metadata.append(key, decoded).map_err(wrong)?;
    }
    Ok(metadata)
}

/// What all calls carry, those to the reflection service too: a server that wants a token wants it there as well.
struct Headers(Metadata);

impl Interceptor for Headers {
    async fn intercept(
        &self,
        mut details: CallDetails,
        requests: RequestMessages,
        next: Next<'_>,
    ) -> Result<ResponseMessages, Status> {
        details.metadata.extend(self.0.clone());
        next.run(details, requests).await
    }
}
