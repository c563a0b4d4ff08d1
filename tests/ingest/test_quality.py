"""The gate flags what is odd, stores it all the same, and leaves clean data alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.catalogue import METRICS
from ingest.intake import Intake
from ingest.points import NS, point, to_ns
from ingest.quality import Gate
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.memory import MemoryStore

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
T = to_ns(NOW)
TAGS = {"site": "dakhla", "node": "n1", "gpu": "GPU-0"}


class Fixed:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


def flags(fields, time_ns=T, gate=None):
    return [found.flags for found in (gate or Gate()).judge([point("gpu", TAGS, fields, time_ns)], T).findings]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"power_w": 431.0}, []),
        ({"power_w": 0.431}, [("unit_suspect",)]),  # kW
        ({"power_w": 431_000.0}, [("range", "unit_suspect")]),  # mW, as NVML speaks
        ({"power_w": 0.0}, []),  # switched off
        ({"power_w": -5.0}, [("range",)]),
        ({"power_w": 5_001.0}, [("range",)]),
        ({"power_w": 5_000.0}, []),
        ({"temperature_c": 121.0}, [("range",)]),
        ({"power_w": float("nan")}, [("nan_inf",)]),
        ({"power_w": float("-inf"), "temperature_c": 20.0}, [("nan_inf",)]),
        ({"unheard_of": -1e9}, []),
        ({"mig_enabled": 2}, [("range",)]),
    ],
)
def test_values_are_judged_by_the_catalogue(fields, expected):
    assert flags(fields) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(60, []), (60.5, [("future",)]), (-86_400, []), (-86_401, [("late",)])],
)
def test_times_are_judged_by_our_clock(seconds, expected):
    assert flags({"power_w": 300.0}, T + int(seconds * NS)) == expected


def test_a_counter_may_only_rise_and_a_late_reading_is_no_reset():
    gate = Gate()
    readings = [(0, 100.0, []), (10, 150.0, []), (5, 120.0, []), (20, 3.0, [("counter_reset",)]), (30, 9.0, [])]
    for seconds, joules, expected in readings:
        assert flags({"energy_j": joules}, T + seconds * NS, gate) == expected


@given(st.lists(st.floats(20, 1500), min_size=1, max_size=30))
def test_clean_power_is_never_flagged_and_never_changed(watts):
    batch = [point("gpu", TAGS, {"power_w": w}, T - k * NS) for k, w in enumerate(watts)]
    judged = Gate().judge(batch, T)
    assert judged.findings == []
    assert judged.points == batch


@pytest.mark.parametrize("kind", ["memory", "embedded"])
def test_flagged_values_are_kept_raw_with_their_flags_beside_them(kind, tmp_path):
    store = MemoryStore() if kind == "memory" else EmbeddedStore(tmp_path / "t.sqlite")
    intake = Intake(store, Fixed())
    result = intake.accept([point("gpu", TAGS, {"power_w": 0.4, "temperature_c": float("inf"), "limit_w": 700.0}, T)])
    assert {found.metric: found.flags for found in result.findings} == {
        "gpu.power_w": ("unit_suspect",),
        "gpu.temperature_c": ("nan_inf",),
    }
    assert [s.value for s in store.latest("gpu.power_w", TAGS)] == [0.4]
    assert store.latest("gpu.temperature_c", TAGS) == []
    assert [s.value for s in store.latest("quality.flags", {"metric": "gpu.power_w"})] == ["unit_suspect"]
    assert [s.value for s in store.latest("quality.raw", {"metric": "gpu.temperature_c"})] == ["inf"]
    store.close()


def test_a_conflicting_value_is_flagged_and_keeps_its_other_flags():
    store = MemoryStore()
    intake = Intake(store, Fixed())
    old = T - 86_500 * NS
    intake.accept([point("gpu", TAGS, {"power_w": 300.0}, old)])
    result = intake.accept([point("gpu", TAGS, {"power_w": 310.0}, old)])
    assert [found.flags for found in result.findings] == [("late",), ("dup_conflict",)]
    [flag] = store.latest("quality.flags", {"metric": "gpu.power_w"})
    assert flag.value == "late,dup_conflict"
    assert [s.value for s in store.latest("quality.before", {})] == ["300.0"]


def test_refusals_point_into_the_batch_that_was_handed_in():
    intake = Intake(MemoryStore(), Fixed())
    intake.accept([point("gpu", TAGS, {"power_w": 300.0}, T)])
    batch = [
        point("gpu", TAGS, {"power_w": float("nan")}, T + NS),  # nothing of it is left to store
        point("gpu", TAGS, {"power_w": 301.0}, T + 2 * NS),
        point("gpu", TAGS, {"power_w": 302}, T + 3 * NS),
    ]
    assert [(r.index, r.code) for r in intake.accept(batch).refused] == [(2, "type_conflict")]


def test_the_catalogue_is_consistent():
    suffixes = {"W": "_w", "J": "_j", "MW": "_mw", "MWh": "_mwh", "degC": "_c", "MHz": "_mhz", "MiB": "_mib", "s": "_s"}
    suffixes |= {"Hz": "_hz", "m3/h": "_m3_h", "l/min": "_l_min", "kPa": "_kpa", "%": "_pct"}
    for name, metric in METRICS.items():
        assert name == metric.name
        assert metric.low < metric.high
        assert metric.tags[0] == "site"
        assert metric.unit == "1" or name.endswith(suffixes[metric.unit]), name
        assert metric.usual is None or metric.low <= metric.usual[0] < metric.usual[1] <= metric.high


def test_a_day_of_a_pool_makes_no_flag():
    start = to_ns(NOW - timedelta(hours=23))
    batch = [
        point("pool", {"site": "dakhla", "pool": "a"}, {"power_mw": 40.0 + k % 7}, start + k * 900 * NS)
        for k in range(92)
    ]
    assert Gate().judge(batch, T).findings == []
