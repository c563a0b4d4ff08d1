"""A learned COP beside the catalogue: promoted where it knows more, fallen back where it drifts, its pieces."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from ingest.site_file import read_site, sample_path
from models import cooling
from models.errors import InvalidInput
from models.kept_bytes import sealed
from models.learn.kept_cop import opened, packed
from models.learn.plant_cop import LearnedCop, cop_tangents, digest_of, learn_cop, promoted, standing
from models.learn.plant_records import PlantRecords, ScreenedRecords, screen_records

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@cache
def plant():
    found = read_site(sample_path("dakhla")).cooling
    assert found is not None
    return found


def true_power(heat, dry, worn=1.0):
    """The sample's plant with a compressor that is worse at high load than its catalogue says."""
    physics = cooling.plant_power_mw(heat, dry, dry, plant())
    top = cooling.plant_capacity_mw(dry, dry, plant())
    return physics * (1.0 + 0.5 * (heat / top) ** 2) * worn


def screened(days=40, seed=3, worn=None, odd=1.0) -> ScreenedRecords:
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    top = float(np.min(cooling.plant_capacity_mw(35.0, 35.0, plant())))
    heat = top * np.clip(0.45 + 0.25 * np.sin(hours * 2 * np.pi / 24) + 0.08 * rng.normal(size=len(hours)), 0.1, 0.95)
    dry = 24 + 5 * np.sin(hours * 2 * np.pi / 24) + 3 * np.sin(hours * 2 * np.pi / 240) + rng.normal(0, 0.3, len(hours))
    power = true_power(heat, dry, 1.0 if worn is None else worn(hours / 24)) * (1 + rng.normal(0, 0.01, len(hours)))
    times = np.datetime64("2026-03-01T00:00:00", "us") + hours * np.timedelta64(1, "h")
    return screen_records(PlantRecords(times, heat, power * odd, dry))


@cache
def learned() -> LearnedCop:
    return learn_cop(screened(), plant(), BEGIN + timedelta(days=40))


def test_a_plant_unlike_its_catalogue_is_learned_and_promoted() -> None:
    scores = learned().scores
    assert scores["learned"] < 0.03
    assert scores["learned"] < scores["site file, moved by its last week"] < scores["site file"]
    verdict = promoted(learned(), None, plant(), screened().records)
    assert verdict.serves
    assert "site file" in verdict.reason


def test_a_plant_that_is_its_catalogue_needs_no_learning() -> None:
    found = screened()
    records = found.records
    physics = cooling.plant_power_mw(records.heat_mw, records.ambient_c, records.ambient_c, plant())
    exact = replace(found, records=replace(records, power_mw=physics))
    cop = learn_cop(exact, plant(), BEGIN + timedelta(days=40))
    verdict = promoted(cop, None, plant(), exact.records)
    assert not verdict.serves
    assert "does not beat site file" in verdict.reason


def test_a_challenger_that_is_worse_than_the_champion_stays_outside() -> None:
    """The champion learned all 40 days' plant; the challenger, days of a plant with a mode that is over."""
    champion = replace(learned(), known_until=BEGIN + timedelta(days=40))
    two_modes = screened(
        60, worn=lambda day: np.where((day > 20) & (day < 45) & (np.floor(day * 24) % 2 < 1), 1.6, 1.0)
    )
    challenger = learn_cop(two_modes, plant(), BEGIN + timedelta(days=60))
    better = replace(
        challenger, scores=challenger.scores | {"site file": 9.0, "site file, moved by its last week": 9.0}
    )
    verdict = promoted(better, champion, plant(), two_modes.records)
    assert not verdict.serves
    assert "worse than the one that serves" in verdict.reason
    another = replace(champion, plant_digest="of another plant")
    assert promoted(better, another, plant(), two_modes.records).serves


def test_it_stands_while_it_holds_and_falls_back_where_the_plant_has_changed() -> None:
    now = BEGIN + timedelta(days=60)
    assert standing(learned(), plant(), screened(60, seed=5).records, now).serves
    few = standing(learned(), plant(), screened(60, seed=5).records, now + timedelta(days=30))
    assert few.serves
    assert few.reason.startswith("0 hours")
    rebuilt = standing(learned(), plant(), screened(60, worn=lambda day: np.where(day > 50, 1.4, 1.0)).records, now)
    assert not rebuilt.serves
    assert "drift" in rebuilt.reason
    back = screened(60, worn=lambda day: np.where(day > 45, 0.88, 1.0)).records
    flat = replace(back, power_mw=cooling.plant_power_mw(back.heat_mw, back.ambient_c, back.ambient_c, plant()))
    assert "site file's physics erred less" in standing(learned(), plant(), flat, now).reason
    side = plant().sides[0].model_copy(update={"rated_heat_mw": 9.0})
    name = "air" if plant().air is not None else "liquid"
    assert not standing(learned(), plant().model_copy(update={name: side}), back, now).serves


def test_the_pieces_are_a_floor_whose_error_is_stated_and_beyond_what_was_seen_the_catalogues() -> None:
    dry = np.array([22.0, 27.0, 45.0])
    found = cop_tangents(learned(), plant(), dry, dry, 0.0)
    physics = cooling.tangents(plant(), dry, dry)
    assert found.slope.shape == physics.slope.shape
    assert (found.capacity_heat_mw == physics.capacity_heat_mw).all()
    assert (found.slope[:, 2] == physics.slope[:, 2]).all(), "45 degC was never seen"
    for t in range(2):
        heat = np.linspace(learned().chiller.heat_range_mw[0], learned().chiller.heat_range_mw[1], 40)
        line = (found.slope[:, t, None] * heat + found.intercept_mw[:, t, None]).max(axis=0)
        truth = true_power(heat, dry[t])
        assert (truth - line).max() < found.error_mw[t] + 0.05 * truth.max()
        assert line[-1] > cooling.plant_power_mw(heat[-1], dry[t], dry[t], plant()), "what high load really costs"


def test_what_cannot_teach_is_refused() -> None:
    with pytest.raises(InvalidInput, match="14 are needed"):
        learn_cop(screened(10), plant(), BEGIN + timedelta(days=10))
    with pytest.raises(InvalidInput, match="another unit"):
        screened(20, odd=1e6)
    wet = plant().sides[0].model_copy(update={"kind": "water-cooled-chiller"})
    if len(plant().sides) == 2:
        with pytest.raises(InvalidInput, match="identify each"):
            learn_cop(screened(20), plant().model_copy(update={"air": wet}), BEGIN + timedelta(days=20))


def test_rows_that_were_not_known_yet_teach_nothing_and_are_counted() -> None:
    at = BEGIN + timedelta(days=20)
    found = learn_cop(screened(), plant(), at)
    assert found.window[1] == "2026-03-20T23:00:00.000000Z"
    assert found.notes == ("480 row(s) left out: not known yet at 2026-03-21T00:00:00Z",)
    other = screened()
    power = np.where(other.records.time < np.datetime64(at.replace(tzinfo=None)), other.records.power_mw, 9.0)
    assert learn_cop(replace(other, records=replace(other.records, power_mw=power)), plant(), at).scores == found.scores
    with pytest.raises(InvalidInput, match=r"records of 0 days; 14 are needed; 960 row.* not known yet at 2026-02-01"):
        learn_cop(screened(), plant(), BEGIN - timedelta(days=28))


def test_a_cop_that_knows_what_came_later_does_not_serve() -> None:
    verdict = standing(learned(), plant(), screened().records, BEGIN + timedelta(days=30))
    assert not verdict.serves
    assert "it knows what came until 2026-04-10T00:00:00Z" in verdict.reason


def test_heat_that_the_plant_cannot_remove_is_another_unit() -> None:
    rows = screened().records
    kilowatts = replace(rows, heat_mw=1000 * rows.heat_mw, power_mw=1000 * rows.power_mw)
    with pytest.raises(InvalidInput, match=r"MW of heat, but the plant removes .* mend rated_heat_mw or the unit"):
        learn_cop(screen_records(kilowatts), plant(), BEGIN + timedelta(days=40))


def test_a_kept_cop_comes_back_and_whatever_does_not_fit_its_card_is_refused() -> None:
    data, card = packed(learned())
    again = opened(data, card)
    heat, dry = np.linspace(0.5, 3.0, 7), np.full(7, 25.0)
    assert again.chiller.power_mw(heat, dry) == pytest.approx(learned().chiller.power_mw(heat, dry))
    assert (again.window, again.scores, again.plant_digest) == (learned().window, learned().scores, digest_of(plant()))
    for odd, says in (
        ({"digest": "0" * 64}, "not those that the card was written for"),
        ({"versions": card["versions"] | {"scikit-learn": "0.1"}}, "fitted with scikit-learn 0.1"),
        ({"form": 9}, "this version reads"),
    ):
        with pytest.raises(InvalidInput, match=says):
            opened(data, sealed(card | odd))
    for edited in ({key: value for key, value in card.items() if key != "window"}, card | {"scores": {"learned": 0.0}}):
        with pytest.raises(InvalidInput, match="edited or damaged"):
            opened(data, edited)
