"""MQTT messages as points: topics, payloads of every form, and what is wrong with them. No broker is needed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from ingest.sources.mqtt.messages import Rows, Stale, matched
from models.checking import validated
from models.errors import InvalidInput
from models.telemetry import Mqtt, TopicRow

NOW = 1_795_586_700_000_000_000


def read(payload, topic="site1/bms/crah-1/supply", retained=False, **row):
    row = {"topic": "site1/bms/{asset}/supply", "metric": "crah.supply_c", "unit": "degC", **row}
    raw = payload if isinstance(payload, bytes) else str(payload).encode()
    return Rows([TopicRow(**row)], {"site": "d"}).points(topic, raw, NOW, retained=retained)


def value(payload, **row):
    points, bad = read(payload, **row)
    assert bad == []
    ((_, told),) = points[0].fields
    return told


def test_a_number_with_its_tag_from_the_topic():
    (point,), bad = read(" 21.5 \n")
    assert (point.measurement, point.tags, point.fields, point.time_ns) == (
        "crah",
        (("asset", "crah-1"), ("site", "d")),
        (("supply_c", 21.5),),
        NOW,
    )
    assert bad == []


@pytest.mark.parametrize(
    ("payload", "row", "told"),
    [
        ("70.7", {"unit": "degF"}, 21.5),
        ('{"value": 21.5}', {"format": "json"}, 21.5),
        ("21.5", {"format": "json"}, 21.5),
        ('{"a": {"b": [1, 21.5]}}', {"format": "json", "value": "a.b.1"}, 21.5),
        ('{"on": true}', {"format": "json", "value": "on", "metric": "chiller.running", "unit": ""}, 1),
        ('{"on": true}', {"format": "json", "value": "on", "metric": "other.on", "unit": ""}, True),
        ("1500", {"metric": "pdu.power_mw", "unit": "W"}, 0.0015),
    ],
)
def test_values_in_our_units(payload, row, told):
    assert value(payload, **row) == pytest.approx(told)


@pytest.mark.parametrize(
    ("told", "unit", "time_ns"),
    [
        ('"2026-11-25T06:05:00.25Z"', "rfc3339", NOW + 250_000_000),
        ("1795586700", "s", NOW),
        ("1795586700.25", "s", NOW + 250_000_000),
        ("1795586700123", "ms", NOW + 123_000_000),
        ("1795586700123456789", "ns", NOW + 123_456_789),
    ],
)
def test_times_of_the_message_itself(told, unit, time_ns):
    (point,), _ = read(f'{{"value": 1, "t": {told}}}', format="json", time="t", time_unit=unit)
    assert point.time_ns == time_ns


def test_line_protocol_keeps_its_own_tags_over_the_topics():
    rows = Rows([TopicRow(topic="t/{asset}", format="line_protocol", precision="s")], {"site": "d"})
    lines = b"pdu,asset=own power_mw=1 1795586700\npdu power_mw=2"
    points, bad = rows.points("t/a7", lines, NOW, retained=True)
    assert bad == []
    assert [(dict(p.tags), p.time_ns) for p in points] == [
        ({"asset": "own", "site": "d"}, NOW),
        ({"asset": "a7", "site": "d"}, NOW),
    ]


@pytest.mark.parametrize(
    ("payload", "row", "told"),
    [
        ("warm", {}, "the payload is no number"),
        ("", {}, "the payload is no number"),
        ("1_000", {}, "the payload is no number"),
        (b"\xff", {}, "the payload is not UTF-8"),
        ('{"value": 2', {"format": "json"}, "the payload is no JSON"),
        ("[" * 100_000, {"format": "json"}, "the payload is no JSON"),
        ('{"v": 2}', {"format": "json"}, "there is no 'value' in it"),
        ('{"value": "2"}', {"format": "json"}, "a str came where a number belongs"),
        ('{"value": null}', {"format": "json"}, "a NoneType came where a number belongs"),
        ('{"value": true}', {"format": "json"}, "true or false came where a number belongs"),
        (f'{{"value": {10**400}}}', {"format": "json"}, "the number is beyond the largest finite one"),
        ('{"value": 2, "t": 5}', {"format": "json", "time": "t"}, "its time is not in rfc3339"),
        ('{"value": 2, "t": "now"}', {"format": "json", "time": "t", "time_unit": "s"}, "its time is not in s"),
        ('{"value": 2, "t": 1e30}', {"format": "json", "time": "t", "time_unit": "s"}, "its time is not in s"),
        ('{"value": 2}', {"format": "json", "time": "t"}, "there is no 't' in it"),
    ],
)
def test_what_cannot_be_read_is_told_in_words_that_do_not_change(payload, row, told):
    assert read(payload, **row) == ([], [f"site1/bms/{{asset}}/supply: {told}"])


def test_a_retained_message_counts_only_with_a_time_of_its_own():
    with pytest.raises(Stale):
        read("21.5", retained=True)
    kept = json.dumps({"value": 21.5, "t": "2026-11-25T06:05:00Z"})
    assert read(kept, format="json", time="t", retained=True)[0][0].time_ns == NOW


def test_several_rows_of_one_topic_each_take_their_part():
    rows = [
        TopicRow(topic="cdu/{asset}", format="json", value="in", metric="cdu.supply_c"),
        TopicRow(topic="cdu/+", format="json", value="out", metric="cdu.return_c", tags={"asset": "x"}),
    ]
    made = Rows(rows, {})
    assert made.filters == ["cdu/+"]
    points, bad = made.points("cdu/7", b'{"in": 30, "out": "hot"}', NOW, retained=False)
    assert [(p.fields, p.tags) for p in points] == [((("supply_c", 30.0),), (("asset", "7"),))]
    assert bad == ["cdu/+: a str came where a number belongs"]


LEVEL = st.sampled_from(["a", "b", "", "$c", "+"])


TOPIC = st.lists(LEVEL.filter(lambda t: t != "+"), min_size=1, max_size=4)


@given(st.lists(LEVEL, min_size=1, max_size=4), st.booleans(), TOPIC)
def test_topics_match_as_in_the_clients_own_library(pattern, rest, topic):
    pattern = [*pattern, "#"] if rest else pattern
    if "/".join(pattern) and "/".join(topic):
        assert (matched(pattern, topic) is not None) == topic_matches_sub("/".join(pattern), "/".join(topic))


def test_topics_and_keys_that_do_not_go_together_are_refused_all_at_once():
    rows = [
        {"topic": "a/#/b", "metric": "a.b"},
        {"topic": "a/b#", "metric": "a.b"},
        {"topic": "a/x+", "metric": "a.b"},
        {"topic": "a/x{t}", "metric": "a.b"},
        {"topic": "{t}/{t}", "metric": "a.b"},
        {"topic": "a"},
        {"topic": "a", "metric": "a.b", "value": "v"},
        {"topic": "a", "metric": "a.b", "format": "line_protocol"},
    ]
    with pytest.raises(InvalidInput) as caught:
        validated(Mqtt, {"name": "m", "host": "h", "rows": rows, "username": "u", "ca_file": "c"}, "m")
    assert {fault.pointer for fault in caught.value.faults} == {
        *(f"rows[{k}].topic" for k in range(5)),
        "rows[5].metric",
        "rows[6].format",
        "rows[7].metric",
    }
    whole = {"name": "m", "host": "h", "rows": [{"topic": "a", "metric": "a.b"}]}
    with pytest.raises(InvalidInput) as caught:
        validated(Mqtt, {**whole, "username": "u", "ca_file": "c"}, "m")
    assert {fault.pointer for fault in caught.value.faults} == {"password_file", "ca_file"}
