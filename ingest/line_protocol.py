"""InfluxDB line protocol: our own encoder and a strict parser that says where a line is wrong.

Syntax after "Line protocol reference", docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol:
``measurement[,tag=value...] field=value[,field=value...] [timestamp]``. The client library's own
encoder is some nine times slower, and its parser does not exist; both were reasons to write this.

Stricter than a server in these points: NaN, infinity and numbers beyond the largest finite one,
control characters in names, a key twice in a line and names that cannot be written back are refused.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ingest.line_memory import Memory
from ingest.points import INT64_MAX, INT64_MIN, UINT64_MAX, Point, Tags, Unsigned, Value, kind_of, to_ns

PRECISION_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


class Reject(NamedTuple):
    """One refused line: where (counted from 1), a stable snake_case ``code``, and what to mend."""

    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class _Bad(Exception):
    def __init__(self, at: int, code: str, message: str) -> None:
        self.at, self.code, self.message = at, code, message
        super().__init__(message)


# A backslash escapes only what would otherwise end the name; before anything else it is itself.
_MEASUREMENT = re.compile(r"(?:\\[, ]|[^, \x00-\x1f\x7f])++")
_NAME = re.compile(r"(?:\\[,= ]|[^,= \x00-\x1f\x7f])++")
_STRING = re.compile(r'"((?:\\[\\"]|[^"\\]|\\(?![\\"]))*+)"')
_KEYS = re.compile(r"[ \t]*+(#?+)(?:\\[,= ]|[^ \n])*+")
_BARE = re.compile(r"[^, \n]*+")
_FLOAT = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"(-?\d{1,20})([iu])", re.ASCII)
_TIME = re.compile(r"-?\d{1,20}", re.ASCII)
_BOOLEANS = {"t": True, "T": True, "true": True, "True": True, "TRUE": True} | {
    "f": False,
    "F": False,
    "false": False,
    "False": False,
    "FALSE": False,
}
_UNESCAPE_MEASUREMENT = re.compile(r"\\([, ])")
_UNESCAPE_NAME = re.compile(r"\\([,= ])")
_UNESCAPE_STRING = re.compile(r'\\([\\"])')


def parse(body: bytes | str, precision: str = "ns", now: datetime | None = None) -> tuple[list[Point], list[Reject]]:
    """Points of the good lines and one reject for each bad one, both in the order of ``body``.

    ``precision`` is the unit of the timestamps (ns, us, ms, s); a line without one gets ``now``
    (aware) or is refused where that is None. Blank lines and comments
    (``#``) are skipped. Columns count characters.

    Raises:
        ValueError: an unknown ``precision``.
    """
    try:
        unit_ns = PRECISION_NS[precision]
    except KeyError:
        raise ValueError(f"precision {precision!r} is unknown; use one of {', '.join(PRECISION_NS)}") from None
    if isinstance(body, bytes):
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            number = body.count(b"\n", 0, error.start) + 1
            column = error.start - body.rfind(b"\n", 0, error.start)
            message = f"byte 0x{body[error.start]:02x} is not UTF-8; send UTF-8"
            return [], [Reject(number, column, "not_utf8", message)]
    else:
        text = body
    now_ns = None if now is None else to_ns(now)
    if text.isascii() and '"' not in text:  # no line break can hide in a quoted value: lines are lines
        return _plainly(text, unit_ns, now_ns)
    return _strictly(text, unit_ns, now_ns)


_memory = Memory()


def _plainly(text: str, unit_ns: int, now_ns: int | None) -> tuple[list[Point], list[Reject]]:
    found = _memory.read(text.removesuffix("\n").split("\n"), unit_ns)
    points: list[Point] = []
    rejects: list[Reject] = []
    for number, one in enumerate(found, start=1):
        if isinstance(one, str):
            more, told = _strictly(one, unit_ns, now_ns)
            points += more
            rejects += [reject._replace(line=number) for reject in told]
        else:
            points.append(one)
    return points, rejects


def _strictly(text: str, unit_ns: int, now_ns: int | None) -> tuple[list[Point], list[Reject]]:
    points: list[Point] = []
    rejects: list[Reject] = []
    number = 1
    start = 0
    while start < len(text):
        end = _end_of_line(text, start)
        line = text[start:end].rstrip("\r")
        if line.strip(" \t") and not line.lstrip(" \t").startswith("#"):
            try:
                points.append(_line(line, unit_ns, now_ns))
            except _Bad as bad:
                before = line.count("\n", 0, bad.at)
                column = bad.at - line.rfind("\n", 0, bad.at)
                rejects.append(Reject(number + before, column, bad.code, bad.message))
        number += text.count("\n", start, end) + 1
        start = end + 1
    return points, rejects


def _end_of_line(text: str, start: int) -> int:
    """Where the line ends; a line break inside a quoted field value does not end it."""
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    if text.find('"', start, end) < 0:
        return end
    return _end_of_quoted_line(text, start, end)


def _end_of_quoted_line(text: str, start: int, end: int) -> int:
    keys = _KEYS.match(text, start)
    assert keys is not None
    if keys[1]:
        return end  # a comment
    at = keys.end()  # quotes in measurement and tags are ordinary characters
    while True:
        opening = text.find('="', at, end)
        if opening < 0:
            return end
        if text[opening - 1] == "\\":
            at = opening + 1
            continue
        match = _STRING.match(text, opening + 1)
        if match is None:
            return end
        at = match.end()
        if at > end:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end


def _line(line: str, unit_ns: int, now_ns: int | None) -> Point:
    at = len(line) - len(line.lstrip(" \t"))
    match = _MEASUREMENT.match(line, at)
    if match is None:
        raise _Bad(at, "measurement", f"a measurement is expected here, not {_shown(line, at)}; name one")
    measurement = match[0]
    if "\\" in measurement:
        measurement = _UNESCAPE_MEASUREMENT.sub(r"\1", measurement)
    at = match.end()
    tags: list[tuple[str, str]] = []
    while at < len(line) and line[at] == ",":
        key, at = _name(line, at + 1, "tag key")
        at = _expect(line, at, "=", "tag", f"the tag {key!r} needs a value: {key}=VALUE")
        value, at = _name(line, at, "tag value")
        tags.append((key, value))
    if at >= len(line) or line[at] != " ":
        raise _Bad(at, "fields", f"a space and at least one field are expected here, not {_shown(line, at)}")
    fields, at = _fields(line, _skip(line, at))
    time_ns, at = _time(line, _skip(line, at), unit_ns, now_ns)
    if at < len(line):
        raise _Bad(at, "trailing", f"nothing may follow the timestamp, found {_shown(line, at)}")
    tags.sort()
    for (one, _), (other, _) in itertools.pairwise(tags):
        if one == other:
            raise _Bad(line.find(one), "duplicate_tag", f"the tag {one!r} stands twice; keep one")
    point = Point(measurement, tuple(tags), fields, time_ns)
    _memory.learn(line, point)
    return point


def _fields(line: str, at: int) -> tuple[tuple[tuple[str, Value], ...], int]:
    fields: list[tuple[str, Value]] = []
    seen: set[str] = set()
    while True:
        begun = at
        key, at = _name(line, at, "field key")
        if key in seen:
            raise _Bad(begun, "duplicate_field", f"the field {key!r} stands twice; keep one")
        if key == "time":
            raise _Bad(begun, "reserved_name", "a field may not be called 'time'; the timestamp comes last")
        seen.add(key)
        at = _expect(line, at, "=", "field", f"the field {key!r} needs a value: {key}=VALUE")
        value, at = _value(line, at, key)
        fields.append((key, value))
        if at >= len(line) or line[at] != ",":
            return tuple(fields), at
        at += 1


def _name(line: str, at: int, what: str) -> tuple[str, int]:
    match = _NAME.match(line, at)
    if match is None:
        code = what.replace(" ", "_")
        raise _Bad(at, code, f"a {what} is expected here, not {_shown(line, at)}; escape commas, spaces and = by \\")
    name = match[0]
    return (_UNESCAPE_NAME.sub(r"\1", name) if "\\" in name else name), match.end()


def _value(line: str, at: int, key: str) -> tuple[Value, int]:
    if line.startswith('"', at):
        match = _STRING.match(line, at)
        if match is None:
            raise _Bad(at, "string", f"the string of field {key!r} is not closed; end it with a quote")
        return _UNESCAPE_STRING.sub(r"\1", match[1]), match.end()
    bare = _BARE.match(line, at)
    assert bare is not None
    word, end = bare[0], bare.end()
    if _FLOAT.fullmatch(word):
        number = float(word)
        if math.isinf(number):
            raise _Bad(at, "not_finite", f"{word[:40]} of field {key!r} is beyond the largest finite number")
        return number, end
    integer = _INTEGER.fullmatch(word)
    if integer:
        whole = int(integer[1])
        if integer[2] == "u":
            if not 0 <= whole <= UINT64_MAX:
                raise _Bad(at, "out_of_range", f"{word} of field {key!r} is not within 0 and 2^64-1")
            return Unsigned(whole), end
        if not INT64_MIN <= whole <= INT64_MAX:
            raise _Bad(at, "out_of_range", f"{word} of field {key!r} does not fit 64 bits; write a float")
        return whole, end
    if word in _BOOLEANS:
        return _BOOLEANS[word], end
    if word.lstrip("+-").lower() in ("nan", "inf", "infinity"):
        raise _Bad(at, "not_finite", f"{word} of field {key!r} is no number; leave the field out where it is missing")
    shown = repr(word[:40]) if word else _shown(line, at)
    raise _Bad(at, "value", f"{shown} of field {key!r} is no number, boolean or quoted string; quote strings")


def _time(line: str, at: int, unit_ns: int, now_ns: int | None) -> tuple[int, int]:
    if at >= len(line):
        if now_ns is None:
            raise _Bad(at, "no_timestamp", "this line has no timestamp and none is filled in here; write one")
        return now_ns, at
    match = _TIME.match(line, at)
    if match is None:
        raise _Bad(at, "timestamp", f"a whole number is expected as timestamp, not {_shown(line, at)}")
    time_ns = int(match[0]) * unit_ns
    if not INT64_MIN <= time_ns <= INT64_MAX:
        raise _Bad(at, "timestamp", f"{match[0]} lies outside the years 1677 to 2262; check the precision")
    return time_ns, _skip(line, match.end())


def _skip(line: str, at: int) -> int:
    while at < len(line) and line[at] == " ":
        at += 1
    return at


def _expect(line: str, at: int, wanted: str, code: str, message: str) -> int:
    if not line.startswith(wanted, at):
        raise _Bad(at, code, message)
    return at + 1


def _shown(line: str, at: int) -> str:
    return repr(line[at : at + 12]) if at < len(line) else "the end of the line"


_ESCAPE_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ "})
_ESCAPE_NAME = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\="})
_UNSAYABLE = re.compile(r"[\x00-\x1f\x7f]|\\\Z|\A\Z")


_MOST_HEADS, _MOST_NAMES = 300_000, 10_000
_encoded_heads: dict[tuple[str, Tags], str] = {}
_encoded_names: dict[str, str] = {}


def encode(points: Iterable[Point]) -> str:
    """Line protocol with timestamps in nanoseconds, one line a point, no last line break.

    Raises:
        ValueError: a number that is not finite or does not fit 64 bits, a point without fields, or
            a name that line protocol cannot say (empty, control characters, a backslash at its end).
    """
    heads, names = _encoded_heads, _encoded_names
    if len(heads) > _MOST_HEADS:
        heads.clear()
    if len(names) > _MOST_NAMES:
        names.clear()
    lines = []
    for measurement, tags, fields, time_ns in points:
        key = (measurement, tags)
        head = heads.get(key)
        if head is None:
            head = heads[key] = encode_key(measurement, tags) + " "
        parts = []
        for field, value in fields:
            name = names.get(field)
            if name is None:
                name = names[field] = encode_name(field, "field key") + "="
            if type(value) is float and value - value == 0.0:  # finite: the common case
                parts.append(f"{name}{value!r}")
            else:
                parts.append(name + _encoded_value(field, value))
        if not parts:
            raise ValueError(f"the point of {measurement!r} has no fields; line protocol needs one")
        lines.append(f"{head}{parts[0] if len(parts) == 1 else ','.join(parts)} {time_ns}")
    return "\n".join(lines)


def encode_key(measurement: str, tags: Tags) -> str:
    """``measurement,tag=value,...``, escaped: the canonical name of a set of series.

    Raises:
        ValueError: as :func:`encode`.
    """
    if _UNSAYABLE.search(measurement) or measurement.startswith("#"):
        raise ValueError(f"line protocol cannot say the measurement {measurement!r}")
    head = measurement.translate(_ESCAPE_MEASUREMENT)
    for key, value in tags:
        head += f",{encode_name(key, 'tag key')}={encode_name(value, 'tag value')}"
    return head


def encode_name(name: str, what: str) -> str:
    """A tag or field key, or a tag value, escaped; ``what`` it is, for the error.

    Raises:
        ValueError: as :func:`encode`.
    """
    if _UNSAYABLE.search(name):
        raise ValueError(f"line protocol cannot say the {what} {name!r}")
    return name.translate(_ESCAPE_NAME)


def _encoded_value(key: str, value: Value) -> str:
    kind = kind_of(value)
    if kind == "f":
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{number} of field {key!r} is not finite; leave the field out where it is missing")
        return repr(number)
    if kind == "b":
        return "true" if value else "false"
    if kind == "s":
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    low, high = (0, UINT64_MAX) if kind == "u" else (INT64_MIN, INT64_MAX)
    if not low <= int(value) <= high:
        raise ValueError(f"{value} of field {key!r} does not fit 64 bits")
    return f"{int(value)}{kind}"
