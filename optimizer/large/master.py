"""The energy model with schedules as columns: prices of every slot out.

Each round's schedules enter the compiled matrix, summed over groups of jobs, with one row a group
that mixes its columns to one.
"""

from __future__ import annotations

import numpy as np

from optimizer.energy_model import EnergyModel
from optimizer.large.crowd import Parts
from optimizer.problem import Floats, Ints
from optimizer.solve import HeldLp


class Master:
    """The restricted master: energy rows, and one column a round for each group of jobs."""

    def __init__(self, energy: EnergyModel, parts: Parts, idle: Floats | None = None) -> None:
        """Begin without schedules.

        Args:
            energy: the energy model.
            parts: what a group's column consists of; those of a group stand together, groups in rising order.
            idle: cost of a group that does nothing, by group; None where none may.
        """
        self.energy, self._parts = energy, parts
        groups = self._groups = parts.groups
        self._begin = np.searchsorted(parts.group, np.arange(groups + 1)).tolist()
        self._lp = HeldLp(energy.compiled, relaxed=True, primal=True)
        self._lp.add_rows(np.ones(groups), np.ones(groups))
        mixing = self._lp.own_rows + np.arange(groups)
        if idle is not None:
            self._add(idle, np.arange(groups + 1), mixing, np.ones(groups))
        # relief and burden: one unit of a row bought and sold
        self._coupled = np.unique(np.concatenate([energy.power_rows.ravel(), energy.gpu_rows.ravel()]))
        count = len(self._coupled)
        self._box = self._lp.own_columns + (0 if idle is None else groups) + np.arange(2 * count)
        self._first = self._box[0] + 2 * count
        self._lp.add_columns(
            np.zeros(2 * count),
            np.zeros(2 * count),
            np.arange(2 * count + 1),
            np.tile(self._coupled, 2),
            np.repeat([1.0, -1.0], count),
        )

    def hold(self, rows: Floats, share: float) -> None:
        """Keep the prices of power and GPUs near given ones, within a share of the mean price of their kind.

        A master of few columns knows too little and swings between absurd prices; near good ones it need not
        learn that they are good (boxes of du Merle et al. 1999).
        """
        near = rows[self._coupled]
        width = np.empty(len(near))
        is_power = np.isin(self._coupled, self.energy.power_rows)
        gpus = np.abs(near[~is_power])
        width[is_power] = share * np.abs(near[is_power]).mean()
        width[~is_power] = share * (gpus.mean() + gpus.max(initial=0.0)) if len(gpus) else 0.0
        self._lp.costs(self._box, np.concatenate([near + width, width - near]))
        self._lp.upper_bounds(self._box, np.full(len(self._box), np.inf))

    def release(self) -> None:
        """Let the prices go where they will."""
        self._lp.upper_bounds(self._box, np.zeros(len(self._box)))

    def carry(self, power: Floats, gpus: Floats) -> None:
        """Loads that are there whatever the columns do: power by line and GPUs by pool, per slot."""
        self._lp.move_rows(self.energy.power_rows.ravel(), power.ravel())
        self._lp.move_rows(self.energy.gpu_rows.ravel(), gpus.ravel())

    def offer(self, pv: Floats, wind: Floats) -> None:
        """Change what sun and wind offer."""
        self.energy.offer(self._lp, pv, wind)

    def _add(self, cost: Floats, begin: Ints, rows: Ints, values: Floats) -> None:
        self._lp.add_columns(cost, np.full(len(cost), np.inf), begin, rows, values)

    def add(self, money: Floats, power: Floats, gpus: Floats) -> None:
        """Add one column a group: own money, and by part power and GPUs per slot, of its jobs' schedules together."""
        energy, row = self.energy, self._parts.row
        begin: list[int] = [0]
        rows: list[Ints] = []
        values: list[Floats] = []
        for g in range(self._groups):
            pieces = len(rows)
            for i in range(self._begin[g], self._begin[g + 1]):
                drawn = np.flatnonzero(power[i] > 0)
                rows.append(energy.power_rows[row[i], drawn])
                values.append(-power[i, drawn])
                if row[i] < len(energy.gpu_rows):
                    held = np.flatnonzero(gpus[i] > 0)
                    rows.append(energy.gpu_rows[row[i], held])
                    values.append(-gpus[i, held])
            rows.append(np.array([self._lp.own_rows + g]))
            values.append(np.ones(1))
            begin.append(begin[-1] + sum(len(r) for r in rows[pieces:]))
        self._add(money, np.array(begin), np.concatenate(rows), np.concatenate(values))

    def solve(self) -> tuple[float, Floats, Floats] | None:
        """Optimum of the restricted master, its row prices, and its energy columns; None where HiGHS gives up."""
        columns = self._lp.solve()
        if columns is None:
            return None
        self._last, self._mix = columns, columns[self._first :]
        return self._lp.objective, self._lp.row_prices(), columns[: self._lp.own_columns]

    def mix(self) -> Floats:
        """Shares of the schedules added, ``[round, group]``, at the last optimum."""
        return self._mix.reshape(-1, self._groups)

    def whole(self, time_limit_s: float, gap: float) -> tuple[Ints, bool] | None:
        """One schedule for every group, and whether no better choice is left; None where nothing was found in the time.

        The first schedules added must be a choice that can be supplied: the search begins there.
        """
        groups = self._groups
        start = np.zeros(self._first + self._mix.size)
        start[: len(self._begun)] = self._begun
        found = self._lp.whole(np.arange(self._first, len(start)), start, time_limit_s, gap)
        if found is None:
            return None
        columns, proven = found
        return np.argmax(columns[self._first :].reshape(-1, groups), axis=0), proven

    def begin_here(self) -> None:
        """Remember the last optimum, made of the first schedules alone, as what :meth:`whole` begins with."""
        self._begun = self._last.copy()
