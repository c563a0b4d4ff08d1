"""Parameters of a cooling side, the fan law and the hall's slow answer, found again from what they produced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.site_file import cooling_rows
from models.cooling import side_power_mw
from models.cooling_plant import CoolingSide
from models.errors import InvalidInput
from models.learn.bounds import bounded
from models.learn.laws import fit_fan_law, fit_slow_answer
from models.learn.plant_fit import identify_side
from models.learn.plant_records import PlantRecords
from models.series import Series

BEGIN = np.datetime64("2026-03-01T00:00:00", "us")
STEP = timedelta(minutes=5)


def side(key: str, **changes: float) -> CoolingSide:
    row = next(dict(row) for row in cooling_rows() if row["key"] == key)
    row = {k: v for k, v in row.items() if k not in ("key", "title")}
    return CoolingSide(heat_share=1.0, rated_heat_mw=10.0, model=key, **row).model_copy(update=changes)


def measured(truth: CoolingSide, coldest_c: float, days: int = 12, seed: int = 1) -> PlantRecords:
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    ambient = coldest_c + 12 + 12 * np.sin(hours * 2 * np.pi / 24) + rng.normal(0, 1, len(hours))
    heat = np.clip(6 + 2 * np.sin(hours * 2 * np.pi / 37) + rng.normal(0, 0.3, len(hours)), 2.0, 9.5)
    power = side_power_mw(heat, ambient, truth) * (1 + rng.normal(0, 0.02, len(hours)))
    return PlantRecords(BEGIN + hours * np.timedelta64(timedelta(hours=1)), heat, power, ambient)


def test_a_chiller_with_free_cooling_is_found_again_within_its_bounds() -> None:
    prior = side("air-cooled-chiller-18")
    truth = prior.model_copy(update={"carnot_share": 0.36, "approach_k": 6.0, "fan_w_per_kw": 55.0})
    found = identify_side(measured(truth, coldest_c=4.0), prior, "made up")
    assert found.unseen == ()
    assert found.mape < 0.03
    assert found.parameters["approach_k"].value == pytest.approx(6.0, abs=0.7)
    assert found.free_below_c is not None
    assert found.free_below_c.value == pytest.approx(18.0 - 6.0, abs=0.7)
    assert found.parameters["fan_w_per_kw"].value == pytest.approx(55.0, rel=0.1)
    assert found.side.evidence == "measured"
    assert "12 days" in found.side.source
    # Share and condenser trade against each other; the power that they make together does not.
    weather = np.array([15.0, 25.0, 35.0])
    ours, true = (side_power_mw(np.full(3, 7.0), weather, s) for s in (found.side, truth))
    assert ours == pytest.approx(true, rel=0.03)


def test_records_that_follow_no_side_measure_nothing() -> None:
    """Power drawn by lot: parameters come out all the same, and are called what they are."""
    records = measured(side("air-cooled-chiller-18"), coldest_c=4.0)
    lot = np.random.default_rng(5).uniform(0.5, 3.0, len(records))
    found = identify_side(replace(records, power_mw=lot), side("air-cooled-chiller-18"), "made up")
    assert found.mape > 0.15
    assert found.side.evidence == "prior"
    assert "which the side's physics miss by" in found.side.source


def test_what_a_warm_record_cannot_show_stays_the_catalogues() -> None:
    prior = side("air-cooled-chiller-18")
    found = identify_side(measured(prior, coldest_c=29.0), prior, "made up")
    assert "approach_k" in found.unseen
    assert found.side.approach_k == prior.approach_k


def test_a_switch_that_the_catalogue_puts_beyond_the_record_is_found() -> None:
    prior = side("air-cooled-chiller-18")  # there free cooling begins at 28 - 8 = 20 degC; in truth at 26
    found = identify_side(measured(prior.model_copy(update={"approach_k": 2.0}), coldest_c=21.0), prior, "made up")
    assert found.parameters["approach_k"].value == pytest.approx(2.0, abs=0.7)


def test_a_dry_cooler_has_fans_only() -> None:
    prior = side("dry-cooler-40")
    truth = prior.model_copy(update={"fan_w_per_kw": 33.0, "fan_fixed_share": 0.1})
    found = identify_side(measured(truth, coldest_c=10.0), prior, "made up")
    assert set(found.parameters) == {"fan_w_per_kw", "fan_fixed_share"}
    assert found.parameters["fan_w_per_kw"].value == pytest.approx(33.0, rel=0.08)
    assert found.free_below_c is None


def test_heat_above_what_the_side_can_do_is_a_wrong_unit() -> None:
    records = measured(side("air-cooled-chiller-18"), 4.0)
    with pytest.raises(InvalidInput, match="mend rated_heat_mw or the unit"):
        identify_side(records, side("air-cooled-chiller-18", rated_heat_mw=1.0), "made up")


def test_four_days_have_no_bounds() -> None:
    with pytest.raises(InvalidInput, match="at least 5 are needed"):
        identify_side(measured(side("air-cooled-chiller-18"), 4.0, days=4), side("air-cooled-chiller-18"), "made up")


def test_bounds_hold_the_value_and_shrink_with_more_days() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(5.0, 1.0, 400)
    few, many = (
        bounded(lambda rows: np.array([values[rows].mean()]), np.array_split(np.arange(n), n // 10))[0]
        for n in (60, 400)
    )
    assert few.low <= few.value <= few.high
    assert many.high - many.low < few.high - few.low
    # 90 % of a mean of 400: +-1.645/20 = 0.082; the bootstrap of 40 blocks is itself uncertain.
    assert many.high - many.low == pytest.approx(2 * 0.082, rel=0.5)


def test_the_fan_law_is_found_again() -> None:
    rng = np.random.default_rng(3)
    speed = rng.uniform(0.3, 1.0, 600)
    power = 0.4 * (0.15 + 0.85 * speed**2.6) * (1 + rng.normal(0, 0.02, 600))
    law = fit_fan_law(speed, power)
    assert law.exponent.value == pytest.approx(2.6, abs=0.15)
    assert law.exponent.low <= 2.6 <= law.exponent.high
    assert law.rated_mw.value == pytest.approx(0.4, rel=0.02)
    assert law.fixed_share.value == pytest.approx(0.15, abs=0.04)


@pytest.mark.parametrize(
    ("speed", "power", "code"),
    [
        (np.full(200, 0.5), np.linspace(1, 2, 200), "no_variation"),
        (np.linspace(0, 1, 200), np.full(200, 0.3), "stuck"),
        (np.linspace(0, 100, 200), np.linspace(1, 2, 200), "out_of_range"),
        (np.linspace(0, 1, 50), np.linspace(1, 2, 50), "too_few"),
        (np.linspace(0, 1, 200), np.append(np.ones(199), np.nan), "not_finite"),
    ],
)
def test_a_fan_that_shows_no_law_is_refused(speed: np.ndarray, power: np.ndarray, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        fit_fan_law(speed, power)
    assert [fault.code for fault in refused.value.faults] == [code]


def hall(tau_min: float, noise_k: float, slots: int = 1500, seed: int = 4) -> tuple[Series, Series]:
    rng = np.random.default_rng(seed)
    load = np.repeat(rng.uniform(0.2, 1.0, slots // 25), 25)
    keep, now, air = np.exp(-5 / tau_min), 24.0, []
    for q in load:
        now = (22 + 5 * q) + (now - (22 + 5 * q)) * keep
        air.append(now + rng.normal(0, noise_k))
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    return Series(begin, STEP, np.array(air), "degC"), Series(begin, STEP, load, "1")


def test_the_halls_slow_answer_is_found_again_despite_a_noisy_sensor() -> None:
    found = fit_slow_answer(*hall(18.0, noise_k=0.3))
    # Stepping from each noisy reading would find a time constant near 8 min here.
    assert found.time_constant_min.value == pytest.approx(18.0, rel=0.15)
    assert found.time_constant_min.low <= 18.0 * 1.05
    assert found.time_constant_min.high >= 18.0 * 0.95
    assert found.rise_at_rated_k.value == pytest.approx(5.0, abs=0.3)
    assert found.setpoint_c.value == pytest.approx(22.0, abs=0.2)
    assert found.rms_k == pytest.approx(0.3, abs=0.05)


def test_gaps_are_left_out_and_not_bridged() -> None:
    air, load = hall(18.0, noise_k=0.05)
    holes = air.values.copy()
    holes[300:340] = np.nan
    holes[700] = np.nan
    found = fit_slow_answer(air.with_values(holes), load)
    assert found.time_constant_min.value == pytest.approx(18.0, rel=0.1)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda a, q: (a.with_values(np.full(len(a), 24.0)), q), "stuck"),
        (lambda a, q: (a, q.with_values(np.full(len(a), 0.5))), "no_variation"),
        (lambda a, q: (a.with_values(np.full(len(a), np.nan)), q), "too_few"),
        (lambda a, q: (a, Series(q.start + STEP, STEP, q.values, "1")), "other_slots"),
    ],
)
def test_a_hall_that_shows_nothing_is_refused(spoil, code: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput) as refused:
        fit_slow_answer(*spoil(*hall(18.0, 0.1)))
    assert [fault.code for fault in refused.value.faults] == [code]
