"""Stability: rows written by hand; a plan leaves the plan in force only where that pays."""

from __future__ import annotations

from typing import Any

import pytest
from golden_rows import Golden, check
from small_day import TWO_LEVELS, at, battery, compiled, cost, day, gave, job, on_slots, planned, pool, series_of, ten

from models.errors import InvalidInput
from optimizer.refusals import check_problem


def published(*runs: tuple[int, int], power_mw: float = 1.0, **prices: float) -> dict[str, Any]:
    """Runs of the plan in force, by first slot and end."""
    return {"runs": [{"start": at(a), "end": at(b), "power_mw": power_mw} for a, b in runs], **prices}


def stability(until: int, frozen: int | None = None) -> dict[str, Any]:
    return {"until": at(until)} | ({} if frozen is None else {"frozen_until": at(frozen)})


# the plan in force ends after three of the four hours
STORE = battery(published_mw=[0.5, -0.25, 0.0, 9.0], moved_cost_per_mwh=8.0)
SET = {"name": "set", "power_mw": 1.0, "published_mw": [0.0, 1.0, 1.0, 1.0], "moved_cost_per_mwh": 3.0}
SET_POINTS = day(
    job(published=published((0, 2), moved_cost_per_h=2.0)),
    batteries=[STORE],
    generators=[SET],
    stability=stability(3),
    schema_version="1.1",
)
GOLDEN = [
    Golden(
        "stability.more[store,1]",
        SET_POINTS,
        "battery.discharge[store,1] - battery.charge[store,1] - away[store,1] <= -0.25",
    ),
    Golden(
        "stability.less[set,2]",
        SET_POINTS,
        "battery.discharge[set,2] - battery.charge[set,2] + away[set,2] >= 1",
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_only_what_is_published_has_a_price() -> None:
    money, constant = cost(SET_POINTS)
    prices = {name: value for name, value in money.items() if name.startswith("stability")}
    assert prices == {f"stability.away[{d},{t}]": p for d, p in (("store", 8.0), ("set", 3.0)) for t in range(3)}
    # on as published saves the two an hour that never running costs; in slot 2 it adds them; slot 3 is not published
    assert constant == pytest.approx(4.0)
    assert [money.get(f"jobs.on[a,{t}]", 0.0) for t in range(4)] == [-2.0, -2.0, 2.0, 0.0]


def test_a_job_moves_only_where_that_pays() -> None:
    # slots 4 and 5 cost 50 and 60, slots 0 and 1 cost 10 and 20: moving saves 80 and differs in four hours
    kept = planned(ten(job(published=published((4, 6), moved_cost_per_h=21.0)), stability=stability(10)))
    assert on_slots(kept) == [4, 5]
    assert gave(kept) == {}
    moved = planned(ten(job(published=published((4, 6), moved_cost_per_h=19.0)), stability=stability(10)))
    assert on_slots(moved) == [0, 1]
    assert gave(moved) == {"job:a/moved": pytest.approx(4.0)}
    assert moved.terms["change"] == pytest.approx(76.0)
    assert "otherwise than the plan in force" in moved.unmet[0].sentence
    assert "change" not in kept.terms


def test_what_the_plan_in_force_does_not_reach_is_free() -> None:
    # it ends before slot 6, so moving from 6 and 7 costs nothing there, and two hours where it had the job off
    plan = planned(ten(job(published=published((6, 8), moved_cost_per_h=10.0)), stability=stability(6)))
    assert on_slots(plan) == [0, 1]
    assert plan.terms["change"] == pytest.approx(20.0)


def test_the_frozen_window_stays_and_physics_moves_it_with_a_sentence() -> None:
    said = published((0, 2), moved_cost_per_h=0.0, frozen_cost_per_h=1000.0)
    falling = [100.0 - 10.0 * t for t in range(10)]
    kept = planned(ten(job(published=said), prices=falling, stability=stability(10, frozen=2)))
    assert on_slots(kept) == [0, 1]
    # no power in slot 0: one hour leaves the window, the other stays in it
    limit = {"import_limit_mw": [0.0] + [8.0] * 9}
    moved = planned(ten(job(published=said, preemptible=True), prices=falling, grid=limit, stability=stability(10, 2)))
    assert on_slots(moved) == [1, 9]
    assert gave(moved) == {"job:a/frozen": pytest.approx(1.0)}
    assert "frozen window" in moved.unmet[0].sentence


def test_a_frozen_level_stays_between_two_levels() -> None:
    # published at 0.75 MW, between the two levels; slower for longer would save money
    said = published((0, 2), power_mw=0.75, frozen_cost_per_h=1000.0, frozen_cost_per_mwh=1000.0)
    asked = job(work_h=2.0, levels=TWO_LEVELS, published=said)
    kept = planned(ten(asked, stability=stability(10, frozen=2)))
    assert [kept.jobs[0].runs[0].power_mw, series_of(kept).it_mw[1]] == pytest.approx([0.75, 0.75])
    free = planned(ten(job(work_h=2.0, levels=TWO_LEVELS)))
    assert series_of(free).it_mw[0] == pytest.approx(0.5)
    # physics: only half a megawatt in slot 0
    limit = {"import_limit_mw": [0.5] + [8.0] * 9}
    slowed = planned(ten(asked, grid=limit, stability=stability(10, frozen=2)))
    assert gave(slowed) == {"job:a/frozen_power": pytest.approx(0.25)}


def test_a_battery_keeps_its_published_power_where_moving_earns_less() -> None:
    # arbitrage from 10 to 100 per MWh earns far more than five a MWh, and less than five hundred
    store = battery(soc_end_min_mwh=1.0)
    said = {"published_mw": [0.0] * 10, "moved_cost_per_mwh": 500.0}
    idle = planned(ten(batteries=[store | said], series={"base_load_mw": [2.0] * 10}, stability=stability(10)))
    assert max(series_of(idle).discharge_mw["store"]) == pytest.approx(0.0, abs=1e-6)
    cheap = said | {"moved_cost_per_mwh": 5.0}
    busy = planned(ten(batteries=[store | cheap], series={"base_load_mw": [2.0] * 10}, stability=stability(10)))
    assert gave(busy)["battery:store/moved"] > 1.0


def test_a_battery_burns_nothing_to_keep_its_published_power() -> None:
    # full, and published to charge one megawatt: the most it can take is nothing
    store = battery(soc_start_mwh=2.0, published_mw=[-1.0] * 10, moved_cost_per_mwh=500.0)
    raw = ten(batteries=[store], stability=stability(1), series={"base_load_mw": [2.0] * 10})
    plan = planned(raw)
    assert min(series_of(plan).charge_mw["store"][0], series_of(plan).discharge_mw["store"][0]) == 0.0
    assert gave(plan)["battery:store/moved"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("raw", "place", "word"),
    [
        (day(job(published=published((0, 1))), schema_version="1.1"), "/jobs/0/published", "give stability"),
        (day(batteries=[STORE], schema_version="1.1"), "/batteries/0/published_mw", "give stability"),
        (
            ten(job(count=2, published=published((0, 1))), stability=stability(4)),
            "/jobs/0/published",
            "needs count 1",
        ),
        (
            ten(job(published=published((0, 2), (1, 3))), stability=stability(4)),
            "/jobs/0/published/runs/1/start",
            "one at a time",
        ),
        (
            ten(
                job(published=published((0, 2), frozen_cost_per_mwh=1.0), pool="hall", gpus=2)
                | {"alternatives": [{"gpus": 1}]},
                stability=stability(4),
                pools=[pool()],
            ),
            "/jobs/0/published/frozen_cost_per_mwh",
            "write 0",
        ),
        (ten(stability=stability(2, frozen=3)), "/stability/frozen_until", "after until"),
        (ten(stability={"until": "2026-11-09T00:20:00Z"}), "/stability/until", "border"),
        (ten(batteries=[STORE], stability=stability(4)), "/batteries/0/published_mw", "10 slots"),
    ],
)
def test_bad_words_about_the_plan_in_force_are_refused(raw: dict[str, Any], place: str, word: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_problem(raw)
    (fault,) = refused.value.faults
    assert fault.pointer == place
    assert word in fault.message


def test_a_set_point_price_asks_for_exact_batteries_and_a_job_s_does_not() -> None:
    assert compiled(SET_POINTS).burning_may_pay
    said = published((4, 6), moved_cost_per_h=21.0)
    assert not compiled(
        ten(job(published=said, preemptible=True, restart_loss_h=0.5), stability=stability(10))
    ).burning_may_pay
    long = published((0, 9), moved_cost_per_h=21.0)
    assert compiled(
        ten(job(published=long, preemptible=True, restart_loss_h=0.5), stability=stability(10))
    ).burning_may_pay
