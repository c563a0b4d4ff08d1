"""Every claim of an explanation, reproduced by another hand: the oracle that enumerates, or the documents themselves.

``CHERGUI_SOAK`` multiplies the number of days.
"""

from __future__ import annotations

import copy
import os
from functools import cache
from typing import Any

import brute_force
import numpy as np
import pytest
import random_asks
import random_days
from small_day import ONE_LEVEL, TWO_LEVELS, at, battery, day, job, planned, pool

from models.errors import InvalidInput, NoPlanInTime
from models.horizon import parse_rfc3339
from optimizer.document import Plan, ReceivedProblem
from optimizer.explain.binding import Binding, binding
from optimizer.explain.causes import weights
from optimizer.explain.changes import compare
from optimizer.explain.contrast import difference, held, moves, redone, shifted, what_if
from optimizer.explain.inputs import CAUSES, changed, laid_on, with_cause
from optimizer.explain.level import why_capped
from optimizer.explain.marginal import limit_values, slot_prices
from optimizer.explain.overview import explain_job, explain_plan, explain_slot, to_json
from optimizer.explain.requirements import requirements
from optimizer.explain.seen import Seen
from optimizer.explain.start import why_start
from optimizer.explain.statement import Reason, Statement
from optimizer.explain.wish import told
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.verify import verify
from optimizer.worker import Request, work

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))


def exactly(received: ReceivedProblem, _: Previous | None = None) -> Plan:
    """The best plan on the way to the optimum; what the referee refuses is dropped, as the one door does."""
    best: Plan | None = None
    for find in work(compile_problem(received), Request(1e-9, 60.0)):
        plan = find.plan
        if plan is None or verify(received, plan, 1e-9):
            continue
        if best is None or plan.objective is None or best.objective is None or plan.objective <= best.objective:
            best = plan
    if best is None:
        raise NoPlanInTime(60.0, ["everything"])
    return best


def seen_of(document: dict[str, Any]) -> Seen:
    received = check_problem(document)
    return Seen.of(received, exactly(received))


@cache
def random_seen(seed: int) -> Seen | None:
    """A random day with its exact plan; every other one asks what only version 1.1 can."""
    document = random_asks.day(seed) if seed % 2 else random_days.day(seed)
    received = check_problem(document)
    try:
        plan = exactly(received)
    except NoPlanInTime:
        return None
    return None if plan.objective is None else Seen(received, plan)


DAYS = range(1, 9) if SOAK == 1 else range(14 * SOAK)


def with_plan(seed: int) -> Seen:
    seen = random_seen(seed)
    if seen is None:
        pytest.skip(f"random day {seed} has no plan to explain")
    return seen


def oracle_held(document: dict[str, Any], on: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch) -> float | None:
    """Least cost of a document with given on-slots, by the oracle; None where they are unlawful or not supplied."""
    all_patterns = brute_force.patterns

    def only(this: dict[str, Any], grid: Any) -> list[brute_force.Pattern]:
        return [p for p in all_patterns(this, grid) if list(p.on) == on[this["id"]]]

    with monkeypatch.context() as patched:
        patched.setattr(brute_force, "patterns", only)
        return brute_force.solve(document).objective


def pattern(seen: Seen, other: dict[str, Any] | None = None) -> dict[str, list[int]]:
    return {i: on.tolist() for i, on in (other or seen.pattern).items()}


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-5, abs=2e-5)


# ---- contrasts


@pytest.mark.parametrize("seed", DAYS)
def test_a_start_s_contrast_is_what_the_oracle_finds_with_the_others_held(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = with_plan(seed)
    document = seen.received.raw
    plan = oracle_held(document, pattern(seen), monkeypatch)
    assert plan == near(redone(seen).money)
    for e in seen.problem.entries:
        sessions = seen.sessions(e.id)
        statements = why_start(seen, e.id)
        for s in statements:
            if not s.key.startswith("start.contrast") or not sessions:
                continue
            wished = seen.problem.horizon.slot(parse_rfc3339(str(s.facts["wished_at"])))
            moved = shifted(seen, e.id, wished - sessions[0][0])
            other = oracle_held(document, pattern(seen, moved), monkeypatch)
            assert other is not None
            claimed = float(s.facts["difference_money"]) * (1 if s.key.endswith("dearer") else -1)  # type: ignore[arg-type]
            assert claimed == near(other - plan)
            parts = [w.money for w in statements if w.key.startswith("weight.")]
            assert sum(m for m in parts if m is not None) == near(claimed)
        if any(s.key == "start.no_earlier" for s in statements):
            for wished in range(e.first, sessions[0][0]):
                moved = shifted(seen, e.id, wished - sessions[0][0])
                assert oracle_held(document, pattern(seen, moved), monkeypatch) is None


@pytest.mark.parametrize("seed", DAYS)
def test_what_a_wish_costs_is_the_difference_of_two_optima(seed: int) -> None:
    seen = with_plan(seed)
    single = [j for j in seen.received.raw["jobs"] if j.get("count", 1) == 1 and j.get("work_h", 0) > 0]
    if not single:
        pytest.skip(f"random day {seed} has no single job")
    wish, slot = single[0], seed % seen.problem.slots
    start = seen.problem.horizon.at(slot)
    found = what_if(seen, wish["id"], start, exactly)
    pinned = copy.deepcopy(seen.received.raw)
    mine = next(j for j in pinned["jobs"] if j["id"] == wish["id"])
    mine |= {"pinned_start": start.isoformat(), "held": False}
    best, wished = brute_force.solve(seen.received.raw).objective, brute_force.solve(pinned).objective
    assert best is not None
    if wished is None:
        assert found.other is None
        assert found.conflicts
        assert told(found)["wish"][0].key == "whatif.impossible"
        return
    assert found.other is not None
    assert found.difference is not None
    assert found.difference.money == near(wished - best)
    assert sum(found.difference.terms.values()) == near(found.difference.money)
    assert found.other.sessions(wish["id"])[0][0] == slot
    names = {m.job for m in found.moves}
    for i, on in found.other.pattern.items():
        before = seen.sessions(i)[:1] and seen.sessions(i)[0][0]
        if i != wish["id"] and (on.any() and int(np.flatnonzero(on)[0])) != before:
            assert i in names


def test_a_held_job_and_the_gap_of_two_searches() -> None:
    seen = seen_of(day(job("a", 1.0, unmet_cost_per_h=90.0, held=True), job("b", 1.0)))
    found = what_if(seen, "a", parse_rfc3339(at(2)), exactly)
    assert found.difference is not None
    assert found.difference.money == pytest.approx(30.0 - 90.0)
    assert found.difference.unmet_h == pytest.approx({"a": -1.0})
    assert found.gap_money == pytest.approx(0.0, abs=1e-6)
    statements = told(found)
    assert [s.key for s in statements["jobs"]] == ["whatif.nobody"]
    assert {s.reason: s.money for s in statements["parts"]} == pytest.approx(
        {Reason.LOW_PRICE: 30.0, Reason.DEADLINE: -90.0}
    )


@pytest.mark.parametrize(
    ("name", "start", "said"),
    [
        ("b", at(1), "'b' is no job"),
        ("a", "2026-11-09T01:10:00Z", "try 2026-11-09T01:00:00Z"),
        ("a", at(7), "outside the horizon"),
        ("twins", at(1), "stands for several jobs"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_with_its_mend(name: str, start: str, said: str) -> None:
    seen = seen_of(day(job("a", 1.0), job("twins", 1.0, count=2)))
    with pytest.raises(InvalidInput, match=said):
        what_if(seen, name, parse_rfc3339(start), exactly)


# ---- reasons


def key_of(statements: list[Statement], reason: Reason) -> Statement:
    return next(s for s in statements if s.reason is reason)


def test_cheaper_hours_are_the_reason_and_weigh_what_they_save() -> None:
    seen = seen_of(day(job("a", 1.0), prices=[40.0, 30.0, 20.0, 10.0]))
    statements = why_start(seen, "a")
    assert [s.key for s in statements][:3] == ["job.runs", "start.moved", "start.no_deadline"]
    assert key_of(statements, Reason.LOW_PRICE).money == pytest.approx(30.0)
    assert statements[1].facts["wait_h"] == 3.0


def test_the_sun_is_the_reason_where_it_would_be_left_unused() -> None:
    series = {"pv_available_mw": [0.0, 0.0, 1.0, 0.0]}
    seen = seen_of(day(job("a", 1.0), prices=[50.0, 50.0, 50.0, 50.0], series=series))
    assert key_of(why_start(seen, "a"), Reason.SOLAR_SURPLUS).money == pytest.approx(50.0)


def test_carbon_and_the_demand_charge_have_their_own_weight() -> None:
    series = {"carbon_kg_per_mwh": [500.0, 500.0, 100.0, 500.0]}
    grid = {"carbon_price_per_kg": 0.1, "demand_charge_per_mw": 20.0}
    a = job("a", 2.0, levels=[{"power_mw": 1.0, "speed": 1.0}], pinned_start=at(0))
    seen = seen_of(day(a, job("b", 1.0), prices=[10.0] * 4, series=series, grid=grid))
    statements = why_start(seen, "b")
    assert key_of(statements, Reason.LOW_CO2).money == pytest.approx(40.0)
    assert key_of(statements, Reason.PEAK_CHARGE).money == pytest.approx(20.0)


def test_a_full_pool_is_counted_from_the_documents() -> None:
    jobs = [
        job("a", 2.0, pool="hall", gpus=6, pinned_start=at(0)),
        job("b", 1.0, pool="hall", gpus=4),
    ]
    seen = seen_of(day(*jobs, pools=[pool()]))
    fact = key_of(why_start(seen, "b"), Reason.GANG_FIT).facts
    assert (fact["held_gpus"], fact["needed_gpus"], fact["there_gpus"]) == (6, 4, 8)
    assert fact["holders_names"] == ["a"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"grid": {"import_limit_mw": 1.5}}, Reason.IMPORT_LIMIT),
        ({"pools": [pool()], "feeds": [{"name": "ups", "pools": ["hall"], "limit_mw": 1.5}]}, Reason.FEEDER_LIMIT),
        (
            {"cooling": {"tangents": [{"slope": 0.0, "intercept_mw": 0.0}], "capacity_heat_mw": 1.5}},
            Reason.COOLING_LIMIT,
        ),
    ],
)
def test_a_limit_of_power_that_leaves_no_room_is_the_reason(more: dict[str, Any], reason: Reason) -> None:
    where = {"pool": "hall", "gpus": 1} if "pools" in more else {}
    jobs = [job("a", 1.0, pinned_start=at(0), **where), job("b", 1.0, **where)]
    statements = why_start(seen_of(day(*jobs, **more)), "b")
    fact = key_of(statements, reason).facts
    assert (fact["least_mw"], fact["limit_mw"]) == pytest.approx((2.0, 1.5))


COOLED = {"tangents": [{"slope": 0.0, "intercept_mw": 0.0}], "capacity_heat_mw": 1.5}
HALL = {"mwh_per_k": 0.25, "start_c": 24.0, "lowest_c": 20.0, "allowable_c": 32.0}


def test_heat_that_a_hall_can_hold_is_no_reason_to_wait() -> None:
    jobs = [job("a", 1.0, pinned_start=at(0)), job("b", 1.0)]
    held = seen_of(day(*jobs, cooling=COOLED | {"mass": HALL}, schema_version="1.1"))
    assert Reason.COOLING_LIMIT not in [s.reason for s in why_start(held, "b")]
    # what binds is what is removed, not what is made
    assert {b.row for b in binding(held) if b.row.startswith("cooling.")} <= {"cooling.capacity"}
    removed = held.series.heat_removed_mw
    assert removed is not None
    assert [b.value for b in binding(held) if b.row == "cooling.capacity"] == [mw for mw in removed if mw > 1.5 - 1e-6]


def test_a_hall_as_warm_as_it_may_be_is_the_reason_of_a_cap() -> None:
    # 1.5 MW of heat may leave for four hours, and 2 MWh more lift the hall from 24 to 32 degC: 8 MWh of the 8.4 owed
    mass = HALL | {"lowest_c": 24.0}
    levels = [{"power_mw": 0.5, "speed": 0.25}, {"power_mw": 2.1, "speed": 1.0}]
    raw = day(job("a", 4.0, levels=levels, unmet_cost_per_h=500.0), cooling=COOLED | {"mass": mass})
    seen = seen_of(raw | {"schema_version": "1.1"})
    last = next(b for b in binding(seen) if b.row.startswith("thermal."))
    warm = seen.series.temperature_c
    assert warm is not None
    assert (last.row, last.slot, last.limit) == ("thermal.allowable_alone", 3, 32.0)
    assert last.value == warm[3] == pytest.approx(32.0, abs=1e-3)
    assert key_of(why_capped(seen, "a", 3), Reason.TEMP_MARGIN).facts["limit_c"] == 32.0
    assert "limit.thermal.allowable_alone" in [s.key for s in explain_plan(seen)["limits"]]


def test_what_a_job_waits_for_is_the_reason() -> None:
    first, then = job("first", 2.0), job("then", 1.0, after=["first"])
    on_time = seen_of(day(first, then, schema_version="1.1"))
    assert on_time.sessions("then") == [(2, 3)]
    earliest = key_of(why_start(on_time, "then"), Reason.PRECEDENCE)
    assert (earliest.key, earliest.facts["others_names"]) == ("start.after", ["first"])
    # cheaper hours make the first wait, and the other with it
    late = seen_of(day(first, then, prices=[90.0, 20.0, 10.0, 30.0], schema_version="1.1"))
    assert (late.sessions("first"), late.sessions("then")) == ([(1, 3)], [(3, 4)])
    waits = key_of(why_start(late, "then"), Reason.PRECEDENCE)
    assert (waits.key, waits.facts["before"], waits.facts["until_at"]) == ("in_the_way.order", "first", at(3))
    never = day(first | {"held": True, "unmet_cost_per_h": 1.0}, then | {"unmet_cost_per_h": 1.0})
    waits = key_of(why_start(seen_of(never | {"schema_version": "1.1"}), "then"), Reason.PRECEDENCE)
    assert (waits.key, waits.facts["others_names"]) == ("off.order", ["first"])
    # it might be over early enough, and is not begun
    idle = day(first | {"unmet_cost_per_h": 1.0}, then | {"unmet_cost_per_h": 1.0}, schema_version="1.1")
    waits = key_of(why_start(seen_of(idle), "then"), Reason.PRECEDENCE)
    assert (waits.key, waits.facts["before"]) == ("in_the_way.order_open", "first")


def test_the_capacity_without_the_largest_unit_binds_by_its_own_name() -> None:
    units = [{"name": name, "capacity_heat_mw": mw} for name, mw in (("small", 1.0), ("large", 2.0))]
    cooling = {"tangents": [{"slope": 0.0, "intercept_mw": 0.0}], "units": units, "spare_units": 1}
    seen = seen_of(day(job("a", 1.0), cooling=cooling, schema_version="1.1"))
    assert [(b.slot, b.value, b.limit) for b in binding(seen) if b.row == "cooling.spare"] == [(0, 1.0, 1.0)]


def test_nodes_that_cannot_be_up_leave_no_room() -> None:
    nodes = {"gpus_per_node": 4, "on_before": 1, "boot_slots": 2}
    jobs = [job(name, 1.0, pool="hall", gpus=4) for name in "ab"]
    late = [jobs[0] | {"pinned_start": at(0)}, jobs[1]]
    seen = seen_of(day(*late, pools=[pool(nodes=nodes)], schema_version="1.1"))
    fact = key_of(why_start(seen, "b"), Reason.GANG_FIT).facts
    assert (fact["held_gpus"], fact["needed_gpus"], fact["there_gpus"]) == (4, 4, 4)


def test_orders_and_runs_that_may_not_stop_come_before_money() -> None:
    seen = seen_of(
        day(
            job("ordered", 1.0, pinned_start=at(3)),
            job("runs", 1.0, state="running"),
            job("held", 1.0, held=True, unmet_cost_per_h=1.0),
            job("done", 0.0),
            job("late", 1.0, release=at(3), deadline=at(2), unmet_cost_per_h=1.0),
        )
    )
    reasons = {e.id: [s.reason for s in why_start(seen, e.id) if s.reason] for e in seen.problem.entries}
    assert reasons == {
        "ordered": [Reason.OPERATOR_OVERRIDE],
        "runs": [Reason.MIN_UPTIME],
        "held": [Reason.OPERATOR_OVERRIDE],
        "done": [],
        "late": [Reason.DEADLINE],
    }


def test_a_job_that_does_not_run_is_told_what_running_would_cost() -> None:
    seen = seen_of(day(job("a", 1.0, unmet_cost_per_h=4.0)))
    statements = why_start(seen, "a")
    assert [s.key for s in statements][:2] == ["off.waits", "start.contrast.dearer"]
    assert {s.reason: s.money for s in statements if s.money} == pytest.approx(
        {Reason.LOW_PRICE: 10.0, Reason.DEADLINE: -4.0}
    )


def test_a_capped_job_is_told_what_its_top_level_costs() -> None:
    # two hours at 0.5 MW and speed 0.7 do the 1.4 h of work; the top level in slot 0 lets slot 1 go down... it cannot:
    # 1.0 h in slot 0 and 0.4 h in slot 1, which runs at 0.5 MW at least, so 0.5 MWh more at 10 are bought
    seen = seen_of(day(job("a", 1.4, levels=TWO_LEVELS, deadline=at(2)), prices=[10.0] * 4))
    statements = why_capped(seen, "a", 0)
    assert statements[0].key == "level.capped"
    assert statements[0].facts["speed_ratio"] == pytest.approx(0.7)
    assert key_of(statements, Reason.LOW_PRICE).money == pytest.approx(5.0)
    assert [s.key for s in why_capped(seen, "a", 3)] == ["level.off"]


def test_a_cap_that_a_limit_asks_for_names_it() -> None:
    seen = seen_of(
        day(job("a", 1.4, levels=TWO_LEVELS, deadline=at(2)), prices=[10.0] * 4, grid={"import_limit_mw": 0.5})
    )
    statements = why_capped(seen, "a", 1)
    assert [s.key for s in statements] == ["level.capped", "binding.grid.import_limit", "level.impossible"]


def test_weights_split_late_and_unmet_work_between_the_job_and_the_others() -> None:
    jobs = [job(name, 1.0, deadline=at(1), late_cost_per_h=5.0, unmet_cost_per_h=90.0) for name in ("a", "b")]
    seen = seen_of(day(*jobs, prices=[10.0] * 4, grid={"import_limit_mw": 1.0}))
    second = next(e for e in seen.problem.entries if seen.sessions(e.id)[0][0] > 0)
    other = held(seen, {i: np.roll(on, -1) if i == second.id else np.roll(on, 1) for i, on in seen.pattern.items()})
    assert other is not None
    found = difference(seen, other)
    parts = {s.reason: s.money for s in weights(found, second)}
    assert parts == pytest.approx({Reason.DEADLINE: -5.0, Reason.PRIORITY: 5.0})
    assert [m.job for m in moves(seen, other, second.id)] == [e.id for e in seen.problem.entries if e is not second]


# ---- limits and prices


def recomputed(seen: Seen, b: Binding) -> tuple[float, float]:
    """Value and limit of a claimed row, from the raw documents alone."""
    raw, series, t = seen.received.raw, seen.series, b.slot

    def of(value: Any) -> float:
        return float(value[t] if isinstance(value, list) else value)

    def running(pools: list[str]) -> list[tuple[dict[str, Any], Any]]:
        now = seen.problem.horizon.at(t)
        jobs = {j["id"]: j for j in raw["jobs"] if j.get("pool") in pools}
        return [(jobs[p.id], r) for p in seen.plan.jobs if p.id in jobs for r in p.runs if r.start <= now < r.end]

    def used(name: str) -> float:
        return float(sum(j.get("gpus", 0) * r.count for j, r in running([name])))

    def beside(name: str) -> float:
        nodes, gpus, idle_w = pools[name].get("nodes"), of(pools[name]["gpus"]), pools[name].get("idle_w_per_gpu", 0.0)
        if nodes is None:
            return (gpus - used(name)) * idle_w
        size, on = nodes["gpus_per_node"], series.nodes_on[name][t]
        return (size * on - used(name)) * idle_w + nodes["off_w"] * (gpus // size - on)

    pools = {p["name"]: p for p in raw.get("pools", [])}
    if b.row == "pool.gpus":
        return used(b.name), of(pools[b.name]["gpus"])
    if b.row == "feed.limit":
        feed = next(f for f in raw["feeds"] if f["name"] == b.name)
        idle = sum(beside(n) for n in feed["pools"]) / 1e6
        return idle + sum(r.power_mw * r.count for _, r in running(feed["pools"])), of(feed["limit_mw"])
    if b.row == "cooling.capacity":
        removed = series.heat_mw if series.heat_removed_mw is None else series.heat_removed_mw
        return removed[t], of(raw["cooling"]["capacity_heat_mw"])
    if b.row.startswith("battery."):
        cell = next(c for c in raw["batteries"] if c["name"] == b.name)
        limit = {
            "battery.soc_max": cell.get("soc_max_mwh", cell["energy_mwh"]),
            "battery.reserve": cell.get("soc_min_mwh", 0.0) + of(cell.get("reserve_mwh", 0.0)),
            "battery.soc_min": cell.get("soc_min_mwh", 0.0),
            "battery.soc_end": cell.get("soc_end_min_mwh", 0.0),
        }[b.row]
        return series.soc_mwh[b.name][t], limit
    if b.row.startswith("thermal."):
        cooling = raw["cooling"]
        alone = b.row.endswith("_alone")
        mass = cooling["mass"] if alone else next(m for m in cooling["masses"] if m["name"] == b.name)
        last = mass.get("end_most_c") if t == len(series.import_mw) - 1 else None
        limit = mass["allowable_c"] if last is None else min(mass["allowable_c"], last)
        return (series.temperature_c if alone else series.mass_c[b.name])[t], limit
    if b.row == "event.target":
        event = next(e for e in raw["events"] if e["id"] == b.name)
        net_mw = series.import_mw[t] - series.export_mw[t]
        targets = [event[k] for k in ("most_import_mw", "least_import_mw") if k in event]
        return net_mw, min(targets, key=lambda mw: abs(mw - net_mw))
    net = [i - e for i, e in zip(series.import_mw, series.export_mw, strict=True)]
    return {
        "grid.import_limit": lambda: (series.import_mw[t], of(raw["grid"]["import_limit_mw"])),
        "grid.export_limit": lambda: (series.export_mw[t], of(raw["grid"]["export_limit_mw"])),
        "grid.ramp": lambda: (abs(net[t] - net[t - 1]), raw["grid"]["import_ramp_mw_per_slot"]),
        "grid.demand_charge": lambda: (
            series.import_mw[t],
            max(*series.import_mw, raw["grid"].get("peak_so_far_mw", 0.0)),
        ),
    }[b.row]()


@pytest.mark.parametrize("seed", range(12 * SOAK))
def test_each_claimed_row_is_full_in_the_documents(seed: int) -> None:
    seen = with_plan(seed)
    claimed = binding(seen)
    for b in claimed:
        value, limit = recomputed(seen, b)
        assert (b.value, b.limit) == pytest.approx((value, limit), rel=1e-6, abs=1e-6), b
        assert abs(value - limit) <= 1e-5 * abs(limit) + 1e-6, b
    limit = np.broadcast_to(seen.received.document.grid.import_limit_mw, seen.problem.slots)
    full = {t for t, mw in enumerate(seen.series.import_mw) if mw > limit[t] - 1e-7 and mw > 1e-5}
    assert full <= {b.slot for b in claimed if b.row == "grid.import_limit"}


@pytest.mark.parametrize("seed", DAYS[:5] if SOAK == 1 else DAYS)
def test_a_price_is_what_a_little_more_load_costs_the_oracle(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = with_plan(seed)
    on, hours = pattern(seen), seen.problem.step_h
    base = list(seen.received.raw["series"].get("base_load_mw", [0.0] * seen.problem.slots))
    told_ = [p for p in slot_prices(seen) if p.price is not None]
    for p in told_[:3]:
        for sign in (1.0, -1.0):
            nudged = copy.deepcopy(seen.received.raw)
            nudged["series"]["base_load_mw"] = [v + sign * 1e-3 * (t == p.slot) for t, v in enumerate(base)]
            before = oracle_held(seen.received.raw, on, monkeypatch)
            after = oracle_held(nudged, on, monkeypatch)
            assert before is not None
            if after is None or seen.problem.burning_may_pay:
                continue  # with binaries at their optimum the program is another one than the oracle's
            assert sign * (after - before) / 1e-3 / hours == pytest.approx(p.price, rel=1e-2, abs=0.05)


def test_the_price_of_a_slot_is_that_of_import_and_of_the_sun_nothing() -> None:
    series = {"pv_available_mw": [5.0, 0.0, 0.0, 0.0]}
    seen = seen_of(day(job("a", 4.0, levels=ONE_LEVEL), series=series))
    assert [p.price for p in slot_prices(seen)] == pytest.approx([0.0, 20.0, 30.0, 40.0], abs=1e-6)


def test_a_price_that_depends_on_the_direction_is_not_told() -> None:
    # the sun is just enough in slot 0: a little more is bought at 10, a little less is worth nothing
    seen = seen_of(day(job("a", 4.0), series={"pv_available_mw": [1.0, 0.0, 0.0, 0.0]}))
    first = slot_prices(seen, [0])[0]
    assert (first.more, first.less) == pytest.approx((10.0, 0.0), abs=1e-6)
    assert first.price is None
    assert explain_slot(seen, 0)["prices"][0].key == "price.slot_hidden"


def test_a_little_more_of_a_limit_is_worth_what_it_saves() -> None:
    # 1.4 h of work in four hours: import is short in the cheap slots, and more of it there spares the dear ones
    curve = [{"power_mw": 0.0, "speed": 0.0}, {"power_mw": 1.0, "speed": 1.0}]
    seen = seen_of(day(job("a", 1.4, levels=curve), grid={"import_limit_mw": 0.5}))
    values = limit_values(seen, binding(seen))
    # the last 0.4 MWh are bought in slot 2 at 30
    assert values == pytest.approx({("grid.import_limit", "", 0): 20.0, ("grid.import_limit", "", 1): 10.0})


# ---- wishes, sections, differences


@pytest.mark.parametrize("seed", range(6 * SOAK))
def test_the_terms_and_the_wishes_that_gave_add_up(seed: int) -> None:
    seen = with_plan(seed)
    sections = explain_plan(seen)
    assert sum(s.money or 0.0 for s in sections["cost"]) == near(seen.money)
    gave = [s for s in requirements(seen) if s.key.endswith(".gave")]
    terms = seen.plan.terms
    priced = terms["unmet"] + terms["late"] + terms.get("wishes", 0.0) + terms.get("change", 0.0)
    assert sum(s.money or 0.0 for s in gave) == near(priced)
    assert {s.facts["requirement"] for s in gave} == {u.requirement for u in seen.plan.unmet}
    assert to_json(seen, sections)["problem_digest"] == seen.received.digest
    for e in seen.problem.entries:
        assert explain_job(seen, e.id)["start"]


def test_a_plan_that_breaks_a_rule_is_not_explained() -> None:
    received = check_problem(day(job("a", 1.0)))
    plan = planned(received.raw)
    with pytest.raises(InvalidInput, match="term import"):
        Seen.of(received, plan.model_copy(update={"terms": {**plan.terms, "import": 0.0}}))
    impossible = check_problem(day(job("a", 9.0)))
    with pytest.raises(InvalidInput, match="there is no plan"):
        Seen.of(impossible, exactly(impossible))


def test_what_changed_is_told_by_cause_and_adds_up() -> None:
    a = day(job("a", 1.0), job("gone", 1.0), prices=[10.0, 20.0, 30.0, 40.0], batteries=[battery(soc_end_min_mwh=1.0)])
    b = copy.deepcopy(a)
    b["series"]["import_price_per_mwh"] = [15.0, 20.0, 30.0, 40.0]
    b["batteries"][0]["soc_start_mwh"] = 0.6
    b["jobs"] = [b["jobs"][0], job("new", 2.0)]
    b["grid"]["import_limit_mw"] = 7.0
    b["series"]["pv_available_mw"] = [0.5, 0.0, 0.0, 0.0]
    before, after = seen_of(a), seen_of(b)
    sections = compare(before, after, exactly)
    causes = sections["causes"]
    assert {s.key for s in causes} >= {"cause.forecast", "cause.prices", "cause.jobs", "cause.state", "cause.site"}
    assert sum(s.money or 0.0 for s in causes) == near(after.money - before.money)
    prices = next(s for s in causes if s.key == "cause.prices")
    alone = copy.deepcopy(a)
    alone["series"]["import_price_per_mwh"] = b["series"]["import_price_per_mwh"]
    best = brute_force.solve(alone).objective
    assert best is not None
    assert prices.money == near(best - before.money)
    assert sum(s.money or 0.0 for s in sections["cost"]) == near(after.money - before.money)
    assert {(s.key, s.facts["job"]) for s in sections["jobs"]} >= {("diff.gone", "gone"), ("diff.new", "new")}


def test_the_same_inputs_have_no_cause_but_the_search() -> None:
    seen = seen_of(day(job("a", 1.0)))
    assert [s.key for s in compare(seen, seen, exactly)["causes"]] == ["cause.none"]


def test_a_later_plan_is_compared_over_the_hours_that_both_have() -> None:
    a = day(job("a", 1.0), prices=[40.0, 30.0, 20.0, 10.0])
    b = day(job("a", 1.0), prices=[30.0, 20.0, 10.0, 50.0], series={"pv_available_mw": [0.0, 1.0, 0.0, 0.0]})
    b["horizon"]["start"] = at(1)
    laid = laid_on(a, b)
    assert laid["series"]["import_price_per_mwh"] == [30.0, 20.0, 10.0, 50.0]
    assert changed(laid, b) == ["forecast"]
    sections = compare(seen_of(a), seen_of(b), exactly)
    assert sections["cost"][0].key == "diff.horizons"
    assert [s.key for s in sections["jobs"]] == ["move.start"]
    assert [(s.key, s.money) for s in sections["causes"]] == [("cause.forecast", pytest.approx(-10.0))]


@pytest.mark.parametrize("seed", range(20))
def test_all_causes_together_make_the_other_document(seed: int) -> None:
    a, b = random_days.day(seed), random_days.day(seed + 1000)
    b["horizon"] = copy.deepcopy(a["horizon"])
    slots = a["horizon"]["slots"]
    b = _resized(b, slots)
    laid = laid_on(a, b)
    mixed = laid
    for cause in CAUSES:
        mixed = with_cause(mixed, b, cause)
    # batteries and feeds of another name are the site's, jobs may stand in another order
    assert {j["id"]: j for j in mixed["jobs"]} == {j["id"]: j for j in b["jobs"]}
    assert {k: v for k, v in mixed.items() if k != "jobs"} == {k: v for k, v in b.items() if k != "jobs"}


def _resized(value: Any, slots: int) -> Any:
    if isinstance(value, dict):
        return {key: _resized(item, slots) for key, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(x, int | float) for x in value):
        return [value[k % len(value)] for k in range(slots)]
    return [_resized(x, slots) for x in value] if isinstance(value, list) else value


def test_plans_between_each_other_s_borders_cannot_be_compared() -> None:
    a, b = day(job("a", 1.0)), day(job("a", 1.0, release=at(0)))
    b["horizon"]["start"] = "2026-11-08T23:30:00Z"
    b["jobs"][0]["release"] = "2026-11-08T23:30:00Z"
    with pytest.raises(InvalidInput, match="same borders"):
        compare(seen_of(a), seen_of(b), None)
