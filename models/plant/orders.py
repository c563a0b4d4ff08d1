"""What a simulated site is told to do: which jobs run under which cap, and what the battery does. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.jobs import Workload


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A gang at work; ``limit_w`` is the cap of each of its GPUs."""

    id: str
    pool: str
    gpus: int
    workload: Workload
    limit_w: float


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders of an instant. ``battery_mw`` is charging positive; ``*_most_mw`` None: whatever there is."""

    jobs: tuple[JobOrder, ...] = ()
    battery_mw: Mapping[str, float] = field(default_factory=dict)
    pv_most_mw: float | None = None
    wind_most_mw: float | None = None
