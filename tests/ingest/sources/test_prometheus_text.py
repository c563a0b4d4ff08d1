"""The reader of exporters' pages, held against prometheus_client's on whatever hypothesis thinks up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ingest.sources.prometheus.text import Sample, labels_of, read

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True).map(lambda name: "m" + name)
LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,6}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n"\\{}, =#'), max_size=12),
    max_size=4,
)
VALUES = st.floats() | st.integers(-(2**63), 2**64).map(float)
TIMES = st.none() | st.integers(0, 2**44)


def escaped(text):
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def line_of(name, labels, value, time):
    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    shown = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else repr(value))
    return f"{name}{{{inside}}} {shown}" + ("" if time is None else f" {time}")


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, LABELS, VALUES, TIMES), max_size=8))
def test_it_reads_what_the_clients_own_parser_reads(rows):
    page = "".join(line_of(*row) + "\n" for row in rows)
    found, bad = read(page)
    theirs = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    assert bad == []
    assert [(s.name, labels_of(s.labels)) for s in found] == [(s.name, dict(s.labels)) for s in theirs]
    for ours, other in zip(found, theirs, strict=True):
        assert ours.value == other.value or (math.isnan(ours.value) and math.isnan(other.value))
    assert [s.time_ns for s in found] == [None if row[3] is None else row[3] * 1_000_000 for row in rows]


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, LABELS, VALUES, TIMES), max_size=8), st.data())
def test_asking_for_some_names_gives_just_those_lines(rows, data):
    page = "# HELP m some text\n# TYPE m gauge\n" + "".join(line_of(*row) + "\n" for row in rows)
    names = data.draw(st.sets(st.sampled_from(sorted({row[0] for row in rows}) or ["m"])))
    everything, _ = read(page)
    assert str(read(page, names)) == str(([s for s in everything if s.name in names], []))


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        ("a 1", Sample("a", "", 1.0, None)),
        ("  a\t1e3\t-5 ", Sample("a", "", 1000.0, -5_000_000)),
        ('a {b="c",} 2', Sample("a", 'b="c",', 2.0, None)),
        ('a{b="x} 5"} 3', Sample("a", 'b="x} 5"', 3.0, None)),
        ("a{} .5\r", Sample("a", "", 0.5, None)),
    ],
)
def test_spellings_that_the_format_allows(line, sample):
    assert read(line + "\n") == ([sample], [])
    assert read(line + "\n", {"a"}) == ([sample], [])


@pytest.mark.parametrize("line", ["a", "a one", 'a{b="c} 1', "a 1_000", "a ٣", "a 1 2 3", "a{b} 1 x", '{b="c"} 1'])
def test_a_line_that_cannot_be_read_is_told(line):
    found, bad = read(f"x 1\n{line}\n")
    assert [s.name for s in found] == ["x"]
    assert [(told.line, told.text) for told in bad] == [(2, line)]


def test_a_last_line_without_a_line_break_may_be_torn_and_is_not_believed():
    found, bad = read("a 1\na 4315", {"a"})
    assert [s.value for s in found] == [1.0]
    assert [(told.line, told.text) for told in bad] == [(2, "a 4315")]
    assert read("a 1\nb 4", {"a"})[1] == []


@pytest.mark.parametrize("text", ["b", 'b="c" d="e"', 'b="c",b="d"', 'b="c', '1b="c"', ',b="c"'])
def test_labels_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="label"):
        labels_of(text)


def test_openmetrics_says_seconds_and_may_carry_an_exemplar():
    page = 'a_total{b="c"} 5 1780315200.25 # {trace_id="x}"} 1 1780315200\n# EOF\n'
    assert read(page, {"a_total"}, time_unit="s")[0] == [Sample("a_total", 'b="c"', 5.0, 1_780_315_200_250_000_000)]
