"""Serves with grpcio over TLS, on a free port of 127.0.0.1, and tells callers who they are by its auth_context.

It demands certificates of clients, or does not ask: grpcio has no API for those that are optional.
"""

import argparse
import pathlib
from concurrent import futures

import grpc
from google.protobuf import wrappers_pb2

# The others are the certificate itself, or differ.
TOLD = ("transport_security_type", "x509_common_name", "x509_subject_alternative_name")


def who_am_i(request, context):
    properties = context.auth_context()
    lines = [f"{name}={value.decode()}" for name in TOLD for value in properties.get(name, ())]
    lines.append(f"identity={context.peer_identity_key() or 'none'}")
    lines.extend(f"peer={identity.decode()}" for identity in context.peer_identities() or ())
    return wrappers_pb2.StringValue(value="\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificates", type=pathlib.Path, required=True)
    parser.add_argument("--client_certificates", choices=("require", "none"), required=True)
    flags = parser.parse_args()
    read = lambda name: (flags.certificates / name).read_bytes()
    requires = flags.client_certificates == "require"
    credentials = grpc.ssl_server_credentials(
        [(read("server.key"), read("server.pem"))], read("clients.pem") if requires else None, requires
    )
    server = grpc.server(futures.ThreadPoolExecutor(2))
    string = wrappers_pb2.StringValue
    handler = grpc.unary_unary_rpc_method_handler(who_am_i, string.FromString, string.SerializeToString)
    service = grpc.method_handlers_generic_handler("callwright.tests.Identity", {"WhoAmI": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
