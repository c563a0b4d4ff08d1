"""GPUs of a simulated site: what the ordered jobs draw, and how fast they go, under a throttle.

The throttle is 1 where every job has its ordered cap; down to one half caps fall to the devices' least, below it jobs
stop as well, until at 0 all GPUs are at rest.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from datetime import datetime

from models.gpu_power import drawn_at_limit_w, speed_at_limit
from models.jobs import Workload
from models.plant.orders import JobOrder
from models.site import Site

_SPLIT = 0.5
_CYCLE_S, _DIP_S, _DIP = 2700, 45, 0.55
_BETWEEN = (_CYCLE_S - _DIP_S * _DIP) / (_CYCLE_S - _DIP_S)
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Shown:
    """A GPU of the node whose telemetry is shown; ``busy`` is the share of time with a kernel running."""

    limit_w: float
    drawn_w: float
    host_w: float
    busy: float


@dataclass(frozen=True, slots=True)
class Load:
    """GPUs at work: W between the least cap and the ordered one, and W at rest."""

    order: JobOrder
    least_w: float
    wanted_w: float
    host_w: float
    idle_w: float
    least_speed: float
    wanted_speed: float

    def power_w(self, throttle: float) -> float:
        """W of the whole gang."""
        caps, runs = _levers(throttle)
        at_work = self.least_w + caps * (self.wanted_w - self.least_w) + self.host_w
        return self.order.gpus * (runs * at_work + (1 - runs) * self.idle_w)

    def speed(self, throttle: float) -> float:
        """Share of full speed."""
        caps, runs = _levers(throttle)
        return runs * (self.least_speed + caps * (self.wanted_speed - self.least_speed))


def with_caps_at(share: float) -> float:
    """Throttle that leaves all jobs running, caps at ``share`` of the way from the least to the ordered one."""
    return _SPLIT + (1 - _SPLIT) * share


def _levers(throttle: float) -> tuple[float, float]:
    """How far caps are up, and which share of the jobs runs."""
    return min(1.0, max(0.0, (throttle - _SPLIT) / (1 - _SPLIT))), min(1.0, max(0.0, throttle / _SPLIT))


class Machines:
    """The GPUs of ``site``."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._points: dict[tuple[str, Workload, float], tuple[float, float, float, float]] = {}

    def load(self, order: JobOrder, at: datetime) -> Load:
        """What a gang draws at an instant."""
        pool = self.site.pool(order.pool)
        gpu = self.site.gpu(pool.gpu)
        key = (pool.gpu, order.workload, order.limit_w)
        found = self._points.get(key)
        if found is None:
            if len(self._points) > _KEPT:
                self._points.clear()
            limits = (gpu.min_limit_w, max(order.limit_w, gpu.min_limit_w))
            drawn = [drawn_at_limit_w(gpu, order.workload, limit) for limit in limits]
            speeds = [speed_at_limit(gpu, order.workload, limit) for limit in limits]
            found = self._points[key] = (drawn[0], drawn[1], speeds[0], speeds[1])
        least, wanted, least_speed, wanted_speed = found
        wanted = max(gpu.idle_w, wanted * activity(order.id, at))
        least = min(least, wanted)
        host, idle = self.site.host_w(pool), self.site.idle_w(pool)
        return Load(order, least, wanted, host, idle, least_speed, wanted_speed)

    def pools_mw(self, loads: list[Load], throttle: float) -> dict[str, float]:
        """MW of each pool, GPUs at rest included."""
        found = {}
        for pool in self.site.pools:
            here = [load for load in loads if load.order.pool == pool.name]
            resting = max(0, pool.gpus - sum(load.order.gpus for load in here))
            watts = resting * self.site.idle_w(pool) + sum(load.power_w(throttle) for load in here)
            found[pool.name] = watts / 1e6
        return found

    def it_mw(self, loads: list[Load], throttle: float) -> float:
        """MW of all pools."""
        return sum(self.pools_mw(loads, throttle).values())

    def shown(self, loads: list[Load], throttle: float, at: datetime) -> dict[str, Shown]:
        """A GPU of the first job of each pool, or one at rest."""
        caps, runs = _levers(throttle)
        found = {}
        for pool in self.site.pools:
            gpu = self.site.gpu(pool.gpu)
            first = next((load for load in loads if load.order.pool == pool.name), None)
            if first is None or runs < 1:
                host = max(0.0, self.site.idle_w(pool) - gpu.idle_w)
                found[pool.name] = Shown(gpu.max_limit_w, gpu.idle_w, host, 0.0)
                continue
            limit = gpu.min_limit_w + caps * (max(first.order.limit_w, gpu.min_limit_w) - gpu.min_limit_w)
            drawn = first.least_w + caps * (first.wanted_w - first.least_w)
            found[pool.name] = Shown(limit, drawn, first.host_w, 0.98 if activity(first.order.id, at) > 0.8 else 0.4)
        return found


def activity(job_id: str, at: datetime) -> float:
    """Share of its usual power that a job draws at an instant: it breathes with its steps and dips at checkpoints.

    From the job's name alone, so that a simulation is repeatable: 3 % over some 100 s, and 45 s at 55 % every 45
    minutes. Assumed. Its mean is 1, as a catalogue's drawn watts are the mean of a run, checkpoints included.
    """
    turned = at.timestamp() + zlib.crc32(job_id.encode()) % _CYCLE_S
    if turned % _CYCLE_S < _DIP_S:
        return _DIP
    return _BETWEEN + 0.015 * math.sin(2 * math.pi * turned / 97)
