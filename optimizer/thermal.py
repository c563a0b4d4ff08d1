"""Heat that hall, loop or tank can hold for a while: what the plant removes need not be what is made.

To the rest of the planner the mass is a store of electricity: what the plant draws more than its curve at
the slot's heat goes in, what it draws less comes out. What it removes follows from what it draws, since the
curve rises; where it is flat, the coolest that the limits allow costs least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from optimizer import document
from optimizer.devices import Battery
from optimizer.duties import Water

Floats = NDArray[np.float64]
Row = Callable[..., Floats]

NAME = "thermal mass"
"""Name of the mass among the stores; no device of a document can have it."""


@dataclass(frozen=True, eq=False)
class Mass:
    """``T[t] = kept * T[t-1] + drift[t] + per_heat * (heat[t] - removed[t])`` at the end of slot t, degC.

    ``most_removed`` bounds what the plant can remove, ``slope`` and ``intercept`` are its tangents.
    """

    start_c: float
    lowest_c: float
    allowable_c: float
    recommended_c: float | None
    cost: float
    kept: float
    drift: Floats
    per_heat: float
    most_change: float | None
    end_most_c: float
    most_removed: Floats
    slope: Floats
    intercept: Floats

    def power(self, removed: Floats) -> Floats:
        """Electric power that removes heat, one value a slot."""
        found: Floats = np.maximum((self.slope * removed + self.intercept).max(axis=0), 0.0)
        return found

    def temperature(self, heat: Floats, removed: Floats) -> Floats:
        """Temperature at the end of each slot."""
        found, now = np.zeros_like(heat), self.start_c
        for t in range(len(heat)):
            now = self.kept * now + self.drift[t] + self.per_heat * (heat[t] - removed[t])
            found[t] = now
        return found

    def removed(self, heat: Floats, power: Floats, water: Water | None, step_h: float) -> Floats:
        """Heat that the plant removes at an electric power; where its curve is flat, what costs least."""
        low, high = self._least_at(power), self._most_at(power)
        if (high - low).max() <= 1e-9:
            return low
        return self._choose(heat, low, high, water, step_h)

    def _most_at(self, power: Floats) -> Floats:
        """Largest removal for a power: where the first rising tangent passes it."""
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(self.slope > 0, (power - self.intercept) / self.slope, np.inf)
        most: Floats = np.clip(reach.min(axis=0), 0.0, self.most_removed)
        return most

    def _least_at(self, power: Floats) -> Floats:
        """Smallest removal for a power, by bisection on the curve."""
        low, high = np.zeros_like(power), self._most_at(power)
        loose = 1e-9 * np.maximum(1.0, power)
        for _ in range(60):
            middle = (low + high) / 2
            enough = self.power(middle) >= power - loose
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high

    def _choose(self, heat: Floats, low: Floats, high: Floats, water: Water | None, step_h: float) -> Floats:
        """Removals between two series that cost least in warmth and water (a small linear program)."""
        n, limits = len(heat), () if water is None else water.limits
        # columns: removed, temperature, degrees above what is recommended, water beyond each limit
        width = 3 * n + len(limits)
        cost = np.zeros(width)
        cost[2 * n : 3 * n] = step_h * self.cost
        rows, right = np.zeros((n, width)), self.drift + self.per_heat * heat
        right[0] += self.kept * self.start_c
        upper, most = (
            np.zeros((n, width)),
            np.full(n, self.allowable_c if self.recommended_c is None else self.recommended_c),
        )
        for t in range(n):
            rows[t, t], rows[t, n + t] = self.per_heat, 1.0
            upper[t, n + t], upper[t, 2 * n + t] = 1.0, -1.0
            if t:
                rows[t, n + t - 1] = -self.kept
        extra: list[Floats] = []
        if self.most_change is not None:
            moves = np.zeros((n, width))
            moves[:, n : 2 * n] = np.eye(n) - np.eye(n, k=-1)
            first = np.zeros(n)
            first[0] = self.start_c
            extra += [moves, -moves]
            most = np.concatenate([most, self.most_change + first, self.most_change - first])
        if water is not None:
            cost[:n] = step_h * water.price * water.m3
            used = np.zeros((len(limits), width))
            for k, limit in enumerate(limits):
                used[k, limit.first : limit.last] = step_h * water.m3[limit.first : limit.last]
                used[k, 3 * n + k] = -1.0
                cost[3 * n + k] = limit.cost or 0.0
            extra.append(used)
            most = np.concatenate([most, [limit.left_m3 for limit in limits]])
        tops = [self.allowable_c] * (n - 1) + [min(self.allowable_c, self.end_most_c)]
        bounds = [*zip(low, high, strict=True), *((self.lowest_c, top) for top in tops), *[(0.0, None)] * n]
        bounds += [(0.0, 0.0 if limit.cost is None else None) for limit in limits]
        tight = dict.fromkeys(("primal_feasibility_tolerance", "dual_feasibility_tolerance"), 1e-10)
        found = linprog(cost, np.vstack([upper, *extra]), most, rows, right, bounds, method="highs", options=tight)
        return np.asarray(found.x[:n], dtype=np.float64) if found.status == 0 else low


def mass(doc: document.Problem, row: Row, unit: float, step_h: float) -> Mass | None:
    """Thermal mass of a document's cooling; None where there is none."""
    cooling = doc.cooling
    if cooling is None or cooling.mass is None:
        return None
    m = cooling.mass
    around = row(m.start_c if m.surroundings_c is None else m.surroundings_c)
    return Mass(
        start_c=m.start_c,
        lowest_c=m.lowest_c,
        allowable_c=m.allowable_c,
        recommended_c=m.recommended_c,
        cost=m.above_recommended_cost_per_k_h,
        kept=m.kept_share,
        drift=(1.0 - m.kept_share) * around,
        per_heat=step_h * unit / m.mwh_per_k,
        most_change=m.most_change_k_per_slot,
        end_most_c=m.allowable_c if m.end_most_c is None else m.end_most_c,
        most_removed=row(cooling.capacity_heat_mw, 1 / unit),
        slope=np.array([row(t.slope) for t in cooling.tangents]),
        intercept=np.array([row(t.intercept_mw, 1 / unit) for t in cooling.tangents]),
    )


def store(m: Mass, step_h: float, most_heat: float) -> Battery:
    """The mass as a store of electricity whose stock never binds; its temperature does.

    ``most_heat`` is what no slot exceeds: with a mass it may be more than the plant removes.
    """
    most = np.maximum(m.power(m.most_removed), m.power(np.full_like(m.most_removed, most_heat)))
    power = float(most.max(initial=0.0))
    room = step_h * power * len(most)
    return Battery(
        name=NAME,
        power=power,
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        soc_start=room,
        soc_min=0.0,
        soc_max=2 * room,
        soc_end_min=0.0,
        kind="cold",
        most_out=np.full(len(most), power),
        out_cost=np.zeros_like(most),
        reserve=np.zeros_like(most),
    )
