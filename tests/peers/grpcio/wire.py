"""A TCP proxy that reads the flag bytes of the gRPC messages that pass it.

It is a third party between client and server: it believes neither of them, and follows the frames themselves
(RFC 9113 section 4.1 and 6.1, then the length-prefixed messages inside DATA). It understands plaintext HTTP/2 with prior
knowledge, and never changes a byte.
"""

import contextlib
import socket
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA = 0x0
PADDED = 0x8


class _Messages:
    """Takes the DATA of one stream and direction, and tells the flag of each message."""

    def __init__(self, flags):
        self._flags = flags
        self._buffer = b""

    def feed(self, data):
        self._buffer += data
        while len(self._buffer) >= 5:
            size = 5 + int.from_bytes(self._buffer[1:5], "big")
            if len(self._buffer) < size:
                return
            self._flags.append(self._buffer[0])
            self._buffer = self._buffer[size:]


class _Frames:
    """Takes the bytes of one direction of a connection, and hands DATA on by stream."""

    def __init__(self, preface, flags):
        self._skip = len(PREFACE) if preface else 0
        self._buffer = b""
        self._flags = flags
        self._streams = {}

    def feed(self, data):
        self._buffer += data
        if self._skip:
            if len(self._buffer) < self._skip:
                return
            self._buffer = self._buffer[self._skip :]
            self._skip = 0
        while len(self._buffer) >= 9:
            end = 9 + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                return
            kind, bits = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
            payload = self._buffer[9:end]
            self._buffer = self._buffer[end:]
            if kind == DATA:
                if bits & PADDED:
                    payload = payload[1 : len(payload) - payload[0]]
                self._streams.setdefault(stream, _Messages(self._flags)).feed(payload)


class FlagProxy:
    """Listens on `port` of 127.0.0.1 and passes everything to `target`, a port there.

    `requests` and `responses` are the flags of the newest connection: with one call a connection, those of that call.
    """

    def __init__(self, target, port=0):
        self.requests = []
        self.responses = []
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            # Lists of its own: what an older connection still brings must not mix with this one's.
            self.requests, self.responses = [], []
            for source, sink, frames in (
                (client, server, _Frames(True, self.requests)),
                (server, client, _Frames(False, self.responses)),
            ):
                threading.Thread(target=_pump, args=(source, sink, frames), daemon=True).start()


def _pump(source, sink, frames):
    # What breaks on one side is passed on by closing the other.
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            frames.feed(data)
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def digits(flags):
    """The flags as a text of 0 and 1."""
    return "".join(str(flag) for flag in flags)
