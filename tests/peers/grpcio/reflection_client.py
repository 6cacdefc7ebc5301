"""grpcio-reflection's client against the interop server of this repository: the rows of gRPC's own test of that client (gRFC
L95), and those of its servicer's test that a client can see.
"""

import sys

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import rows

SERVICE = "grpc.testing.TestService"
EXTENDED = "callwright.tests.Extended"
SERVICES = [
    SERVICE,
    "xds.service.orca.v3.OpenRcaService",
    "grpc.health.v1.Health",
    "grpc.testing.XdsUpdateHealthService",
    "grpc.channelz.v1.Channelz",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]


def fails(find, *arguments):
    try:
        found = find(*arguments)
    except KeyError:
        return
    raise AssertionError(f"found {found}")


def extension(number):
    return reflection_pb2.ExtensionRequest(containing_type=EXTENDED, extension_number=number)


class Peer:
    """Each row has a database of its own: it remembers what it was told."""

    def __init__(self, channel):
        self._channel = channel

    def _database(self):
        return ProtoReflectionDescriptorDatabase(self._channel)

    def _pool(self):
        return DescriptorPool(self._database())

    def _ask(self, **question):
        request = reflection_pb2.ServerReflectionRequest(**question)
        stub = reflection_pb2_grpc.ServerReflectionStub(self._channel)
        (response,) = stub.ServerReflectionInfo(iter([request]), timeout=rows.TIMEOUT)
        return response

    def list_services(self):
        rows.equal("services in order", list(self._database().get_services()), SERVICES)

    def service_name(self):
        rows.equal("name", self._pool().FindServiceByName(SERVICE).full_name, SERVICE)

    def find_file(self):
        file = self._pool().FindFileByName("grpc/testing/empty.proto")
        rows.equal("file", (file.name, file.package), ("grpc/testing/empty.proto", "grpc.testing"))

    def find_file_error(self):
        fails(self._pool().FindFileByName, "no/such.proto")

    def find_symbol(self):
        file = self._pool().FindFileContainingSymbol(SERVICE)
        rows.equal("file", file.name, "grpc/testing/test.proto")
        rows.equal("imports", len(file.dependencies), 2)

    def find_symbol_error(self):
        fails(self._pool().FindFileContainingSymbol, "no.Such")

    def find_message(self):
        message = self._pool().FindMessageTypeByName("grpc.testing.SimpleRequest")
        rows.equal("number", message.fields_by_name["response_size"].number, 2)

    def find_message_error(self):
        fails(self._pool().FindMessageTypeByName, "grpc.testing.NoSuch")

    def find_service_and_method(self):
        """What is found is enough to make a call."""
        method = self._pool().FindServiceByName(SERVICE).FindMethodByName("UnaryCall")
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        call = self._channel.unary_unary(
            f"/{SERVICE}/{method.name}", request.SerializeToString, response.FromString
        )
        rows.equal("reply", call(request(response_size=3), timeout=rows.TIMEOUT).payload.body, b"\0\0\0")

    def find_service_and_method_error(self):
        fails(self._pool().FindServiceByName, "grpc.testing.NoSuch")
        fails(self._pool().FindMethodByName, f"{SERVICE}.NoSuch")

    def find_extensions(self):
        database = self._database()
        rows.equal("numbers", list(database.FindAllExtensionNumbers(EXTENDED)), [124, 125, 126, 127, 128])
        # Their database takes the answer, and then looks up nothing in it: so the answer itself.
        files = self._ask(file_containing_extension=extension(125)).file_descriptor_response.file_descriptor_proto
        names = [descriptor_pb2.FileDescriptorProto.FromString(file).name for file in files]
        rows.equal("files", names, ["callwright/tests/extensions.proto", "callwright/tests/extended.proto"])

    def find_extensions_error(self):
        fails(self._database().FindAllExtensionNumbers, "no.Such")
        error = self._ask(file_containing_extension=extension(55)).error_response
        rows.equal("code", error.error_code, grpc.StatusCode.NOT_FOUND.value[0])

    def not_found_echoes_the_request(self):
        """What the client hides: the answer itself, field by field."""
        response = self._ask(file_by_filename="i-donut-exist")
        request = reflection_pb2.ServerReflectionRequest(file_by_filename="i-donut-exist")
        rows.equal("host and request", (response.valid_host, response.original_request), ("", request))
        rows.equal("code", response.error_response.error_code, grpc.StatusCode.NOT_FOUND.value[0])
        rows.equal("message", response.error_response.error_message, 'not found: file "i-donut-exist"')


ROWS = (
    "list_services",
    "service_name",
    "find_file",
    "find_file_error",
    "find_symbol",
    "find_symbol_error",
    "find_message",
    "find_message_error",
    "find_service_and_method",
    "find_service_and_method_error",
    "find_extensions",
    "find_extensions_error",
    "not_found_echoes_the_request",
)


def main():
    flags = rows.arguments(__doc__)
    runner = rows.Rows(flags.case)
    with rows.server(flags.server, "--port=0") as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        peer = Peer(channel)
        for row in ROWS:
            runner.run(f"reflection/{row}", getattr(peer, row))
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
