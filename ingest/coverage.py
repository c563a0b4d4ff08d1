"""Is enough known to plan on? Share of each pool's power that is measured, and cooling sensors that cannot be believed.

Below 80 % of a pool, or with a cooling-critical sensor bad or silent for more than five minutes, telemetry does not
carry a plan; what has never been measured is not missed. Light: reads newest values, no means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ingest.points import Tags, to_ns
from ingest.ports import TelemetryStore
from ingest.quarantine import bad_at
from models.site import Site

LEAST_SHARE: Final = 0.8
PATIENCE: Final = timedelta(minutes=5)
_REMEMBERED: Final = timedelta(days=1)
CRITICAL: Final = ("crah.supply_c", "chiller.supply_c", "cdu.supply_c")
"""Where a wrong value lets a plan overheat a hall or a loop."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A sensor that cannot be believed: ``why`` is ``silent`` or its flags."""

    metric: str
    tags: Tags
    why: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """``pools``: share of the pool's power that is measured now; pools that never were are left out."""

    pools: Mapping[str, float]
    doubtful: tuple[Doubtful, ...]

    @property
    def enough(self) -> bool:
        """Whether telemetry carries a plan."""
        return not self.doubtful and all(share >= LEAST_SHARE for share in self.pools.values())


def coverage(store: TelemetryStore, site: Site, now: datetime) -> Coverage:
    """How much of ``site`` is known at ``now``.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    pools = {}
    for pool in site.pools:
        share = _share(store, {"site": site.name, "pool": pool.name}, pool.gpus, now)
        if share is not None:
            pools[pool.name] = share
    doubtful = [one for metric in CRITICAL for one in _doubtful(store, metric, {"site": site.name}, now)]
    return Coverage(pools, tuple(doubtful))


def _share(store: TelemetryStore, tags: dict[str, str], gpus: int, now: datetime) -> float | None:
    """Of a pool: all where its own meter is fresh and good, else the GPUs that are; None where neither ever was."""
    whole = _recent(store, "pool.power_mw", tags, now)
    if any(_is_good(store, "pool.power_mw", one, now) for one in whole):
        return 1.0
    parts = _recent(store, "gpu.power_w", tags, now)
    if not whole and not parts:
        return None
    fresh_ns = to_ns(now - PATIENCE)
    return sum(time_ns >= fresh_ns for time_ns in parts.values()) / gpus


def _recent(store: TelemetryStore, metric: str, tags: dict[str, str], now: datetime) -> dict[Tags, int]:
    """Series with a value of the last day, and the instant of their newest one."""
    first_ns = to_ns(now - _REMEMBERED)
    return {one.tags: one.time_ns for one in store.latest(metric, tags) if one.time_ns >= first_ns}


def _is_good(store: TelemetryStore, metric: str, tags: Tags, now: datetime) -> bool:
    """Whether the last minutes hold a value that is not bad."""
    start = now - PATIENCE
    values = {one.time_ns for one in store.raw(metric, dict(tags), start, now) if one.tags == tags}
    return bool(values - bad_at(store, metric, dict(tags), start, now).keys())


def _doubtful(store: TelemetryStore, metric: str, tags: dict[str, str], now: datetime) -> list[Doubtful]:
    found = []
    for series, newest_ns in _recent(store, metric, tags, now).items():
        if newest_ns < to_ns(now - PATIENCE):
            found.append(Doubtful(metric, series, "silent"))
        elif not _is_good(store, metric, series, now):
            flags = bad_at(store, metric, dict(series), now - PATIENCE, now)
            found.append(Doubtful(metric, series, flags[max(flags)] if flags else "silent"))
    return found
