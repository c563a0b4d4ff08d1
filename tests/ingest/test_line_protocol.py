"""Line protocol: what goes in comes out, and what is wrong is said with its place."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest import line_protocol
from ingest.line_protocol import encode, parse
from ingest.points import Point, Unsigned, kind_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONTROLS = "".join(map(chr, (*range(32), 127)))
ODD = st.sampled_from([",", " ", "=", "\\", '"', "#", "a", "é", "\u2028", "\x85", "🌞"])
NAMES = st.text(ODD | st.characters(exclude_characters=CONTROLS, exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not name.endswith("\\")
)
MEASUREMENTS = NAMES.filter(lambda name: not name.startswith("#"))
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1).map(Unsigned),
    st.booleans(),
    st.text(
        st.sampled_from(['"', "\\", "\n", "\r", ",", "=", " ", "#", "x"]) | st.characters(exclude_categories=["Cs"])
    ),
)
POINTS = st.builds(
    Point,
    MEASUREMENTS,
    st.dictionaries(NAMES, NAMES, max_size=4).map(lambda tags: tuple(sorted(tags.items()))),
    st.dictionaries(NAMES.filter(lambda n: n != "time"), VALUES, min_size=1, max_size=4).map(
        lambda f: tuple(f.items())
    ),
    st.integers(-(2**63), 2**63 - 1),
)


@given(st.lists(POINTS, max_size=5))
def test_what_is_encoded_is_parsed_back_with_its_types(points):
    parsed, rejects = parse(encode(points))
    assert rejects == []
    assert parsed == points
    for one, other in zip(parsed, points, strict=True):
        assert [kind_of(v) for _, v in one.fields] == [kind_of(v) for _, v in other.fields]


@given(st.lists(POINTS, min_size=1, max_size=3), st.binary(max_size=3), st.data())
def test_a_damaged_body_never_raises_and_every_line_is_accounted_for(points, noise, data):
    body = bytearray(encode(points).encode())
    at = data.draw(st.integers(0, len(body)))
    body[at:at] = noise
    parsed, rejects = parse(bytes(body))
    again, none = parse(encode(parsed))
    assert (again, none) == (parsed, [])
    assert parsed or rejects or not bytes(body).strip() or body.lstrip(b" \t\n\r").startswith(b"#")
    assert all(reject.line >= 1 and reject.column >= 1 and reject.message for reject in rejects)


@given(st.text(alphabet='a,= \\"\n1itf.-#', max_size=40))
def test_any_text_is_read_or_refused(text):
    points, rejects = parse(text, now=EPOCH)
    assert parse(encode(points)) == (points, [])
    assert all(reject.line <= text.count("\n") + 1 for reject in rejects)


def test_the_documented_example_of_every_type():
    body = b"""# a comment, with "quotes
    gpu,node=n1,gpu=0 power_w=431.5,xid=0i,free=18u,ok=true,name="H100 \\"SXM\\"" 1556813561098000000

m f=1e3\r
"""
    points, rejects = parse(body, now=EPOCH + timedelta(microseconds=7))
    assert rejects == []
    assert points == [
        Point(
            "gpu",
            (("gpu", "0"), ("node", "n1")),
            (("power_w", 431.5), ("xid", 0), ("free", 18), ("ok", True), ("name", 'H100 "SXM"')),
            1556813561098000000,
        ),
        Point("m", (), (("f", 1000.0),), 7000),
    ]


@pytest.mark.parametrize(("precision", "factor"), [("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)])
def test_timestamps_are_scaled_by_the_precision(precision, factor):
    assert parse("m f=1 -12", precision)[0][0].time_ns == -12 * factor


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision 'h' is unknown"):
        parse("m f=1 1", "h")


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        ("m", 2, "fields"),
        (",t=a f=1", 1, "measurement"),
        ("m,t f=1", 4, "tag"),
        ("m,t= f=1", 5, "tag_value"),
        ("m,=a f=1", 3, "tag_key"),
        ("m,t=a,t=b f=1 1", 3, "duplicate_tag"),
        ("m,t=a", 6, "fields"),
        ("m ", 3, "field_key"),
        ("m f", 4, "field"),
        ("m f=", 5, "value"),
        ("m f=1,", 7, "field_key"),
        ("m f=1,f=2", 7, "duplicate_field"),
        ("m time=1", 3, "reserved_name"),
        ("m f=NaN", 5, "not_finite"),
        ("m f=-inf", 5, "not_finite"),
        ("m f=1e999", 5, "not_finite"),
        ("m f=+1", 5, "value"),
        ("m f=0x10", 5, "value"),
        ("m f=1_000", 5, "value"),
        ("m f=٣", 5, "value"),
        ("m f=yes", 5, "value"),
        ("m f=9223372036854775808i", 5, "out_of_range"),
        ("m f=-1u", 5, "out_of_range"),
        ('m f="open', 5, "string"),
        ('m f="a"b 1', 8, "timestamp"),
        ("m f=1 soon", 7, "timestamp"),
        ("m f=1 1.5", 8, "trailing"),
        ("m f=1 1 2", 9, "trailing"),
        ("m f=1 9223372036854775808", 7, "timestamp"),
        ("m\tx f=1", 2, "fields"),
        ("m f=1", 6, "no_timestamp"),
    ],
)
def test_each_fault_is_named_with_line_and_column(line, column, code):
    points, [reject] = parse(f"good f=1 1\n{line}\ngood f=2 2")
    assert (reject.line, reject.column, reject.code) == (2, column, code), reject.message
    assert [point.time_ns for point in points] == [1, 2]


def test_lines_are_counted_through_line_breaks_inside_strings():
    points, rejects = parse('a s="1\n2\n3" 1\nb f=x 1\nc f=1 1')
    assert points[0].fields == (("s", "1\n2\n3"),)
    assert [(r.line, r.column) for r in rejects] == [(4, 5)]
    assert points[1].measurement == "c"


def test_quotes_in_tags_do_not_open_strings():
    points, rejects = parse('m,t="a f=1 1\nm,t="b f=2 2')
    assert rejects == []
    assert [dict(p.tags)["t"] for p in points] == ['"a', '"b']


def test_bytes_that_are_not_utf8_are_located():
    assert parse(b"m f=1 1\nm,t=\xff f=1 1")[1][0][:3] == (2, 5, "not_utf8")


@pytest.mark.parametrize(
    "bad",
    [
        Point("", (), (("f", 1.0),), 0),
        Point("#m", (), (("f", 1.0),), 0),
        Point("m\n", (), (("f", 1.0),), 0),
        Point("m", (("t", "a\\"),), (("f", 1.0),), 0),
        Point("m", (("t", ""),), (("f", 1.0),), 0),
        Point("m", (), (), 0),
        Point("m", (), (("f", float("nan")),), 0),
        Point("m", (), (("f", float("-inf")),), 0),
        Point("m", (), (("f", 2**63),), 0),
        Point("m", (), (("f", Unsigned(2**64)),), 0),
    ],
)
def test_what_line_protocol_cannot_say_is_refused(bad):
    with pytest.raises(ValueError, match=r"cannot say|no fields|not finite|64 bits"):
        encode([bad])


def test_a_long_hostile_line_takes_linear_time():
    begun = time.perf_counter()
    for text in ("\\" * 200_000, 'm f="' + "\\" * 200_000, "m," + "a=b," * 50_000, 'm f="x' + '\nm f="x' * 3000):
        parse(text)
    assert time.perf_counter() - begun < 5


def test_the_write_path_imports_nothing_heavy():
    heavy = ("numpy", "pandas", "influxdb_client", "rich", "pyomo", "pynvml", "httpx")
    code = (
        "import sys, ingest.line_protocol, ingest.stores.embedded, ingest.quality, ingest.intake, ingest.spool;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"


PLAIN = st.text(st.sampled_from("ab=, -1.e+iu_T"), max_size=6)


@given(st.lists(st.tuples(st.sampled_from(["m", "m,t=a", "m,t=a,t=a", "m,"]), PLAIN, PLAIN), max_size=6))
@settings(deadline=None)
@example(rows=[("m", "1", "")])
def test_the_quick_way_says_what_the_whole_way_says(rows):
    lines = [f"{head} a={value} {time}" for head, value, time in rows]
    lines += [f"{head} a=1,{value},b=2i {time}" for head, value, time in rows]
    parse("m a=1,b=2i 3\nm,t=a a=1 3")  # known from now on
    for line in lines:
        [quick] = line_protocol._memory.read([line], 1)
        try:
            whole = line_protocol._line(line, 1, None)
        except line_protocol._Bad:
            whole = None
        assert quick in (line, whole), line


def test_plain_lines_are_read_the_quick_way():
    parse("gpu,gpu=a power_w=1.5,mig_enabled=0i 7")
    memory = line_protocol._memory
    [known, one] = memory.read(["gpu,gpu=a mig_enabled=1i,power_w=-2e3 9", "gpu,gpu=a power_w=.5 9"], 1000)
    assert known == Point("gpu", (("gpu", "a"),), (("mig_enabled", 1), ("power_w", -2000.0)), 9000)
    assert one == Point("gpu", (("gpu", "a"),), (("power_w", 0.5),), 9000)
    assert list(map(kind_of, dict(known.fields).values())) == ["i", "f"]
    odd = [
        "gpu,gpu=a power_w=1e999 7",
        "gpu,gpu=a power_w=1.5,power_w=2 7",
        "gpu,gpu=b power_w=1.5 7",
        "gpu,gpu=a power_w=nan 7",
        "gpu,gpu=a power_w=1_0 7",
        "gpu,gpu=a power_w=+1 7",
        f"gpu,gpu=a mig_enabled={'0' * 30}1i 7",
        f"gpu,gpu=a power_w=1 {'0' * 30}1",
        "gpu,gpu=a power_w=1 9223372036854775808",
        "gpu,gpu=a power_w=1",
        "",
    ]
    assert memory.read(odd, 1) == odd


def test_good_and_odd_lines_together_keep_their_order_and_their_numbers():
    parse("gpu,gpu=a power_w=1.5 7")
    points, rejects = parse("gpu,gpu=a power_w=1 1\r\n\n# gpu\ngpu,gpu=a power_w=x 2\ngpu,gpu=a power_w=3 3\n\n")
    assert [p.time_ns for p in points] == [1, 3]
    assert [(r.line, r.column, r.code) for r in rejects] == [(4, 19, "value")]


@pytest.mark.parametrize("before", ["", "m a=1 5\n", "m a=1 9999999999999999999\n"])
def test_a_line_that_ends_in_a_space_has_no_timestamp(before):
    parse("m a=1 3")  # known from now on
    points, rejects = parse(before + "m a=1 ")
    assert [point.time_ns for point in points] == ([5] if " 5" in before else [])
    assert [reject.code for reject in rejects][-1] == "no_timestamp"
    points, _ = parse(before + "m a=1 ", now=EPOCH + timedelta(microseconds=7))
    assert points[-1].time_ns == 7000
