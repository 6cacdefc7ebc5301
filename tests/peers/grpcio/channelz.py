"""The stub of grpcio-channelz against the interop server of this repository: the rows of gRPC's own tests that a server
can show (its channels are shown by our own tests, as it has none).
"""

import contextlib
import sys
import time

import grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

import rows
from testing import messages_pb2, payload, test_pb2_grpc

NOWHERE = 10000


class Peer:
    def __init__(self, channel, port):
        self._port = port
        self._stub = channelz_pb2_grpc.ChannelzStub(channel)

    def _server(self):
        servers = self._stub.GetServers(channelz_pb2.GetServersRequest(start_server_id=0), timeout=rows.TIMEOUT)
        rows.equal("servers and end", (len(servers.server), servers.end), (1, True))
        return servers.server[0]

    def _sockets(self, start=0):
        request = channelz_pb2.GetServerSocketsRequest(server_id=self._server().ref.server_id, start_socket_id=start)
        return self._stub.GetServerSockets(request, timeout=rows.TIMEOUT)

    def _socket(self, socket_id):
        return self._stub.GetSocket(channelz_pb2.GetSocketRequest(socket_id=socket_id), timeout=rows.TIMEOUT).socket

    @contextlib.contextmanager
    def _calls(self):
        """The test service on a connection of its own, and that connection's id at the server."""
        before = {ref.socket_id for ref in self._sockets().socket_ref}
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{self._port}", options) as channel:
            grpc.channel_ready_future(channel).result(timeout=rows.TIMEOUT)
            new = [ref.socket_id for ref in self._sockets().socket_ref if ref.socket_id not in before]
            rows.equal("new connections", len(new), 1)
            yield test_pb2_grpc.TestServiceStub(channel), new[0]

    def _settled(self, socket_id, streams):
        """The counters of a connection once all its streams have ended at the server, too."""
        until = time.monotonic() + rows.TIMEOUT
        while True:
            data = self._socket(socket_id).data
            if data.streams_succeeded + data.streams_failed == streams or time.monotonic() > until:
                return data

    def top_channels(self):
        top = self._stub.GetTopChannels(channelz_pb2.GetTopChannelsRequest(start_channel_id=0), timeout=rows.TIMEOUT)
        rows.equal("channels and end", (len(top.channel), top.end), (0, True))

    def high_start(self):
        start = channelz_pb2.GetServersRequest(start_server_id=NOWHERE)
        servers = self._stub.GetServers(start, timeout=rows.TIMEOUT)
        rows.equal("servers and end", (len(servers.server), servers.end), (0, True))
        sockets = self._sockets(NOWHERE)
        rows.equal("sockets and end", (len(sockets.socket_ref), sockets.end), (0, True))

    def server(self):
        server = self._server()
        request = channelz_pb2.GetServerRequest(server_id=server.ref.server_id)
        again = self._stub.GetServer(request, timeout=rows.TIMEOUT).server
        rows.equal("id", again.ref.server_id, server.ref.server_id)
        if again.data.calls_started <= server.data.calls_started:
            raise AssertionError("a call was not counted")
        rows.equal("first event", again.data.trace.events[0].description, "server created")

    def listen_socket(self):
        sockets = self._server().listen_socket
        rows.equal("listening sockets", len(sockets), 1)
        local = self._socket(sockets[0].socket_id).local.tcpip_address
        rows.equal("port", local.port, self._port)

    def server_calls(self):
        with self._calls() as (stub, _):
            before = self._server().data
            for _ in range(3):
                stub.UnaryCall(messages_pb2.SimpleRequest(response_size=1), timeout=rows.TIMEOUT)
            for _ in range(2):
                self._fail(stub)
            after = self._server().data
        # The look at the counters is itself a call that had begun.
        rows.equal("failed", after.calls_failed - before.calls_failed, 2)
        rows.equal("succeeded", after.calls_succeeded - before.calls_succeeded, 4)

    def _fail(self, stub):
        status = messages_pb2.EchoStatus(code=3, message="as asked for")
        try:
            stub.UnaryCall(messages_pb2.SimpleRequest(response_status=status), timeout=rows.TIMEOUT)
        except grpc.RpcError as error:
            rows.equal("code", error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        else:
            raise AssertionError("the call succeeded")

    def socket_counters(self):
        with self._calls() as (stub, socket_id):
            for _ in range(5):
                stub.UnaryCall(messages_pb2.SimpleRequest(response_size=1, payload=payload(1)), timeout=rows.TIMEOUT)
            for _ in range(2):
                self._fail(stub)
            data = self._settled(socket_id, 7)
        rows.equal("streams", (data.streams_started, data.streams_succeeded, data.streams_failed), (7, 7, 0))
        rows.equal("messages", (data.messages_received, data.messages_sent), (7, 5))

    def socket_streaming(self):
        with self._calls() as (stub, socket_id):
            parameters = [messages_pb2.ResponseParameters(size=1)]
            request = messages_pb2.StreamingOutputCallRequest(response_parameters=parameters)
            replies = stub.FullDuplexCall(iter([request] * 200), timeout=rows.TIMEOUT)
            rows.equal("replies", len(list(replies)), 200)
            data = self._settled(socket_id, 1)
        rows.equal("streams", (data.streams_started, data.streams_succeeded), (1, 1))
        rows.equal("messages", (data.messages_received, data.messages_sent), (200, 200))

    def socket_addresses(self):
        with self._calls() as (_, socket_id):
            socket = self._socket(socket_id)
        rows.equal("local port", socket.local.tcpip_address.port, self._port)
        rows.equal("remote address", socket.remote.tcpip_address.ip_address, bytes([127, 0, 0, 1]))

    def not_found(self, method, **request):
        name = f"{method}Request"
        try:
            getattr(self._stub, method)(getattr(channelz_pb2, name)(**request), timeout=rows.TIMEOUT)
        except grpc.RpcError as error:
            rows.equal("code", error.code(), grpc.StatusCode.NOT_FOUND)
        else:
            raise AssertionError("it was found")


ROWS = (
    "top_channels",
    "high_start",
    "server",
    "listen_socket",
    "server_calls",
    "socket_counters",
    "socket_streaming",
    "socket_addresses",
)
NOT_FOUND = {
    "GetServer": "server_id",
    "GetServerSockets": "server_id",
    "GetChannel": "channel_id",
    "GetSubchannel": "subchannel_id",
    "GetSocket": "socket_id",
}


def main():
    flags = rows.arguments(__doc__)
    runner = rows.Rows(flags.case)
    with rows.server(flags.server, "--port=0") as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        peer = Peer(channel, port)
        for row in ROWS:
            runner.run(f"channelz/{row}", getattr(peer, row))
        for method, field in NOT_FOUND.items():
            runner.run(f"channelz/not_found_{method}", lambda: peer.not_found(method, **{field: NOWHERE}))
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
