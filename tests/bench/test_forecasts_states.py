"""Slow states in the bench: a plant with a planted loss, nothing known too early, and the real one where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import forecasts
from bench.forecasts_states import PLANTED, RealPlant, best_factor, in_known_states, state_scores
from models.forecast.history import History
from models.forecast.rows import Rows
from models.sky import Place

DATA = Path(__file__).parents[3] / "shared" / "data" / "forecast"
DAYS = 92


@pytest.fixture(scope="module")
def plant():
    """A plant on the equator that follows its physics within two per cent a day, every run without a cloud."""
    n = 24 * DAYS
    starts = np.datetime64("2026-03-01", "us") + np.arange(n) * np.timedelta64(1, "h")
    issued = starts.astype("datetime64[D]").astype("datetime64[us]")
    clear = np.maximum(0.0, np.sin(np.pi * (np.arange(n) % 24 - 6) / 12)) * 8.0
    luck = np.repeat(np.exp(0.02 * np.random.default_rng(1).standard_normal(DAYS)), 24)
    rows = Rows(Place(0.0, 0.0), timedelta(hours=1), starts, issued, issued, {"ghi_w_m2": 100.0 * clear}, "made up")
    free = np.zeros(n, dtype=bool)
    history = History("solar", rows, clear, clear * luck, rows.ends, np.full(n, 10.0), free, clear)
    return RealPlant("made up", history, clear > 0)


def test_a_planted_loss_is_found_and_a_plant_as_its_physics_needs_no_state(plant):
    came, *planted = state_scores(plant)
    assert (came.issues, came.served) == (DAYS, 0.0)
    assert came.in_state == came.physics
    assert np.isnan(came.served_state)
    assert [score.issues for score in planted] == [31, 31, 50, 50], "days planted and ten after, twice each"
    for score in planted:
        assert 0.2 < score.served < 1.0
        assert score.served_state < 0.7 * score.served_physics
        assert score.in_state < score.physics
        assert score.scaled <= score.physics


def test_what_is_planted_is_what_it_says():
    units, dust = (one.left(np.arange(float(one.days))) for one in PLANTED)
    assert units.tolist() == [0.85] * 21
    assert (dust[0], dust[-1], len(dust)) == (pytest.approx(0.997), pytest.approx(0.88), 40)


def test_what_comes_after_an_issue_moves_nothing_of_it(plant):
    rows, lost = plant.history.rows, replace(plant.history, actual_mw=0.8 * plant.history.actual_mw)
    runs = [slice(24 * day, 24 * day + 24) for day in range(DAYS)]
    later = rows.starts >= np.datetime64("2026-04-15", "us")
    odd = np.where(later, np.random.default_rng(2).uniform(0.0, 8.0, len(rows)), lost.actual_mw)
    told, served = in_known_states(lost, runs)
    again, _ = in_known_states(replace(lost, actual_mw=odd), runs)
    before = rows.issued_at <= np.datetime64(datetime(2026, 4, 15, tzinfo=UTC).replace(tzinfo=None), "us")
    assert served[before].any()
    assert (told[before] == again[before]).all()
    assert (told[~before] != again[~before]).any()


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_no_factor_errs_less_than_the_best(n, seed):
    rng = np.random.default_rng(seed)
    physics, actual = rng.uniform(0.01, 1.0, n), rng.uniform(0.0, 1.0, n)
    least = np.abs(actual - best_factor(physics, actual) * physics).sum()
    assert all(np.abs(actual - one * physics).sum() >= least - 1e-12 for one in rng.uniform(0.0, 3.0, 50))


@pytest.mark.skipif(
    not (DATA / "nl_sites_pv_wind_15min.csv.gz").is_file(),
    reason="the real substations (shared/data/forecast) are not beside the checkout",
)
def test_the_part_runs_on_the_real_substation(capsys):
    assert forecasts.main(["--only", "states", "--quick"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[2] == "PV at OWD"
    assert len(told) == 3 + 5
    assert told[3].startswith("  as it came, 92 days: 0.")
    assert all("planted: " in line for line in told[4:])
    physics, _, scaled = (float(word.strip(";,")) for word in told[3].split()[5:8])
    assert 0.0 < scaled <= physics < 0.2
