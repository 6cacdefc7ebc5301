"""A grpcio client under load, of a server that restarts gracefully again and again (restarting_server of this repository).

No call that reached a server is lost, and none that failed was seen by one: both sides count them.
"""

import sys
import threading
import time

import grpc
from callwright.tests import echo_pb2, echo_pb2_grpc

import rows

TIMEOUT = 60
WORKERS = 50
# How many calls of each worker have to succeed.
CALLS = 40
# How many streams there are, and how many messages each has.
STREAMS, MESSAGES = 20, 60
# How many servers have to go while this lasts, and after how many calls each does.
RESTARTS = 4
CALLS_A_SERVER = 250
# As soon as it can be: 100 ms is the least there is.
SOON = [(f"grpc.{which}_reconnect_backoff_ms", 100) for which in ("initial", "min", "max")]


def dial(port):
    # Channels of one process share their connections unless they are told not to.
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=[*SOON, ("grpc.use_local_subchannel_pool", 1)])


def together(count, work):
    """Runs `work` on so many threads, and waits for them."""
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * TIMEOUT)
    rows.equal("threads that hang", sum(thread.is_alive() for thread in threads), 0)


def report(port):
    """How often the servers saw each call, once as many have gone as there should be, with calls under way."""
    with dial(port) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)
        reply = stub.UnaryUnary(
            echo_pb2.Blob(), metadata=[("x-report", "1")], wait_for_ready=True, timeout=TIMEOUT
        )
    lines = [line.split() for line in reply.body.decode().splitlines()]
    told = sum(int(line[1]) for line in lines if line[0] == "told")
    gone = [int(line[2]) for line in lines if line[0] == "gone"]
    busy = sum(calls > 0 for calls in gone)
    if len(gone) != told or busy < RESTARTS:
        raise AssertionError(f"{len(gone)} of {told} servers have gone, {busy} of them with calls under way")
    return {line[1]: int(line[2]) for line in lines if line[0] == "call"}


def compare(port, outcomes, may_fail):
    """Each call that succeeded was seen once, and each that failed not at all."""
    seen = report(port)
    for name, error in outcomes.items():
        if error is None:
            rows.equal(f"how often {name} was seen, which succeeded", seen.get(name, 0), 1)
            continue
        if not may_fail or not isinstance(error, grpc.RpcError):
            raise AssertionError(f"{name} failed: {error}")
        rows.equal(f"code of {name}", error.code(), grpc.StatusCode.UNAVAILABLE)
        rows.equal(f"how often {name} was seen, which failed ({error.details()})", seen.get(name, 0), 0)
    failed = sum(error is not None for error in outcomes.values())
    print(f"{len(outcomes)} calls, {failed} of them failed and were never seen", flush=True)


def unaries(command, *flags, wait=None, may_fail=False):
    outcomes = {}
    with rows.server(command, *(flags or [f"--calls={CALLS_A_SERVER}"])) as port, dial(port) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)
        deadline = time.monotonic() + TIMEOUT

        def work(worker):
            succeeded = number = 0
            while succeeded < CALLS and time.monotonic() < deadline:
                name = f"call-{worker}-{number}"
                number += 1
                blob = echo_pb2.Blob(body=name.encode())
                try:
                    rows.equal("reply", stub.UnaryUnary(blob, wait_for_ready=wait, timeout=TIMEOUT), blob)
                except Exception as error:
                    outcomes[name] = error
                    time.sleep(0.02)
                else:
                    outcomes[name] = None
                    succeeded += 1

        together(WORKERS, work)
        compare(port, outcomes, may_fail)


def streams(command):
    outcomes = {}
    with rows.server(command, f"--calls={CALLS_A_SERVER}") as port, dial(port) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)
        left = threading.Semaphore(0)

        def stream(number):
            blob = echo_pb2.Blob(body=f"stream-{number}".encode())

            def requests():
                for _ in range(MESSAGES):
                    yield blob
                    time.sleep(0.01)

            try:
                replies = list(stub.StreamStream(requests(), wait_for_ready=True, timeout=TIMEOUT))
                rows.equal("replies", replies, [blob] * MESSAGES)
            except Exception as error:
                outcomes[f"stream-{number}"] = error
            else:
                outcomes[f"stream-{number}"] = None
            left.release()

        def load(number):
            # What has the servers go, until the streams have ended and enough of them have.
            for _ in range(CALLS):
                stub.UnaryUnary(echo_pb2.Blob(body=b"load"), wait_for_ready=True, timeout=TIMEOUT)

        def work(number):
            stream(number) if number < STREAMS else load(number)

        together(STREAMS + WORKERS, work)
        compare(port, outcomes, False)


def main():
    arguments = rows.arguments(__doc__)
    run = rows.Rows(arguments.case)
    run.run("restarts/wait_for_ready", lambda: unaries(arguments.server, wait=True))
    run.run("restarts/fail_fast", lambda: unaries(arguments.server, may_fail=True))
    run.run("restarts/streams", lambda: streams(arguments.server))
    # The more often, so that clients are met in every moment of a connection.
    run.run("restarts/kept_socket", lambda: unaries(arguments.server, "--keep_socket", "--calls=50"))
    sys.exit(1 if run.failed else 0)


if __name__ == "__main__":
    main()
