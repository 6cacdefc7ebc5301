"""The stub of grpcio-health-checking against the interop server of this repository: the rows of gRPC's own tests of a
servicer, 5 of Watch and 6 of Check, and List.

The server's health is switched by grpc.testing.XdsUpdateHealthService. Watches run in threads, as gRPC's own tests have it.
"""

import queue
import sys
import threading

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import rows
from testing import empty_pb2, test_pb2_grpc

SERVICE = "grpc.testing.TestService"
UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = (
    getattr(health_pb2.HealthCheckResponse, name) for name in ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
)


class Watch:
    """A call of Watch, which puts what it is told into a queue."""

    def __init__(self, stub, service):
        self._told = queue.Queue()
        self._call = stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=rows.TIMEOUT)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for response in self._call:
                self._told.put(response.status)
        except grpc.RpcError as error:
            self._told.put(error.code())

    def expect(self, status):
        rows.equal("watch", self._told.get(timeout=rows.TIMEOUT), status)

    def cancel(self):
        self._call.cancel()
        self.expect(grpc.StatusCode.CANCELLED)


class Peer:
    def __init__(self, channel):
        self._stub = health_pb2_grpc.HealthStub(channel)
        self._switch = test_pb2_grpc.XdsUpdateHealthServiceStub(channel)

    def set(self, serving):
        method = self._switch.SetServing if serving else self._switch.SetNotServing
        method(empty_pb2.Empty(), timeout=rows.TIMEOUT)

    def check(self, service):
        request = health_pb2.HealthCheckRequest(service=service)
        return self._stub.Check(request, timeout=rows.TIMEOUT).status

    def watch(self, service):
        return Watch(self._stub, service)

    def watch_server(self):
        watch = self.watch("")
        watch.expect(SERVING)
        watch.cancel()

    def watch_changes(self):
        watch = self.watch(SERVICE)
        watch.expect(SERVING)
        self.set(False)
        watch.expect(NOT_SERVING)
        self.set(True)
        watch.expect(SERVING)
        watch.cancel()

    def watch_unknown_is_told_of_no_other(self):
        watch, other = self.watch("no.Such"), self.watch(SERVICE)
        watch.expect(SERVICE_UNKNOWN)
        other.expect(SERVING)
        self.set(False)
        other.expect(NOT_SERVING)
        self.set(True)
        other.expect(SERVING)
        other.cancel()
        # The next that it is told is its own end: nothing came between.
        watch.cancel()

    def two_watches(self):
        watches = [self.watch(SERVICE) for _ in range(2)]
        for watch in watches:
            watch.expect(SERVING)
        self.set(False)
        for watch in watches:
            watch.expect(NOT_SERVING)
        self.set(True)
        for watch in watches:
            watch.expect(SERVING)
            watch.cancel()

    def watch_cancelled(self):
        kept, cancelled = self.watch(SERVICE), self.watch(SERVICE)
        kept.expect(SERVING)
        cancelled.expect(SERVING)
        cancelled.cancel()
        self.set(False)
        kept.expect(NOT_SERVING)
        self.set(True)
        kept.expect(SERVING)
        kept.cancel()

    def check_server(self):
        rows.equal("status", self.check(health.OVERALL_HEALTH), SERVING)

    def check_serving(self):
        rows.equal("status", self.check(SERVICE), SERVING)

    def check_not_serving(self):
        self.set(False)
        rows.equal("status", (self.check(SERVICE), self.check("")), (NOT_SERVING, NOT_SERVING))
        self.set(True)

    def check_unknown_status(self):
        # A status of its own, and not the absence of one: 0 on the wire.
        rows.equal("status", health_pb2.HealthCheckResponse().status, UNKNOWN)
        rows.equal("status", self.check("callwright.tests.Unknown"), UNKNOWN)

    def check_unknown_service(self):
        try:
            self.check("no.Such")
        except grpc.RpcError as error:
            rows.equal("code", error.code(), grpc.StatusCode.NOT_FOUND)
        else:
            raise AssertionError("there is a status")

    def name(self):
        rows.equal("name", health.SERVICE_NAME, "grpc.health.v1.Health")

    def list(self):
        statuses = self._stub.List(health_pb2.HealthListRequest(), timeout=rows.TIMEOUT).statuses
        seen = {name: response.status for name, response in statuses.items()}
        rows.equal("list", seen, {"": SERVING, SERVICE: SERVING, "callwright.tests.Unknown": UNKNOWN})


ROWS = (
    "watch_server",
    "watch_changes",
    "watch_unknown_is_told_of_no_other",
    "two_watches",
    "watch_cancelled",
    "check_server",
    "check_serving",
    "check_not_serving",
    "check_unknown_status",
    "check_unknown_service",
    "name",
    "list",
)


def main():
    flags = rows.arguments(__doc__)
    runner = rows.Rows(flags.case)
    with rows.server(flags.server, "--port=0") as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        peer = Peer(channel)
        for row in ROWS:
            runner.run(f"health/{row}", getattr(peer, row))
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
