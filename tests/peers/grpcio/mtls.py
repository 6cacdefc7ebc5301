"""Certificates of clients: a grpcio client against servers that demand one, that ask for one, and that do not ask.

The servers tell whom they saw.
"""

import argparse
import pathlib
import sys

import grpc
from google.protobuf import wrappers_pb2

import rows

METHOD = "/callwright.tests.Identity/WhoAmI"
# The names of a client whose certificate has some beside the common name.
NAMES = ["me.example", "spiffe://example/me"]
NOBODY = ["transport_security_type=ssl", "identity=none"]


def known(common_name, *names):
    """What a server knows of a client with this common name and these further names."""
    identity = "x509_subject_alternative_name" if names else "x509_common_name"
    return [
        "transport_security_type=ssl",
        f"x509_common_name={common_name}",
        *(f"x509_subject_alternative_name={name}" for name in names),
        f"identity={identity}",
        *(f"peer={name}" for name in names or [common_name]),
    ]


class Peer:
    def __init__(self, folder, port):
        self._folder = folder
        self._port = port

    def _call(self, certificate):
        read = lambda name: (self._folder / name).read_bytes()
        chain, key = (read(f"{certificate}.pem"), read(f"{certificate}.key")) if certificate else (None, None)
        credentials = grpc.ssl_channel_credentials(read("ca.pem"), key, chain)
        # Channels would share a connection else.
        options = (("grpc.use_local_subchannel_pool", 1),)
        with grpc.secure_channel(f"127.0.0.1:{self._port}", credentials, options) as channel:
            string = wrappers_pb2.StringValue
            who_am_i = channel.unary_unary(METHOD, string.SerializeToString, string.FromString)
            return who_am_i(string(), timeout=rows.TIMEOUT).value

    def tells(self, certificate, lines):
        rows.equal("what the server knows", self._call(certificate).split("\n"), lines)

    def refuses(self, certificate):
        try:
            told = self._call(certificate)
        except grpc.RpcError as error:
            rows.equal(f"code of {error.details()!r}", error.code(), grpc.StatusCode.UNAVAILABLE)
        else:
            raise AssertionError(f"the client is served: {told!r}")
        # The client was refused: it is not that nobody is there.
        self.tells("client", known("me", *NAMES))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="", help="the row or group to run; all if empty")
    parser.add_argument("--certificates", type=pathlib.Path, help="the folder of certificates and keys")
    for asks in ("require", "request", "none"):
        parser.add_argument(f"--{asks}", type=int, help="the port of a server that asks this of clients")
    flags = parser.parse_args()
    runner = rows.Rows(flags.case)
    for asks in ("require", "request"):
        port = getattr(flags, asks)
        if port is None:
            continue
        peer = Peer(flags.certificates, port)
        runner.run(f"mtls/{asks}/names", peer.tells, "client", known("me", *NAMES))
        runner.run(f"mtls/{asks}/common_name", peer.tells, "plain", known("plain me"))
        if asks == "require":
            runner.run(f"mtls/{asks}/without", peer.refuses, None)
        else:
            runner.run(f"mtls/{asks}/without", peer.tells, None, NOBODY)
        runner.run(f"mtls/{asks}/stranger", peer.refuses, "stranger")
    if flags.none is not None:
        runner.run("mtls/none/names", Peer(flags.certificates, flags.none).tells, "client", NOBODY)
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
