"""Serves callwright.tests.Echo with grpcio, as `echo_server` of this repository does with callwright.

What the metadata of a call asks for is listed there (tests/src/interop/echo.rs) and, of attempts, in
tests/src/interop/rows/attempts.rs. With --observe, a proxy before the server reads the flag bytes of the requests, and the
trailing metadata tells them; each call must come on a connection of its own then, one by one. With --until_stdin_closes, a
line "stop" ends the server at once, with the calls that it has.
"""

import argparse
import asyncio
import os
import sys
import threading
from concurrent import futures

import grpc
from callwright.tests import echo_pb2, echo_pb2_grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

import wire
from attempts import Attempts

COMPRESSIONS = {
    "identity": grpc.Compression.NoCompression,
    "deflate": grpc.Compression.Deflate,
    "gzip": grpc.Compression.Gzip,
}
# Of grpc.compression_enabled_algorithms_bitset: what is left when one encoding is accepted beside identity.
BITSETS = {"deflate": 0b011, "gzip": 0b101}


class Script:
    """What the metadata of a call asks for."""

    def __init__(self, context):
        metadata = dict(context.invocation_metadata())
        self.responses = int(metadata.get("x-responses", 1))
        self.compression = COMPRESSIONS.get(metadata.get("x-response-compression"))
        self.metadata_first = "x-metadata-first" in metadata
        self._plain = metadata.get("x-plain", "")
        self._context = context

    def set_compression(self):
        if self.compression is not None:
            self._context.set_compression(self.compression)

    def before(self, index):
        if self._plain == "all" or str(index) in self._plain.split(","):
            self._context.disable_next_message_compression()


class Observer:
    """Tells what the proxy saw, where there is one."""

    def __init__(self):
        self.proxy = None

    def tell(self, context):
        if self.proxy:
            context.set_trailing_metadata((("x-request-flags", wire.digits(self.proxy.requests)),))


DETAILS_KEY = "grpc-status-details-bin"


class RawStatus(grpc.Status):
    """A status whose details are bytes of whatever kind."""

    def __init__(self, code, details, trailing_metadata):
        self.code, self.details, self.trailing_metadata = code, details, trailing_metadata


def fail_as_asked(context):
    metadata = dict(context.invocation_metadata())
    details = metadata.get("x-details-bin")
    trailing = ((DETAILS_KEY, details),) if details else ()
    if "x-status-bin" in metadata:
        status = status_pb2.Status.FromString(metadata["x-status-bin"])
        context.abort_with_status(rpc_status.to_status(status))
    elif "x-code" in metadata:
        code = next(code for code in grpc.StatusCode if code.value[0] == int(metadata["x-code"]))
        context.abort_with_status(RawStatus(code, metadata["x-message"], trailing))
    elif trailing:
        context.set_trailing_metadata(trailing)


class Echo(echo_pb2_grpc.EchoServicer):
    def __init__(self, observer):
        self._observer = observer
        self._attempts = Attempts()

    def _begin(self, context):
        script = Script(context)
        if script.metadata_first:
            context.send_initial_metadata(())
        script.set_compression()
        return script

    def UnaryUnary(self, request, context):
        script = self._begin(context)
        self._observer.tell(context)
        fail_as_asked(context)
        metadata = dict(context.invocation_metadata())
        if "x-report" in metadata:
            return echo_pb2.Blob(body=self._attempts.report(metadata["x-report"]).encode())
        if "x-call" in metadata:
            self._attempts.answer(metadata["x-call"], context)
        script.before(0)
        return request

    def UnaryStream(self, request, context):
        script = self._begin(context)
        self._observer.tell(context)
        for index in range(script.responses):
            script.before(index)
            yield request

    def StreamUnary(self, requests, context):
        script = self._begin(context)
        last = None
        for request in requests:
            last = request
        self._observer.tell(context)
        script.before(0)
        return last

    def StreamStream(self, requests, context):
        script = self._begin(context)
        for index, request in enumerate(requests):
            script.before(index)
            yield request
        self._observer.tell(context)


class AioEcho(echo_pb2_grpc.EchoServicer):
    def __init__(self, observer):
        self._observer = observer

    async def _begin(self, context):
        script = Script(context)
        if script.metadata_first:
            await context.send_initial_metadata(())
        script.set_compression()
        return script

    async def UnaryUnary(self, request, context):
        script = await self._begin(context)
        self._observer.tell(context)
        script.before(0)
        return request

    async def UnaryStream(self, request, context):
        script = await self._begin(context)
        self._observer.tell(context)
        for index in range(script.responses):
            script.before(index)
            yield request

    async def StreamUnary(self, requests, context):
        script = await self._begin(context)
        last = None
        async for request in requests:
            last = request
        self._observer.tell(context)
        script.before(0)
        return last

    async def StreamStream(self, requests, context):
        script = await self._begin(context)
        index = 0
        async for request in requests:
            script.before(index)
            index += 1
            yield request
        self._observer.tell(context)


def obey_stdin(stop):
    """Ends this process with its parent, even one that was killed itself, and the server when a line says so."""
    for line in sys.stdin:
        if line == "stop\n":
            stop()
    os._exit(0)


def listen(server, flags, observer):
    """Binds the server; gives the port that clients are to use."""
    inner = server.add_insecure_port(f"127.0.0.1:{0 if flags.observe else flags.port}")
    if not flags.observe:
        return inner
    observer.proxy = wire.FlagProxy(inner, flags.port)
    return observer.proxy.port


def serve(flags, options, compression):
    observer = Observer()
    server = grpc.server(futures.ThreadPoolExecutor(32), options=options, compression=compression)
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(observer), server)
    port = listen(server, flags, observer)
    server.start()
    if flags.until_stdin_closes:
        threading.Thread(target=obey_stdin, args=(lambda: server.stop(0),), daemon=True).start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


async def serve_aio(flags, options, compression):
    observer = Observer()
    server = grpc.aio.server(options=options, compression=compression)
    echo_pb2_grpc.add_EchoServicer_to_server(AioEcho(observer), server)
    port = listen(server, flags, observer)
    await server.start()
    if flags.until_stdin_closes:
        loop = asyncio.get_running_loop()

        def stop():
            asyncio.run_coroutine_threadsafe(server.stop(0), loop)

        threading.Thread(target=obey_stdin, args=(stop,), daemon=True).start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--compression", choices=COMPRESSIONS, default="identity")
    parser.add_argument("--accept", choices=BITSETS)
    parser.add_argument("--observe", action="store_true")
    parser.add_argument("--max_concurrent_streams", type=int)
    parser.add_argument("--aio", action="store_true")
    parser.add_argument("--until_stdin_closes", action="store_true")
    flags = parser.parse_args()
    options = []
    if flags.max_concurrent_streams:
        options.append(("grpc.max_concurrent_streams", flags.max_concurrent_streams))
    if flags.accept:
        options.append(("grpc.compression_enabled_algorithms_bitset", BITSETS[flags.accept]))
    compression = None if flags.compression == "identity" else COMPRESSIONS[flags.compression]
    if flags.aio:
        asyncio.run(serve_aio(flags, options, compression))
    else:
        serve(flags, options, compression)


if __name__ == "__main__":
    main()
