"""grpcio-status against the echo server of this repository: the rows of gRPC's own status tests (gRFC L44).

Each detail is made here with its type, goes through its type there, and must come back as it was.
"""

import sys

import grpc
from callwright.tests import echo_pb2, echo_pb2_grpc
from google.protobuf import any_pb2, duration_pb2, timestamp_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

import rows

MESSAGE = "what the row is about: \u263a"
BLOB = echo_pb2.Blob(body=b"\0")


def fill(message):
    """Sets every field, those of inner messages too."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["key"] = "value"
        elif field.message_type and field.is_repeated:
            for _ in range(2):
                fill(getattr(message, field.name).add())
        elif field.message_type:
            fill(getattr(message, field.name))
        elif field.is_repeated:
            getattr(message, field.name).extend(["one", "two"])
        else:
            setattr(message, field.name, f"the {field.name}" if field.type == field.TYPE_STRING else 7)
    return message


def all_ten():
    names = [name for name, kind in error_details_pb2.DESCRIPTOR.message_types_by_name.items()]
    rows.equal("standard details", len(names), 10)
    return [fill(getattr(error_details_pb2, name)()) for name in names]


def status_of(code, *details):
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code, message=MESSAGE, details=packed)


class Peer:
    def __init__(self, channel):
        self._stub = echo_pb2_grpc.EchoStub(channel)

    def fails(self, *metadata):
        try:
            self._stub.UnaryUnary(BLOB, metadata=metadata, timeout=rows.TIMEOUT)
        except grpc.RpcError as error:
            return error
        raise AssertionError("the call succeeded")

    def ok(self):
        _, call = self._stub.UnaryUnary.with_call(BLOB, timeout=rows.TIMEOUT)
        rows.equal("status", rpc_status.from_call(call), None)

    def plain(self):
        error = self.fails(("x-code", "5"), ("x-message", "gone"))
        rows.equal("code and message", (error.code(), error.details()), (grpc.StatusCode.NOT_FOUND, "gone"))
        rows.equal("status", rpc_status.from_call(error), None)

    def details(self, *details):
        sent = status_of(grpc.StatusCode.ABORTED.value[0], *details)
        error = self.fails(("x-status-bin", sent.SerializeToString()))
        rows.equal("code and message", (error.code(), error.details()), (grpc.StatusCode.ABORTED, MESSAGE))
        status = rpc_status.from_call(error)
        rows.equal("status", status, sent)
        for packed, detail in zip(status.details, details, strict=True):
            unpacked = type(detail)()
            rows.equal("type", packed.Unpack(unpacked), True)
            rows.equal("detail", unpacked, detail)

    def refused(self, code, raw, error_type):
        error = self.fails(("x-code", str(code.value[0])), ("x-message", "gone"), ("x-details-bin", raw))
        rows.equal("code and message", (error.code(), error.details()), (code, "gone"))
        try:
            rpc_status.from_call(error)
        except Exception as why:
            rows.equal("error", isinstance(why, error_type), True)
        else:
            raise AssertionError("the details were taken")

    def inconsistent(self):
        raw = status_of(grpc.StatusCode.INVALID_ARGUMENT.value[0]).SerializeToString()
        self.refused(grpc.StatusCode.NOT_FOUND, raw, ValueError)

    def malformed(self):
        self.refused(grpc.StatusCode.INTERNAL, b"\xff\xff", Exception)

    def invalid_code(self):
        error = self.fails(("x-status-bin", status_of(42, duration_pb2.Duration(seconds=1)).SerializeToString()))
        rows.equal("code", error.code(), grpc.StatusCode.UNKNOWN)
        rows.equal("message", error.details(), f"invalid status code 42: {MESSAGE}")
        rows.equal("details that agree", len(rpc_status.from_call(error).details), 1)


def main():
    flags = rows.arguments(__doc__)
    runner = rows.Rows(flags.case)
    with rows.server(flags.server) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        peer = Peer(channel)
        runner.run("status/ok", peer.ok)
        runner.run("status/plain", peer.plain)
        runner.run("status/all_ten", lambda: peer.details(*all_ten()))
        times = [timestamp_pb2.Timestamp(seconds=seconds) for seconds in (1, 2)]
        runner.run("status/other_types", peer.details, times[0], error_details_pb2.RetryInfo(), times[1])
        runner.run("status/inconsistent", peer.inconsistent)
        runner.run("status/malformed", peer.malformed)
        runner.run("status/invalid_code", peer.invalid_code)
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
