"""Cooling against hand numbers; tangents against the curve they touch."""

import numpy as np
import plant_site
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.site_file import SAMPLES, cooling_rows, read_site, sample_path
from models.checking import validated
from models.cooling import (
    capacity_mw,
    carnot_cop,
    free_share,
    hall_air_c,
    loop_supply_c,
    plant_capacity_mw,
    plant_power_mw,
    side_power_mw,
    tangents,
)
from models.cooling_plant import CoolingPlant, CoolingSide
from models.errors import InvalidInput
from models.plant import rooms
from models.plant.nature import Air

ROWS = {row["key"]: {k: v for k, v in row.items() if k not in ("key", "title")} for row in cooling_rows()}


def side(model, share=1.0, rated=10.0, **changes):
    return validated(
        CoolingSide, {**ROWS[model], "model": model, "heat_share": share, "rated_heat_mw": rated, **changes}, "the side"
    )


CHILLER = side("air-cooled-chiller-18")
DRY = side("dry-cooler-40")
BOTH = CoolingPlant(air=side("air-cooled-chiller-18", 0.35, 9.5), liquid=side("dry-cooler-40", 0.65, 17.0))
PLANTS = [BOTH, CoolingPlant(air=CHILLER), CoolingPlant(liquid=DRY), CoolingPlant(air=side("water-cooled-chiller-18"))]


@pytest.mark.parametrize(
    ("supply", "ambient", "cop"),
    [
        (7, 15, 5.4),
        (7, 25, 3.8),
        (7, 35, 2.9),
        (18, 25, 5.9),
        (18, 35, 4.1),
        (24, 25, 8.3),
        (24, 35, 5.1),
        (30, 35, 6.8),
    ],
)
def test_cop_is_a_share_of_carnots(supply, ambient, cop):
    # e.g. 0.45 x (7 - 3 + 273.15) / ((15 + 12) - (7 - 3)) = 0.45 x 277.15 / 23 = 5.42
    assert carnot_cop(supply, ambient, CHILLER) == pytest.approx(cop, abs=0.06)


def test_cop_is_clipped():
    assert carnot_cop(18, 15, CHILLER) == 10
    assert carnot_cop(30, 0, CHILLER) == 10


def test_free_cooling_is_whole_half_and_none():
    # supply 18, return 28, approach 8: whole at 10 degC, half at 15, none at 20
    assert free_share([5, 10, 15, 20, 30], CHILLER).tolist() == [1, 1, 0.5, 0, 0]


def test_capacity_follows_the_ambient():
    # rated 10 MW at 35 degC, 2.4 % less per K above, 2 % more per K below, at most 1.3
    assert capacity_mw([35, 45, 25, 0], CHILLER).tolist() == pytest.approx([10, 7.6, 12, 13])


def test_power_of_a_chiller_by_hand():
    # 8 MW at 35 degC: no free cooling, COP 0.45 x 288.15 / 32 = 4.052; fans 0.4 MW x (0.1 + 0.9 x 0.8^3)
    assert side_power_mw(8, 35, CHILLER) == pytest.approx(8 / 4.0521 + 0.4 * (0.1 + 0.9 * 0.512), rel=1e-4)


def test_power_of_a_dry_cooler_is_fans_alone_and_stops_at_their_floor():
    # 5 of 10 MW at the design ambient: 0.25 MW x (0.2 + 0.8 x 0.5^3); at rest 0.25 x (0.2 + 0.8 x 0.3^3)
    assert side_power_mw(5, 33, DRY) == pytest.approx(0.25 * (0.2 + 0.8 * 0.125))
    assert side_power_mw(0, 33, DRY) == pytest.approx(0.25 * (0.2 + 0.8 * 0.027))


def test_a_tower_feels_the_wet_bulb_and_a_chiller_the_dry_one():
    tower, dry = PLANTS[3], PLANTS[1]
    assert plant_power_mw(5, 35, 15, tower) == plant_power_mw(5, 25, 15, tower) < plant_power_mw(5, 25, 22, tower)
    assert plant_power_mw(5, 35, 15, dry) == plant_power_mw(5, 35, 25, dry) > plant_power_mw(5, 25, 15, dry)


def test_capacity_of_a_plant_is_that_of_the_side_that_is_full_first():
    # at 33 degC: air 9.5 x 1.04 / 0.35 = 28.23; liquid 17 / 0.65 = 26.15
    assert plant_capacity_mw(33, 20, BOTH) == pytest.approx(17 / 0.65)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLANTS), st.floats(-5, 42), st.floats(0, 12), st.floats(0, 1))
def test_tangents_lie_under_the_curve_within_their_stated_error(plant, dry, spread, share):
    found = tangents(plant, [dry], [dry - spread])
    heat = share * found.capacity_heat_mw[0]
    line = (found.slope[:, 0] * heat + found.intercept_mw[:, 0]).max()
    true = float(plant_power_mw(heat, dry, dry - spread, plant))
    assert line <= true + 1e-9
    assert true - line <= found.error_mw[0] + 1e-9
    assert found.error_mw[0] <= 0.004 * found.capacity_heat_mw[0]
    assert (found.slope >= 0).all()
    assert line > 0


def test_more_tangents_err_less():
    few, many = (BOTH.model_copy(update={"tangents": n}) for n in (3, 10))
    dry, wet = np.linspace(10, 40, 16), np.linspace(8, 24, 16)
    assert (tangents(many, dry, wet).error_mw < tangents(few, dry, wet).error_mw).all()


def test_hotter_air_never_costs_less():
    ambient = np.linspace(-5, 45, 101)
    for plant in PLANTS:
        power = plant_power_mw(6.0, ambient, ambient, plant)
        assert (np.diff(power) >= -1e-12).all()


def test_hall_air_moves_with_its_time_constant():
    # 12 min: after one 15-min slot exp(-15/12) = 0.2865 of the way is left, from 24 degC to 24 + 4 x 1.0
    plant = CoolingPlant(air=CHILLER)
    found = hall_air_c([10.0, 10.0, 0.0], 15, plant, start_c=24.0)
    left = np.exp(-15 / 12)
    assert found[0] == pytest.approx(28 - 4 * left)
    assert found[1] == pytest.approx(28 - 4 * left**2)
    assert found[2] == pytest.approx(24 + (found[1] - 24) * left)


def test_a_loop_on_dry_coolers_floats_where_the_ambient_reaches_its_set_point():
    plant = CoolingPlant(liquid=DRY)
    found = loop_supply_c([10.0] * 30, [20.0] * 15 + [38.0] * 15, [15.0] * 30, 15, plant)
    assert found[:15].tolist() == pytest.approx([40.0] * 15)
    assert found[-1] == pytest.approx(45.0, abs=1e-3)
    with pytest.raises(ValueError, match="no liquid side"):
        loop_supply_c([1.0], [20.0], [15.0], 15, PLANTS[1])


def test_shares_that_are_no_whole_are_refused():
    with pytest.raises(InvalidInput, match=r"make 0\.7; they must make 1"):
        validated(CoolingPlant, {"air": {**CHILLER.model_dump(), "heat_share": 0.7}}, "the plant")


@pytest.mark.parametrize("row", cooling_rows(), ids=lambda row: row["key"])
def test_every_row_of_the_catalogue_says_where_it_is_from(row):
    assert row["source"].strip()
    assert row["evidence"] in ("measured", "prior", "assumed")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_tangents_lie_as_close_as_the_guide_says(name):
    plant = read_site(sample_path(name)).cooling
    dry = np.linspace(0, 42, 85)
    found = tangents(plant, dry, dry - 5)
    assert (found.error_mw <= 0.002 * found.capacity_heat_mw).all()


def test_units_stand_for_the_sides_by_their_rating_and_those_with_a_compressor_cool_the_simulated_hall():
    plant = plant_site.site().cooling
    # 130, 130 and 60 kW
    assert [side.heat_share for side in plant.sides] == pytest.approx([13 / 32, 13 / 32, 6 / 32])
    assert plant.air_like.rated_heat_mw == pytest.approx(0.26)
    assert plant_capacity_mw(35.0, 24.0, plant) == pytest.approx(0.32)
    found = rooms.cooled(plant, rooms.at_rest(plant), 0.1, Air(0.0, 0.0, 35.0, 24.0), 1.0, 1.0)
    assert found.removed_mw == pytest.approx(0.08, abs=0.03)
    assert found.power_mw == pytest.approx(float(side_power_mw(found.removed_mw, 35.0, plant.air_like)))
