"""A grpcio server that keeps what it gets and sends it back, and the command `callwright` that calls it.

Both sides of a call are seen: the message that arrived, and what the command printed of it.
"""

import contextlib
import subprocess
from concurrent import futures

import grpc
from grpc_reflection.v1alpha import reflection

from rows import TIMEOUT


class Mirror:
    """Every method of a service of one type of message: `methods` are its names, with whether it streams."""

    def __init__(self, service, methods, message):
        self.seen = []
        kinds = {False: grpc.unary_unary_rpc_method_handler, True: grpc.stream_stream_rpc_method_handler}
        answers = {False: self._one, True: self._many}
        handlers = {
            name: kinds[streams](answers[streams], message.FromString, lambda reply: reply.SerializeToString())
            for name, streams in methods.items()
        }
        self._handler = grpc.method_handlers_generic_handler(service, handlers)
        self._service = service

    def _one(self, request, context):
        self.seen.append(request)
        return request

    def _many(self, requests, context):
        for request in requests:
            self.seen.append(request)
            yield request

    @contextlib.contextmanager
    def serve(self):
        server = grpc.server(futures.ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers((self._handler,))
        reflection.enable_server_reflection((self._service, reflection.SERVICE_NAME), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None)


def call(command, target, method, *arguments, stdin="", env=None):
    """Runs `callwright call`; gives its exit code, its lines and what it said."""
    ended = subprocess.run(
        [*command, "call", target, method, *arguments],
        input=stdin.encode(),
        capture_output=True,
        timeout=TIMEOUT,
        env=env,
    )
    return ended.returncode, ended.stdout.decode().split("\n")[:-1], ended.stderr.decode()
