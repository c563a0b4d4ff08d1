"""What forecasts take for measured: nothing that the quality gate flagged BAD."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from api.expected_load import BASE, expected_loads
from api.gathering import horizon_at
from api.knowledge import Knowledge
from ingest.intake import Intake
from ingest.points import point, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models.forecast.site import PV, WIND
from models.horizon import parse_rfc3339, rfc3339

NOW = parse_rfc3339("2026-06-01T06:20:00Z")
HOUR = timedelta(hours=1)


class Clock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


@pytest.fixture
def knowledge(tmp_path):
    """Readings every 20 minutes of three hours: sun with a reading in kW, wind in its last hour nothing but wrong."""
    store = MemoryStore()
    intake = Intake(store, Clock())
    sun = [6.0, 6.0, 6.0, 6.0, 6000.0, 6.0, 6.0, 6.0, 6.0]
    wind = [3.0] * 6 + [-3.0] * 3
    for k, both in enumerate(zip(sun, wind, strict=True)):
        at = NOW.replace(minute=0) - 3 * HOUR + k * timedelta(minutes=20)
        fields = dict(zip(("pv_mw", "wind_mw"), both, strict=True))
        intake.accept([point("site", {"site": "dakhla"}, fields, to_ns(at))])
    return Knowledge(tmp_path, "dakhla", store)


def test_what_plants_gave_is_taken_from_values_that_may_be_believed(knowledge):
    assert knowledge.measured(PV, NOW, 1).values[-3:].tolist() == [6.0, 6.0, 6.0]
    assert knowledge.measured(WIND, NOW, 1).values[-3:].tolist() == pytest.approx([3.0, 3.0, float("nan")], nan_ok=True)


@pytest.mark.usefixtures("few_trees")
def test_a_load_meter_that_is_not_believed_is_said_with_the_age_of_what_is(tmp_path):
    store = MemoryStore()
    intake = Intake(store, Clock())
    site = read_site(sample_path("dakhla"))
    hours = 24 * 60
    first = NOW.replace(minute=0) - hours * HOUR
    for k, value in enumerate(3.0 + 0.5 * np.sin(np.arange(hours))):
        wrong = k >= hours - 5
        fields = {"base_load_mw": -1.0 if wrong else float(value)}
        intake.accept([point("site", {"site": site.name}, fields, to_ns(first + k * HOUR))])
    found = expected_loads(site, horizon_at(site, NOW), NOW, Knowledge(tmp_path, site.name, store)).by_name[BASE]
    assert found.mw is not None
    assert all(2.5 <= value <= 3.5 for value in found.mw), "from what may be believed"
    assert found.told["known_since"] == rfc3339(NOW.replace(minute=0) - 5 * HOUR)
    assert found.told["kind"] in {"learned", "usual"}
    assert found.told["not_learned"] or found.told["reason"].startswith("5 of the newest 48 hours of its meter")
