"""The model, part by part: a contents page."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from optimizer.ledger import Ledger
from optimizer.parts import (
    balance,
    battery,
    budgets,
    cooling,
    crowd,
    events,
    fixed_load,
    generators,
    gpus,
    grid,
    headroom,
    jobs,
    mass,
    nodes,
    nominations,
    objective,
    partners,
    stability,
    storage,
    supply,
    surplus,
    water,
    ways,
)
from optimizer.problem import Floats, Problem
from optimizer.sessions import Pattern


def build(
    problem: Problem,
    *,
    exact: bool = False,
    exact_jobs: bool | None = None,
    pattern: Pattern | None = None,
    it_power: Floats | None = None,
    pool_power: Floats | None = None,
    elastic: bool = False,
    priced: bool = False,
) -> tuple[pyo.ConcreteModel, Ledger]:
    """Model of a problem and the ledger that its parts filled.

    Args:
        problem: what to plan.
        exact: forbid by binaries to draw power for nothing (needed where ``problem.burning_may_pay``).
        exact_jobs: the same for the jobs alone; default: as ``exact``.
        pattern: on-slots of some entries; only their levels are left to choose.
        it_power: IT power of every slot; only energy is left to choose.
        pool_power: what each pool draws of it, ``[pool, slot]``.
        elastic: give every hard row a slack and minimize those, to tell why there is no plan.
        priced: leave the jobs out and tie what they draw to columns, which :mod:`optimizer.large` adds.
    """
    model, ledger = pyo.ConcreteModel(problem.name), Ledger(problem.slots, elastic)
    if it_power is not None:
        fixed_load.add(model, problem, ledger, it_power, pool_power)
    elif priced:
        crowd.add(model, problem, ledger)
        nodes.add(model, problem, ledger)
        gpus.add(model, problem, ledger)
        partners.add(model, problem, ledger)
    else:
        ways.add(model, problem, ledger, pattern or {})
        jobs.add(model, problem, ledger, exact=exact if exact_jobs is None else exact_jobs, pattern=pattern or {})
        storage.add(model, problem, ledger, pattern or {})
        nodes.add(model, problem, ledger)
        gpus.add(model, problem, ledger)
        partners.add(model, problem, ledger)
    heat = most_heat(problem)
    cooling.add(model, problem, ledger, exact=exact, most_heat=heat)
    supply.add(model, problem, ledger)
    battery.add(model, problem, ledger, exact=exact)
    mass.add(model, problem, ledger)
    water.add(model, problem, ledger, most_heat=heat)
    generators.add(model, problem, ledger)
    grid.add(model, problem, ledger, exact=exact)
    events.add(model, problem, ledger)
    nominations.add(model, problem, ledger)
    budgets.add(model, problem, ledger)
    headroom.add(model, problem, ledger)
    stability.add(model, problem, ledger)
    if it_power is None and not priced:
        surplus.add(model, problem, pattern or {})
    balance.add(model, problem, ledger)
    objective.add(model, ledger)
    return model, ledger


def most_heat(problem: Problem) -> Floats:
    """Heat per slot that no plan exceeds: all that can be drawn, and no more than supply can carry."""
    loads = np.zeros(problem.slots)
    for e in problem.entries:
        loads[e.first : e.last] += e.count * max(way.power.max() for way in e.options)
    for pool in problem.pools:
        loads += pool.idle * pool.gpus
    supply = problem.pv + problem.wind + problem.import_limit - problem.base
    supply = supply + sum(b.power for b in problem.batteries)
    return np.minimum(loads / problem.efficiency, np.maximum(supply, 0.0))
