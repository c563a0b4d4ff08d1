"""Jobs that can choose, composed: every way with its levels, what of the site they need, and what stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from plan_here import plan_here
from ways_site import PARTNER, ways_job, ways_site

from models.errors import InvalidInput
from models.horizon import Horizon, parse_rfc3339, use_packaged_time_zones
from models.jobs import TrainingJob
from models.site import Site
from optimizer.compose import Availability, SiteState, compose
from optimizer.document import Plan
from optimizer.refusals import check_problem
from optimizer.rented import with_orders
from optimizer.replay import Previous

use_packaged_time_zones()
SITE = ways_site()
START = "2026-11-25T06:00:00Z"


def horizon(start: str = START) -> Horizon:
    return Horizon(parse_rfc3339(start), timedelta(minutes=30), 12)


def composed(
    *jobs: TrainingJob,
    site: Site = SITE,
    pv_mw: float = 0.0,
    at: Horizon | None = None,
    rented: Mapping[str, float] = {},
) -> dict[str, Any]:
    slots = at or horizon()
    still, mild = [0.0] * slots.slots, [20.0] * slots.slots
    day = compose(
        site,
        slots,
        Availability([pv_mw] * slots.slots, still, still, mild, mild),
        jobs,
        SiteState({}, 0.0, rented),
        "day",
    )
    check_problem(day)
    return day


def planned(day: dict[str, Any]) -> Plan:
    return plan_here(check_problem(day), gap=1e-4, time_limit_s=20.0)


def test_a_job_that_chooses_nothing_is_told_as_before_on_a_site_that_offers_all() -> None:
    day = composed(ways_job(tenant="lab", checkpoint_gb=0.0))
    assert day["schema_version"] == "1.0"
    assert [pool["name"] for pool in day["pools"]] == ["hall", "annex"]
    assert "storage" not in day
    newer = {"alternatives", "resize_loss_h", "checkpoint_gb", "surplus", "residency"}
    assert not newer & set(day["jobs"][0])


def test_levels_of_a_way_are_the_curve_of_its_pool_times_gang_and_speed() -> None:
    told = composed(ways_job(gpus_min=8, pools=["annex"], may_rent=True))["jobs"][0]
    ways = {(way["pool"], way["gpus"]): way for way in told["alternatives"]}
    own = told["levels"]
    assert own[-1]["speed"] == 1.0
    half = ways["hall", 8]["levels"]
    # half the GPUs draw half the power at each limit and do 0.5^0.9 of the work
    assert [level["power_mw"] for level in half] == pytest.approx([level["power_mw"] / 2 for level in own])
    assert [level["speed"] for level in half] == pytest.approx([level["speed"] * 0.5358867 for level in own])
    assert [level["limit_w"] for level in half] == [level["limit_w"] for level in own]
    assert ways["annex", 16]["levels"] == own, "alike GPUs"
    # a partner's run at full power: nobody caps there
    assert ways["cloud", 16]["levels"] == [{key: own[-1][key] for key in ("power_mw", "speed")}]
    assert ways["cloud", 16]["egress_cost"] == 100.0
    assert "egress_cost" not in ways["annex", 16]


def test_a_gang_that_may_not_change_while_it_runs_would_lose_more_than_the_horizon_gives() -> None:
    told = composed(
        ways_job("a", gpus_min=8),
        ways_job("b", gpus_min=8, resizable=True, restart_loss_h=0.3),
        ways_job("c", gpus_min=8, resizable=True, restart_loss_h=0.3, resize_loss_h=0.1),
        ways_job("d", pools=["annex"]),
    )["jobs"]
    assert [job.get("resize_loss_h") for job in told] == [14.0, 0.3, 0.1, None]


def test_partners_jurisdictions_and_storage_are_told_where_a_job_needs_them() -> None:
    day = composed(ways_job("a", may_rent=True, residency=["FR", "MA"]), ways_job("b", checkpoint_gb=80.0))
    pools = {pool["name"]: pool for pool in day["pools"]}
    assert pools["hall"]["jurisdiction"] == "MA"
    # 50 minutes are two slots of half an hour
    assert pools["cloud"]["partner"] == {"price_per_gpu_h": 20.0, "start_delay_slots": 2}
    assert (pools["cloud"]["lever"], pools["cloud"]["jurisdiction"]) == ("none", "FR")
    assert day["storage"] == {"gb_per_s": 0.5, "over_cost_per_gb": 2.0}
    assert [job.get("checkpoint_gb") for job in day["jobs"]] == [None, 80.0]
    assert day["schema_version"] == "1.1"


def test_a_quota_is_what_this_month_has_left_and_at_least_what_cannot_be_stopped() -> None:
    site = ways_site(partners=[PARTNER | {"quota_gpu_h_per_month": 100.0}])

    def left(job: TrainingJob, used: float) -> float:
        day = composed(job, site=site, rented={"cloud": used})
        return float(day["pools"][-1]["partner"]["quota_gpu_h"])

    assert left(ways_job(may_rent=True), 30.0) == 70.0
    assert left(ways_job(may_rent=True), 130.0) == 0.0
    there = {"may_rent": True, "state": "running", "running_pool": "cloud"}
    assert left(ways_job(**there), 99.0) == 8.0, "16 GPUs for the half hour that it stays"
    assert left(ways_job(**there, preemptible=True), 99.0) == 1.0


def test_a_running_job_is_told_where_it_runs_and_its_hours_stay_those_of_its_own_gang() -> None:
    there = {"gpus_min": 8, "state": "running", "running_gpus": 8, "running_pool": "annex", "pools": ["annex"]}
    stays = composed(ways_job(**there))["jobs"][0]
    assert (stays["pool"], stays["gpus"], stays["work_h"]) == ("annex", 8, 2.0)
    assert stays["levels"][-1]["speed"] == pytest.approx(0.5358867)
    assert "alternatives" not in stays
    moves = composed(ways_job(**there, preemptible=True))["jobs"][0]
    assert ("hall", 16) in {(way["pool"], way["gpus"]) for way in moves["alternatives"]}
    # money of undone work is by the gang that was asked for
    assert stays["unmet_cost_per_h"] == 16 * SITE.wishes.unmet_per_gpu_h["normal"]


def test_a_job_on_surplus_owes_nothing_and_its_work_has_a_worth() -> None:
    told = composed(ways_job(surplus=True, preemptible=True))["jobs"][0]
    assert (told["surplus"], told["due_h"]) == (True, 0.0)
    assert told["work_value_per_h"] == pytest.approx(16 * 0.01)
    assert told["unmet_cost_per_h"] >= told["work_value_per_h"]


def test_what_the_site_cannot_give_is_refused_with_the_job_s_place() -> None:
    with pytest.raises(InvalidInput) as refused:
        composed(ways_job("a"), ways_job("b", pools=["attic"]), ways_job("c", residency=["DE"]))
    assert [(f.pointer, f.code) for f in refused.value.faults] == [
        ("jobs[1].pools[0]", "unknown_pool"),
        ("jobs[2].residency", "nothing_open"),
    ]
    there = {"state": "running", "running_pool": "annex", "running_gpus": 32, "gpus_max": 32, "pools": ["annex"]}
    with pytest.raises(InvalidInput) as refused:
        composed(ways_job("a", **there), ways_job("b", **there))
    assert [(f.pointer, f.code) for f in refused.value.faults] == [("pools.annex", "more_running_than_gpus")]


def test_a_plan_sends_a_job_where_there_is_room_and_its_speed_is_that_of_the_way() -> None:
    day = composed(
        ways_job("here", gpus=48, work_h=6.0, deadline="2026-11-25T12:00:00Z", priority="high"),
        ways_job("there", pools=["annex"], work_h=1.0, deadline="2026-11-25T10:00:00Z"),
    )
    plan = planned(day)
    by_id = {job.id: job for job in plan.jobs}
    assert {run.pool for run in by_id["there"].runs} == {"annex"}
    done = sum(run.speed * (run.end - run.start) / timedelta(hours=1) for run in by_id["there"].runs)
    assert done >= 1.0 - 1e-6


def test_a_wait_at_a_partner_begins_once() -> None:
    job = ways_job(may_rent=True, residency=["FR"], work_h=0.5, deadline="2026-11-25T12:00:00Z", priority="high")
    day = composed(job)
    plan = planned(day)
    first = plan.jobs[0].runs[0]
    assert first.pool == "cloud"
    assert first.start >= parse_rfc3339("2026-11-25T07:00:00Z"), "two slots of delay"
    before = Previous(plan, parse_rfc3339(START), None, day)
    later = horizon("2026-11-25T06:30:00Z")
    ordered = with_orders(composed(job, at=later), later, before)
    assert ordered["jobs"][0]["alternatives"][0]["ready"] == "2026-11-25T07:00:00Z"
    check_problem(ordered)
    # a further round on, what was ordered first still counts
    again = horizon("2026-11-25T07:00:00Z")
    plan_again = plan.model_copy(update={"problem_digest": "0" * 64})
    third = with_orders(composed(job, at=again), again, Previous(plan_again, later.start, None, ordered))
    assert third["jobs"][0]["alternatives"][0]["ready"] == "2026-11-25T07:00:00Z"
    # a plan that does not use the partner has ordered nothing
    idle = plan.model_copy(update={"jobs": [plan.jobs[0].model_copy(update={"runs": []})]})
    fresh = with_orders(composed(job, at=later), later, Previous(idle, parse_rfc3339(START), None, day))
    assert "ready" not in fresh["jobs"][0]["alternatives"][0]
    off_border = horizon("2026-11-25T06:10:00Z")
    assert "ready" not in with_orders(composed(job, at=off_border), off_border, before)["jobs"][0]["alternatives"][0]


def test_a_job_on_surplus_runs_where_the_sun_carries_the_site() -> None:
    job = ways_job(surplus=True, preemptible=True, work_h=1.0)
    assert planned(composed(job)).jobs[0].runs == []
    sunny = planned(composed(job, pv_mw=0.14))
    assert sunny.jobs[0].work_done_h >= 1.0 - 1e-6
