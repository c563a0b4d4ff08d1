"""What must not change a plan's cost, or may change it one way only: units, money, dates, order, room, an order obeyed.

Random tiny days of both versions, each solved to optimality. ``CHERGUI_SOAK`` multiplies their number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
import random_asks
import random_days
from plan_here import plan_here

from models.horizon import parse_rfc3339, rfc3339
from optimizer.document import Plan
from optimizer.refusals import check_problem

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))
DAYS = [(make, seed) for make in (random_days.day, random_asks.day) for seed in range(7100, 7100 + 3 * SOAK)]
POWER = re.compile(r"((?<!per)_mwh?|_mw_per_slot|mwh_per_k|_w_per_gpu|off_w)$")
PER_POWER = re.compile(r"_per_mwh?(_h)?$")
MONEY = re.compile(r"cost|price|value|demand_charge")
TIME = re.compile(r"\d{4}-\d\d-\d\dT")

days = pytest.mark.parametrize(("make", "seed"), DAYS, ids=lambda one: getattr(one, "__module__", one))


def each(value: Any, what: Callable[[str, Any], Any], key: str = "") -> Any:
    """A document with every number and text replaced by what becomes of it under its name."""
    if isinstance(value, dict):
        return {name: each(item, what, name) for name, item in value.items()}
    if isinstance(value, list):
        return [each(item, what, key) for item in value]
    return what(key, value)


def scaled(raw: dict[str, Any], pattern: re.Pattern[str], factor: float) -> dict[str, Any]:
    def times(key: str, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value * factor if number and pattern.search(key) else value

    found: dict[str, Any] = each(raw, times)
    return found


@cache
def before(make: Callable[[int], dict[str, Any]], seed: int) -> Plan:
    return plan_here(check_problem(make(seed)))


def same(raw: dict[str, Any], plan: Plan, factor: float = 1.0) -> None:
    """The other document costs a multiple of what this plan costs, or has no plan either."""
    other = plan_here(check_problem(raw))
    assert other.status == plan.status
    if plan.objective is not None:
        assert other.objective == pytest.approx(factor * plan.objective, rel=2e-5, abs=2e-5 * factor)


@days
def test_a_thousand_times_the_power_at_a_thousandth_of_the_price_costs_the_same(make: Any, seed: int) -> None:
    raw = scaled(scaled(make(seed), POWER, 1000.0), PER_POWER, 1e-3)
    same(raw, before(make, seed))


@days
def test_money_has_no_unit(make: Any, seed: int) -> None:
    same(scaled(make(seed), MONEY, 8.0), before(make, seed), 8.0)


@days
def test_another_week_costs_the_same(make: Any, seed: int) -> None:
    def later(_: str, value: Any) -> Any:
        at_a_time = isinstance(value, str) and TIME.match(value)
        return rfc3339(parse_rfc3339(value) + timedelta(weeks=3)) if at_a_time else value

    same(each(make(seed), later), before(make, seed))


@days
def test_the_order_of_things_costs_nothing(make: Any, seed: int) -> None:
    raw = make(seed)
    lists = {key for key, value in raw.items() if isinstance(value, list)}
    assert lists >= {"jobs", "pools"}
    same({key: value[::-1] if key in lists else value for key, value in raw.items()}, before(make, seed))


@days
def test_more_room_is_never_dearer(make: Any, seed: int) -> None:
    raw = make(seed)
    # idle GPUs draw power, which is no gift where it costs, and one where drawing is paid or promised
    raw |= {"pools": [{k: v for k, v in pool.items() if k not in ("nodes", "idle_w_per_gpu")} for pool in raw["pools"]]}
    wider = raw | {"grid": scaled(raw["grid"], re.compile("^import_limit_mw$"), 1.5)}
    wider["pools"] = [scaled(pool, re.compile("^gpus$"), 2) for pool in raw["pools"]]
    wider["feeds"] = [scaled(feed, re.compile("^limit_mw$"), 1.5) for feed in raw.get("feeds", [])]
    plan, found = plan_here(check_problem(raw)), plan_here(check_problem(wider))
    if plan.objective is not None:
        assert found.objective is not None
        assert found.objective <= plan.objective + 2e-5 * max(1.0, abs(plan.objective))


@days
def test_an_order_to_do_what_is_planned_costs_nothing(make: Any, seed: int) -> None:
    raw, plan = make(seed), before(make, seed)
    starts = {job.id: job.runs[0].start for job in plan.jobs if job.runs}
    for job in raw["jobs"]:
        if job["id"] in starts and job.get("count", 1) == 1 and job.get("state", "queued") == "queued":
            job["pinned_start"] = rfc3339(starts[job["id"]])
    same(raw, plan)
