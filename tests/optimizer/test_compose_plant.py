"""A plant composed: nodes, units, masses, a tank, maintenance; and what a plan leaves of it for the next round."""

from __future__ import annotations

import copy
import functools
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import plant_site
import pytest

from models import cooling
from models.errors import InvalidInput
from models.horizon import Horizon, rfc3339, use_packaged_time_zones
from models.jobs import TrainingJob
from models.site import Site
from optimizer.carried import carried, with_readings
from optimizer.compose import Availability, assumed_state, compose
from optimizer.compose_asks import with_asks
from optimizer.document import Plan, digest
from optimizer.ladder import descend
from optimizer.preflight import conflicts
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.verify import verify

use_packaged_time_zones()
NOW = datetime(2026, 11, 25, 6, tzinfo=UTC)
STEP = timedelta(minutes=30)


def horizon(slots_on: int = 0) -> Horizon:
    return Horizon(NOW + slots_on * STEP, STEP, 12)


def job(name: str, **changes: Any) -> TrainingJob:
    body = {"id": name, "pool": "hall", "gpus": 32, "work_h": 2.0, "release": rfc3339(NOW), **changes}
    return TrainingJob.model_validate(body)


def composed(
    of: Site, at: Horizon, *jobs: TrainingJob, previous: Previous | None = None, metered: dict[str, Any] | None = None
) -> dict[str, Any]:
    still, dry = [0.0] * at.slots, np.linspace(8.0, 22.0, at.slots).tolist()
    day = compose(of, at, Availability(still, still, None, dry, [6.0] * at.slots), jobs, assumed_state(of), "day")
    return with_asks(day, of, at, with_readings(carried(at, previous), metered or {}))


@functools.cache
def first() -> tuple[dict[str, Any], Plan]:
    """A day with a job, and a plan of it that needs no solver."""
    raw = composed(plant_site.site(), horizon(), job("a"))
    received = check_problem(raw)
    plan = next(descend(compile_problem(received), None))
    assert verify(received, plan) == []
    return raw, plan


def test_the_plant_is_a_document_that_the_contract_takes_and_that_has_a_plan() -> None:
    raw, plan = first()
    pool, plant = raw["pools"][0], raw["cooling"]
    assert raw["schema_version"] == "1.1"
    # half an hour of boot is a slot, an hour up two; twelve nodes of eight, all on until somebody knows better
    assert pool["nodes"] == {"gpus_per_node": 8, "boot_slots": 1, "min_up_slots": 2, "off_w": 20.0} | {
        "on_before": 12,
        "started_before": [],
    }
    assert pool["heat_shares"] == {"loop": 0.7, "hall": 0.3}
    assert [unit["name"] for unit in plant["units"]] == ["chiller-a", "chiller-b", "roof-cooler"]
    assert plant["spare_units"] == 1
    assert "capacity_heat_mw" not in plant
    # air at 18 degC less 8 K of approach cools all of it, ten degrees more nothing
    assert plant["units"][2]["free"] == {"bulb": "dry_bulb_c", "full_below_c": 10.0, "none_above_c": 20.0}
    told = {"start": "2026-11-25T08:00:00Z", "end": "2026-11-25T09:30:00Z", "left_share": 0.0, "reason": "coil washed"}
    assert plant["units"][2]["maintenance"] == [told]
    hall, loop = plant["masses"]
    assert (hall["start_c"], hall["most_change_k_per_slot"]) == (24.0, 3.0)
    assert hall["kept_share"] == pytest.approx(math.exp(-0.125))
    assert hall["surroundings_c"] == 24.0
    assert "kept_share" not in loop
    assert plant["tank"]["start_mwh"] == 0.1
    assert plant["tank"]["kept_share"] == pytest.approx(math.sqrt(0.99))
    series = plan.series
    assert series is not None
    assert set(series.unit_heat_mw) == {"chiller-a", "chiller-b", "roof-cooler"}
    assert min(series.nodes_on["hall"]) < 12
    assert series.tank_mwh is not None
    # 08:00 to 09:30 is slots 4, 5 and 6
    assert series.unit_heat_mw["roof-cooler"][4:7] == [0.0] * 3


def test_units_draw_what_the_plant_s_physics_says() -> None:
    of, raw = plant_site.site(), first()[0]
    assert of.cooling is not None
    unit, told = of.cooling.units[0], raw["cooling"]["units"][0]
    dry = raw["series"]["dry_bulb_c"]
    for t in (0, 11):
        heat = 0.08
        power = max(line["slope"][t] * heat + line["intercept_mw"][t] for line in told["tangents"])
        true = float(cooling.side_power_mw(heat, dry[t], unit))
        error = cooling.unit_tangents(unit, dry, dry, of.cooling.tangents).error_mw[t]
        assert true - error - 1e-9 <= power <= true + 1e-9
        assert told["capacity_heat_mw"][t] == pytest.approx(float(cooling.capacity_mw(dry[t], unit)))
    free = raw["cooling"]["units"][2]["tangents"]
    # fans alone: no more than 40 W for a kilowatt of its rating
    assert max(line["slope"][11] * 0.06 + line["intercept_mw"][11] for line in free) <= 0.04 * 0.06 + 1e-9


def after(slots_on: int, **changes: Any) -> dict[str, Any]:
    """The document of a later round, the first plan's series changed."""
    raw, plan = first()
    assert plan.series is not None
    shelf = plan.model_copy(update={"series": plan.series.model_copy(update=changes)})
    return composed(plant_site.site(), horizon(slots_on), previous=Previous(shelf, NOW, None, raw))


def test_the_next_round_starts_from_temperatures_and_tank_that_the_plan_left() -> None:
    _, plan = first()
    assert plan.series is not None
    assert plan.series.tank_mwh is not None
    raw = after(3)
    check_problem(raw)
    assert [m["start_c"] for m in raw["cooling"]["masses"]] == pytest.approx(
        [plan.series.mass_c["hall"][2], plan.series.mass_c["loop"][2]]
    )
    assert raw["cooling"]["tank"]["start_mwh"] == pytest.approx(plan.series.tank_mwh[2])
    # before the plan's first slot is over, what it began from still holds
    assert after(0)["cooling"]["tank"]["start_mwh"] == 0.1


@pytest.mark.parametrize(
    ("slots_on", "on", "started"),
    [
        (1, 4, [0]),  # eight went off, none was started
        (3, 7, [3]),  # three in the slot before
        (4, 7, [0]),  # two slots ago: the least run of two slots asks for the last one only
        (12, 9, [2]),
        (13, 9, [0]),  # beyond the plan's end its last state holds, and gets older
    ],
)
def test_nodes_are_on_since_when_the_plan_started_them(slots_on: int, on: int, started: list[int]) -> None:
    nodes = after(slots_on, nodes_on={"hall": [4, 4, 7, 7, 7, 7, 7, 7, 7, 7, 7, 9]})["pools"][0]["nodes"]
    assert (nodes["on_before"], nodes["started_before"]) == (on, started)


def test_starts_of_the_round_before_are_not_forgotten() -> None:
    raw, plan = first()
    assert plan.series is not None
    before = copy.deepcopy(raw)
    before["pools"][0]["nodes"] |= {"min_up_slots": 5, "on_before": 6, "started_before": [2, 1]}
    still = plan.series.model_copy(update={"nodes_on": {"hall": [8] * 12}})
    told = Previous(plan.model_copy(update={"series": still}), NOW, None, before)
    found = carried(horizon(2), told)["nodes"]["hall"]
    assert found == (8, [0, 2, 2, 1])


def test_a_running_job_proves_that_its_nodes_are_up() -> None:
    # the plan has two nodes on that boot, the scheduler says that 32 GPUs are at work
    running = job("a", state="running", ran_slots=1, preemptible=True)
    raw = composed(plant_site.site(), horizon(), running, metered={"nodes_on": {"hall": 2}})
    assert raw["pools"][0]["nodes"]["on_before"] == 4
    check_problem(raw)
    raw, plan = first()
    assert plan.series is not None
    rising = plan.series.model_copy(update={"nodes_on": {"hall": [1, *[5] * 11]}})
    before = Previous(plan.model_copy(update={"series": rising}), NOW, None, raw)
    told = composed(plant_site.site(pools=slow_boot()), horizon(2), running, previous=before)["pools"][0]["nodes"]
    # four of five started a slot ago would still boot, but four nodes carry the job: one may
    assert (told["on_before"], told["started_before"]) == (5, [1, 0])
    check_problem(composed(plant_site.site(pools=slow_boot()), horizon(2), running, previous=before))


def test_a_least_run_ends_where_maintenance_begins() -> None:
    raw, plan = first()
    assert plan.series is not None
    rising = plan.series.model_copy(update={"nodes_on": {"hall": [2, *[8] * 11]}})
    before = Previous(plan.model_copy(update={"series": rising}), NOW, None, raw)
    pools = slow_boot()
    # at 07:00 six of eight were started a slot ago; from 07:30 on a quarter of the pool's twelve nodes is there
    pools[0]["maintenance"] = [{"start": "2026-11-25T07:30:00Z", "end": "2026-11-25T09:00:00Z", "left_share": 0.25}]
    told = composed(plant_site.site(pools=pools), horizon(2), previous=before)["pools"][0]["nodes"]
    assert (told["on_before"], told["started_before"]) == (8, [3, 0])
    pools[0]["nodes"]["min_up_minutes"] = 180.0
    raw = composed(plant_site.site(pools=pools), horizon(2), previous=before)
    assert raw["pools"][0]["nodes"]["started_before"] == [3, 0]
    assert conflicts(compile_problem(check_problem(raw))) == []


def slow_boot() -> list[dict[str, Any]]:
    pools: list[dict[str, Any]] = plant_site.raw()["pools"]
    pools[0]["nodes"] |= {"boot_minutes": 90.0, "min_up_minutes": 0.0}
    return pools


def test_readings_stand_in_place_of_what_the_plan_left() -> None:
    raw, plan = first()
    before = Previous(plan, NOW, None, raw)
    metered = {"masses_c": {"loop": 33.5}, "tank_mwh": 0.15, "nodes_on": {"hall": 9}, "exported_mwh": 12.5}
    told = composed(plant_site.site(), horizon(3), previous=before, metered=metered)
    assert plan.series is not None
    assert [m["start_c"] for m in told["cooling"]["masses"]] == [pytest.approx(plan.series.mass_c["hall"][2]), 33.5]
    assert told["cooling"]["tank"]["start_mwh"] == 0.15
    assert told["pools"][0]["nodes"]["on_before"] == 9
    assert told["grid"]["exported_so_far_mwh"] == 12.5
    assert first()[0]["grid"]["exported_so_far_mwh"] == 7.0
    check_problem(told)


def test_a_reading_outside_the_limits_is_planned_from_the_limit() -> None:
    told = composed(plant_site.site(), horizon(), metered={"masses_c": {"hall": 45.0}, "tank_mwh": 3.0})
    assert told["cooling"]["masses"][0]["start_c"] == 32.0
    assert told["cooling"]["tank"]["start_mwh"] == 0.2


WINDOW = {"start": "2026-11-25T06:20:00Z", "end": "2026-11-25T07:00:00Z", "left_share": 0.5, "reason": "bus bar"}
WHOLE = {**WINDOW, "start": "2026-11-25T06:00:00Z"}


def test_maintenance_stands_on_the_asset_that_it_concerns() -> None:
    changes = plant_site.raw()
    for rows in ("pools", "feeds"):
        changes[rows][0]["maintenance"] = [WINDOW]
    changes["grid"]["maintenance"] = [WINDOW]
    changes["generators"] = [{"name": "set", "power_mw": 0.1, "maintenance": [WINDOW]}]
    changes["batteries"] = [{"name": "store", "power_mw": 0.1, "energy_mwh": 0.2, "maintenance": [WINDOW]}]
    raw = composed(plant_site.site(**changes), horizon())
    for asset in (raw["pools"][0], raw["feeds"][0], raw["grid"], raw["generators"][0], raw["batteries"][0]):
        assert asset["maintenance"] == [WHOLE]
    check_problem(raw)
    # what is over touches no slot
    assert "maintenance" not in composed(plant_site.site(**changes), horizon(3))["grid"]


def test_an_end_of_the_tank_that_filling_does_not_reach_leaves_a_plan() -> None:
    changes = plant_site.raw()
    changes["cooling"]["tank"] |= {"end_min_mwh": 0.2, "fill_mw": 0.001}
    raw = composed(plant_site.site(cooling=changes["cooling"]), horizon())
    assert 0.09 < raw["cooling"]["tank"]["end_min_mwh"] < 0.11
    assert digest(raw) != digest(first()[0])


def cooling_with(**changes: Any) -> dict[str, Any]:
    return {"cooling": plant_site.raw()["cooling"] | changes}


def pools_with(**changes: Any) -> dict[str, Any]:
    return {"pools": [plant_site.raw()["pools"][0] | changes]}


MASS = plant_site.raw()["cooling"]["masses"][1]
UNIT = plant_site.raw()["cooling"]["units"][0]
BAD: list[tuple[dict[str, Any], str, str]] = [
    (cooling_with(spare_units=3), "cooling.spare_units", "write fewer"),
    (cooling_with(units=[UNIT, UNIT]), "cooling.units[1].name", "rename"),
    (cooling_with(units=[UNIT | {"name": "roof"}]), "cooling.units[0].name", "rename"),
    (cooling_with(units=[UNIT | {"model": "air-cooled-chiler-18"}]), "cooling.units[0].model", "air-cooled-chiller-18"),
    (cooling_with(units=[UNIT | {"free_only": True}], spare_units=0), "cooling.units", "compressor"),
    (cooling_with(air=UNIT | {"heat_share": 1.0}), "cooling.air.name", "unknown"),
    (cooling_with(masses=[MASS, MASS]), "cooling.masses[1].name", "rename"),
    (cooling_with(masses=[MASS | {"heat_share": 1.2}]), "cooling.masses[0].heat_share", "1"),
    (cooling_with(masses=[MASS | {"surroundings_c": 20.0}]), "cooling.masses[0].surroundings_c", "time_constant_h"),
    (cooling_with(masses=[MASS | {"assumed_c": 50.0}]), "cooling.masses[0].assumed_c", "move it inside"),
    (
        cooling_with(tank=plant_site.raw()["cooling"]["tank"] | {"assumed_mwh": 0.3}),
        "cooling.tank.assumed_mwh",
        "lower it",
    ),
    (pools_with(heat_shares={"lop": 0.5}), "pools[0].heat_shares.lop", "known: hall, loop"),
    (pools_with(heat_shares={"loop": 0.8, "hall": 0.3}), "pools[0].heat_shares", "1 in all"),
    (pools_with(nodes={"boot_minutes": 5.0, "on_assumed": 13}), "pools[0].nodes.on_assumed", "the pool has 12"),
    (pools_with(nodes={"boot_minutes": 5.0, "off_w": 9e4}), "pools[0].nodes.off_w", "lower it"),
    (pools_with(maintenance=[WINDOW | {"end": WINDOW["start"]}]), "pools[0].maintenance[0].end", "before it begins"),
    (pools_with(maintenance=[WINDOW | {"left_share": 1.5}]), "pools[0].maintenance[0].left_share", "1"),
]


@pytest.mark.parametrize(("change", "place", "word"), BAD, ids=[place for _, place, _ in BAD])
def test_what_is_wrong_is_told_by_its_place(change: dict[str, Any], place: str, word: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        plant_site.site(**change)
    told = [f.message for f in refused.value.faults if f.pointer == place]
    assert word in " ".join(told), refused.value.faults


def test_units_and_sides_exclude_each_other() -> None:
    side = {"model": "air-cooled-chiller-18", "heat_share": 1.0, "rated_heat_mw": 0.1}
    with pytest.raises(InvalidInput, match="in the place of"):
        plant_site.site(**cooling_with(air=side))
