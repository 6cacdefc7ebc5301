//! Error details (gRFC L44): the rows of `_grpc_status_test.py`, with our client against a server that ends its calls as it
//! is told.

use callwright::prost::Message as _;
use callwright::prost_types::Timestamp;
use callwright::status::{ErrorDetails, ErrorDetailsError, RetryInfo, RpcStatus};
use callwright::{Channel, Code, Response, Status};

use super::server::Server;
use super::{Failure, Rows, TIMEOUT, blob, equal};
use crate::echo::{Blob, EchoStub};
use crate::interop::details::all_ten;

const MESSAGE: &str = "what the row is about: \u{263a}";

pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    let server = Server::start(&rows.server, &[]).await?;
    let peer = Peer { stub: EchoStub::new(Channel::new(server.target())?) };
    rows.run("status/ok", peer.ok()).await;
    rows.run("status/plain", peer.plain()).await;
    rows.run("status/all_ten", peer.details(all_ten())).await;
    let times = [1, 2].map(|seconds| Timestamp { seconds, nanos: 5 });
    let others = ErrorDetails::new().with(times[0]).with(RetryInfo::default()).with(times[1]);
    rows.run("status/other_types", peer.details(others)).await;
    rows.run("status/inconsistent", peer.inconsistent()).await;
    rows.run("status/malformed", peer.malformed()).await;
    rows.run("status/invalid_code", peer.invalid_code()).await;
    rows.run("status/success_with_details", peer.success_with_details()).await;
    Ok(())
}

struct Peer {
    stub: EchoStub,
}

impl Peer {
    async fn call(&self, ascii: &[(&str, &str)], bytes: &[(&str, &[u8])]) -> Result<Response<Blob>, Status> {
        let mut call = self.stub.unary_unary(blob(1)).timeout(TIMEOUT);
        for (key, value) in ascii {
            call = call.metadata(key, *value);
        }
        for (key, value) in bytes {
            call = call.metadata(key, *value);
        }
        call.send().await
    }

    async fn fails(&self, ascii: &[(&str, &str)], bytes: &[(&str, &[u8])]) -> Result<Status, Failure> {
        match self.call(ascii, bytes).await {
            Ok(_) => Err(Failure("the call succeeded".to_owned())),
            Err(status) => Ok(status),
        }
    }

    async fn ok(&self) -> Result<(), Failure> {
        let response = self.call(&[], &[]).await?;
        equal("details", ErrorDetails::of_success(response.trailing_metadata())?, ErrorDetails::new())
    }

    async fn plain(&self) -> Result<(), Failure> {
        let status = self.fails(&[("x-code", "5"), ("x-message", "gone")], &[]).await?;
        equal("code and message", (status.code(), status.message()), (Code::NotFound, "gone"))?;
        equal("details", status.error_details()?, ErrorDetails::new())
    }

    async fn details(&self, details: ErrorDetails) -> Result<(), Failure> {
        let sent = rpc_status(Code::Aborted.into(), details.clone());
        let status = self.fails(&[], &[("x-status-bin", &sent)]).await?;
        equal("code and message", (status.code(), status.message()), (Code::Aborted, MESSAGE))?;
        equal("details", status.error_details()?, details)
    }

    async fn inconsistent(&self) -> Result<(), Failure> {
        let details = rpc_status(Code::InvalidArgument.into(), RetryInfo::default().into());
        let status = self.fails(&[("x-code", "5"), ("x-message", "gone")], &[("x-details-bin", &details)]).await?;
        equal("code and message", (status.code(), status.message()), (Code::NotFound, "gone"))?;
        let expected = ErrorDetailsError::Code { status: Code::NotFound, details: 3 };
        equal("details", status.error_details(), Err(expected))
    }

    async fn malformed(&self) -> Result<(), Failure> {
        let status = self.fails(&[("x-code", "13"), ("x-message", "gone")], &[("x-details-bin", b"\xff\xff")]).await?;
        equal("code and message", (status.code(), status.message()), (Code::Internal, "gone"))?;
        let malformed = matches!(status.error_details(), Err(ErrorDetailsError::Malformed(_)));
        equal("whether the details are malformed", malformed, true)
    }

    async fn invalid_code(&self) -> Result<(), Failure> {
        let sent = rpc_status(42, RetryInfo::default().into());
        let status = self.fails(&[], &[("x-status-bin", &sent)]).await?;
        equal("code", status.code(), Code::Unknown)?;
        let said = status.message().to_lowercase();
        equal("whether the code is told", said.contains("invalid status code") && said.contains("42"), true)
    }

    async fn success_with_details(&self) -> Result<(), Failure> {
        let status = RpcStatus { details: all_ten().as_slice().to_vec(), ..RpcStatus::default() };
        let response = self.call(&[], &[("x-details-bin", &status.encode_to_vec())]).await?;
        equal("details", ErrorDetails::of_success(response.trailing_metadata())?, all_ten())?;
        equal("whether they are metadata", response.trailing_metadata().contains_key("grpc-status-details-bin"), false)
    }
}

fn rpc_status(code: i32, details: ErrorDetails) -> Vec<u8> {
    RpcStatus { code, message: MESSAGE.to_owned(), details: details.as_slice().to_vec() }.encode_to_vec()
}
