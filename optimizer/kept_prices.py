"""What an hour of power, of a GPU and of work was worth in a solve, kept with its plan.

The next solve begins at them, one slot further on; people read from them what a time of the day costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from models.horizon import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    # the web process reads prices too, and loads neither a solver nor NumPy
    from optimizer.problem import Entry, Floats, Problem

NO_POOL = ""
"""Name under which loads without a pool stand among the pools."""


@dataclass(frozen=True)
class KeptPrices:
    """Prices at the best proven bound of a solve.

    Args:
        start: first instant of the horizon.
        power_per_mwh: money for a MWh of IT power, by pool and slot (losses, cooling and scarcity included).
        gpu_per_h: money for a GPU and hour, by pool and slot; negative where an idle GPU draws power.
        work_per_h: money for an hour of a job's work at full speed, by job.
    """

    start: datetime
    power_per_mwh: Mapping[str, tuple[float, ...]]
    gpu_per_h: Mapping[str, tuple[float, ...]]
    work_per_h: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "start": rfc3339(self.start),
            "power_per_mwh": {name: list(row) for name, row in self.power_per_mwh.items()},
            "gpu_per_h": {name: list(row) for name, row in self.gpu_per_h.items()},
            "work_per_h": dict(self.work_per_h),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> KeptPrices:
        """From :meth:`to_json`."""
        rows = ({name: tuple(map(float, row)) for name, row in told[key].items()} for key in _BY_POOL)
        power, gpu = rows
        return cls(parse_rfc3339(told["start"]), power, gpu, {i: float(v) for i, v in told["work_per_h"].items()})

    def on(self, problem: Problem) -> tuple[Floats, Floats] | None:
        """Power and GPU prices on the slots of another problem, in its unit, ``[pool, slot]``; None for other pools.

        Beyond their end the last ones go on.
        """
        import numpy as np

        gone = (problem.horizon.start - self.start) // problem.horizon.step
        names = [pool.name for pool in problem.pools]
        if not all(name in self.power_per_mwh for name in [*names, NO_POOL]):
            return None

        def rows(by_pool: Mapping[str, tuple[float, ...]]) -> Floats:
            told = np.array([by_pool[name] for name in [*names, NO_POOL]])
            return told[:, np.clip(np.arange(problem.slots) + gone, 0, told.shape[1] - 1)]

        h = problem.step_h
        return rows(self.power_per_mwh) * problem.unit_mw * h, rows(self.gpu_per_h) * h

    def quotes(self, pool: str, gpus: int, power_mw: float, slots: int, step_h: float) -> list[float]:
        """Money for GPUs that draw a constant power for some slots, by first slot, if they come in addition.

        Holds for as little more as leaves the prices where they are; empty where the run is longer than the horizon.

        Raises:
            KeyError: there is no such pool.
        """
        rows = zip(self.power_per_mwh[pool], self.gpu_per_h[pool], strict=True)
        until = list(accumulate((step_h * (power_mw * power + gpus * gpu) for power, gpu in rows), initial=0.0))
        return [end - begin for begin, end in zip(until, until[slots:], strict=False)]


_BY_POOL = ("power_per_mwh", "gpu_per_h")


def kept(problem: Problem, power: Floats, gpus: Floats, work: Mapping[str, float]) -> KeptPrices:
    """Prices of a solve, ``[pool, slot]`` with loads without a pool last, in the units of people."""
    names = [*(pool.name for pool in problem.pools), NO_POOL]
    h = problem.step_h

    def by_pool(rows: Floats, scale: float) -> dict[str, tuple[float, ...]]:
        return {name: tuple((row / scale).tolist()) for name, row in zip(names, rows, strict=True)}

    return KeptPrices(problem.horizon.start, by_pool(power, problem.unit_mw * h), by_pool(gpus, h), dict(work))


def work_of(entries: list[Entry], before: KeptPrices, otherwise: Floats) -> Floats:
    """Price of work of each entry as it was before, or ``otherwise``."""
    import numpy as np

    return np.array([before.work_per_h.get(e.id, float(o)) for e, o in zip(entries, otherwise, strict=True)])
