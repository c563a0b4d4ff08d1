"""The plan in force, as far as it reaches into a problem: what a job does there, and what doing otherwise costs.

A job pays for each slot in which it is on where the plan in force has it off, or off where it has it on:
``moved`` times ``|x - published|``. For one gang that is a price on its on-slots and a constant, so it passes
through slot prices unchanged. Inside the frozen window the price is one that nothing else outweighs, and a
running gang pays for power beside the published one as well; pricing leaves that out, the whole model and the
levels of given on-slots count it. Powers in the problem's unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon
from optimizer import document

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Published:
    """One gang in the plan in force; one value a slot of the horizon, in tuples, so that like jobs compare.

    ``power`` is zero where it is off. ``moved`` is money for a slot that differs, ``strayed`` money for a unit
    of power beside the published one over a slot while it runs as published; both are zero from ``known`` on.
    ``prices`` are those of the document: moved and frozen per hour, frozen per MWh; the window ends before ``frozen``.
    """

    on: tuple[int, ...]
    power: tuple[float, ...]
    moved: tuple[float, ...]
    strayed: tuple[float, ...]
    known: int
    frozen: int
    prices: tuple[float, float, float]

    @property
    def constant(self) -> float:
        """Money of a gang that never runs."""
        return float(np.dot(self.moved, self.on))

    @property
    def on_money(self) -> Floats:
        """What being on in a slot adds to that; negative where the plan in force has it on."""
        return np.array(self.moved) * (1.0 - 2.0 * np.array(self.on))

    def level_money(self, t: int, power: Floats) -> Floats:
        """What each of some powers costs in slot ``t`` for not being the published one."""
        away: Floats = self.strayed[t] * self.on[t] * np.abs(power - self.power[t])
        return away

    def gave(self, on: NDArray[np.int64], power: Floats, step_h: float) -> tuple[float, float, float]:
        """Hours moved beyond the frozen window and inside it, and power times hours beside the published one."""
        published, known = np.array(self.on), np.arange(len(on)) < self.known
        differs = np.where(known, np.abs(on - published), 0)
        both = known & (on > 0) & (published > 0)
        both[self.frozen :] = False
        away = np.where(both, np.abs(power - np.array(self.power)), 0.0)
        first = differs[: self.frozen]
        return step_h * float(differs[self.frozen :].sum()), step_h * float(first.sum()), step_h * float(away.sum())

    def money(self, gave: tuple[float, float, float], unit_mw: float) -> float:
        """What these amounts cost."""
        moved, frozen, strayed = self.prices
        return moved * gave[0] + frozen * gave[1] + strayed * unit_mw * gave[2]


def published(
    job: document.Job, stability: document.Stability | None, horizon: Horizon, unit: float
) -> Published | None:
    """What the plan in force says of a job; None where it does not know it, or nothing of it reaches the horizon."""
    said = job.published
    if said is None or stability is None:
        return None
    known = min(horizon.slots, horizon.border(stability.until))
    if known <= 0:
        return None
    until = stability.frozen_until
    frozen = 0 if until is None else max(0, min(known, horizon.border(until)))
    power, on = [0.0] * horizon.slots, [0] * horizon.slots
    for run in said.runs:
        for t in range(max(0, horizon.border(run.start)), min(known, horizon.border(run.end))):
            on[t], power[t] = 1, run.power_mw / unit
    h = horizon.step_h
    hourly = [said.frozen_cost_per_h] * frozen + [said.moved_cost_per_h] * (known - frozen)
    rest = [0.0] * (horizon.slots - known)
    return Published(
        on=tuple(on),
        power=tuple(power),
        moved=tuple([h * price for price in hourly] + rest),
        strayed=tuple([h * said.frozen_cost_per_mwh * unit] * frozen + [0.0] * (horizon.slots - frozen)),
        known=known,
        frozen=frozen,
        prices=(said.moved_cost_per_h, said.frozen_cost_per_h, said.frozen_cost_per_mwh),
    )


def with_published_levels(
    said: Published | None, power: Floats, speed: Floats, limit_w: tuple[float | None, ...]
) -> tuple[Floats, Floats, tuple[float | None, ...]]:
    """A job's curve with a level at each power that it is frozen at; the curve itself stays as it is."""
    if said is None:
        return power, speed, limit_w
    wanted = {p for t, p in enumerate(said.power) if said.on[t] and said.strayed[t] > 0}
    limits = list(limit_w)
    for p in sorted(wanted):
        k = int(np.searchsorted(power, p))
        near = (power[i] for i in (k - 1, k) if 0 <= i < len(power))
        if not 0 < k < len(power) or any(math.isclose(p, level, rel_tol=1e-6) for level in near):
            continue
        share = float((p - power[k - 1]) / (power[k] - power[k - 1]))
        low, high = limits[k - 1], limits[k]
        limits.insert(k, None if low is None or high is None else low + share * (high - low))
        speed = np.insert(speed, k, speed[k - 1] + share * (speed[k] - speed[k - 1]))
        power = np.insert(power, k, p)
    return power, speed, tuple(limits)


@dataclass(frozen=True)
class SetPoint:
    """What the plan in force has a battery or a generating set do: power out less power in, one value a slot."""

    name: str
    kind: str
    place: int
    flow: tuple[float, ...]
    cost: float


def set_points(
    doc: document.Problem, horizon: Horizon, row: Callable[..., Floats], unit: float
) -> tuple[SetPoint, ...]:
    """Published powers that have a price, on the slots that the plan in force reaches."""
    if doc.stability is None:
        return ()
    known = max(0, min(horizon.slots, horizon.border(doc.stability.until)))

    def priced(kind: str, devices: Sequence[document.Battery | document.Generator]) -> Iterator[SetPoint]:
        for place, device in enumerate(devices):
            if device.published_mw is not None and device.moved_cost_per_mwh > 0 and known:
                flow = tuple(row(device.published_mw, 1 / unit)[:known].tolist())
                yield SetPoint(device.name, kind, place, flow, device.moved_cost_per_mwh * unit)

    return (*priced("battery", doc.batteries), *priced("generator", doc.generators))
