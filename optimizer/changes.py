"""What a plan does otherwise than the plan in force, and what that costs: wishes of the term ``change``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from optimizer.problem import Problem
from optimizer.schedule import Energy, Schedule
from optimizer.wishes import TRIFLE, Gave

_PLACE = {"battery": "batteries", "generator": "generators"}


def changes(problem: Problem, schedule: Schedule, energy: Energy) -> list[Gave]:
    """Every priced change against the plan in force, in the document's units."""
    found = (*_jobs(problem, schedule), *_set_points(problem, energy))
    return [wish for wish in found if wish.amount > TRIFLE and wish.price > 0]


def _jobs(problem: Problem, schedule: Schedule) -> Iterator[Gave]:
    for place, e in enumerate(problem.entries):
        said = e.published
        if said is None:
            continue
        moved, frozen, strayed = said.gave(schedule.pattern[e.id], schedule.power(e.id), problem.step_h)
        away = strayed * problem.unit_mw
        window = "in the frozen window, which physics or a dearer duty forbids to keep"
        for word, unit, amount, price, text in (
            ("moved", "h", moved, said.prices[0], f"for {moved:.6g} h"),
            ("frozen", "h", frozen, said.prices[1], f"for {frozen:.6g} h {window}"),
            ("frozen_power", "MWh", away, said.prices[2], f"by {away:.6g} MWh {window}"),
        ):
            verb = "draws" if word == "frozen_power" else "runs"
            sentence = f"job {e.id} {verb} otherwise than the plan in force has it {text}"
            yield Gave(f"job:{e.id}/{word}", unit, amount, price, f"/jobs/{place}/published", sentence)


def _set_points(problem: Problem, energy: Energy) -> Iterator[Gave]:
    mw = problem.unit_mw
    for p in problem.set_points:
        flow = energy.discharge[p.name] - energy.charge[p.name]
        known = len(p.flow)
        amount = problem.step_h * mw * float(np.abs(flow[:known] - np.array(p.flow)).sum())
        sentence = f"{p.kind} {p.name} gives or takes {amount:.6g} MWh otherwise than the plan in force has it"
        source = f"/{_PLACE[p.kind]}/{p.place}/published_mw"
        yield Gave(f"{p.kind}:{p.name}/moved", "MWh", amount, p.cost / mw, source, sentence)
