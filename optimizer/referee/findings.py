"""What the referee writes down, and how near is near enough.

Tolerances (contract): 1e-5 relative on power and balance, 1e-4 on cooling, speed and hours. A value
near zero is compared with a floor far below anything a device can act on: 1 W, 1 Wh, 3.6 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .day import Day

Floats = npt.NDArray[np.float64]

POWER, POWER_FLOOR_MW = 1e-5, 1e-6
COOLING = 1e-4
SPEED, SPEED_FLOOR = 1e-4, 1e-7
HOURS, HOURS_FLOOR_H = 1e-4, 1e-6
MONEY, MONEY_FLOOR = 1e-5, 1e-6


@dataclass(frozen=True)
class Violation:
    """One broken rule. ``amount`` is by how much, in ``unit``; ``slot`` and ``job`` where they apply."""

    rule: str
    job: str | None
    slot: int | None
    amount: float
    unit: str
    sentence: str


@dataclass
class Findings:
    """Collects violations; each sentence begins with the slot's first instant where there is one."""

    day: Day
    violations: list[Violation] = field(default_factory=list)

    def add(
        self, rule: str, sentence: str, *, amount: float, unit: str, job: str | None = None, slot: int | None = None
    ) -> None:
        """Write one violation down."""
        where = "" if slot is None else f"{self.day.at(slot)}: "
        self.violations.append(Violation(rule, job, slot, float(amount), unit, where + sentence))

    def limits(self, rule: str, what: str, values: Floats, limit: Floats, tolerance: Floats, unit: str) -> None:
        """Each slot in which ``values`` exceeds ``limit`` by more than ``tolerance``."""
        for k in np.flatnonzero(values - limit > tolerance):
            self.add(
                rule,
                f"{what} is {values[k]:.9g} {unit}, the limit is {limit[k]:.9g} {unit}",
                amount=values[k] - limit[k],
                unit=unit,
                slot=int(k),
            )

    def same(self, rule: str, what: str, said: Floats, true: Floats, tolerance: Floats, unit: str) -> None:
        """Each slot in which the plan says something else than what follows from its own facts."""
        for k in np.flatnonzero(np.abs(said - true) > tolerance):
            self.add(
                rule,
                f"{what} is said to be {said[k]:.9g} {unit}, the documents give {true[k]:.9g} {unit}",
                amount=said[k] - true[k],
                unit=unit,
                slot=int(k),
            )


def near_mw(*values: Floats) -> Floats:
    """Allowed error of a power, per slot: relative to the largest of ``values``."""
    scale = np.max(np.abs(np.vstack(values)), axis=0)
    return np.asarray(POWER * scale + POWER_FLOOR_MW, dtype=np.float64)


def near_h(value: float) -> float:
    """Allowed error of an amount of work in hours."""
    return HOURS * abs(value) + HOURS_FLOOR_H


def near_money(gross: float) -> float:
    """Allowed error of a sum of money whose parts add up to ``gross`` in size."""
    return MONEY * abs(gross) + MONEY_FLOOR
