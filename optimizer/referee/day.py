"""The problem's time grid, and its per-slot numbers as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from models.horizon import Horizon, rfc3339
from optimizer.document import Maintenance, Problem


@dataclass(frozen=True)
class Day:
    """A problem on its slots."""

    problem: Problem
    horizon: Horizon

    @classmethod
    def of(cls, problem: Problem) -> Day:
        """The day that a problem document describes."""
        grid = problem.horizon
        return cls(problem, Horizon(grid.start, timedelta(minutes=grid.step_minutes), grid.slots))

    @property
    def slots(self) -> int:
        """Number of slots."""
        return self.horizon.slots

    @property
    def step_h(self) -> float:
        """Hours in a slot."""
        return self.problem.horizon.step_minutes / 60

    def at(self, slot: int) -> str:
        """First instant of ``slot`` as text."""
        return rfc3339(self.horizon.at(slot))

    def first_slot_from(self, moment: datetime) -> int:
        """First slot that begins at or after ``moment``; may lie outside the horizon."""
        return -((self.horizon.start - moment) // self.horizon.step)

    def left(self, windows: Sequence[Maintenance]) -> npt.NDArray[np.float64]:
        """Share of an asset that its maintenance leaves in each slot."""
        share = np.ones(self.slots)
        for k in range(self.slots):
            instant = self.horizon.at(k)
            share[k] = min([1.0, *(w.left_share for w in windows if w.start <= instant < w.end)])
        return share

    def per_slot(self, value: float | Sequence[float] | None, absent: float = 0.0) -> npt.NDArray[np.float64]:
        """A scalar, a list or nothing, as one number per slot."""
        whole = absent if value is None else value
        return np.broadcast_to(np.asarray(whole, dtype=np.float64), (self.slots,))
