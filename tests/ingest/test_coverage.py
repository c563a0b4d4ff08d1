"""What is enough to plan on: pools by their meter or their GPUs, and cooling sensors that can be believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.coverage import Doubtful, coverage
from ingest.intake import Intake
from ingest.points import canonical, point, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models.horizon import use_packaged_time_zones

use_packaged_time_zones()
SITE = read_site(sample_path("local"))  # one pool of 96 GPUs
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
POOL = {"site": "local", "pool": "hall"}
HALL = {"site": "local", "asset": "hall"}


class Clock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


def kept(*rows):
    store = MemoryStore()
    intake = Intake(store, Clock())
    for measurement, tags, fields, minutes in rows:
        intake.accept([point(measurement, tags, fields, to_ns(NOW - timedelta(minutes=minutes)))])
    return store


def gpus(count, minutes=1.0):
    return [("gpu", {**POOL, "node": f"n{k // 8}", "gpu": str(k)}, {"power_w": 400.0}, minutes) for k in range(count)]


def test_what_was_never_measured_is_not_missed():
    found = coverage(MemoryStore(), SITE, NOW)
    assert (found.pools, found.doubtful, found.enough) == ({}, (), True)


@pytest.mark.parametrize(
    ("rows", "share"),
    [
        ([("pool", POOL, {"power_mw": 0.07}, 1)], 1.0),
        ([("pool", POOL, {"power_mw": 0.07}, 30)], 0.0),  # its meter has stopped
        ([("pool", POOL, {"power_mw": -3.0}, 1)], 0.0),  # below zero: flagged
        ([("pool", POOL, {"power_mw": 0.07}, 30), *gpus(96)], 1.0),
        (gpus(48), 0.5),
        ([*gpus(96, 30), *gpus(72)], 0.75),
        ([("pool", POOL, {"power_mw": 0.07}, 60 * 30)], None),  # the day before yesterday
    ],
)
def test_a_pool_is_covered_by_its_meter_or_by_its_gpus(rows, share):
    found = coverage(kept(*rows), SITE, NOW)
    assert found.pools.get("hall") == share
    assert found.enough == (share is None or share >= 0.8)


def test_a_cooling_sensor_that_is_bad_or_silent_for_minutes_is_doubtful():
    silent = coverage(kept(("crah", HALL, {"supply_c": 22.0}, 6)), SITE, NOW)
    assert silent.doubtful == (Doubtful("crah.supply_c", canonical(HALL), "silent"),)
    assert not silent.enough
    bad = kept(*(("crah", HALL, {"supply_c": 90.0 + m}, m) for m in (4, 3, 2, 1)))
    assert coverage(bad, SITE, NOW).doubtful[0].why == "range"
    again = kept(*(("crah", HALL, {"supply_c": value}, m) for value, m in ((90.0, 4), (22.0, 3), (91.0, 1))))
    assert coverage(again, SITE, NOW).enough  # a good one within five minutes
