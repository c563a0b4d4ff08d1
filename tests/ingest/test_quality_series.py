"""A series' own past: jumps, hanging readings, units and clocks; and what things that belong together say."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from ingest import quality
from ingest.points import NS, point, to_ns
from ingest.quality import Gate
from ingest.quality_limits import limits_of
from ingest.quality_words import WORDS, fits_curves, state_of
from ingest.site_file import read_site, sample_path
from models.horizon import use_packaged_time_zones

use_packaged_time_zones()
T = to_ns(datetime(2026, 6, 1, 12, tzinfo=UTC))
ROOM = {"site": "s", "asset": "hall"}


def told(gate, metric, tags, values, step_s=10.0, start=T):
    """Flags of one value after the other, each in a batch of its own that arrives at once."""
    measurement, _, field = metric.partition(".")
    found = []
    for k, value in enumerate(values):
        at = start + round(k * step_s * NS)
        judged = gate.judge([point(measurement, tags, {field: value}, at)], at)
        found.append(",".join(word for finding in judged.findings for word in finding.flags))
    return found


@pytest.mark.parametrize(
    ("metric", "values", "flags"),
    [
        # A room may rise by 4 K at once and 0.2 K/s: 6 K in ten seconds, and no more.
        ("crah.supply_c", [22.0, 28.0, 28.1], ["", "", ""]),
        ("crah.supply_c", [22.0, 28.2, 22.1], ["", "rate", ""]),
        # 22 degC are 71.6 degF (beyond the range here), 10 degC are 50 degF (inside it).
        ("crah.supply_c", [22.0, 71.6], ["", "range"]),
        ("chiller.supply_c", [10.0, 50.0, 50.4, 10.2], ["", "unit_suspect", "unit_suspect", ""]),
        # A board that jumps is a job that starts; one that jumps by a thousand is another unit, until it is back.
        ("node.power_w", [4000.0, 9000.0, 900.0], ["", "", ""]),
        ("node.power_w", [4000.0, 4.0, 6.0, 5000.0], ["", "unit_suspect", "unit_suspect", ""]),
        ("pool.power_mw", [4.0, 4000.0, 4.1], ["", "unit_suspect", ""]),
        # Near nothing a thousandth says nothing: a battery that begins to charge.
        ("battery.charge_mw", [0.006, 6.0], ["", ""]),
    ],
)
def test_jumps_are_judged_by_what_the_quantity_can_do(metric, values, flags):
    assert told(Gate(), metric, ROOM, values) == flags


def test_a_slow_change_is_never_a_jump_and_a_level_that_holds_is_believed():
    assert set(told(Gate(), "crah.supply_c", ROOM, [22 + 0.1 * k for k in range(100)])) == {""}
    flags = told(Gate(), "crah.supply_c", ROOM, [22.0] + [34.0 + 0.1 * (k % 3) for k in range(20)])
    assert flags[1] == "rate"
    assert flags[5:] == [""] * 16  # after 40 s and more, 12 K are possible


def jitter(seed, level, count):
    dice = random.Random(seed)
    return [round(level * (1 + dice.gauss(0, 0.005)), 3) for _ in range(count)]


def test_a_reading_that_hangs_is_seen_after_six_repeats_if_its_peers_move():
    gate = Gate()
    mine, peer = {"site": "s", "pool": "a"}, {"site": "s", "pool": "b"}
    hanging = [*jitter(1, 40.0, 40), *[41.5] * 10]
    moving = jitter(2, 30.0, 50)
    flags = []
    for k, (a, b) in enumerate(zip(hanging, moving, strict=True)):
        at = T + k * 10 * NS
        batch = [point("pool", mine, {"power_mw": a}, at), point("pool", peer, {"power_mw": b}, at)]
        flags.append([f.flags for f in gate.judge(batch, at).findings])
    assert flags[:46] == [[]] * 46
    assert flags[46:] == [[("stuck",)]] * 4


def test_when_all_peers_stand_still_nothing_hangs():
    gate = Gate()
    for pool in ("a", "b"):
        told(gate, "pool.power_mw", {"site": "s", "pool": pool}, jitter(pool, 30.0, 40))
    assert told(gate, "pool.power_mw", {"site": "s", "pool": "a"}, [31.0] * 20, start=T + 3600 * NS)[6:] == [""] * 14


def test_what_repeats_by_nature_does_not_hang():
    values = [float(20 + (k // 15) % 2) for k in range(600)]  # a coarse sensor: 14 repeats of 15
    assert set(told(Gate(), "crah.supply_c", ROOM, values)) == {""}
    assert set(told(Gate(), "gpu.limit_w", {"site": "s", "gpu": "g"}, [700.0] * 100)) == {""}
    assert set(told(Gate(), "site.pv_mw", {"site": "s"}, [*jitter(1, 9.0, 40), *[0.0] * 100])) == {""}


def test_a_clock_that_goes_back_is_told_and_comes_home():
    gate = Gate()
    tags = {"site": "s", "pool": "a"}
    told(gate, "pool.power_mw", tags, [4.0, 4.1, 4.2])
    back = point("pool", tags, {"power_mw": 4.3}, T - 100 * NS)
    assert [f.flags for f in gate.judge([back], T + 30 * NS).findings] == [("time_travel",)]
    assert told(gate, "pool.power_mw", tags, [4.2], start=T + 40 * NS) == [""]


def test_a_reading_from_the_future_does_not_turn_the_present_into_the_past():
    gate = Gate()
    tags = {"site": "s", "pool": "a"}
    ahead = point("pool", tags, {"power_mw": 4.3}, T + 600 * NS)
    assert [f.flags for f in gate.judge([ahead], T).findings] == [("future",)]
    assert told(gate, "pool.power_mw", tags, [4.2], start=T + 10 * NS) == [""]


def test_what_has_stopped_is_missing():
    gate = Gate()
    tags = {"site": "s", "pool": "a"}
    told(gate, "pool.power_mw", tags, [4.0, 4.1, 4.2], step_s=30)
    assert gate.silent(T + (60 + 150) * NS) == []
    [silence] = gate.silent(T + (60 + 151) * NS)
    assert (silence.metric, dict(silence.tags), silence.age_s) == ("pool.power_mw", tags, 151.0)


def test_a_meter_that_shows_less_than_its_parts_is_told_the_second_time():
    gate = Gate()
    node = {"site": "s", "node": "n1"}

    def minute(k, meter_w):
        at = T + k * 10 * NS
        gpus = [point("gpu", {**node, "gpu": str(g)}, {"power_w": 600.0 + k}, at) for g in range(8)]
        judged = gate.judge([*gpus, point("node", node, {"power_w": meter_w}, at)], at)
        return [(f.metric, f.flags) for f in judged.findings]

    # Eight times 600 W and a host of 1,600 W: 6,400 W. Below 4,800 W a meter cannot be.
    assert [minute(k, 6400.0) for k in range(3)] == [[]] * 3
    assert [minute(k, 4500.0) for k in (3, 4)] == [[], [("node.power_w", ("cross_check",))]]
    assert minute(5, 6400.0) == []


def test_pools_must_make_the_site():
    gate = Gate()

    def sweep(k, total):
        at = T + k * 10 * NS
        pools = [point("pool", {"site": "s", "pool": p}, {"power_mw": 4.0 + 0.01 * k}, at) for p in "ab"]
        judged = gate.judge([*pools, point("site", {"site": "s"}, {"it_mw": total}, at)], at)
        return [f.flags for f in judged.findings]

    assert [sweep(k, total) for k, total in enumerate([8.0, 8.3, 8.6, 8.7])] == [[], [], [], [("cross_check",)]]


def test_a_battery_that_gains_while_it_says_it_gives_has_its_sign_wrong():
    gate = Gate()
    tags = {"site": "s", "asset": "b"}
    flags = []
    for k in range(60):  # 6 MW of charging: 1 MWh in ten minutes; its sensor says -6
        at = T + k * 10 * NS
        fields = {"power_mw": -6.0 - 0.01 * (k % 3), "soc_mwh": round(20.0 + k * 6 / 360, 3)}
        flags.append([f.flags for f in gate.judge([point("battery", tags, fields, at)], at).findings])
    assert flags[10] == []
    assert flags[40] == [("sign_flip",)]


def test_a_state_of_charge_that_stands_while_power_flows_hangs():
    gate = Gate()
    tags = {"site": "s", "asset": "b"}
    flags = []
    for k in range(60):
        at = T + k * 10 * NS
        batch = [point("battery", tags, {"power_mw": 6.0 + 0.01 * (k % 3), "soc_mwh": 20.0}, at)]
        flags.append([(f.metric, f.flags) for f in gate.judge(batch, at).findings])
    assert flags[3] == []
    assert flags[30] == [("battery.soc_mwh", ("stuck",))]


def test_a_meter_that_counts_imports_and_shows_exports_has_its_sign_wrong():
    gate = Gate()
    tags = {"site": "s", "asset": "grid"}
    found = []
    for k in range(6):
        at = T + k * 10 * NS
        fields = {"import_mwh": 100.0 + k * 12 / 360, "export_mwh": 7.0, "power_mw": -12.0 - 0.01 * k}
        found.append([f.flags for f in gate.judge([point("meter", tags, fields, at)], at).findings])
    assert found[-1] == [("sign_flip",)]


@pytest.mark.parametrize(
    ("busy", "capped", "watts", "flags"),
    [
        (0.98, 0, 280.0, "starved"),  # 700 W allowed, nothing holds it, and it draws 280
        (0.98, 1, 280.0, ""),  # the cap holds it: evidence for the curve
        (0.40, 0, 280.0, ""),  # it is simply not at work
        (0.98, 0, 430.0, ""),
    ],
)
def test_a_gpu_that_waits_for_data_is_no_evidence_for_a_curve(busy, capped, watts, flags):
    gate = Gate()
    tags = {"site": "s", "node": "n", "gpu": "g"}
    fields = {"utilization_ratio": busy, "limit_enforced_w": 700.0, "throttle_power_cap": capped, "power_w": watts}
    judged = gate.judge([point("gpu", tags, fields, T)], T)
    assert ",".join(w for f in judged.findings for w in f.flags) == flags
    assert fits_curves(w for f in judged.findings for w in f.flags) == (not flags)


def test_the_site_file_narrows_what_is_possible():
    site = read_site(sample_path("dakhla"))
    gate = Gate(limits_of(site))
    here = {"site": "dakhla"}
    assert told(gate, "site.pv_mw", here, [21.0, 22.5]) == ["", "range"]  # inverters of 21 MW and 5 %
    assert told(gate, "battery.soc_mwh", {**here, "asset": "bess-1"}, [40.0, 42.5]) == ["", "range"]
    assert told(gate, "gpu.power_w", {**here, "node": "n", "gpu": "g", "pool": "h100-a"}, [870.0, 880.0]) == [
        "",
        "range",
    ]
    assert told(gate, "gpu.power_w", {**here, "node": "n", "gpu": "h"}, [1200.0]) == [""]  # it may be a B200
    assert told(Gate(), "site.pv_mw", here, [22.5]) == [""]


def test_every_word_has_a_state_and_unknown_ones_are_bad():
    assert state_of(()) == "OK"
    assert state_of(("late",)) == "OK"
    assert state_of(("nan_inf",)) == "MISSING"
    assert state_of(("late", "range")) == state_of(("unheard",)) == "BAD"
    assert not fits_curves(("starved",))
    assert fits_curves(("counter_reset",))
    assert all(word.about for word in WORDS.values())


def test_what_a_gate_remembers_is_bounded(monkeypatch):
    monkeypatch.setattr(quality, "_SERIES_KEPT", 3)
    gate = Gate()
    for pool in "abcde":
        told(gate, "pool.power_mw", {"site": "s", "pool": pool}, [4.0, 4.1], step_s=1)
    silent = gate.silent(T + 3600 * NS)
    assert [dict(one.tags)["pool"] for one in silent] == ["c", "d", "e"]
