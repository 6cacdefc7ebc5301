"""A grpcio client that runs gRPC's interoperability cases against the interop server of this repository.

grpcio cannot send one message of a stream uncompressed, so that client_compressed_streaming is not among them. The flag
bytes of responses are read by a proxy between both, which can read none over TLS: cases that need them run without it alone.
"""

import pathlib
import queue
import sys

import grpc

import rows
import wire
from testing import ECHO_INITIAL, ECHO_TRAILING, empty_pb2, messages_pb2, payload, test_pb2_grpc

LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
TIMEOUT = {"timeout": rows.TIMEOUT}


def large_request(**fields):
    return messages_pb2.SimpleRequest(response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST), **fields)


def output_request(response_sizes, request_size=0, **fields):
    parameters = [messages_pb2.ResponseParameters(size=size) for size in response_sizes]
    return messages_pb2.StreamingOutputCallRequest(
        response_parameters=parameters, payload=payload(request_size), **fields
    )


def sizes(responses):
    return tuple(len(response.payload.body) for response in responses)


def fails(call, code, *args, **options):
    """Makes a call that must end with this code; gives its details."""
    try:
        response = call(*args, **TIMEOUT, **options)
        if hasattr(response, "__next__"):
            list(response)
    except grpc.RpcError as error:
        rows.equal("code", error.code(), code)
        return error.details()
    raise AssertionError(f"the call succeeded, expected {code}")


class Requests:
    """A stream of requests that are sent one by one, when `send` is called."""

    def __init__(self):
        self._queue = queue.Queue()

    def __iter__(self):
        return iter(self._queue.get, None)

    def send(self, request):
        self._queue.put(request)

    def finish(self):
        self._queue.put(None)


def empty_unary(stub):
    rows.equal("response", stub.EmptyCall(empty_pb2.Empty(), **TIMEOUT), empty_pb2.Empty())


def large_unary(stub):
    response = stub.UnaryCall(large_request(), **TIMEOUT)
    rows.equal("payload", response.payload, payload(LARGE_RESPONSE))


def cacheable_unary(stub):
    call = lambda: stub.CacheableUnaryCall(large_request(), metadata=(("x-user-ip", "1.2.3.4"),), **TIMEOUT)
    rows.equal("response", call(), call())


def pick_first_unary(stub):
    request = messages_pb2.SimpleRequest(fill_server_id=True)
    names = {stub.UnaryCall(request, **TIMEOUT).server_id for _ in range(100)}
    rows.equal("number of servers", len(names - {""}), 1)


def client_streaming(stub):
    requests = (messages_pb2.StreamingInputCallRequest(payload=payload(size)) for size in REQUEST_SIZES)
    rows.equal("size", stub.StreamingInputCall(requests, **TIMEOUT).aggregated_payload_size, 74922)


def server_streaming(stub):
    rows.equal("sizes", sizes(stub.StreamingOutputCall(output_request(RESPONSE_SIZES), **TIMEOUT)), RESPONSE_SIZES)


def ping_pong(stub):
    requests = Requests()
    responses = stub.FullDuplexCall(iter(requests), **TIMEOUT)
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.send(output_request([response_size], request_size))
        rows.equal("size", sizes([next(responses)]), (response_size,))
    requests.finish()
    rows.equal("further responses", list(responses), [])


def half_duplex(stub):
    requests = [output_request([size]) for size in RESPONSE_SIZES]
    rows.equal("sizes", sizes(stub.HalfDuplexCall(iter(requests), **TIMEOUT)), RESPONSE_SIZES)


def empty_stream(stub):
    rows.equal("responses", list(stub.FullDuplexCall(iter(()), **TIMEOUT)), [])


def custom_metadata(stub):
    initial, trailing = (ECHO_INITIAL, "test_initial_metadata_value"), (ECHO_TRAILING, b"\xab\xab\xab")
    options = {"metadata": (initial, trailing), **TIMEOUT}
    _, unary = stub.UnaryCall.with_call(large_request(), **options)
    duplex = stub.FullDuplexCall(iter([output_request([LARGE_RESPONSE], LARGE_REQUEST)]), **options)
    list(duplex)
    for call in (unary, duplex):
        rows.equal("initial metadata", dict(call.initial_metadata()).get(initial[0]), initial[1])
        rows.equal("trailing metadata", dict(call.trailing_metadata()).get(trailing[0]), trailing[1])


def status_code_and_message(stub):
    status = messages_pb2.EchoStatus(code=2, message="test status message")
    request = messages_pb2.SimpleRequest(response_status=status)
    rows.equal("details", fails(stub.UnaryCall, grpc.StatusCode.UNKNOWN, request), status.message)
    requests = iter([output_request([], response_status=status)])
    rows.equal("details", fails(stub.FullDuplexCall, grpc.StatusCode.UNKNOWN, requests), status.message)


def special_status_message(stub):
    message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    request = messages_pb2.SimpleRequest(response_status=messages_pb2.EchoStatus(code=2, message=message))
    rows.equal("details", fails(stub.UnaryCall, grpc.StatusCode.UNKNOWN, request), message)


def unimplemented_method(stub):
    fails(stub.UnimplementedCall, grpc.StatusCode.UNIMPLEMENTED, empty_pb2.Empty())


def unimplemented_service(stub):
    other = test_pb2_grpc.UnimplementedServiceStub(stub.channel)
    fails(other.UnimplementedCall, grpc.StatusCode.UNIMPLEMENTED, empty_pb2.Empty())


def cancel_after_begin(stub):
    call = stub.StreamingInputCall.future(iter(Requests()), **TIMEOUT)
    call.cancel()
    rows.equal("code", call.code(), grpc.StatusCode.CANCELLED)


def cancel_after_first_response(stub):
    requests = Requests()
    call = stub.FullDuplexCall(iter(requests), **TIMEOUT)
    requests.send(output_request([31415], 27182))
    rows.equal("size", sizes([next(call)]), (31415,))
    call.cancel()
    rows.equal("code", call.code(), grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(stub):
    requests = Requests()
    requests.send(output_request([], 27182))
    call = stub.FullDuplexCall(iter(requests), timeout=0.001)
    try:
        next(call)
    except grpc.RpcError:
        rows.equal("code", call.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    else:
        raise AssertionError("the call had a response within 1 ms")


def client_compressed_unary(stub):
    says = lambda value: {"expect_compressed": messages_pb2.BoolValue(value=value)}
    fails(stub.UnaryCall, grpc.StatusCode.INVALID_ARGUMENT, large_request(**says(True)))
    for compression, compressed in ((grpc.Compression.Gzip, True), (grpc.Compression.Deflate, True), (None, False)):
        response = stub.UnaryCall(large_request(**says(compressed)), compression=compression, **TIMEOUT)
        rows.equal("payload", response.payload, payload(LARGE_RESPONSE))


def server_compressed_unary(stub):
    for compressed in (True, False):
        request = large_request(response_compressed=messages_pb2.BoolValue(value=compressed))
        stub.proxy.responses.clear()
        rows.equal("payload", stub.UnaryCall(request, **TIMEOUT).payload, payload(LARGE_RESPONSE))
        rows.equal("flag byte", wire.digits(stub.proxy.responses), str(int(compressed)))


def server_compressed_streaming(stub):
    request = output_request([31415, 92653])
    for parameters, compressed in zip(request.response_parameters, (True, False)):
        parameters.compressed.value = compressed
    rows.equal("sizes", sizes(stub.StreamingOutputCall(request, **TIMEOUT)), (31415, 92653))
    rows.equal("flag bytes", wire.digits(stub.proxy.responses), "10")


def concurrent_large_unary(stub):
    calls = [stub.UnaryCall.future(large_request(), **TIMEOUT) for _ in range(1000)]
    for call in calls:
        rows.equal("size", sizes([call.result()]), (LARGE_RESPONSE,))


def very_large_request(stub):
    request = messages_pb2.SimpleRequest(response_size=10, payload=payload(10 * 1024 * 1024))
    rows.equal("payload", stub.UnaryCall(request, **TIMEOUT).payload, payload(10))


CASES = [
    empty_unary,
    large_unary,
    cacheable_unary,
    pick_first_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    half_duplex,
    empty_stream,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
    client_compressed_unary,
    server_compressed_unary,
    server_compressed_streaming,
    concurrent_large_unary,
    very_large_request,
]
# These read the flag bytes.
OBSERVED = {server_compressed_unary, server_compressed_streaming}


def run(case, port, tls):
    proxy = wire.FlagProxy(port) if case in OBSERVED else None
    target = f"127.0.0.1:{proxy.port if proxy else port}"
    options = [("grpc.use_local_subchannel_pool", 1)]
    if tls:
        options.append(("grpc.ssl_target_name_override", tls.server_host_override))
        credentials = grpc.ssl_channel_credentials(pathlib.Path(tls.ca_file).read_bytes())
        opened = grpc.secure_channel(target, credentials, options)
    else:
        opened = grpc.insecure_channel(target, options)
    with opened as channel:
        stub = test_pb2_grpc.TestServiceStub(channel)
        stub.channel, stub.proxy = channel, proxy
        case(stub)
    if proxy:
        proxy.close()


def main():
    parser = rows.parser(__doc__)
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--ca_file", help="the authority to trust")
    parser.add_argument("--server_host_override", help="the name that the server is called by")
    flags = parser.parse_args()
    tls = flags if flags.use_tls == "true" else None
    runner = rows.Rows(flags.case, " over TLS" if tls else "")
    with rows.server(flags.server, "--port=0", "--address=127.0.0.1") as port:
        for case in CASES:
            if not (tls and case in OBSERVED):
                runner.run(case.__name__, run, case, port, tls)
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
