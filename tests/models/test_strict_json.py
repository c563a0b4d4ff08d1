"""The strict reader: what the standard one lets through, with the pointer of the place."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import Fault, InvalidInput
from models.strict_json import MAX_DEPTH, loads, pointer


def faults(text: bytes | str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        loads(text, "the letter")
    assert refused.value.what == "the letter"
    assert all(isinstance(fault, Fault) and fault.message for fault in refused.value.faults)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


@given(VALUES, st.booleans())
def test_good_json_is_read_as_ever(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert loads(text) == value
    assert loads(text.encode("utf-8", "surrogatepass") if ascii_only else text) == value


@given(st.lists(st.text(max_size=6), min_size=1, max_size=5))
def test_a_pointer_finds_its_place(keys: list[str]) -> None:
    text = "NaN"
    for key in reversed(keys):
        text = "{" + json.dumps(key) + ": " + text + "}"
    assert faults(text) == [(pointer(*keys), "not_finite")]
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer(*keys).split("/")[1:]]
    assert steps == keys


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e400", "1" + "0" * 500])
@pytest.mark.parametrize(
    ("text", "place"), [("%s", ""), ("[1, %s]", "/1"), ('{"a": {"b": [%s]}}', "/a/b/0"), ('{"~/": %s}', "/~0~1")]
)
def test_numbers_are_finite(number: str, text: str, place: str) -> None:
    assert faults(text % number) == [(place, "not_finite")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e308", 1e308),
        ("-0.0", 0.0),
        ("5e-324", 5e-324),
        ("1e-999", 0.0),
        ("9007199254740993", 9007199254740993),
        ("1" + "0" * 300, 10**300),
    ],
)
def test_numbers_at_the_edge_are_taken(text: str, value: float) -> None:
    assert loads(text) == value


def test_a_number_of_a_million_digits_takes_no_time() -> None:
    assert faults("1" * 1_000_000) == [("", "not_finite")]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"a": 1, "a": 1}', ["/a"]),
        ('{"a": 1, "a": 2, "a": 3}', ["/a"]),
        ('{"b": 0, "a": 1, "b": 2, "a": 3}', ["/a", "/b"]),
        ('[{"a": {"c": 1, "c": 2}}]', ["/0/a/c"]),
        ('{"": 1, "": 2}', ["/"]),
        ('{"a": 1, "\\u0061": 2}', ["/a"]),
        ('{"a": [], "a": {"x": NaN}}', ["/a", "/a/x"]),
    ],
)
def test_no_key_stands_twice(text: str, places: list[str]) -> None:
    assert [place for place, _ in faults(text)] == places


def test_keys_that_differ_in_case_differ() -> None:
    assert loads('{"a": 1, "A": 2}') == {"a": 1, "A": 2}


def test_everything_is_told_at_once_in_order() -> None:
    assert faults('{"z": NaN, "a": [1e999, {"k": 1, "k": 2}]}') == [
        ("/a/0", "not_finite"),
        ("/a/1/k", "duplicate_key"),
        ("/z", "not_finite"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6"),
        ("{'a': 1}", "line 1"),
        ('{"a": 1,}', "line 1"),
        ("[1, 2", "line 1"),
        ('"a\nb"', "line 1"),
        ("01", "line 1"),
        ("1 2", "line 1"),
        ("// comment", "line 1"),
        ("\ufeff{}", "line 1"),
    ],
)
def test_what_is_no_json_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        loads(text)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("", "not_json")]


def test_bytes_are_utf_8() -> None:
    assert loads('"é"'.encode()) == "é"
    assert faults('"é"'.encode("latin-1")) == [("", "not_utf8")]
    assert faults('"é"'.encode("utf-16")) == [("", "not_utf8")]


def nested(depth: int, inside: str = "1") -> str:
    return "[" * depth + inside + "]" * depth


def test_depth_has_a_limit() -> None:
    value = loads(nested(MAX_DEPTH))
    for _ in range(MAX_DEPTH):
        (value,) = value
    assert value == 1
    assert [code for _, code in faults(nested(MAX_DEPTH + 2))] == ["too_deep"]
    assert [code for _, code in faults(nested(200_000))] == ["too_deep"]
    assert [code for _, code in faults('{"a":' * 100_000)] == ["too_deep"]


def test_the_standard_reader_lets_this_through() -> None:
    # what the strict reader is for; where this fails, it may go
    assert math.isnan(json.loads("NaN"))
    assert math.isinf(json.loads("1e999"))
    assert json.loads('{"a": 1, "a": 2}') == {"a": 2}
