"""The simulated site as a source: it lives up to the present, follows its orders, and is as repeatable as its clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.catalogue import METRICS
from ingest.points import from_ns, to_ns
from ingest.site_file import read_site, sample_path
from ingest.sources.plant.source import PlantSource
from models.horizon import use_packaged_time_zones
from models.plant.orders import JobOrder, Orders
from models.plant.scenarios import SCENARIOS

use_packaged_time_zones()
SITE = read_site(sample_path("local"))
BEGAN = datetime(2026, 6, 1, 23, 50, tzinfo=UTC)
JOB = JobOrder("a", "hall", 64, "pretrain", 600.0)


def source(follow=lambda moment: Orders((JOB,)), scenario="calm", **more):
    return PlantSource(SITE, SCENARIOS[scenario], BEGAN, follow, **{"faults_per_hour": 0.0, **more})


def values(points, metric):
    measurement, _, field = metric.partition(".")
    return [dict(p.fields)[field] for p in points if p.measurement == measurement and field in dict(p.fields)]


def test_each_poll_brings_every_sweep_since_the_last_across_midnight():
    plant = source()
    first = plant.poll(BEGAN + timedelta(seconds=35))
    later = plant.poll(BEGAN + timedelta(minutes=20))
    times = sorted({p.time_ns for p in (*first, *later)})
    assert [from_ns(t) for t in times] == [BEGAN + timedelta(seconds=10 * (k + 1)) for k in range(120)]
    assert plant.poll(BEGAN + timedelta(minutes=20)) == []
    assert {f"{p.measurement}.{p.fields[0][0]}" for p in first} <= set(METRICS)


def test_two_plants_of_one_seed_say_the_same_however_often_they_are_asked():
    one, other = source(), source()
    often = [p for k in range(1, 7) for p in one.poll(BEGAN + timedelta(seconds=50 * k))]
    assert often == list(other.poll(BEGAN + timedelta(seconds=300)))
    assert often != list(source(seed=2).poll(BEGAN + timedelta(seconds=300)))


def test_orders_are_followed_from_the_instant_that_they_hold():
    start = BEGAN + timedelta(minutes=5)
    plant = source(lambda moment: Orders((JOB,)) if moment >= start else Orders())
    before = values(plant.poll(start), "site.it_mw")
    after = values(plant.poll(start + timedelta(minutes=5)), "site.it_mw")
    assert max(before) < 0.5 * min(after[1:])


def test_a_scenario_counts_from_the_begin():
    plant = source(scenario="grid-trip", sweep_s=60.0)
    points = [p for k in range(1, 9) for p in plant.poll(BEGAN + timedelta(minutes=10 * k))]
    imports = values(points, "site.import_mw")
    assert min(imports[:60]) > 0.0
    assert set(imports[61:75]) == {0.0}


def test_what_was_slept_through_is_left_out():
    plant = source(sweep_s=60.0)
    points = plant.poll(BEGAN + timedelta(hours=9))
    assert from_ns(min(p.time_ns for p in points)) > BEGAN + timedelta(hours=8)


def test_instruments_fail_now_and_then():
    ends = [BEGAN + timedelta(minutes=30 * k) for k in range(1, 7)]
    well, ill = source(sweep_s=60.0), source(sweep_s=60.0, faults_per_hour=40.0)
    good = [p for end in ends for p in well.poll(end)]
    odd = [p for end in ends for p in ill.poll(end)]
    calm = [p for p in odd if p.time_ns <= to_ns(BEGAN + timedelta(minutes=30))]
    assert calm == good[: len(calm)]
    assert len(set(good) - set(odd)) > 20


def test_sweeps_longer_than_the_rooms_bear_are_refused():
    with pytest.raises(ValueError, match="at most 60"):
        source(sweep_s=61.0)
