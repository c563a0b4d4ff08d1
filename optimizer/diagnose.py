"""Why there is no plan: the hard rows that would have to give the least, as sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyomo.environ as pyo
from scipy.sparse import csc_matrix

from models.horizon import rfc3339
from optimizer.build import build
from optimizer.ledger import Give, Ledger
from optimizer.problem import Entry, Problem
from optimizer.solve import Options, Outcome, solve
from optimizer.storage import traffic_gb
from optimizer.upkeep import told

TRIFLE = 1e-6


def diagnose(problem: Problem, options: Options) -> list[str]:
    """Sentences for a problem that was proven infeasible; never empty.

    Every hard row gets a slack, and the least total slack is sought (HiGHS' own conflict sets are
    empty by default and do not cover integers). Sentences name what gave and, for a job, which
    limits are fully used in its window.
    """
    exact = problem.burning_may_pay
    model, ledger = build(problem, exact=exact, exact_jobs=exact or problem.feigning_may_pay, elastic=True)
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
            more = "" if len(gave) == 1 else f" and {len(gave) - 1} more slot" + ("s" if len(gave) > 2 else "")
            sentence = f"at {rfc3339(problem.horizon.at(give.slot))}{more}: {sentence}"
        if give.slot is not None and (upkeep := _upkeep(problem, f"{kind} {name}", give.slot)):
            sentence += f"; it is{upkeep}"
        if kind == "job":
            limits = _limits_in_its_way(problem, by_id[name], outcome, model, ledger)
            sentence += f"; in its way: {', '.join(limits)}" if limits else ""
        sentences.append(sentence)
    return sentences or [_sessions(problem)]


def _sessions(problem: Problem) -> str:
    bound = [e.id for e in problem.entries if e.must_stay or e.pinned is not None or e.min_run > 1]
    names = ", ".join(bound[:5]) or "the jobs"
    return (
        f"the session rules of {names} (running, pinned, minimum run and pause) contradict one another or the windows; "
        "relax one of them"
    )


_DUTIES = {
    "events.at_most": "event {}",
    "headroom.covers_drop": "the headroom of reserve/drop_mw",
    "budgets.carbon": "carbon_budget_kg",
    "budgets.renewable": "renewable_share",
    "water.within_limit": "water limit {}",
}


def _duties_in_its_way(
    problem: Problem, e: Entry, need: float, outcome: Outcome, model: pyo.ConcreteModel
) -> Iterator[str]:
    """Duties without a price that leave no room for one more slot of a job."""
    compiled = outcome.compiled
    matrix = csc_matrix(
        (compiled.lp.a_matrix_.value_, compiled.lp.a_matrix_.index_, compiled.lp.a_matrix_.start_),
        (compiled.lp.num_row_, compiled.lp.num_col_),
    ).tocsr()
    used = matrix @ outcome.values
    powers = [v for t in range(e.first, e.last) for v in (model.grid.import_[t], model.gpus.it[t])]
    columns = [compiled.column[id(v)] for v in powers if id(v) in compiled.column]
    for k, row in enumerate(compiled.rows):
        family, _, index = row.name.partition("[")
        if family not in _DUTIES:
            continue
        # one more slot of the job adds its least power to one of these columns
        adds = float(abs(matrix[k, columns]).max()) * need / problem.efficiency
        room = min(compiled.lp.row_upper_[k] - used[k], used[k] - compiled.lp.row_lower_[k])
        if adds > 0 and room < adds - TRIFLE:
            yield _DUTIES[family].format(index.rstrip("]").split(",")[0])


def _held_in_its_way(problem: Problem, e: Entry, outcome: Outcome, model: pyo.ConcreteModel) -> Iterator[str]:
    """Where heat is held: a plant that removes all it can, a mass as warm as it may be, a tank to be filled."""
    cold, mw = problem.cold, problem.unit_mw
    if cold is None or problem.cooling is None:
        return
    block = model.mass
    for t in range(e.first, e.last):
        if outcome.value(block.plant[t]) > cold.most_removed[t] - TRIFLE:
            yield f"cooling capacity {cold.most_removed[t] * mw:g} MW of heat{problem.cooling.lost}"
            break
    for m in cold.masses:
        if any(outcome.value(block.temperature[m.name, t]) > m.allowable_c - TRIFLE for t in range(e.first, e.last)):
            yield f"{m.allowable_c:g} degC of {m.label} (allowable_c)"
    tank, last = cold.tank, problem.slots - 1
    if tank is not None and tank.end_least > 0 and outcome.value(block.stored[last]) < tank.end_least + TRIFLE:
        yield f"{tank.end_least * mw:g} MWh of the tank (end_min_mwh)"


def _storage_in_its_way(problem: Problem, e: Entry, outcome: Outcome, model: pyo.ConcreteModel) -> Iterator[str]:
    """A slot of its window, or the one after it, in which the storage takes no checkpoint of it beside the others'."""
    if problem.storage is None or problem.storage.cost is not None or e.checkpoint_gb <= 0:
        return
    on = {o.id: np.zeros(problem.slots, dtype=np.int64) for o in problem.entries}
    for (i, t), variable in model.jobs.on.items():
        on[i][t] = round(outcome.value(variable)) if i != e.id else 0
    room = (problem.storage.most_gb - traffic_gb(problem, on))[e.first : e.last + 1]
    if (room < e.checkpoint_gb / e.checkpoint_slots).any():
        yield f"a storage that takes {problem.storage.most_gb[e.first]:g} GB in a slot (storage/gb_per_s)"


def _upkeep(problem: Problem, asset: str, t: int) -> str:
    return told(problem.upkeep, asset, problem.horizon, t)


def _limits_in_its_way(
    problem: Problem, e: Entry, outcome: Outcome, model: pyo.ConcreteModel, ledger: Ledger
) -> list[str]:
    """Limits that leave no room for one more copy in some slot of its window, and the jobs that share them."""
    mw, need = problem.unit_mw, float(e.power.min())
    supply = problem.import_limit + problem.pv + problem.wind + sum(b.power for b in problem.batteries)
    found: dict[str, None] = {}
    for t in range(e.first, e.last):
        it = outcome.value(model.gpus.it[t])
        mine = outcome.value(model.jobs.on[e.id, t]) * need
        heat = np.full(problem.slots, (it - mine + need) / problem.efficiency)
        if heat[t] + problem.cooling_power(heat)[t] + problem.base[t] > supply[t] + TRIFLE:
            found.setdefault(
                f"import limit {problem.import_limit[t] * mw:g} MW{_upkeep(problem, 'the grid connection', t)}"
            )
        if problem.cooling is not None and problem.cooling.capacity is not None and problem.cold is None:
            capacity = problem.cooling.capacity[t]
            told_of = {u.name: _upkeep(problem, f"cooling unit {u.name}", t) for u in problem.cooling.units}
            units = "".join(f", unit {name}{upkeep}" for name, upkeep in told_of.items() if upkeep)
            if heat[t] > capacity + TRIFLE:
                found.setdefault(f"cooling capacity {capacity * mw:g} MW of heat{problem.cooling.lost}{units}")
        if e.pool is None:
            continue
        for feed in problem.feeds:
            if e.pool in feed.pools:
                drawn = sum(outcome.value(model.gpus.pool_power[problem.pools[k].name, t]) for k in feed.pools)
                if drawn - mine + need > feed.limit[t] + TRIFLE:
                    found.setdefault(
                        f"feed {feed.name} {feed.limit[t] * mw:g} MW{_upkeep(problem, f'feed {feed.name}', t)}"
                    )
        pool = problem.pools[e.pool]
        used = sum(
            way.gpus * outcome.value(on)
            for o in problem.entries
            if o.id != e.id
            for way, s, on in ledger.places.get(o.id, [])
            if s == t and way.pool == e.pool
        )
        if used + e.gpus > pool.gpus[t] + TRIFLE:
            there = f"pool {pool.name} with {int(pool.gpus[t])} GPUs"
            found.setdefault(there + _upkeep(problem, f"pool {pool.name}", t))
    for limit in _held_in_its_way(problem, e, outcome, model):
        found.setdefault(limit)
    for storage in _storage_in_its_way(problem, e, outcome, model):
        found.setdefault(storage)
    for duty in _duties_in_its_way(problem, e, need, outcome, model):
        found.setdefault(duty)
    others = [
        o.id
        for o in problem.entries
        if o.id != e.id and o.unmet_cost is None and o.due_h > 0 and o.first < e.last and e.first < o.last
    ]
    if found and others:
        found.setdefault(f"beside {', '.join(others[:3])}" + (" and more" if len(others) > 3 else ""))
    return list(found)
