"""Hours and money of a plan, counted from what it does: the objective's terms by name."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.changes import changes
from optimizer.commitment import money_of, on_slots
from optimizer.ledger import FIRST_TERMS, TERMS
from optimizer.problem import Entry, Problem
from optimizer.schedule import Energy, Schedule, rented
from optimizer.sessions import lost_h, starts_of
from optimizer.wishes import gave, removed

TRIFLE_H = 1e-6
"""Hours below which work is not called unmet or late: what a solver's tolerance leaves over a day."""


@dataclass(frozen=True)
class Hours:
    """Work done (losses taken off), late and left undone, over all copies, in hours at speed 1.0."""

    done: float
    late: float
    unmet: float


def hours_of(problem: Problem, schedule: Schedule) -> dict[str, Hours]:
    """Hours of every entry."""
    return {e.id: _hours(problem, e, schedule) for e in problem.entries}


def _hours(problem: Problem, e: Entry, schedule: Schedule) -> Hours:
    speed = schedule.speed(e.id) * problem.step_h
    done = float(speed.sum()) - lost_h(e, schedule.pattern)
    unmet = max(0.0, e.count * e.due_h - done)
    return Hours(done, float(speed[max(0, e.deadline) :].sum()), unmet if unmet > TRIFLE_H else 0.0)


def terms_of(problem: Problem, schedule: Schedule, energy: Energy, hours: dict[str, Hours]) -> dict[str, float]:
    """Every term of the objective by name; they sum to the plan's cost."""
    h = problem.step_h
    terms = dict.fromkeys(TERMS, 0.0)
    terms["import"] = h * float(problem.import_price @ energy.import_)
    terms["export"] = -h * float(problem.export_price @ energy.export)
    means = [(m.elapsed + h * float(energy.import_[m.first : m.last].sum())) / m.hours for m in problem.intervals]
    terms["demand_charge"] = problem.demand_rate * max(0.0, max(means) - problem.peak_so_far)
    terms["carbon"] = h * float(problem.carbon_cost @ energy.import_)
    for b in problem.batteries:
        if b.kind == "battery":
            terms["wear"] += h * b.wear_cost * float(energy.discharge[b.name].sum())
            terms["stored"] -= b.end_value * (float(energy.soc[b.name][-1]) - b.soc_start)
    for g in problem.generators:
        output = energy.discharge[g.name]
        terms["fuel"] += money_of(g, on_slots(g, output, h), output, h)
        terms["carbon"] += h * problem.carbon_price * g.carbon_kg * float(output.sum())
    if problem.water is not None:
        terms["water"] = h * problem.water.price * float(problem.water.m3 @ removed(problem, energy))
    terms["partner"] = rented(problem, schedule)[1]
    terms["change"] = sum(wish.cost for wish in changes(problem, schedule, energy))
    terms["wishes"] = sum(wish.cost for wish in gave(problem, energy, schedule.pattern))
    for e in problem.entries:
        starts, _ = starts_of(e, schedule.pattern[e.id])
        mine = hours[e.id]
        terms["starts"] += e.start_cost * starts
        terms["late"] += (e.late_cost or 0.0) * mine.late
        terms["unmet"] += (e.unmet_cost or 0.0) * mine.unmet
        terms["work_value"] -= e.value * max(0.0, min(mine.done, e.count * e.work_h) - e.count * e.due_h)
    return {name: value + 0.0 for name, value in terms.items() if name in FIRST_TERMS or value}
