"""The plan in force in a composed document, and how steady a plan is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from plan_here import plan_here
from small_day import TWO_LEVELS, at, battery, job, on_slots, planned, ten

from ingest.site_file import read_site, sample_path
from models.horizon import Horizon, parse_rfc3339
from models.site import Site
from optimizer.document import Plan
from optimizer.in_force import with_plan_in_force
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.steadiness import changes_per_hour, moved_starts

HOUR = timedelta(hours=1)


def horizon(first: int = 0) -> Horizon:
    return Horizon(parse_rfc3339(at(first)), HOUR, 10)


def site(battery_price: float = 0.0, **planning: float) -> Site:
    """The sample site with prices of change; its store is named as that of the small day."""
    found = read_site(sample_path("dakhla"))
    store = found.batteries[0].model_copy(update={"name": "store", "moved_price_per_mwh": battery_price})
    return found.model_copy(
        update={"planning": found.planning.model_copy(update=planning), "batteries": (store,)},
    )


def raw(first: int = 0, **changes: Any) -> dict[str, Any]:
    """Ten hours from hour ``first`` on with one pausable job of two hours, two levels and what else is said."""
    asked = {
        "work_h": 2.0,
        "count": 1,
        "gpus": 0,
        "levels": TWO_LEVELS,
        "preemptible": True,
        "unmet_cost_per_h": 900.0,
        **changes,
    }
    found = ten(job("a", **asked), batteries=[battery()], schema_version="1.0")
    return found | {"horizon": found["horizon"] | {"start": at(first)}}


def previous(plan: Plan, first: int = 0) -> Previous:
    return Previous(plan, parse_rfc3339(at(first)))


FIRST = planned(raw())


def test_without_a_price_or_a_window_a_document_stays_as_it_was() -> None:
    assert with_plan_in_force(raw(), site(), horizon(), previous(FIRST)) == raw()
    assert with_plan_in_force(raw(), site(frozen_minutes=60.0), horizon(), None) == raw()


def test_what_is_ahead_of_the_plan_in_force_is_written_down() -> None:
    # the job ran from slot 0; an hour later its first hour is behind
    later = with_plan_in_force(
        raw(1), site(frozen_minutes=90.0, moved_price_per_gpu_h=2.0), horizon(1), previous(FIRST)
    )
    assert later["stability"] == {"until": at(10), "frozen_until": at(3)}
    said = later["jobs"][0]["published"]
    assert said["runs"][0]["start"] == at(1)
    # no GPUs, so nothing per GPU-hour; and the day is one of version 1.1 that the contract takes
    assert said["moved_cost_per_h"] == 0.0
    check_problem(later)


def test_an_hour_in_the_frozen_window_outweighs_all_that_due_work_is_worth() -> None:
    asked = raw(pool="hall", gpus=4) | {"pools": [{"name": "hall", "gpu": "H100", "gpus": 8}]}
    told = with_plan_in_force(asked, site(frozen_minutes=60.0), horizon(), previous(FIRST))["jobs"][0]["published"]
    dearest = max(site().wishes.unmet_per_gpu_h.values())
    assert told["frozen_cost_per_h"] == pytest.approx(10 * dearest * 4)
    # at one megawatt at most, slowing down by all of it costs what stopping does
    assert told["frozen_cost_per_mwh"] == pytest.approx(told["frozen_cost_per_h"])


def test_published_runs_end_where_the_work_that_is_left_does() -> None:
    hours = on_slots(FIRST)
    assert len(hours) == 3
    left = with_plan_in_force(raw(work_h=0.7), site(moved_price_per_gpu_h=1.0), horizon(), previous(FIRST))
    assert [run["end"] for run in left["jobs"][0]["published"]["runs"]][-1] == at(1)


def test_a_battery_s_power_is_published_from_the_first_slot_on() -> None:
    told = with_plan_in_force(raw(2), site(battery_price=3.0), horizon(2), previous(FIRST))["batteries"][0]
    assert FIRST.series is not None
    out, into = FIRST.series.discharge_mw["store"], FIRST.series.charge_mw["store"]
    assert told["published_mw"][:8] == pytest.approx([a - b for a, b in zip(out, into, strict=True)][2:])
    assert told["published_mw"][8:] == [0.0, 0.0]
    assert told["moved_cost_per_mwh"] == 3.0


def test_a_plan_on_other_slots_says_nothing() -> None:
    off = Previous(FIRST, parse_rfc3339(at(0)) + timedelta(minutes=20))
    assert with_plan_in_force(raw(), site(frozen_minutes=60.0), horizon(), off) == raw()


def test_a_re_plan_leaves_a_start_where_it_was_published() -> None:
    falling = [100.0 - 10.0 * t for t in range(10)]
    asked = raw(pool="hall", gpus=4) | {"pools": [{"name": "hall", "gpu": "H100", "gpus": 8}]}
    asked |= {"series": {"import_price_per_mwh": falling}, "batteries": []}
    free = plan_here(check_problem(asked))
    assert 0 not in on_slots(free)
    told = with_plan_in_force(asked, site(frozen_minutes=600.0), horizon(), previous(FIRST))
    kept = plan_here(check_problem(told))
    assert on_slots(kept) == on_slots(FIRST)
    assert moved_starts(kept, parse_rfc3339(at(0)), previous(FIRST)) == 0
    assert moved_starts(free, parse_rfc3339(at(0)), previous(FIRST)) == 1


def test_set_points_are_counted_where_they_change() -> None:
    assert FIRST.series is not None
    hours = len(FIRST.series.import_mw)
    steady = {"charge_mw": {"store": [1.0] * 5 + [0.0] * 5}, "discharge_mw": {"store": [0.0] * 8 + [0.5] * 2}}
    plan = FIRST.model_copy(update={"series": FIRST.series.model_copy(update=steady), "jobs": []})
    # down after five hours, up after eight: two changes in nine steps of an hour
    assert changes_per_hour(plan, 1.0) == pytest.approx(2 / (hours - 1))
    run = FIRST.jobs[0].runs[0]
    later: datetime = run.end + HOUR
    limits = [run.model_copy(update={"limit_w": 500.0})]
    limits.append(run.model_copy(update={"start": run.end, "end": later, "limit_w": 400.0}))
    limits.append(run.model_copy(update={"start": later + HOUR, "end": later + 2 * HOUR, "limit_w": 300.0}))
    capped = plan.model_copy(update={"jobs": [FIRST.jobs[0].model_copy(update={"runs": limits})]})
    # a third, inside the session; the new session an hour later is a start and none
    assert changes_per_hour(capped, 1.0) == pytest.approx(3 / (hours - 1))
    assert changes_per_hour(FIRST.model_copy(update={"series": None}), 1.0) is None
