"""A grpcio client against the echo server of this repository: the rows of gRPC's own compression tests (gRFC L46).

64 combinations, 2 of single messages, 8 of aio. A proxy between both reads the flag byte of every message, both ways;
the server's own account of what it received must agree.
"""

import asyncio
import itertools
import sys

import grpc
from callwright.tests import echo_pb2, echo_pb2_grpc

import rows
import wire

STREAM_LENGTH = 12
BLOB = echo_pb2.Blob(body=b"\0" * 100)
GZIP, DEFLATE = grpc.Compression.Gzip, grpc.Compression.Deflate
# The proxy tells calls apart by their connections, which channels would share otherwise.
OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
SWITCH = {"none": None, "gzip": GZIP}
KINDS = {
    "unary_unary": (False, False),
    "unary_stream": (False, True),
    "stream_unary": (True, False),
    "stream_stream": (True, True),
}


def length(streams):
    return STREAM_LENGTH if streams else 1


def call(stub, kind, compression, metadata):
    """Makes one call; every message must arrive intact. Gives the server's account of the request flags."""
    client_streams, server_streams = KINDS[kind]
    method = getattr(stub, "".join(part.title() for part in kind.split("_")))
    request = iter([BLOB] * STREAM_LENGTH) if client_streams else BLOB
    options = {"compression": compression, "metadata": metadata, "timeout": rows.TIMEOUT}
    if server_streams:
        done = method(request, **options)
        responses = list(done)
    else:
        response, done = method.with_call(request, **options)
        responses = [response]
    rows.equal("responses", responses, [BLOB] * length(server_streams))
    return dict(done.trailing_metadata())["x-request-flags"]


def metadata(**script):
    """What the server is to do, as metadata."""
    script.setdefault("x_responses", str(STREAM_LENGTH))
    return tuple(("-".join(key.split("_")), value) for key, value in script.items())


def check(proxy, kind, on_channel, on_call, script, requests, responses):
    with grpc.insecure_channel(f"127.0.0.1:{proxy.port}", compression=on_channel, options=OPTIONS) as channel:
        told = call(echo_pb2_grpc.EchoStub(channel), kind, on_call, script)
    rows.equal("request flags on the wire", wire.digits(proxy.requests), requests)
    rows.equal("response flags on the wire", wire.digits(proxy.responses), responses)
    rows.equal("request flags as the server saw them", told, requests)


def matrix(run, command):
    for on_server in SWITCH:
        with rows.server(command, f"--compression={'identity' if on_server == 'none' else on_server}") as port:
            proxy = wire.FlagProxy(port)
            for kind, on_channel, on_call, on_response in itertools.product(KINDS, SWITCH, SWITCH, SWITCH):
                script = metadata() if on_response == "none" else metadata(x_response_compression=on_response)
                client_streams, server_streams = KINDS[kind]
                compressed = "gzip" in (on_channel, on_call)
                answered = "gzip" in (on_server, on_response)
                run(
                    f"compression/{kind}/channel-{on_channel}/call-{on_call}/server-{on_server}/response-{on_response}",
                    check,
                    proxy,
                    kind,
                    SWITCH[on_channel],
                    SWITCH[on_call],
                    script,
                    str(int(compressed)) * length(client_streams),
                    str(int(answered)) * length(server_streams),
                )
            proxy.close()


def single_messages(run, command):
    with rows.server(command, "--compression=deflate") as port:
        proxy = wire.FlagProxy(port)
        for name, plain, responses in (
            ("disable_next", "all", "0" * STREAM_LENGTH),
            ("disable_next_resets", "0", "0" + "1" * (STREAM_LENGTH - 1)),
        ):
            script = metadata(x_plain=plain)
            run(f"compression/{name}", check, proxy, "unary_stream", None, None, script, "0", responses)
        proxy.close()


async def aio_call(port, kind, on_channel=None, on_call=None, **script):
    """Makes one call with grpc.aio; gives its responses and the code that it ended with."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", compression=on_channel, options=OPTIONS) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)
        options = {"compression": on_call, "metadata": metadata(**script), "timeout": rows.TIMEOUT}
        method = {"unary_unary": stub.UnaryUnary, "unary_stream": stub.UnaryStream}[kind]
        done = method(BLOB, **options)
        try:
            responses = [response async for response in done] if kind == "unary_stream" else [await done]
        except grpc.aio.AioRpcError:
            responses = []
        return responses, await done.code()


def aio(run, command):
    def check_aio(proxy, kind, expected, flags, **options):
        responses, code = asyncio.run(aio_call(proxy.port, kind, **options))
        rows.equal("code", code, expected)
        if expected == grpc.StatusCode.OK:
            rows.equal("responses", responses, [BLOB] * len(flags))
        rows.equal("response flags on the wire", wire.digits(proxy.responses), flags)

    ok, unimplemented, internal = grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL

    def row(name, proxy, *args, **options):
        run(f"compression/aio/{name}", lambda: check_aio(proxy, *args, **options))

    with rows.server(command, "--accept=deflate") as port:
        proxy = wire.FlagProxy(port)
        row("channel_gzip_where_it_is_disabled", proxy, "unary_unary", unimplemented, "", on_channel=GZIP)
        row("channel_deflate", proxy, "unary_unary", ok, "0", on_channel=DEFLATE)
        row("call_gzip_where_it_is_disabled", proxy, "unary_unary", unimplemented, "", on_call=GZIP)
        row("call_deflate", proxy, "unary_unary", ok, "0", on_call=DEFLATE)
        proxy.close()
    with rows.server(command) as port:
        proxy = wire.FlagProxy(port)

        def set_compression():
            check_aio(proxy, "unary_stream", ok, "111", x_responses="3", x_response_compression="gzip")
            late = {"x_response_compression": "gzip", "x_metadata_first": "1"}
            check_aio(proxy, "unary_stream", internal, "", **late)

        run("compression/aio/set_compression_only_before_the_initial_metadata", set_compression)
        script = {"x_response_compression": "gzip", "x_plain": "0"}
        row("disable_compression_unary", proxy, "unary_unary", ok, "0", **script)
        script = {"x_response_compression": "gzip", "x_plain": "1", "x_responses": "3"}
        row("disable_compression_stream", proxy, "unary_stream", ok, "101", **script)
        proxy.close()
    with rows.server(command, "--compression=deflate") as port:
        proxy = wire.FlagProxy(port)
        row("server_default_deflate", proxy, "unary_unary", ok, "1")
        proxy.close()


def main():
    flags = rows.arguments(__doc__)
    runner = rows.Rows(flags.case)
    matrix(runner.run, flags.server)
    single_messages(runner.run, flags.server)
    aio(runner.run, flags.server)
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
