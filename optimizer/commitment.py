"""When a generating set runs, told from what it gives: the cheapest on-slots that fit its output and its rules.

A set with a least power is on exactly where it gives something. One without may also be on at nothing, to
save a stop and a start or to keep its shortest run; dynamic programming over (on or off, slots so far)
finds what costs least.
"""

from __future__ import annotations

import numpy as np

from optimizer.devices import Generator
from optimizer.problem import Floats, Ints

TRIFLE = 1e-6
"""Share of a set's power below which it gives nothing."""


def on_slots(g: Generator, output: Floats, step_h: float) -> Ints:
    """1 where the set is on, one value a slot; simply where it gives something if its rules allow no such run."""
    trifle = TRIFLE * max(g.power, 1e-12)
    may_be_off, may_be_on = output <= trifle, (output >= g.least - trifle) & g.may_run
    first = (int(g.on_before), min(g.state_slots, _enough(g, int(g.on_before))))
    costs: dict[tuple[int, int], float] = {first: 0.0}
    came_from: list[dict[tuple[int, int], tuple[int, int]]] = []
    for t in range(len(output)):
        reached: dict[tuple[int, int], float] = {}
        before: dict[tuple[int, int], tuple[int, int]] = {}
        for state, cost in costs.items():
            for on in (0, 1):
                if not (may_be_on[t] if on else may_be_off[t]):
                    continue
                if on != state[0] and state[1] < _enough(g, state[0]):
                    continue
                new = (on, min(state[1] + 1, _enough(g, on))) if on == state[0] else (on, 1)
                money = cost + on * step_h * g.no_load_cost
                if on != state[0]:
                    money += g.start_cost if on else g.stop_cost
                if money < reached.get(new, np.inf):
                    reached[new], before[new] = money, state
        costs = reached
        came_from.append(before)
    if not costs:
        return (output > trifle).astype(np.int64)
    state = min(costs, key=lambda s: costs[s])
    on_of = np.zeros(len(output), dtype=np.int64)
    for t in range(len(output) - 1, -1, -1):
        on_of[t] = state[0]
        state = came_from[t][state]
    return on_of


def _enough(g: Generator, on: int) -> int:
    return g.min_up if on else g.min_down


def money_of(g: Generator, on: Ints, output: Floats, step_h: float) -> float:
    """Fuel, hours on, starts and stops."""
    change = np.diff(on, prepend=int(g.on_before))
    fuel = step_h * float(g.fuel_cost @ output)
    hours = step_h * g.no_load_cost * float(on.sum())
    return fuel + hours + g.start_cost * float((change > 0).sum()) + g.stop_cost * float((change < 0).sum())
