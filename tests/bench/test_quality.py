"""A small sample of ``bench.quality``: fixed seed, an hour and a half of simulated time, the goals of the full run."""

from __future__ import annotations

import pytest

from bench import quality
from models.horizon import use_packaged_time_zones


@pytest.fixture(scope="module")
def tallies():
    use_packaged_time_zones()
    return quality.measure(3, 1.0, 80.0), quality.measure(4, 0.5, 0.0)


def test_faults_are_seen_and_good_readings_left_alone(tallies):
    faulty, clean = tallies
    assert sum(faulty.events.values()) >= 30
    assert len(faulty.events) >= 10
    assert faulty.recall >= quality.RECALL_WANTED
    assert faulty.false_share <= quality.FALSE_WANTED
    assert clean.false_share <= quality.FALSE_WANTED
    assert clean.clean > 25_000


def test_the_report_says_each_kind_and_both_goals(tallies):
    lines = list(quality.report(*tallies))
    assert any(line.startswith("| stuck |") for line in lines)
    assert any("goal: at least 95%" in line for line in lines)
    assert any("goal: at most 0.5%" in line for line in lines)
