"""Why there is no plan: the hard rows that would have to give the least, as sentences."""

from __future__ import annotations

from collections import defaultdict

import pyomo.environ as pyo

from models.horizon import rfc3339
from optimizer.build import build
from optimizer.ledger import Give
from optimizer.problem import Entry, Problem
from optimizer.solve import Options, Outcome, solve

TRIFLE = 1e-6


def diagnose(problem: Problem, options: Options) -> list[str]:
    """Sentences for a problem that was proven infeasible; never empty.

    Every hard row gets a slack, and the least total slack is sought (HiGHS' own conflict sets are
    empty by default and do not cover integers). Sentences name what gave and, for a job, which
    limits are fully used in its window.
    """
    model, ledger = build(problem, exact=problem.burning_may_pay, elastic=True)
    outcome = solve(model, options)
    if outcome.values is None:
        return [_sessions(problem)]
    amounts: dict[tuple[str, str], list[tuple[float, Give]]] = defaultdict(list)
    for give in ledger.gives:
        amount = outcome.value(give.variable) * give.scale
        if amount > TRIFLE:
            amounts[give.key].append((amount, give))
    by_id = {e.id: e for e in problem.entries}
    sentences = []
    for (kind, name), gave in amounts.items():
        amount, give = max(gave, key=lambda item: item[0])
        sentence = give.sentence.format(amount=amount)
        if give.slot is not None:
            more = f" and {len(gave) - 1} more slots" if len(gave) > 1 else ""
            sentence = f"at {rfc3339(problem.horizon.at(give.slot))}{more}: {sentence}"
        if kind == "job":
            full = _full_limits(problem, by_id[name], outcome, model)
            sentence += f"; fully used in its window: {', '.join(full)}" if full else ""
        sentences.append(sentence)
    return sentences or [_sessions(problem)]


def _sessions(problem: Problem) -> str:
    bound = [e.id for e in problem.entries if e.must_stay or e.pinned is not None or e.min_run > 1]
    names = ", ".join(bound[:5]) or "the jobs"
    return (
        f"the session rules of {names} (running, pinned, minimum run and pause) contradict one another or the windows; "
        "relax one of them"
    )


def _full_limits(problem: Problem, e: Entry, outcome: Outcome, model: pyo.ConcreteModel) -> list[str]:
    mw = problem.unit_mw
    full: dict[str, None] = {}
    for t in range(e.first, e.last):
        if outcome.value(model.grid.import_[t]) >= problem.import_limit[t] - TRIFLE:
            full.setdefault(f"import limit {problem.import_limit[t] * mw:g} MW")
        for feed in problem.feeds:
            if e.pool in feed.pools:
                drawn = sum(outcome.value(model.gpus.pool_power[problem.pools[k].name, t]) for k in feed.pools)
                if drawn >= feed.limit[t] - TRIFLE:
                    full.setdefault(f"feed {feed.name} {feed.limit[t] * mw:g} MW")
        if problem.cooling is not None and problem.cooling.capacity is not None:
            heat = outcome.value(model.gpus.it[t]) / problem.efficiency
            if heat >= problem.cooling.capacity[t] - TRIFLE:
                full.setdefault(f"cooling capacity {problem.cooling.capacity[t] * mw:g} MW of heat")
    if e.pool is not None:
        used = sum(other.pool == e.pool for other in problem.entries)
        pool = problem.pools[e.pool]
        if used > 1:
            full.setdefault(f"pool {pool.name} {int(pool.gpus.max())} GPUs")
    return list(full)
