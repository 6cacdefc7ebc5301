//! `--additional_metadata`: what a test client adds to all its calls, by an interceptor.

use callwright::Status;
use callwright::interceptor::{CallDetails, Interceptor, Next, RequestMessages, ResponseMessages};
use callwright::{Metadata, MetadataError};

/// Adds metadata to every call.
#[derive(Clone, Debug)]
pub struct AdditionalMetadata(Metadata);

impl AdditionalMetadata {
    /// Reads `name:value;name:value`, as gRPC's test clients take it; the value of a binary one (`-bin`) is its bytes as they are.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<AdditionalMetadata, String> {
        let mut metadata = Metadata::new();
        for pair in text.split(';').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once(':').ok_or_else(|| format!("{pair:?} is not name:value"))?;
            let added: Result<(), MetadataError> = match name.ends_with("-bin") {
                true => metadata.append(name, value.as_bytes().to_vec()),
                false => metadata.append(name, value),
            };
            added.map_err(|error| format!("{pair:?}: {error}"))?;
        }
        Ok(AdditionalMetadata(metadata))
    }
}

impl Interceptor for AdditionalMetadata {
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

#[cfg(test)]
mod tests {
    use callwright::{Channel, Server};

    use super::AdditionalMetadata;
    use crate::interop::{ECHO_INITIAL, ECHO_TRAILING, InteropService};
    use crate::testing::{Empty, TestServiceServer, TestServiceStub};

    #[tokio::test(start_paused = true)]
    async fn it_goes_out_with_every_call() {
        let server = Server::builder().add_service(TestServiceServer::new(InteropService::new("one")));
        let server = server.bind("inproc:").await.unwrap();
        let added = format!("{ECHO_INITIAL}:a:b;{ECHO_TRAILING}:c");
        let channel = Channel::builder(server.local_addr().to_string());
        let channel = channel.interceptor(AdditionalMetadata::parse(&added).unwrap()).build().unwrap();
        let response = TestServiceStub::new(channel).empty_call(Empty {}).send().await.unwrap();
        assert_eq!(response.initial_metadata().get(ECHO_INITIAL), Some("a:b"));
        assert_eq!(response.trailing_metadata().get_bin(ECHO_TRAILING), Some(&b"c"[..]));
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        for text in ["name", "a b:c", "grpc-timeout:1S", "name:\u{7}"] {
            assert!(AdditionalMetadata::parse(text).is_err(), "{text}");
        }
    }
}
