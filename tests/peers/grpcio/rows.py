"""Rows: named checks, each of which prints `PASS name` or `FAIL name`."""

import argparse
import contextlib
import socket
import subprocess
import threading

# How long any call may take, in seconds, so that nothing hangs.
TIMEOUT = 20


def arguments(about):
    """The flags of a program of rows that has none of its own."""
    return parser(about).parse_args()


def parser(about):
    """What every program of rows takes: what to run, and the command of the server to run it against."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--case", default="", help="the row or group to run; all if empty")
    parser.add_argument("server", nargs="+", help="the command that starts the server under test")
    return parser


class Rows:
    """Runs rows and counts those that fail."""

    def __init__(self, wanted, suffix=""):
        """The suffix is printed behind each name."""
        self._wanted = wanted
        self._suffix = suffix
        self.failed = 0

    def wants(self, name):
        return not self._wanted or name == self._wanted or name.startswith(self._wanted + "/")

    def run(self, name, check, *args):
        if not self.wants(name):
            return
        printed = name + self._suffix
        try:
            check(*args)
        except Exception as error:  # A row that fails in any way must not end the others.
            self.failed += 1
            print(f"FAIL {printed}: {type(error).__name__}: {' '.join(str(error).split())}", flush=True)
        else:
            print(f"PASS {printed}", flush=True)


def equal(what, seen, expected):
    if seen != expected:
        raise AssertionError(f"{what}: saw {seen!r}, expected {expected!r}")


@contextlib.contextmanager
def server(command, *flags):
    """Runs a server that says `listening on ..:PORT`, gives its port, and ends it."""
    process = subprocess.Popen(
        [*command, *flags, "--until_stdin_closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    killer = threading.Timer(TIMEOUT, process.kill)
    killer.start()
    try:
        line = process.stdout.readline()
        killer.cancel()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{command} {flags} does not listen: {line!r}")
        yield int(line.rsplit(":", 1)[1])
    finally:
        killer.cancel()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def closed_port():
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
