"""Means that a planner takes, from every store: of what may be believed, while the values stay as they came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.good_means import good_means
from ingest.intake import Intake
from ingest.points import point, to_ns
from ingest.quarantine import Which, release
from models.errors import NotFound

START = datetime(2026, 6, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITE = {"site": "dakhla"}


class Clock:
    def now(self):
        return START + 4 * HOUR

    def monotonic(self):
        return 0.0


def metered(store, values, step=timedelta(minutes=15), metric="pv_mw"):
    """Readings from the start on, through the gate."""
    at = [to_ns(START + k * step) for k in range(len(values))]
    rows = [point("site", SITE, {metric: float(value)}, time_ns) for value, time_ns in zip(values, at, strict=True)]
    Intake(store, Clock()).accept(rows)


def means(store, hours=4, metric="site.pv_mw"):
    return good_means(store, metric, SITE, START, START + hours * HOUR, HOUR)


def test_a_spike_does_not_move_its_hour_and_an_hour_of_nothing_else_is_missing(store):
    metered(store, [6.0, 6.2, 6.4, 9000.0, *[9000.0] * 4, 5.0, -2.0, 5.2, 5.4, 4.0, 4.1, 4.2, 4.3])
    found = means(store)
    assert found.values.tolist() == pytest.approx([6.2, float("nan"), 5.2, 4.15], nan_ok=True)
    assert found.source.endswith("6 value(s) flagged BAD left out")
    raw = store.query("site.pv_mw", SITE, START, START + 4 * HOUR, HOUR)
    assert raw.values[1] == 9000.0, "what came stays as it came"


def test_where_nothing_is_bad_the_means_are_the_stores_own(store):
    metered(store, [6.0, 6.2, 6.4, 6.6] * 4)
    own = store.query("site.pv_mw", SITE, START, START + 4 * HOUR, HOUR)
    assert np.array_equal(means(store).values, own.values)
    assert means(store).source == own.source
    with pytest.raises(NotFound):
        means(store, metric="site.wind_mw")


def test_a_meter_that_hangs_leaves_hours_that_are_missing(store):
    moving = 5.0 + np.sin(np.arange(60))  # a reading a minute
    metered(store, [*moving, *[moving[-1]] * 120], timedelta(minutes=1))
    found = means(store, 3)
    assert found.values[0] == pytest.approx(moving.mean())
    assert found.values[1] == pytest.approx(moving[-1]), "the first repeats could be true"
    assert np.isnan(found.values[2])


def test_a_value_that_was_released_counts_again(store):
    metered(store, [6.0, 6.0, 6.0, 9000.0])
    assert means(store, 1).values[0] == 6.0
    which = Which(START, START + HOUR, "site.pv_mw", SITE)
    assert release(store, which, "operator", START, "two plants on one meter") == 1
    assert means(store, 1).values[0] == pytest.approx((18 + 9000) / 4)
