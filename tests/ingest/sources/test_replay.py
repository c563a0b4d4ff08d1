"""A replay brings what was recorded, once, in order, at its own instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.collector import Collector
from ingest.errors import StoreUnavailable
from ingest.points import point, to_ns
from ingest.sources.replay import ReplaySource
from ingest.stores.memory import MemoryStore

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def recorded():
    store = MemoryStore()
    for k in range(60):
        at = to_ns(START + timedelta(seconds=30 * k))
        store.write(
            [
                point("site", {"site": "s"}, {"import_mw": float(k)}, at),
                point("gpu", {"site": "s", "gpu": "a"}, {"power_w": 300.0 + k, "throttle_power_cap": k % 2}, at),
                point("plan", {"site": "s"}, {"import_mw": 9.0}, at),
                point("quality", {"site": "s", "metric": "site.import_mw"}, {"flags": "range"}, at),
                point("cpu", {"host": "h"}, {"usage": 3.0}, at),
            ]
        )
    return store


def test_every_point_comes_once_and_as_it_was():
    replay = ReplaySource(recorded(), START)
    points = []
    for seconds in (0, 10, 95, 95, 400, 1800, 1800, 4000):
        points += replay.poll(START + timedelta(seconds=seconds))
    assert [p.time_ns for p in points] == sorted(p.time_ns for p in points)
    imports = [dict(p.fields)["import_mw"] for p in points if p.measurement == "site"]
    assert imports == [float(k) for k in range(60)]
    assert [dict(p.fields).get("throttle_power_cap") for p in points if "throttle" in p.fields[0][0]] == [0, 1] * 30
    assert {p.measurement for p in points} == {"site", "gpu"}


def test_a_clock_far_ahead_is_followed_in_pieces():
    replay = ReplaySource(recorded(), START)
    assert len({p.time_ns for p in replay.poll(START + timedelta(hours=9))}) == 20  # ten minutes
    assert len({p.time_ns for p in replay.poll(START + timedelta(hours=9))}) == 20


def test_what_could_not_be_read_is_asked_for_again():
    store = recorded()
    replay, raw = ReplaySource(store, START), store.raw

    def down(*_):
        raise StoreUnavailable("record", "is away")

    store.raw = down
    with pytest.raises(StoreUnavailable):
        replay.poll(START + timedelta(seconds=60))
    store.raw = raw
    assert len({p.time_ns for p in replay.poll(START + timedelta(seconds=60))}) == 2


def test_a_collector_with_a_clock_of_its_own_makes_a_day_of_a_minute():
    class Fast:
        seconds = 0.0

        def now(self):
            return START + timedelta(seconds=60 * self.seconds)

        def monotonic(self):
            return self.seconds

    clock, kept = Fast(), MemoryStore()
    collector = Collector([ReplaySource(recorded(), START)], kept, clock)
    for second in range(32):
        clock.seconds = float(second)
        collector.poll_due()
    assert len(kept.raw("site.import_mw", {}, START, START + timedelta(hours=1))) == 60
    assert kept.latest("quality.flags", {}) == []
