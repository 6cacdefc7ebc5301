"""What json_mapping.py compares: messages to be printed, and JSON to be read.

Not here, since they cannot pass: -0.0 in a field without presence, which prost takes for the default as it takes 0.0, in
generated code too; and an Any without a type, which prost-reflect does not know.
"""

from everything_pb2 import Everything
from google.protobuf import any_pb2, duration_pb2, json_format, struct_pb2, timestamp_pb2, wrappers_pb2

Inner = Everything.Inner
INT32, INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)


def packed(*messages):
    anys = []
    for message in messages:
        anys.append(any_pb2.Any())
        anys[-1].Pack(message)
    return anys


def value(json):
    return json_format.ParseDict(json, struct_pb2.Value())


def timestamps():
    moments = [(0, 0), (-1, 999_999_999), (1, 5), (1, 5_000), (1, 5_000_000), (951_782_400, 0)]
    # The first and the last that there are: the years 1 and 9999.
    moments += [(-62_135_596_800, 0), (253_402_300_799, 999_999_999)]
    return [Everything(timestamp=timestamp_pb2.Timestamp(seconds=s, nanos=n)) for s, n in moments]


def durations():
    spans = [(0, 0), (0, -1), (1, 5), (-1, -5_000), (0, 5_000_000), (0, -500_000_000), (3, 1)]
    spans += [(315_576_000_000, 0), (-315_576_000_000, -999_999_999)]
    return [Everything(duration=duration_pb2.Duration(seconds=s, nanos=n)) for s, n in spans]


JSON = {"a": None, "b": [1, "x", True, {"c": [], "d": {}}], "": 1.5, "é\n": -0.25, "big": 1e300}

# A name for each, and the messages.
MESSAGES = {
    "empty": [Everything()],
    "int32": [Everything(an_int32=n, a_sint32=n, an_sfixed32=n) for n in (1, -1, *INT32)],
    "int64": [Everything(an_int64=n, a_sint64=n, an_sfixed64=n, maybe_int64=n) for n in (1, -1, 2**53 + 1, *INT64)],
    "unsigned": [Everything(a_uint32=2**32 - 1, a_fixed32=1, a_uint64=2**64 - 1, a_fixed64=2**63)],
    "double": [
        Everything(a_double=n, doubles=[n, -0.0])
        for n in (0.1, 1.0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"))
    ],
    "float": [
        Everything(a_float=n, floats=[n, -0.0])
        for n in (0.1, 1.0, 16777216, -1e10, 1.1754943508222875e-38, 3.4028234663852886e38, float("inf"), float("-inf"), float("nan"))
    ],
    "bool": [Everything(a_bool=True, bools=[True, False])],
    "string": [Everything(a_string=s, strings=[s, ""]) for s in ("a", "\"\\/\b\f\n\r\t\0\x1f\x7f", "é😈\u2028\ufeff", "</script>")],
    "bytes": [Everything(some_bytes=b, bytes_list=[b, b""]) for b in (b"\0", b"\xfb\xff", b"abc", bytes(range(256)))],
    "enum": [Everything(colour=n, colours=[0, n, 1]) for n in (1, -3, 7, INT32[0], INT32[1])],
    "message": [Everything(inner=Inner()), Everything(inner=Inner(inner=Inner(text="x", inner=Inner())))],
    "optional": [
        Everything(maybe_double=0, maybe_int64=0, maybe_bool=False, maybe_string="", maybe_bytes=b"", maybe_colour=0),
        Everything(maybe_inner=Inner(), maybe_double=1.5, maybe_bool=True),
    ],
    "repeated": [Everything(int32s=[0, 1, -1], uint64s=[0, 2**64 - 1], inners=[Inner(), Inner(text="x")])],
    "map": [
        Everything(by_string={"": "", "a": "b", "\"": "\n"}),
        Everything(by_int32={n: Inner(number=n) for n in (0, *INT32)}),
        Everything(by_int64={n: b"\xff" for n in (0, *INT64)}),
        Everything(by_uint32={0: 1.5, 2**32 - 1: float("-inf")}),
        Everything(by_uint64={2**64 - 1: 2**62, 0: 0}),
        Everything(by_sint64={-1: 1, 1: 9}),
        Everything(by_fixed32={7: True, 8: False}),
        Everything(by_bool={True: 0.5, False: 0}),
        Everything(by_value={"null": value(None), "list": value([1])}),
    ],
    "oneof": [
        Everything(chosen_int32=0),
        Everything(chosen_string=""),
        Everything(chosen_bytes=b""),
        Everything(chosen_colour=0),
        Everything(chosen_inner=Inner()),
        Everything(chosen_null=0),
        Everything(chosen_timestamp=timestamp_pb2.Timestamp()),
    ],
    "wrappers": [
        json_format.ParseDict(
            {f"wrapped{kind}": zero for kind in ("Double", "Float", "Int64", "Uint64", "Int32", "Uint32")}
            | {"wrappedBool": bool(zero), "wrappedString": str(zero), "wrappedBytes": "AAAA", "wrappedList": [zero, "5"]},
            Everything(),
        )
        for zero in (0, 1)
    ],
    "timestamp": timestamps(),
    "duration": durations(),
    "struct": [
        json_format.ParseDict({"struct": JSON, "value": JSON, "listValue": [JSON, None], "values": [1, None, "x"]}, Everything()),
        json_format.ParseDict({"value": None, "struct": {}, "listValue": []}, Everything()),
    ],
    "field_mask": [
        json_format.ParseDict({"fieldMask": mask}, Everything()) for mask in ("", "a", "a,bC", "fooBar.bazQux,x.y")
    ],
    "any": [
        Everything(any=any)
        for any in packed(
            Inner(text="x"),
            Inner(),
            timestamp_pb2.Timestamp(seconds=1),
            duration_pb2.Duration(seconds=1),
            wrappers_pb2.Int64Value(value=5),
            value([1, {"a": None}]),
            json_format.ParseDict({"a": [None, 1.5]}, struct_pb2.Struct()),
            *packed(Inner(text="nested")),
            Everything(a_bool=True),
        )
    ]
    + [Everything(anys=packed(Inner(), Inner()))],
    "names": [Everything(renamed="x", _leading=1, double__underscore=2, with_1_digit=3, camelCase=4, UPPER_CASE=5, trailing_=6)],
    "empty_message": [json_format.ParseDict({"empty": {}}, Everything())],
}


def fields(name, *values):
    return [f'{{"{name}": {value}}}' for value in values]


# A name for each, and JSON that both take or neither does.
TEXTS = {
    "names": [
        '{"an_int32": 1}', '{"anInt32": 1}', '{"anint32": 1}', '{"@other": "x"}', '{"renamed": "x"}', '{"other": "x"}',
        '{"double_Underscore": 1}', '{"double__underscore": 1}', '{"doubleUnderscore": 1}', '{"Leading": 1}', '{"_leading": 1}',
        '{"nothing": 1}', '{"[nothing]": 1}', '{"": 1}', '{"trailing": 1}', '{"trailing_": 1}',
    ],
    "duplicates": ['{"anInt32": 1, "anInt32": 2}', '{"anInt32": 1, "an_int32": 2}', '{"byString": {"a": "1", "a": "2"}}'],
    "null": [
        *(f'{{"{name}": null}}' for name in (
            "anInt32", "aString", "someBytes", "colour", "inner", "maybeBool", "int32s", "byString", "wrappedInt64",
            "timestamp", "struct", "value", "listValue", "nullValue", "fieldMask", "any", "empty", "chosenInt32", "chosenNull",
        )),
        '{"int32s": [null]}', '{"strings": [null]}', '{"inners": [null]}', '{"values": [null]}', '{"wrappedList": [null]}',
        '{"byString": {"a": null}}', '{"byValue": {"a": null}}', '{"timestamps": [null]}', '{"colours": [null]}', "null",
    ],
    "int32": fields(
        "anInt32", "1", "1.0", "1e2", "1.5", '"1"', '"1.0"', '"1e2"', '"1.5"', '" 1"', '"1 "', '""', '"0x1"', '"+1"', "-0", '"-0"',
        "2147483647", "2147483648", "-2147483648", "-2147483649", '"2147483648"', "1e10", "true", '"a"', "[]", "{}", '"01"', "1e-1",
    ),
    "int64": fields(
        "anInt64", "9007199254740993", '"9223372036854775807"', "9223372036854775807", "9223372036854775808",
        '"9223372036854775808"', '"-9223372036854775808"', "1e5", "1.5", '"1e5"', "-1",
    ),
    "unsigned": [*fields("aUint64", "18446744073709551615", '"18446744073709551615"', "-1", '"-1"', "18446744073709551616"),
                 *fields("aUint32", "4294967295", "4294967296", "-1", "1.0", '"4294967295"')],
    "double": fields(
        "aDouble", "1", "1.5", '"1.5"', '"NaN"', '"Infinity"', '"-Infinity"', '"inf"', '"nan"', '"infinity"', '"-NaN"', "1e400",
        '"1e400"', "-1e400", '""', '" 1"', "true", "null", '"1_0"', "1e-400", "18446744073709551616", "NaN", "Infinity",
    ),
    "float": fields("aFloat", "0.1", "3.4e38", "3.5e38", "-3.5e38", '"NaN"', '"1.5"', "1e-50", "16777217", "1e39", '"3.5e38"'),
    "bool": fields("aBool", "true", "false", '"true"', "1", "0", '"1"', "[]", '""'),
    "string": fields("aString", '"x"', "1", "true", "[]", "{}", '"\\u0041"', '"\\ud83d\\ude08"', '"\\ud83d"', '"\\ude08x"', '"\\x"'),
    "bytes": fields(
        "someBytes", '"AAAA"', '"AA=="', '"AA"', '"AAA"', '"AAA="', '"A"', '"-_8="', '"+/8="', '"-_8"', '"AA=A"', '"A A="', '""',
        '"AAAA="', '"AB=="', '"é"', "1", "[]",
    ),
    "enum": fields(
        "colour", '"COLOUR_RED"', '"COLOUR_ROUGE"', "1", "-3", "7", '"colour_red"', '"RED"', '"1"', "1.0", "1.5", "2147483648",
        '""', "true", "[]",
    ),
    "message": fields("inner", "{}", '{"inner": {"inner": {}}}', "[]", "1", '"x"', "true", '{"text": 1}'),
    "repeated": fields("int32s", "[]", "[1, 2]", "1", '["1", 2.0]', "[[1]]", "{}", '"1"', "[1,]"),
    "map": [
        *fields("byString", "{}", '{"a": "b"}', "[]", '{"a": 1}', '"x"', '{"a": {}}'),
        *fields("byInt32", '{"1": {}}', '{"1.0": {}}', '{"a": {}}', '{"2147483648": {}}', '{"-0": {}}', '{" 1": {}}', '{"": {}}'),
        *fields("byBool", '{"true": 1}', '{"false": 1}', '{"1": 1}', '{"True": 1}', '{"": 1}'),
        *fields("bySint64", '{"1": "COLOUR_RED"}', '{"1": 7}', '{"1": "NOPE"}'),
    ],
    "oneof": [
        '{"chosenInt32": 1, "chosenString": "x"}', '{"chosenInt32": 1, "chosenString": null}', '{"chosenNull": null}',
        '{"chosenNull": "NULL_VALUE"}', '{"chosenInt32": null, "chosenString": "x"}', '{"chosenNull": 0}', '{"chosenNull": null, "chosenInt32": 1}',
    ],
    "wrappers": [
        *fields("wrappedInt64", '"5"', "5", '{"value": 5}', "1.5"), *fields("wrappedDouble", '"NaN"', "1", '"x"'),
        *fields("wrappedString", '"x"', "1", "{}"), *fields("wrappedBytes", '"AAAA"', '"A"'), *fields("wrappedBool", "true", "1"),
    ],
    "timestamp": fields(
        "timestamp", '"1970-01-01T00:00:00Z"', '"1970-01-01T00:00:00.1Z"', '"1970-01-01T00:00:00.123456789Z"',
        '"1970-01-01T00:00:00.1234567890Z"', '"1970-01-01T01:00:00+01:00"', '"1969-12-31T23:30:00-00:30"', '"0001-01-01T00:00:00Z"',
        '"9999-12-31T23:59:59.999999999Z"', '"10000-01-01T00:00:00Z"', '"0000-01-01T00:00:00Z"', '"1970-01-01"', '"1970-01-01T00:00:00"',
        '"1970-01-01 00:00:00Z"', '"1970-01-01t00:00:00z"', '"1970-13-01T00:00:00Z"', '"1970-02-30T00:00:00Z"', '"1970-01-01T24:00:00Z"',
        '"1970-01-01T00:00:60Z"', '"2000-02-29T00:00:00Z"', '"1900-02-29T00:00:00Z"', '"0001-01-01T00:00:00+01:00"',
        '"9999-12-31T23:59:59-01:00"', '""', "1", "{}", '"1970-01-01T00:00Z"', '"1970-01-01T00:00:00.Z"', '" 1970-01-01T00:00:00Z"',
        '"1970-01-01T00:00:00+0100"', '"-0001-01-01T00:00:00Z"', '"1970-1-1T00:00:00Z"',
    ),
    "duration": fields(
        "duration", '"1s"', '"-1s"', '"1.5s"', '"-0.5s"', '"0.123456789s"', '"0.1234567890s"', '"1"', '"s"', '""', '"1ms"', '"1.s"', '".5s"',
        '"+1s"', '"315576000000s"', '"315576000001s"', '"-315576000001s"', '" 1s"', '"1 s"', '"1e3s"', "1", "{}", '"--1s"', '"1.-5s"', '"1S"',
    ),
    "struct": [
        *fields("struct", "{}", '{"a": null}', "[]", "1", '{"a": {"b": [1, {}]}}'), *fields("value", "1", '"x"', "true", "[]", "{}", "1e400"),
        *fields("listValue", "[]", "[null, 1]", "{}", "1"), *fields("nullValue", "null", '"NULL_VALUE"', "0", "1", '"x"'),
    ],
    "field_mask": fields("fieldMask", '""', '"a"', '"a,b"', '"aB.cD"', '"a_b"', '"a,"', '",a"', '"a, b"', "1", "[]", '"A"', '"a.*"', '"*"'),
    "any": [
        *fields(
            "any", "{}", '{"@type": "x/callwright.tests.json.Everything.Inner", "text": "x"}',
            '{"text": "x", "@type": "x/callwright.tests.json.Everything.Inner"}', '{"@type": "callwright.tests.json.Everything.Inner"}',
            '{"@type": "x/nothing"}', '{"text": "x"}', '{"@type": 1}', '{"@type": ""}', '{"@type": "x/"}', "[]", "1", '"x"',
            '{"@type": "x/google.protobuf.Duration", "value": "1s"}', '{"@type": "x/google.protobuf.Duration"}',
            '{"@type": "x/google.protobuf.Duration", "seconds": 1}', '{"@type": "x/google.protobuf.Duration", "value": "1s", "more": 1}',
            '{"@type": "x/google.protobuf.Any", "value": {"@type": "x/google.protobuf.Empty"}}',
            '{"@type": "x/google.protobuf.Empty", "value": {}}', '{"@type": "x/google.protobuf.Empty"}',
            '{"@type": "x/callwright.tests.json.Everything.Inner", "nothing": 1}',
            '{"@type": "x/y/callwright.tests.json.Everything.Inner"}', '{"@type": "x/google.protobuf.Value", "value": null}',
        ),
    ],
    "empty_message": fields("empty", "{}", "[]", '{"a": 1}', "1"),
    "syntax": [
        "", " ", "{", "}", "{}", " {} ", "{} {}", "[]", "1", '"x"', "{'anInt32': 1}", "{anInt32: 1}", '{"anInt32": 1,}', '{"anInt32": 01}',
        '{"anInt32": .5}', '{"anInt32": 1.}', '{"anInt32": +1}', '{"aString": "\t"}', '{"aString": "\\u00"}', '{/**/}', '{"aBool": True}',
        '\ufeff{}', '{"anInt32" 1}', "{}x",
    ],
}



def lenient(why, name, *values):
    return {text: why for text in fields(name, *values)}


# JSON where the two differ, and why: the mapping leaves it to who reads, or Python takes what its own functions take.
DIFFERENCES = (
    lenient("ours takes the names that Rust has too", "aDouble", '"nan"')
    | lenient("theirs takes what Python's float() does", "aDouble", '" 1"', "true", '"1_0"')
    | lenient("theirs skips what is no base64", "someBytes", '"AA=A"', '"A A="', '"AAAA="', '"é"')
    | lenient("theirs takes what Python's int() does", "colour", '"1"', "1.0", "1.5", "true")
    | lenient("theirs takes an array for an object without fields", "inner", "[]")
    | lenient("theirs takes an array for an object without fields", "empty", "[]")
    | {"[]": "theirs takes an array for an object without fields"}
    | lenient("a key is a decimal number here", "byInt32", '{"1.0": {}}')
    | lenient("the JSON of NullValue is null", "chosenNull", "0")
    | lenient("the JSON of NullValue is null", "nullValue", "0", "1")
    | {'{"chosenNull": null, "chosenInt32": 1}': "null is a value of this field, so that two of a oneof are set"}
    | lenient("ours drops what is less than a nanosecond", "timestamp", '"1970-01-01T00:00:00.1234567890Z"')
    | lenient("ours takes a leap second, as the one before it", "timestamp", '"1970-01-01T00:00:60Z"')
    | lenient("ours takes RFC 3339 alone", "timestamp", '"1970-01-01T00:00:00.Z"', '"1970-1-1T00:00:00Z"')
    | lenient("theirs takes what Python's int() does", "duration", '"1.s"', '"+1s"', '" 1s"', '"1 s"')
    | lenient("theirs reads an infinity that it cannot print", "value", "1e400")
    | lenient("ours drops paths that are empty", "fieldMask", '"a,"', '",a"')
    | lenient("ours needs a type to make an Any of", "any", "{}")
    | lenient("a type's URL has a slash", "any", '{"@type": "callwright.tests.json.Everything.Inner"}')
    | lenient(
        "ours says what it does not know", "any", '{"@type": "x/google.protobuf.Duration", "value": "1s", "more": 1}'
    )
    | lenient(
        "some languages write an Empty as a type with its own JSON", "any", '{"@type": "x/google.protobuf.Empty", "value": {}}'
    )
)
