"""A grpcio client against the echo server of this repository: the rows of gRPC's own wait-for-ready tests (gRFC L42).

24 of `grpc`, over eight ways to make a call, and 12 of `grpc.aio`, over the four kinds. Calls that wait are made while
nobody listens, and released by a server that starts when every channel has failed to connect.
"""

import asyncio
import queue
import sys
import threading

import grpc
from callwright.tests import echo_pb2, echo_pb2_grpc

import rows

STREAM_LENGTH = 200
BLOB = echo_pb2.Blob(body=b"\0" * 3)
RESPONSES = (("x-responses", str(STREAM_LENGTH)),)
AIO_MESSAGES = 5
AIO_BLOB = echo_pb2.Blob(body=b"\0" * 42)


def blobs():
    return iter([BLOB] * STREAM_LENGTH)


def unary_unary_call(stub, **options):
    rows.equal("response", stub.UnaryUnary(BLOB, **options), BLOB)


def unary_unary_with_call(stub, **options):
    rows.equal("response", stub.UnaryUnary.with_call(BLOB, **options)[0], BLOB)


def unary_unary_future(stub, **options):
    rows.equal("response", stub.UnaryUnary.future(BLOB, **options).result(), BLOB)


def unary_stream_call(stub, **options):
    rows.equal("responses", list(stub.UnaryStream(BLOB, metadata=RESPONSES, **options)), [BLOB] * STREAM_LENGTH)


def stream_unary_call(stub, **options):
    rows.equal("response", stub.StreamUnary(blobs(), **options), BLOB)


def stream_unary_with_call(stub, **options):
    rows.equal("response", stub.StreamUnary.with_call(blobs(), **options)[0], BLOB)


def stream_unary_future(stub, **options):
    rows.equal("response", stub.StreamUnary.future(blobs(), **options).result(), BLOB)


def stream_stream_call(stub, **options):
    rows.equal("responses", list(stub.StreamStream(blobs(), **options)), [BLOB] * STREAM_LENGTH)


CALLS = [
    unary_unary_call,
    unary_unary_with_call,
    unary_unary_future,
    unary_stream_call,
    stream_unary_call,
    stream_unary_with_call,
    stream_unary_future,
    stream_stream_call,
]


def fails_fast(call, **options):
    with grpc.insecure_channel(f"127.0.0.1:{rows.closed_port()}") as channel:
        try:
            call(echo_pb2_grpc.EchoStub(channel), timeout=rows.TIMEOUT, **options)
        except grpc.RpcError as error:
            rows.equal("code", error.code(), grpc.StatusCode.UNAVAILABLE)
        else:
            raise AssertionError("the call succeeded without a server")


class Waiting:
    """A call that waits for its server on a channel and a thread of its own."""

    def __init__(self, call, port):
        self.failed_to_connect = threading.Event()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._channel.subscribe(self._changed)
        self._results = queue.Queue()
        threading.Thread(target=self._run, args=(call,), daemon=True).start()

    def _changed(self, state):
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            self.failed_to_connect.set()

    def _run(self, call):
        try:
            call(echo_pb2_grpc.EchoStub(self._channel), wait_for_ready=True, timeout=rows.TIMEOUT)
        except Exception as error:
            self._results.put(error)
        else:
            self._results.put(None)

    def result(self):
        error = self._results.get(timeout=2 * rows.TIMEOUT)
        self._channel.close()
        if error:
            raise error


def enabled(runner, command):
    port = rows.closed_port()
    waiting = {f"wait_for_ready/enabled/{call.__name__}": call for call in CALLS}
    waiting = {name: Waiting(call, port) for name, call in waiting.items() if runner.wants(name)}
    if not waiting:
        return
    for call in waiting.values():
        if not call.failed_to_connect.wait(rows.TIMEOUT):
            raise RuntimeError("a channel to a closed port does not report TRANSIENT_FAILURE")
    with rows.server(command, f"--port={port}"):
        for name, call in waiting.items():
            runner.run(name, call.result)


async def aio_call(stub, kind, **options):
    """One call of a kind with grpc.aio, checked response by response; gives its code."""
    options["timeout"] = rows.TIMEOUT
    metadata = (("x-responses", str(AIO_MESSAGES)),)
    blobs = [AIO_BLOB] * AIO_MESSAGES
    if kind == "unary_unary":
        call = stub.UnaryUnary(AIO_BLOB, **options)
        rows.equal("response", await call, AIO_BLOB)
    elif kind == "unary_stream":
        call = stub.UnaryStream(AIO_BLOB, metadata=metadata, **options)
        for _ in blobs:
            rows.equal("response", await call.read(), AIO_BLOB)
    elif kind == "stream_unary":
        call = stub.StreamUnary(iter(blobs), **options)
        rows.equal("response", await call, AIO_BLOB)
    else:
        call = stub.StreamStream(**options)
        for blob in blobs:
            await call.write(blob)
            rows.equal("response", await call.read(), AIO_BLOB)
        await call.done_writing()
    return await call.code()


async def aio_fails_fast(kind, **options):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{rows.closed_port()}") as channel:
        try:
            await aio_call(echo_pb2_grpc.EchoStub(channel), kind, **options)
        except grpc.aio.AioRpcError as error:
            rows.equal("code", error.code(), grpc.StatusCode.UNAVAILABLE)
        else:
            raise AssertionError("the call succeeded without a server")


async def aio_waits(kind, command):
    port = rows.closed_port()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = asyncio.ensure_future(aio_call(echo_pb2_grpc.EchoStub(channel), kind, wait_for_ready=True))
        state = channel.get_state()
        while state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            await asyncio.wait_for(channel.wait_for_state_change(state), rows.TIMEOUT)
            state = channel.get_state()
        with rows.server(command, f"--port={port}"):
            rows.equal("code", await call, grpc.StatusCode.OK)


def aio(run, command):
    for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
        run(f"wait_for_ready/aio/default/{kind}", lambda kind=kind: asyncio.run(aio_fails_fast(kind)))
        run(
            f"wait_for_ready/aio/disabled/{kind}",
            lambda kind=kind: asyncio.run(aio_fails_fast(kind, wait_for_ready=False)),
        )
        run(f"wait_for_ready/aio/enabled/{kind}", lambda kind=kind: asyncio.run(aio_waits(kind, command)))


def main():
    flags = rows.arguments(__doc__)
    runner = rows.Rows(flags.case)
    for call in CALLS:
        runner.run(f"wait_for_ready/default/{call.__name__}", fails_fast, call)
        runner.run(f"wait_for_ready/disabled/{call.__name__}", lambda call=call: fails_fast(call, wait_for_ready=False))
    enabled(runner, flags.server)
    aio(runner.run, flags.server)
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
