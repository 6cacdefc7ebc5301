"""Rows: a file of edition 2023 and the command `callwright`: with a protoc that knows editions, without one, and asked of
the server.
"""

import json
import os
import pathlib
import shlex
import sys
import tempfile

import edition_pb2
from google.protobuf import json_format

import mirror
import rows

PROTOS = pathlib.Path(__file__).parent / "proto"
METHOD = "callwright.tests.edition.Mirror/One"
FROM_FILE = ("--proto", "edition.proto", "-I", str(PROTOS))
Note = edition_pb2.Note

SAMPLES = [
    {"needed": 0},
    {"needed": 1, "implicit": "", "explicit": "", "withDefault": 0, "mood": "MOOD_CALM"},
    {"needed": -1, "packed": [1, 2], "expanded": [3, 4], "mood": "MOOD_WILD", "implicit": "é"},
    {"needed": 2, "group": {"text": "a", "inner": {"text": "b"}}, "groups": [{}, {"text": "c"}], "byName": {"x": {"text": "y"}}},
    {"needed": 3, "other": {"text": "chosen"}},
    {"needed": 4, "tag": ""},
]


def check_calls(command, *source, env):
    own = mirror.Mirror("callwright.tests.edition.Mirror", {"One": False}, Note)
    with own.serve() as target:
        for sample in SAMPLES:
            expected = json_format.ParseDict(sample, Note())
            answer = mirror.call(command, target, METHOD, "-d", json.dumps(sample), *source, env=env)
            rows.equal("the exit code", (answer[0], answer[2]), (0, ""))
            rows.equal("the message that arrived", own.seen.pop(), expected)
            rows.equal("the JSON", json.loads(answer[1][0]), json_format.MessageToDict(expected))


def check_with_protoc(command, env):
    """A program that is called as protoc is, made of grpcio-tools."""
    with tempfile.TemporaryDirectory() as folder:
        protoc = pathlib.Path(folder) / "protoc"
        protoc.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m grpc_tools.protoc "$@"\n')
        protoc.chmod(0o755)
        check_calls(command, *FROM_FILE, env=env | {"PROTOC": str(protoc)})


def check_without_protoc(command, env):
    code, printed, said = mirror.call(command, "127.0.0.1:1", METHOD, *FROM_FILE, env=env)
    rows.equal("the exit code", (code, printed), (64 + 3, []))
    for part in ("edition.proto", "2023", "PROTOC"):
        if part not in said:
            raise AssertionError(f"no {part!r} in {said}")


def main():
    arguments = rows.arguments(__doc__)
    all_rows = rows.Rows(arguments.case)
    env = {name: value for name, value in os.environ.items() if name != "PROTOC"}
    all_rows.run("editions/with_protoc", check_with_protoc, arguments.server, env)
    all_rows.run("editions/without_protoc", check_without_protoc, arguments.server, env)
    all_rows.run("editions/reflection", lambda: check_calls(arguments.server, env=env))
    sys.exit(all_rows.failed > 0)


if __name__ == "__main__":
    main()
