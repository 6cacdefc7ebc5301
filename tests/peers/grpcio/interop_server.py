"""Serves gRPC's standard test service with grpcio, and says by reflection what it serves.

It compresses what it is asked to compress. It cannot check expect_compressed: grpcio shows a handler no flag bytes.
"""

import argparse
import pathlib
import time
from concurrent import futures

import grpc
from grpc_reflection.v1alpha import reflection

from testing import ECHO_INITIAL, ECHO_TRAILING, empty_pb2, messages_pb2, payload, test_pb2_grpc


def begin(context):
    """Sends back the metadata that custom_metadata wants to see again. The compression must be set before."""
    metadata = dict(context.invocation_metadata())
    if ECHO_TRAILING in metadata:
        context.set_trailing_metadata(((ECHO_TRAILING, metadata[ECHO_TRAILING]),))
    if ECHO_INITIAL in metadata:
        context.send_initial_metadata(((ECHO_INITIAL, metadata[ECHO_INITIAL]),))


CODES = {code.value[0]: code for code in grpc.StatusCode}


def check_status(request, context):
    status = request.response_status
    if status.code:
        context.abort(CODES[status.code], status.message)


def choose_compression(parameters, context):
    if any(parameter.HasField("compressed") for parameter in parameters):
        context.set_compression(grpc.Compression.Gzip)


def respond(parameters, context):
    for parameter in parameters:
        time.sleep(parameter.interval_us / 1e6)
        if not parameter.compressed.value:
            context.disable_next_message_compression()
        yield messages_pb2.StreamingOutputCallResponse(payload=payload(parameter.size))


class TestService(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        begin(context)
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        begin(context)
        check_status(request, context)
        server_id = "grpcio" if request.fill_server_id else ""
        return messages_pb2.SimpleResponse(payload=payload(request.response_size), server_id=server_id)

    def CacheableUnaryCall(self, request, context):
        return messages_pb2.SimpleResponse(payload=payload(request.response_size))

    def StreamingOutputCall(self, request, context):
        choose_compression(request.response_parameters, context)
        begin(context)
        check_status(request, context)
        yield from respond(request.response_parameters, context)

    def StreamingInputCall(self, requests, context):
        begin(context)
        size = sum(len(request.payload.body) for request in requests)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=size)

    def FullDuplexCall(self, requests, context):
        begin(context)
        for request in requests:
            check_status(request, context)
            yield from respond(request.response_parameters, context)

    def HalfDuplexCall(self, requests, context):
        begin(context)
        for request in list(requests):
            yield from respond(request.response_parameters, context)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    flags = parser.parse_args()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    test_pb2_grpc.add_TestServiceServicer_to_server(TestService(), server)
    service = "grpc.testing.TestService"
    reflection.enable_server_reflection((service, reflection.SERVICE_NAME), server)
    address = f"127.0.0.1:{flags.port}"
    if flags.use_tls == "true":
        key, chain = (pathlib.Path(name).read_bytes() for name in (flags.tls_key_file, flags.tls_cert_file))
        port = server.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
