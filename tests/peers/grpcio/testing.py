"""gRPC's standard test service, as grpc_tools made it from the protos of this repository.

Its package is `grpc.testing`, so that its modules stand below `grpc`, where grpcio itself is: both folders are searched.
"""

import pkgutil

import grpc

grpc.__path__ = pkgutil.extend_path(grpc.__path__, "grpc")

# Nothing uses test_pb2, but what it says of the service is what reflection tells.
from grpc.testing import empty_pb2, messages_pb2, test_pb2, test_pb2_grpc  # noqa: E402, F401

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"

__all__ = ["ECHO_INITIAL", "ECHO_TRAILING", "empty_pb2", "messages_pb2", "payload", "test_pb2_grpc"]


def payload(size):
    return messages_pb2.Payload(body=b"\0" * size)
