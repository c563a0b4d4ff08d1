"""Cooling units side by side: one curve and one capacity for the planner, and each unit's part of the heat afterwards.

Each unit's power is convex in its heat, so the cheapest split takes the flattest pieces of all curves first, and what
it costs is convex again: the sum of the units is one plant with tangents like any other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon
from optimizer import document, upkeep

Floats = NDArray[np.float64]
Row = Callable[..., Floats]

Piece = tuple[float, float]
"""Width in heat and slope of a straight piece of a curve."""

HAIR = 1e-8
"""Share of all heat by which two corners of a curve may differ and be one: between nearer ones only rounding slopes."""


@dataclass(frozen=True, eq=False)
class Unit:
    """One unit: heat that it can remove in each slot, and its tangents ``[k, slot]``; off where it can remove none."""

    name: str
    capacity: Floats
    slope: Floats
    intercept: Floats


@dataclass(frozen=True, eq=False)
class Cooling:
    """Electric power = max(0, largest of ``slope[k, t] * heat + intercept[k, t]``); heat <= capacity.

    Where there are ``units``, slope and intercept are those of the cheapest split and capacity is what is left
    when the ``spare`` largest are lost.
    """

    slope: Floats
    intercept: Floats
    capacity: Floats | None
    units: tuple[Unit, ...] = ()
    spare: int = 0

    def power(self, heat: Floats) -> Floats:
        """Electric power per slot at ``heat`` per slot."""
        lines = self.slope * heat + self.intercept
        power: Floats = np.maximum(lines.max(axis=0), 0.0)
        return power

    @property
    def lost(self) -> str:
        """What a sentence about the capacity adds where units may be lost."""
        return f" with {self.spare} of its units lost (spare_units)" if self.spare else ""

    def split(self, heat: Floats) -> dict[str, Floats]:
        """Heat that each unit removes where power is least; among equals the first in the document."""
        parts = {unit.name: np.zeros_like(heat) for unit in self.units}
        for t, left in enumerate(heat.tolist()):
            for _, width, name in sorted(
                ((slope, width, unit.name) for unit in self.units for width, slope in _pieces(unit, t)),
                key=lambda piece: piece[0],
            ):
                taken = min(width, left)
                parts[name][t] += taken
                left -= taken
        return parts


def cooling(doc: document.Problem, horizon: Horizon, row: Row, unit: float) -> Cooling | None:
    """The cooling plant of a document; None where there is none."""
    given = doc.cooling
    if given is None:
        return None
    slope = np.array([row(t.slope) for t in given.tangents])
    intercept = np.array([row(t.intercept_mw, 1 / unit) for t in given.tangents])
    capacity = None if given.capacity_heat_mw is None else row(given.capacity_heat_mw, 1 / unit)
    if not given.units:
        return Cooling(slope, intercept, capacity)
    units = tuple(_unit(u, doc, horizon, row, unit) for u in given.units)
    left = np.sort([u.capacity for u in units], axis=0)[: len(units) - given.spare_units].sum(axis=0)
    left = left if capacity is None else np.minimum(left, capacity)
    lines = [_sum(slope[:, t], intercept[:, t], units, t) for t in range(len(left))]
    most = max(map(len, lines))
    padded = np.array([line + line[-1:] * (most - len(line)) for line in lines])
    return Cooling(padded[:, :, 0].T.copy(), padded[:, :, 1].T.copy(), left, units, given.spare_units)


def _unit(u: document.CoolingUnit, doc: document.Problem, horizon: Horizon, row: Row, unit: float) -> Unit:
    capacity = row(u.capacity_heat_mw, 1 / unit) * upkeep.left(u.maintenance, horizon)
    if u.free is not None:
        outside = row(getattr(doc.series, u.free.bulb))
        span = u.free.none_above_c - u.free.full_below_c
        capacity = capacity * np.clip((u.free.none_above_c - outside) / span, 0.0, 1.0)
    lines = [(row(t.slope), row(t.intercept_mw, 1 / unit)) for t in u.tangents] or [(row(0.0), row(0.0))]
    return Unit(u.name, capacity, np.array([s for s, _ in lines]), np.array([i for _, i in lines]))


def _envelope(slope: Floats, intercept: Floats, most: float) -> tuple[list[float], list[float]]:
    """Corners of ``max(0, lines)`` between 0 and ``most``: where they are and how high."""
    slope, intercept = np.append(slope, 0.0), np.append(intercept, 0.0)
    corners = {0.0, most}
    for (s, i), (r, j) in itertools.combinations(zip(slope.tolist(), intercept.tolist(), strict=True), 2):
        if s != r and 0.0 < (where := (j - i) / (s - r)) < most:
            corners.add(where)
    heat = _distinct(corners)
    return heat, [float(np.max(slope * q + intercept)) for q in heat]


def _distinct(corners: Iterable[float]) -> list[float]:
    """Corners in order, the last of those that are hardly apart."""
    heat = sorted(corners)
    return [q for q, other in itertools.pairwise(heat) if other - q > HAIR * heat[-1]] + heat[-1:]


def _pieces(unit: Unit, t: int) -> list[Piece]:
    """Straight pieces of a unit's curve in a slot, flattest first; none where it can remove nothing."""
    most = float(unit.capacity[t])
    if most <= 0:
        return []
    heat, power = _envelope(unit.slope[:, t], unit.intercept[:, t], most)
    return [
        (b - a, (q - p) / (b - a))
        for (a, b), (p, q) in zip(itertools.pairwise(heat), itertools.pairwise(power), strict=True)
    ]


def _sum(slope: Floats, intercept: Floats, units: Sequence[Unit], t: int) -> list[tuple[float, float]]:
    """Tangents of the plant's own curve and the cheapest split over its units together."""
    at_rest = sum(max(0.0, float(u.intercept[:, t].max())) for u in units if u.capacity[t] > 0)
    pieces = sorted((piece for u in units for piece in _pieces(u, t)), key=lambda piece: piece[1])
    most = sum(width for width, _ in pieces)
    if most <= 0:
        return list(zip(slope.tolist(), intercept.tolist(), strict=True))
    ends = np.concatenate([[0.0], np.cumsum([width for width, _ in pieces])])
    powers = at_rest + np.concatenate([[0.0], np.cumsum([width * steep for width, steep in pieces])])
    own, _ = _envelope(slope, intercept, most)
    heat = np.array(_distinct([*ends.tolist(), *own]))
    power = np.interp(heat, ends, powers) + np.maximum((np.outer(heat, slope) + intercept).max(axis=1), 0.0)
    steep = np.diff(power) / np.diff(heat)
    flat = power[:-1] - steep * heat[:-1]
    return list(zip(steep.tolist(), flat.tolist(), strict=True))
