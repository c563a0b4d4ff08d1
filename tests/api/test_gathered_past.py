"""A service gathers its own past: archived runs, meters and plans become what a model learns from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from made_past import SMALL

from api.forecasting import past_of, trained
from api.gathered_past import gathered_past
from api.knowledge import Knowledge
from ingest.points import Point, canonical, to_ns
from ingest.site_file import read_site, sample_path
from ingest.sources.outlook import kept_run
from ingest.sources.outlook.forecast_history import synthetic_past
from ingest.stores.memory import MemoryStore
from models.errors import InvalidInput
from models.forecast.site import PV, WIND
from models.horizon import parse_rfc3339

NOW = parse_rfc3339("2026-06-01T06:20:00Z")
HOUR = timedelta(hours=1)
DAYS = 30


@pytest.fixture(scope="module")
def site():
    found = read_site(sample_path("dakhla"))
    real = found.weather.model_copy(update={"kind": "open_meteo", "url": "http://127.0.0.1:9"})
    return found.model_copy(update={"weather": real, "solar": ()})


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """What a service leaves that ran for a month: runs of the sample, its meters, and a plan that left wind unused."""
    sample = read_site(sample_path("dakhla"))
    made = synthetic_past(sample, NOW, DAYS)
    store, tags = MemoryStore(), {"site": sample.name}
    knowledge = Knowledge(tmp_path_factory.mktemp("data"), sample.name, store)
    for run in made.runs:
        knowledge.keep(run)
    wind = made.actual[WIND]
    for k, at in enumerate(wind.starts()):
        mw, left = float(wind.values[k]), 0.5 if k % 10 == 0 else 1.0
        fields = [("site", tags, "wind_mw", mw), ("plan", tags, "wind_used_mw", left * mw)]
        fields.append(("forecast", {**tags, "quantile": "p50"}, WIND, mw))
        store.write([Point(m, canonical(t), ((f, v),), to_ns(at)) for m, t, f, v in fields], at)
    return knowledge, made


def test_runs_meters_and_plans_are_the_past_that_was(site, gathered):
    knowledge, made = gathered
    past = gathered_past(site, NOW, DAYS, knowledge)
    assert list(past.issues) == list(made.issues)[1:], "the first was known more than 30 days ago"
    for ours, theirs in zip(past.runs, made.runs[1:], strict=True):
        assert np.array_equal(ours["wind_speed_m_s"], theirs["wind_speed_m_s"])
    there = np.isfinite(past.actual[WIND].values)
    assert past.actual[WIND].values[there] == pytest.approx(made.actual[WIND].values[-there.sum() :])
    assert PV not in past.actual, "the site has no plant of it"
    held = past.limited[WIND].values[there]
    first = len(made.actual[WIND]) - int(there.sum())
    blows = made.actual[WIND].values[first:] > 0.0
    assert set(np.flatnonzero(held)) == {k for k in range(len(blows)) if (first + k) % 10 == 0 and blows[k]}


def test_a_real_site_trains_without_files_and_what_plans_held_back_does_not_teach(site, gathered, monkeypatch):
    monkeypatch.setattr("models.forecast.learned.SERVICE", SMALL)
    knowledge, _ = gathered
    past = past_of(site, NOW, DAYS, None, None, knowledge)
    (found,) = trained(site, past, NOW, knowledge.shelf)
    assert found.quantity == WIND
    assert any("curtailed or limited" in note for note in found.report.notes)


def test_before_anything_is_gathered_both_ways_out_are_named(site, tmp_path):
    with pytest.raises(InvalidInput) as refused:
        past_of(site, NOW, DAYS, None, None, Knowledge(tmp_path, site.name))
    told = {fault.pointer: fault.message for fault in refused.value.faults}
    assert "--runs and --actual" in told["runs"]
    assert "site.wind_mw" in told["actual"]


def test_the_first_run_of_six_hours_is_archived_and_old_ones_go(gathered, tmp_path):
    _, made = gathered
    run = made.runs[0]
    for hours in (0, 2, 7, 401 * 24):
        later = replace(run, start=run.start + hours * HOUR, available_at=run.available_at + hours * HOUR)
        kept_run.archive(tmp_path, later)
    assert [path.stem for path in sorted(tmp_path.glob("*.json"))] == ["20270607T00"]
    kept_run.archive(tmp_path, run)
    since = run.available_at - HOUR
    assert [one.available_at for one in kept_run.archived(tmp_path, since)[0]] == [
        run.available_at,
        run.available_at + 401 * 24 * HOUR,
    ]
    (tmp_path / "20260801T00.json").write_text("{")
    tables, refused = kept_run.archived(tmp_path, since)
    assert len(tables) == 2
    assert "20260801T00.json cannot be read" in refused[0]
