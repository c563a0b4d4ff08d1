"""Levels of all jobs and the energy side together, for given on-slots: one linear program that stays warm.

The compiled energy model takes each job's lowest level as a load and each segment of its curve, in
every slot in which it is on, as a column between nothing and all of its copies. When the forecast
moves, bounds are changed in place and HiGHS goes on from its last basis.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optimizer.energy_model import EnergyModel
from optimizer.problem import Entry, Floats, Ints
from optimizer.schedule import Group, Schedule, curve_speed, least_power
from optimizer.sessions import Pattern, ends_early, starts_of
from optimizer.solve import HeldLp

UNLIMITED = np.inf


@dataclass
class _Rows:
    """Rows and columns that the jobs add to the energy model, as they are collected."""

    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    cost: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    lengths: list[Ints] = field(default_factory=list)
    rows: list[Ints] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    columns: int = 0

    def row(self, low: float, high: float) -> int:
        """Add a row; its number among those added."""
        self.low.append(low)
        self.high.append(high)
        return len(self.low) - 1

    def add(self, cost: Floats, upper: Floats, rows: Ints, values: Floats) -> int:
        """Add columns, one a line of ``rows`` and ``values``; the number of the first among those added."""
        first = self.columns
        self.columns += len(cost)
        self.cost.append(cost)
        self.upper.append(upper)
        self.lengths.append(np.full(len(cost), rows.shape[1], dtype=np.int64))
        self.rows.append(rows.ravel())
        self.values.append(values.ravel())
        return first


class Levels:
    """The program of one pattern of on-slots; :meth:`solve` gives its schedule, again and again."""

    def __init__(self, energy: EnergyModel, pattern: Pattern, threads: int = 1, gap: float = 1e-4) -> None:
        self.energy, self.pattern = energy, pattern
        problem = energy.problem
        added = _Rows()
        first_row = energy.compiled.lp.num_row_
        drawn, held = np.zeros(energy.power_rows.shape), np.zeros(energy.gpu_rows.shape)
        self._free: list[tuple[Entry, Ints, int, int]] = []
        for e in problem.entries:
            slots = np.flatnonzero(pattern[e.id])
            if len(slots) == 0:
                continue
            copies = pattern[e.id][slots].astype(float)
            line = len(problem.pools) if e.pool is None else e.pool
            drawn[line, slots] += copies * e.power[0]
            if e.pool is not None:
                held[line, slots] += copies * e.gpus
            segments = int(np.argmax(e.speed))
            first = self._segments(e, slots, copies, segments, line, first_row, added) if segments else None
            if first is not None:
                self._free.append((e, slots, first, segments))
        self._lp = HeldLp(energy.compiled, threads, gap=gap)
        self._lp.move_rows(energy.power_rows.ravel(), drawn.ravel())
        self._lp.move_rows(energy.gpu_rows.ravel(), held.ravel())
        self._lp.add_rows(np.array(added.low), np.array(added.high))
        if added.columns:
            begin = np.concatenate([[0], np.cumsum(np.concatenate(added.lengths))])
            self._lp.add_columns(
                np.concatenate(added.cost),
                np.concatenate(added.upper),
                begin,
                np.concatenate(added.rows),
                np.concatenate(added.values),
            )

    def _segments(
        self, e: Entry, slots: Ints, copies: Floats, segments: int, line: int, first_row: int, added: _Rows
    ) -> int | None:
        """Columns of one entry's segments; None where its lowest level does all that is owed and nothing more pays."""
        problem = self.energy.problem
        h = problem.step_h
        _, resumed = starts_of(e, self.pattern[e.id])
        must_end = ends_early(e, self.pattern[e.id])
        base = h * float(copies.sum() * e.speed[0]) - e.loss_h * resumed
        missing = (e.work_h if must_end else e.count * e.due_h) - base
        beyond = e.value > 0 and e.work_h > e.due_h
        away = None if e.published is None else np.array([e.published.level_money(t, e.power) for t in slots.tolist()])
        if missing <= 0 and not beyond and (away is None or not away.any()):
            return None
        power, work = np.diff(e.power[: segments + 1]), h * np.diff(e.speed[: segments + 1])
        rows = [first_row + added.row(missing, UNLIMITED)]
        if e.unmet_cost is not None and not must_end:
            added.add(np.array([e.unmet_cost]), np.array([UNLIMITED]), np.array([rows]), np.ones((1, 1)))
        if beyond:
            most = e.count * (e.work_h - e.due_h)
            added.add(np.array([-e.value]), np.array([most]), np.array([rows]), -np.ones((1, 1)))
        room = e.most_work_h(h) - base
        if work.sum() * copies.sum() > room:
            rows.append(first_row + added.row(-UNLIMITED, room))
        late = np.where(slots >= e.deadline, e.late_cost or 0.0, 0.0)
        count = len(slots) * segments
        columns = np.empty((count, 1 + len(rows)), dtype=np.int64)
        values = np.empty((count, 1 + len(rows)))
        columns[:, 0] = np.repeat(self.energy.power_rows[line, slots], segments)
        values[:, 0] = -np.tile(power, len(slots))
        columns[:, 1:] = rows
        values[:, 1:] = np.tile(work, len(slots))[:, None]
        cost = np.repeat(late, segments) * np.tile(work, len(slots))
        if away is not None:
            cost += np.diff(away[:, : segments + 1], axis=1).ravel()
        return added.add(cost, np.repeat(copies, segments), columns, values)

    def forecast(self, pv: Floats, wind: Floats) -> None:
        """Change what sun and wind offer, in the problem's unit, one value a slot."""
        self.energy.offer(self._lp, pv, wind)

    def solve(self, time_limit_s: float) -> Schedule | None:
        """Cheapest levels; None where the on-slots cannot be supplied, or not in the time."""
        solved = self._lp.solve(time_limit_s)
        if solved is None:
            return None
        values = solved[self._lp.own_columns :]
        problem, none = self.energy.problem, list[Group]()
        groups: dict[str, list[list[Group]]] = {}
        for e in problem.entries:
            on = self.pattern[e.id]
            lowest = float(e.power[0]), float(e.speed[0])
            groups[e.id] = [[(int(n), *lowest)] if n else none for n in on.tolist()]
        for e, slots, first, segments in self._free:
            share = values[first : first + len(slots) * segments].reshape(len(slots), segments)
            copies = self.pattern[e.id][slots]
            speeds = e.speed[0] + (share / copies[:, None]).clip(0.0, 1.0) @ np.diff(e.speed[: segments + 1])
            for t, n, speed in zip(slots.tolist(), copies.tolist(), speeds.tolist(), strict=True):
                # a mix of segments that are not filled in order lies under the curve: on it the speed costs less
                power = least_power(e, speed)
                groups[e.id][t] = [(int(n), power, curve_speed(e, power))]
        return Schedule(self.pattern, groups, self.energy.nodes_of(solved))
