"""Rows: proto3's JSON, as the command `callwright` reads and prints it, against google.protobuf.json_format.

`json/print` and `json/random`: what json_format prints is read by the command, arrives as the same message, and is printed
by the command as json_format would. `json/read`: JSON of every shape is taken by both, as the same message, or by neither.
"""

import concurrent.futures
import json
import random
import struct
import sys

import everything_pb2
from google.protobuf import json_format

import mirror
import rows
from json_samples import DIFFERENCES, MESSAGES, TEXTS

METHOD = "callwright.tests.json.Mirror/"
Everything = everything_pb2.Everything
# How many messages are made up, always the same.
RANDOM = 300


def same(one, other):
    """Whether messages are alike in every bit: NaN is not equal to itself."""
    return one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def check_printed(session, messages):
    """Sends messages as json_format prints them, all in one call."""
    session.mirror.seen.clear()
    lines = [json_format.MessageToJson(message, indent=None) for message in messages]
    code, printed, said = mirror.call(session.command, session.target, METHOD + "Many", stdin="\n".join(lines))
    rows.equal("the exit code", (code, said), (0, ""))
    rows.equal("messages that arrived", len(session.mirror.seen), len(messages))
    rows.equal("messages that were printed", len(printed), len(messages))
    for sent, line, seen, shown in zip(messages, lines, session.mirror.seen, printed):
        if not same(sent, seen):
            raise AssertionError(f"{line} arrived as {seen}")
        rows.equal(f"the JSON of {line}", json.loads(shown), json.loads(line))


def theirs(text):
    """The message that json_format reads, or None."""
    try:
        return json_format.Parse(text, Everything())
    except (json_format.ParseError, RecursionError):
        return None


def ours(session, text):
    """The message that the command reads, or None where it says that the JSON does not fit."""
    # One at a time: a mirror of its own tells which message it was.
    own = session.new_mirror()
    with own.serve() as target:
        code, printed, said = mirror.call(session.command, target, METHOD + "One", "-d", text, *session.source)
    if code == 0:
        return own.seen[0]
    rows.equal("the exit code", (code, printed), (64 + 3, []))
    if "does not fit" not in said:
        raise AssertionError(f"{text}: {said}")
    return None


def check_read(session, texts):
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for text, seen in zip(texts, pool.map(lambda text: ours(session, text), texts)):
            expected = theirs(text)
            agree = seen is expected is None or (seen is not None and expected is not None and same(seen, expected))
            if agree == (text in DIFFERENCES):
                wrong.append(f"{text}: ours {show(seen)}, theirs {show(expected)}")
    if wrong:
        raise AssertionError("; ".join(wrong))


def show(message):
    return "refused" if message is None else f"{{{message}}}"


class Random:
    """Makes up messages: every field is there or not, with values at the edges more often than elsewhere."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def message(self):
        message = Everything()
        for field in Everything.DESCRIPTOR.fields:
            if self._random.random() < 0.3:
                self._fill(message, field)
        return message

    def _fill(self, message, field):
        kind = field.message_type
        if kind is not None and kind.full_name not in SIMPLE:
            return
        if kind is not None:
            target = getattr(message, field.name)
            if field.is_repeated:
                for _ in range(self._random.randrange(3)):
                    self._fill_simple(target.add())
            else:
                target.SetInParent()
                self._fill_simple(target)
        elif field.is_repeated:
            getattr(message, field.name).extend(self._value(field) for _ in range(self._random.randrange(4)))
        else:
            setattr(message, field.name, self._value(field))

    def _fill_simple(self, message):
        for field in message.DESCRIPTOR.fields:
            if field.message_type is None and self._random.random() < 0.7:
                setattr(message, field.name, self._value(field))

    def _value(self, field):
        choose = self._random.choice
        bits = {field.CPPTYPE_INT32: 32, field.CPPTYPE_INT64: 64, field.CPPTYPE_UINT32: 32, field.CPPTYPE_UINT64: 64}
        if field.cpp_type in bits:
            width = bits[field.cpp_type]
            signed = field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
            least, most = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
            return choose([0, 1, least, most, self._random.randint(least, most)])
        if field.cpp_type == field.CPPTYPE_ENUM:
            return choose([value.number for value in field.enum_type.values])
        if field.cpp_type == field.CPPTYPE_BOOL:
            return choose([False, True])
        if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
            form = "<f" if field.cpp_type == field.CPPTYPE_FLOAT else "<d"
            made_up = struct.unpack(form, self._random.randbytes(struct.calcsize(form)))[0]
            zero = -0.0 if field.is_repeated else 0.0
            return choose([0.0, zero, 0.1, float("inf"), float("-inf"), 1e-30, made_up if made_up == made_up else 0.5])
        if field.type == field.TYPE_BYTES:
            return self._random.randbytes(self._random.randrange(9))
        alphabet = ["a", "\"", "\\", "\n", "\0", "\x7f", "é", "\u2028", "\U0001f608", "</", "\ufeff"]
        return "".join(choose(alphabet) for _ in range(self._random.randrange(6)))


# Messages whose fields may take any value at all.
SIMPLE = {
    "callwright.tests.json.Everything.Inner",
    *(f"google.protobuf.{kind}Value" for kind in ("Float", "Int64", "UInt64", "Int32", "UInt32", "Bool")),
    *(f"google.protobuf.{kind}Value" for kind in ("Double", "String", "Bytes")),
}


class Session:
    def __init__(self, command):
        self.command = command
        self.source = ()
        self.mirror = self.new_mirror()
        self.target = None

    @staticmethod
    def new_mirror():
        return mirror.Mirror("callwright.tests.json.Mirror", {"One": False, "Many": True}, Everything)


def main():
    arguments = rows.arguments(__doc__)
    all_rows = rows.Rows(arguments.case)
    session = Session(arguments.server)
    with session.mirror.serve() as session.target:
        for name, messages in MESSAGES.items():
            all_rows.run(f"json/print/{name}", check_printed, session, messages)
        made_up = Random(20261123)
        all_rows.run("json/random", check_printed, session, [made_up.message() for _ in range(RANDOM)])
        for name, texts in TEXTS.items():
            all_rows.run(f"json/read/{name}", check_read, session, texts)
    sys.exit(all_rows.failed > 0)


if __name__ == "__main__":
    main()
