"""What the echo server saw of calls that have a name, and how it ends their attempts.

What the metadata asks for is listed in tests/src/interop/rows/attempts.rs.
"""

import threading
import time

import grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}


class Attempt:
    def __init__(self, previous):
        self.at = time.monotonic_ns() // 1000
        self.previous = previous
        self.end = "running"


class Attempts:
    def __init__(self):
        self._lock = threading.Lock()
        self._calls = {}

    def answer(self, name, context):
        """Notes an attempt, and ends it as the metadata says: with an exception unless it is to succeed."""
        metadata = dict(context.invocation_metadata())
        attempt = Attempt(metadata.get("grpc-previous-rpc-attempts", "-"))
        with self._lock:
            attempts = self._calls.setdefault(name, [])
            attempts.append(attempt)
            number = len(attempts) - 1
        answers = metadata["x-answers"].split(",")
        answer = answers[min(number, len(answers) - 1)]
        if answer == "never":
            over = threading.Event()
            if context.add_callback(over.set):
                over.wait()
            attempt.end = "cancelled"
            context.abort(grpc.StatusCode.CANCELLED, "the call is over")
        attempt.end = answer
        if answer != "0":
            if "x-pushback" in metadata:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", metadata["x-pushback"]),))
            context.abort(CODES[int(answer)], "as asked")

    def report(self, name):
        """The attempts of a call, one a line."""
        with self._lock:
            attempts = list(self._calls.get(name, ()))
        return "".join(f"{attempt.at} {attempt.previous} {attempt.end}\n" for attempt in attempts)
