"""Ensembles, single runs and previous runs: which value is whose, and since when it was known."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ingest.sources.outlook import open_meteo
from ingest.sources.outlook.open_meteo_runs import (
    asked_for,
    ensemble,
    past_pairs,
    previous_runs,
    single_run,
)
from models.errors import InvalidInput
from models.series import Series

FILES = Path(__file__).parent / "open_meteo"
FETCHED = datetime(2026, 6, 3, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def document():
    return json.loads((FILES / "hourly_kmh.json").read_text(encoding="utf-8"))


def with_parts(parts, step=1.0):
    """The document with each variable again for every part, warmer by ``step`` each."""
    raw = document()
    for k, part in enumerate(parts, start=1):
        for name in open_meteo.ASKED:
            raw["hourly"][name + part] = copy.copy(raw["hourly"][name])
            raw["hourly_units"][name + part] = raw["hourly_units"][name]
        raw["hourly"]["temperature_2m" + part] = [v + k * step for v in raw["hourly"]["temperature_2m"]]
    return raw


def test_an_ensemble_gives_its_control_run_and_every_member():
    tables = ensemble(with_parts(["_member01", "_member02", "_member10"]), fetched_at=FETCHED)
    assert [t.source.rpartition(", ")[2] for t in tables] == ["control", "member 1", "member 2", "member 10"]
    warmth = [t["temp_air_c"][0] for t in tables]
    assert np.diff(warmth) == pytest.approx([1.0, 1.0, 1.0])
    assert {t.available_at for t in tables} == {FETCHED}


def test_members_that_end_earlier_cut_all_of_them():
    raw = with_parts(["_member01"])
    for name in open_meteo.ASKED:
        raw["hourly"][name + "_member01"][40:] = [None] * 13
    assert {len(t) for t in ensemble(raw, fetched_at=FETCHED)} == {39}


def test_a_document_without_members_is_no_ensemble():
    with pytest.raises(InvalidInput, match="no variable has members"):
        ensemble(document(), fetched_at=FETCHED)
    assert open_meteo.models_in(with_parts(["_member01"])) == []


def test_members_alone_are_no_models():
    raw = with_parts(["_member01"])
    for name in open_meteo.ASKED:
        del raw["hourly"][name]
    assert open_meteo.models_in(raw) == []
    [table] = ensemble(raw, fetched_at=FETCHED)
    assert table.source.endswith("member 1")


def test_a_single_run_is_known_from_when_it_could_be_had():
    run = datetime(2026, 5, 31, 18, tzinfo=UTC)
    table = single_run(document(), run=run, delay=timedelta(hours=5))
    assert table.available_at == datetime(2026, 5, 31, 23, tzinfo=UTC)
    assert "run of 2026-05-31T18:00:00Z" in table.source
    with pytest.raises(InvalidInput, match="before the run"):
        single_run(document(), run=run + 30 * DAY)
    with pytest.raises(InvalidInput, match="no time zone"):
        single_run(document(), run=run.replace(tzinfo=None))


def test_previous_runs_are_what_was_said_days_before():
    found = previous_runs(with_parts(["_previous_day1", "_previous_day2"]), fetched_at=FETCHED).by_lead
    assert list(found) == [0, 1, 2]
    assert found[2]["temp_air_c"][0] == pytest.approx(found[0]["temp_air_c"][0] + 2.0)
    last = found[0].end - HOUR
    assert [found[k].available_at for k in (0, 1, 2)] == [
        FETCHED,
        min(FETCHED, last - DAY),
        min(FETCHED, last - 2 * DAY),
    ]
    with pytest.raises(InvalidInput, match="no variable has earlier runs"):
        previous_runs(document(), fetched_at=FETCHED)


def test_what_is_asked_for_names_every_variable_at_every_lead():
    asked = asked_for([0, 1]).split(",")
    assert len(asked) == 2 * len(open_meteo.ASKED)
    assert "temperature_2m" in asked
    assert "temperature_2m_previous_day1" in asked


def test_pairs_have_the_lead_of_their_run_and_are_known_when_the_slot_is_over():
    start = datetime(2026, 6, 1, tzinfo=UTC)
    actual = Series(start, HOUR, np.array([1.0, 2.0, np.nan, 4.0]), "MW")
    said = {
        0: Series(start, HOUR, np.array([9.0] * 4), "MW"),
        1: Series(start, HOUR, np.array([1.5, 2.5, 3.5, np.nan]), "MW"),
        2: Series(start + 3 * HOUR, HOUR, np.array([5.0, 6.0]), "MW"),
    }
    pairs = past_pairs(said, actual)
    assert pairs.lead_h.tolist() == [24.5, 24.5, 48.5]
    assert pairs.forecast_mw.tolist() == [1.5, 2.5, 5.0]
    assert pairs.actual_mw.tolist() == [1.0, 2.0, 4.0]
    assert pairs.available_at[0] == np.datetime64("2026-06-01T01:00", "us")
    with pytest.raises(InvalidInput, match="do not fit"):
        past_pairs({1: Series(start, 2 * HOUR, np.array([1.0]), "MW")}, actual)
