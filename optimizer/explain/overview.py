"""A whole plan, one job, or one slot explained: sections of statements, each a list in the order of its weight."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from optimizer.explain.binding import Binding, binding, spans
from optimizer.explain.level import limit_statement, why_capped
from optimizer.explain.marginal import limit_values, slot_prices
from optimizer.explain.requirements import requirements
from optimizer.explain.seen import Seen
from optimizer.explain.start import why_start
from optimizer.explain.statement import Fact, Statement
from optimizer.kept_prices import KeptPrices
from optimizer.problem import Entry

Sections = dict[str, list[Statement]]

JOBS_S = 10.0
"""Seconds for the reasons of all jobs of a plan; the jobs that are left then are counted, not dropped."""


def explain_plan(seen: Seen, jobs_s: float = JOBS_S) -> Sections:
    """Cost by term, wishes, limits, prices, and the first reason of every job that starts later than it could."""
    tight, wishes = binding(seen), requirements(seen)
    gave = [s for s in wishes if s.money is not None]
    kept = [s for s in wishes if s.money is None]
    return {
        "cost": _cost(seen),
        "requirements": [*gave, Statement("requirement.kept_n", {"kept_n": len(kept)})],
        "kept": kept,
        "limits": _limits(seen, tight),
        "prices": _prices(seen),
        "jobs": _jobs(seen, jobs_s),
    }


def explain_job(seen: Seen, job_id: str, slot: int | None = None) -> Sections:
    """Why a job starts when it does, what its wishes say, and why it draws what it draws in a slot.

    ``slot`` None: the first slot in which it draws less than it could.

    Raises:
        InvalidInput: there is no such job.
    """
    e = seen.entry(job_id)
    sections = {
        "start": why_start(seen, job_id),
        "requirements": [s for s in requirements(seen) if s.facts.get("job") == job_id],
    }
    if slot is None:
        copies = np.maximum(1, seen.pattern[job_id])
        slow = (seen.pattern[job_id] > 0) & (seen.schedule.speed(job_id) / copies < e.top_speed * (1 - 1e-4))
        slot = int(np.flatnonzero(slow)[0]) if slow.any() else None
    if slot is not None:
        sections["level"] = why_capped(seen, job_id, slot)
    return sections


def explain_slot(seen: Seen, slot: int) -> Sections:
    """What is drawn and supplied in a slot, its prices, the limits that stand there, and who runs."""
    series = seen.series
    facts: dict[str, Fact] = {
        "slot_at": seen.at(slot),
        "import_mw": series.import_mw[slot],
        "export_mw": series.export_mw[slot],
        "pv_mw": series.pv_used_mw[slot],
        "wind_mw": series.wind_used_mw[slot],
        "charge_mw": sum(row[slot] for row in series.charge_mw.values()),
        "discharge_mw": sum(row[slot] for row in series.discharge_mw.values()),
        "it_mw": series.it_mw[slot],
        "cooling_mw": series.cooling_mw[slot],
    }
    running = []
    for e in seen.problem.entries:
        if seen.pattern[e.id][slot]:
            drawn = float(seen.schedule.power(e.id)[slot]) * seen.problem.unit_mw
            share = float(seen.schedule.speed(e.id)[slot]) / (int(seen.pattern[e.id][slot]) * max(e.top_speed, 1e-9))
            running.append(Statement("slot.job", {"job": e.id, "drawn_mw": drawn, "speed_ratio": share}))
    return {
        "slot": [Statement("slot.balance", facts)],
        "prices": [
            *(_price(seen, p.slot, p.price) for p in slot_prices(seen, [slot])),
            *(_kept(seen, slot, seen.prices) if seen.prices is not None else []),
        ],
        "limits": [limit_statement(seen, b) for b in binding(seen) if b.slot == slot],
        "jobs": running,
    }


def to_json(seen: Seen, sections: Sections) -> dict[str, Any]:
    """The explanation as plain values; it names the documents that it holds for."""
    return {
        "problem_digest": seen.received.digest,
        "objective": seen.money,
        "currency": seen.currency,
        "timezone": seen.received.document.site.timezone,
        "sections": {name: [s.to_json() for s in told] for name, told in sections.items()},
    }


def _cost(seen: Seen) -> list[Statement]:
    plan = seen.plan
    terms = [
        Statement("cost.term", {"part_term": name, "amount_money": money}, money=money)
        for name, money in plan.terms.items()
        if money
    ]
    facts: dict[str, Fact] = {"amount_money": seen.money, "carbon_kg": seen.carbon_kg, "peak_mw": seen.peak_mw}
    if plan.gap is None or plan.gap > 0.5:
        return [Statement("cost.sum_open", facts), *terms]
    return [Statement("cost.sum", {**facts, "gap_ratio": plan.gap}), *terms]


def _limits(seen: Seen, tight: list[Binding]) -> list[Statement]:
    values = limit_values(seen, tight)
    told = []
    for (row, name), ranges in spans(tight).items():
        slots = sum(end - start for start, end in ranges)
        here = [values[row, name, t] for start, end in ranges for t in range(start, end) if (row, name, t) in values]
        facts: dict[str, Fact] = {
            "from_at": seen.at(ranges[0][0]),
            "until_at": seen.at(ranges[-1][1]),
            "used_h": slots * seen.problem.step_h,
        }
        if name:
            facts["limited"] = name
        if here:
            facts["highest_price"] = max(here)
        valued = ".valued" if here and max(here) > 0 else ""
        reason = next(b.reason for b in tight if (b.row, b.name) == (row, name))
        told.append(Statement(f"limit.{row}{valued}", facts, reason))
    return told


def _prices(seen: Seen) -> list[Statement]:
    found = slot_prices(seen)
    known = [(p.price, p.slot) for p in found if p.price is not None]
    if not known:
        return [Statement("price.none", {"slots_n": len(found)})]
    low, high = min(known), max(known)
    facts: dict[str, Fact] = {
        "low_price": low[0],
        "low_at": seen.at(low[1]),
        "high_price": high[0],
        "high_at": seen.at(high[1]),
        "known_n": len(known),
        "slots_n": len(found),
    }
    return [Statement("price.range", facts)]


def _kept(seen: Seen, slot: int, kept: KeptPrices) -> list[Statement]:
    """What power and GPUs of each pool were worth to the jobs when the plan was made."""
    return [
        Statement(
            "price.kept",
            {
                "slot_at": seen.at(slot),
                "pool": pool.name,
                "power_price": kept.power_per_mwh[pool.name][slot],
                "gpu_money": kept.gpu_per_h[pool.name][slot],
            },
        )
        for pool in seen.problem.pools
        if pool.name in kept.power_per_mwh
    ]


def _price(seen: Seen, slot: int, price: float | None) -> Statement:
    facts: dict[str, Fact] = {"slot_at": seen.at(slot)}
    if price is None:
        return Statement("price.slot_hidden", facts)
    return Statement("price.slot", {**facts, "slot_price": price})


def waiting(seen: Seen) -> list[Entry]:
    """Jobs that do not run, and then those that start later than they could."""
    moved = [e for e in seen.problem.entries if seen.sessions(e.id) and seen.sessions(e.id)[0][0] > e.first]
    idle = [e for e in seen.problem.entries if not seen.sessions(e.id) and e.work_h > 0]
    return [*idle, *moved]


def _jobs(seen: Seen, budget_s: float) -> list[Statement]:
    begun, told, concerned = time.monotonic(), list[Statement](), waiting(seen)
    for number, e in enumerate(concerned):
        if time.monotonic() - begun > budget_s:
            told.append(Statement("jobs.left", {"left_n": len(concerned) - number}))
            break
        mine = why_start(seen, e.id)
        told += [s for s in mine if s.key in ("start.moved", "off.waits")]
        told += [s for s in mine if s.reason is not None][:1]
    return told
