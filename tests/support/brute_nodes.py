"""The oracle's hand for nodes that switch off, written from the contract and nothing else of ours.

Each node is one by itself: all its on-slots are written out and judged in plain Python, one of them is chosen.
"""

from __future__ import annotations

import itertools
from typing import Any

Linear = dict[int, float]
Choice = list[tuple[int, tuple[int, ...]]]
"""Columns of 0 or 1 with the on-slots that each stands for."""


def choose(
    program: Any, pool: dict[str, Any], slots: int, gpus: list[float], used: list[Linear]
) -> tuple[list[Linear], list[Choice]]:
    """Power of the pool beside its jobs per slot, as a sum of columns and a constant (column -1); and the choices."""
    nodes, idle = pool["nodes"], pool.get("idle_w_per_gpu", 0.0) / 1e6
    size, whole = nodes["gpus_per_node"], [int(n) // nodes["gpus_per_node"] for n in gpus]
    before = whole[0] if nodes.get("on_before") is None else nodes["on_before"]
    ages = [age + 1 for age, n in enumerate(nodes.get("started_before", [])) for _ in range(n)]
    states: list[int | None] = [*ages, *[10**6] * (before - len(ages))]
    states += [None] * (max(whole) - len(states))
    on: list[Linear] = [{} for _ in range(slots)]
    up: list[Linear] = [{} for _ in range(slots)]
    choices: list[Choice] = []
    for age in states:
        choice: Choice = []
        for pattern in itertools.product((0, 1), repeat=slots):
            ready = _judge(nodes, pattern, age)
            if ready is None:
                continue
            column = program.column(0, 1, whole=True)
            choice.append((column, pattern))
            for t in range(slots):
                on[t][column], up[t][column] = float(pattern[t]), float(ready[t])
        program.row(dict.fromkeys((column for column, _ in choice), 1.0), 1.0, 1.0)
        choices.append(choice)
    off, power = nodes.get("off_w", 0.0) / 1e6, []
    for t in range(slots):
        program.row(on[t], high=whole[t])
        carried = {column: -size * value for column, value in up[t].items()}
        for column, value in used[t].items():
            carried[column] = carried.get(column, 0.0) + value
        program.row(carried, high=0.0)
        drawn = {column: (size * idle - off) * value for column, value in on[t].items()}
        for column, value in used[t].items():
            drawn[column] = drawn.get(column, 0.0) - idle * value
        drawn[-1] = drawn.get(-1, 0.0) + off * whole[t]
        power.append(drawn)
    return power, choices


def _judge(nodes: dict[str, Any], pattern: tuple[int, ...], age: int | None) -> list[int] | None:
    """Slots in which a node is up, on in these; None where it may not be. ``age``: slots since it was started."""
    ready = []
    for now in pattern:
        if now:
            age = 0 if age is None else age
            ready.append(int(age >= nodes.get("boot_slots", 0)))
            age += 1
        else:
            if age is not None and age < max(nodes.get("min_up_slots", 1), nodes.get("boot_slots", 0)):
                return None
            age = None
            ready.append(0)
    return ready


def told(choices: list[Choice], x: Any, slots: int) -> list[int]:
    """How many nodes are on in each slot of a solution."""
    taken = [next(pattern for column, pattern in choice if x[column] > 0.5) for choice in choices]
    return [sum(pattern[t] for pattern in taken) for t in range(slots)]
