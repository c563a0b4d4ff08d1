"""Days on which the local clock moves, for summer time and for Ramadan: a load that follows it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from models.forecast.learned import LEVELS
from models.forecast.load import load_features, rolling_load
from models.horizon import use_packaged_time_zones
from models.series import Series

use_packaged_time_zones()
HOUR = timedelta(hours=1)
DAYS = 90
pytestmark = pytest.mark.usefixtures("few_trees")


def local_load(begin: datetime, zone: ZoneInfo) -> Series:
    """More from 8 to 18 by the local clock, and luck."""
    hours = [(begin + k * HOUR).astimezone(zone).hour for k in range(DAYS * 24)]
    busy = np.array([1.0 if 8 <= hour < 18 else 0.0 for hour in hours])
    return Series(begin, HOUR, 2.0 + busy + 0.03 * np.random.default_rng(1).standard_normal(len(busy)), "MW")


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("Africa/Casablanca", "2026-02-15"),  # Ramadan begins: an hour back
        ("Africa/Casablanca", "2026-03-22"),  # and ends: an hour forward
        ("Europe/Amsterdam", "2026-03-29"),
        ("Europe/Amsterdam", "2026-10-25"),
    ],
)
def test_a_clock_that_moves_costs_the_hours_of_the_lead_and_no_more(zone, changes):
    place = ZoneInfo(zone)
    day = datetime.fromisoformat(changes).replace(tzinfo=UTC)
    assert (day - timedelta(days=1)).astimezone(place).utcoffset() != (day + timedelta(days=1)).astimezone(
        place
    ).utcoffset(), "the zone's clock moves here"
    begin = day - timedelta(days=78)
    load = local_load(begin, place)
    first = 70 * 24
    said = rolling_load(load, 24, place, LEVELS, first).quantiles
    assert np.isfinite(said).all()
    assert (np.diff(said, axis=1) >= 0).all()
    error = np.abs(said[:, int(np.argmin(np.abs(LEVELS - 0.5)))] - load.values[first:]).reshape(-1, 24).mean(axis=1)
    before, after = error[:8], error[10:]
    assert after.mean() < 1.5 * before.mean() + 0.01, error.round(3)


def test_features_tell_the_local_hour_on_both_sides_of_a_change():
    place = ZoneInfo("Africa/Casablanca")
    begin = datetime(2026, 2, 1, tzinfo=UTC)
    made = load_features(Series(begin, HOUR, np.arange(28.0 * 24), "MW"), 24, place).changes
    column = [made.values[:, made.names.index(f"hour_{h}")] for h in range(24)]
    told = np.argmax(column, axis=0)[: 28 * 24]
    local = [(begin + k * HOUR).astimezone(place).hour for k in range(28 * 24)]
    assert told.tolist() == local
    assert np.bincount(told).tolist() != [28] * 24, "one hour of that month stands twice"
