"""Where a round's courses come from (an ensemble, past errors, or a reason for none), and what is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from api import planner
from api.commands.plan_tables import _scenarios as told_in_words
from api.courses import courses_for, pairs_of
from api.expected import Expected, expected
from api.gathering import first_memory, horizon_at
from api.planner import Task, cycle
from api.schemas import ScenariosView
from ingest.site_file import read_site, sample_path
from ingest.sources.outlook.forecast_history import synthetic_past
from ingest.sources.outlook.weather import history_for
from models.courses import Courses
from models.forecast.past import PastPairs
from models.forecast.site import PV, WIND
from models.horizon import parse_rfc3339, rfc3339
from models.jobs import TrainingJob
from models.site import Planning, Site, WeatherSource
from optimizer.document import Plan
from optimizer.weighed import Hedge, Weighed

NOW = parse_rfc3339("2026-06-01T06:20:00Z")
RISE_MW = np.full(12, 0.2)


@pytest.fixture(scope="module")
def site() -> Site:
    found = read_site(sample_path("dakhla"))
    planning = {"horizon_h": 6.0, "step_minutes": 30, "time_limit_s": 8.0, "scenarios": 8}
    return found.model_copy(update={"planning": found.planning.model_copy(update=planning)})


@pytest.fixture(scope="module")
def sky(site: Site) -> Expected:
    return expected(site, horizon_at(site, NOW), NOW, None, None)


def test_past_errors_give_courses_around_the_forecast_the_same_for_one_horizon(site: Site, sky: Expected) -> None:
    horizon = horizon_at(site, NOW)
    made = courses_for(site, horizon, NOW, sky, RISE_MW, None)
    assert isinstance(made, Courses)
    assert made.pv_mw.shape == made.wind_mw.shape == made.more_load_mw.shape == (8, 12)
    assert "past forecasts" in made.origin
    for name, drawn in ((PV, made.pv_mw), (WIND, made.wind_mw)):
        forecast = sky.forecast[name]  # type: ignore[literal-required]
        assert (drawn <= forecast.capacity_mw).all()
        assert ((drawn < forecast.p50).any(axis=0) | (forecast.p50 == 0)).all(), name
    again = courses_for(site, horizon, NOW, sky, RISE_MW, None)
    assert isinstance(again, Courses)
    assert again.to_json() == made.to_json()


def test_an_ensemble_gives_the_order(site: Site, sky: Expected) -> None:
    # Members whose wind is the forecast's times 0.5 to 1.5: the windiest one gives the windiest course in every hour.
    table = sky.tables[0]
    wind = "wind_speed_m_s"
    members = [
        replace(table, columns={**table.columns, wind: table[wind] * factor}) for factor in np.linspace(0.5, 1.5, 10)
    ]
    made = courses_for(site, horizon_at(site, NOW), NOW, replace(sky, tables=tuple(members)), RISE_MW, None)
    assert isinstance(made, Courses)
    assert made.origin == "8 members of the weather ensemble"
    assert (made.wind_mw[-1] >= made.wind_mw[0]).all()
    assert made.wind_mw[-1].sum() > made.wind_mw[0].sum()


def test_where_nothing_is_known_the_reason_is_said(site: Site, sky: Expected) -> None:
    horizon = horizon_at(site, NOW)
    real = site.model_copy(update={"weather": WeatherSource(kind="csv", path="weather.csv")})
    told = courses_for(real, horizon, NOW, sky, RISE_MW, None)
    assert told == "1 weather runs, at least 8 are needed; from past errors: nothing is kept here"
    bare = site.model_copy(update={"solar": (), "wind": ()})
    assert courses_for(bare, horizon, NOW, sky, RISE_MW, None) == "the site has neither sun nor wind"


def test_gathered_runs_and_meters_teach_what_made_up_history_does(site: Site) -> None:
    past = pairs_of(site, synthetic_past(site, NOW, 30))
    assert past.keys() == {PV, WIND}
    made_up = history_for(site, NOW)
    assert made_up is not None
    first = NOW.replace(hour=0, minute=0) - timedelta(days=1)
    for name in (PV, WIND):
        mine = (past[name].lead_h < 24) & (past[name].available_at > np.datetime64(first.replace(tzinfo=None)))
        known = (made_up[name].lead_h < 24) & (made_up[name].available_at > np.datetime64(first.replace(tzinfo=None)))
        assert mine.sum() == known.sum() == 24
        np.testing.assert_allclose(past[name].actual_mw[mine], made_up[name].actual_mw[known], atol=1e-6)
        np.testing.assert_allclose(past[name].forecast_mw[mine], made_up[name].forecast_mw[known], rtol=0.1)


def test_only_what_was_known_teaches(site: Site, sky: Expected, monkeypatch: pytest.MonkeyPatch) -> None:
    horizon = horizon_at(site, NOW)
    before = courses_for(site, horizon, NOW, sky, RISE_MW, None)
    past = history_for(site, NOW)
    assert past is not None
    late = {}
    for name, pairs in past.items():
        # the same again, wrong and known a year later, and once more without what was measured
        known = np.concatenate([pairs.available_at, pairs.available_at + np.timedelta64(400, "D"), pairs.available_at])
        actual = np.concatenate([pairs.actual_mw, 0 * pairs.actual_mw, pairs.actual_mw + np.nan])
        late[name] = PastPairs(np.tile(pairs.lead_h, 3), np.tile(pairs.forecast_mw, 3), actual, known)
    monkeypatch.setattr("api.courses.history_for", lambda *_: late)
    after = courses_for(site, horizon, NOW, sky, RISE_MW, None)
    assert isinstance(before, Courses)
    assert isinstance(after, Courses)
    assert after.to_json() == before.to_json()


def test_a_round_publishes_what_weighing_came_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real, cheaper = planner.plan, 0.0

    def weighing(problem: Any, **how: Any) -> Plan:
        courses, risk, tell = how.pop("courses"), how.pop("risk"), how.pop("on_hedge")
        assert (len(courses), courses.pv_mw.shape, risk) == (8, (8, 12), 0.0)
        found = real(problem, **how)
        yardstick = planner.baselines.first_come_first_served(problem)
        assert yardstick is not None
        assert yardstick.objective is not None
        own = Weighed("plan", yardstick.objective + cheaper, 120.0, 0.5)
        tell(Hedge(8, courses.origin, "lean", 110.0, 110.0, 9.0, 90.0, 130.0, 130.0, 0.25, 0.1, (own,)))
        return found

    monkeypatch.setattr(planner, "plan", weighing)
    work = {"id": "a", "pool": site.pools[0].name, "gpus": 64, "work_h": 1.0, "release": rfc3339(NOW)}
    task = Task(site, [TrainingJob.model_validate(work)], first_memory(site, horizon_at(site, NOW).start), None, 3.0)
    told = cycle(task, NOW).edition["scenarios"]
    assert (told["reason"], told["chosen"], told["short_probability"]) == (None, "lean", 0.25)
    assert ScenariosView.model_validate(told).weighed[0].expected_cost == 120.0
    (line,) = told_in_words(told, "MAD")
    assert "110.00 MAD on average over 8 courses (90.00 to 130.00), short of power in 25%" in line
    cheaper = 1.0
    told = cycle(task, NOW).edition["scenarios"]
    assert told == {"reason": "first come, first served costs less than any plan found"}
    assert told_in_words(told, "MAD") == [f"scenarios: not weighed, {told['reason']}"]
    assert told_in_words(None, "MAD") == []


def test_a_number_of_courses_that_weighs_nothing_is_refused() -> None:
    assert Planning().scenarios == 0
    with pytest.raises(ValidationError, match="3 courses weigh nothing; write 4 to 40, or 0 for none"):
        Planning(scenarios=3)
