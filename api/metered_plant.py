"""What the meters say of a site's plant when a round begins: temperatures, cold in the tank, nodes that are on.

The newest credible reading of the last quarter of an hour counts, and how old it is, is said. Where there is none, the
plan before tells, as if it had been carried out, and without one the site file: that is said too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ingest.errors import StoreUnavailable
from ingest.good_means import last_good
from ingest.points import from_ns
from ingest.ports import TelemetryStore
from models.site import Site

FRESH = timedelta(minutes=15)
NODES_ON = "pool.nodes_on"


class _Asked(NamedTuple):
    """What is read, from which series, where it goes, and between what it is planned with."""

    what: str
    metric: str
    tags: dict[str, str]
    place: tuple[str, ...]
    least: float
    most: float


def metered_plant(
    site: Site, store: TelemetryStore, now: datetime, planned_at: datetime | None
) -> tuple[dict[str, Any], list[str]]:
    """Readings as :func:`optimizer.carried.with_readings` takes them, and a phrase on where each figure is from.

    ``planned_at`` is when the plan in force was made; None: there is none.
    """
    found: dict[str, Any] = {}
    told = []
    otherwise = "as the site file assumes" if planned_at is None else f"as planned {_minutes(now, planned_at)} min ago"
    for asked in _asked(site):
        try:
            reading = last_good(store, asked.metric, {"site": site.name, **asked.tags}, now - FRESH, now)
        except StoreUnavailable:
            reading = None
        if reading is None:
            told.append(f"{asked.what} {otherwise}")
            continue
        value = float(reading.value)
        held = min(max(value, asked.least), asked.most)
        beyond = "" if held == value else f" ({value:g}, planned from {held:g})"
        told.append(f"{asked.what} as metered {_minutes(now, from_ns(reading.time_ns))} min ago{beyond}")
        if len(asked.place) == 1:
            found[asked.place[0]] = held
        else:
            found.setdefault(asked.place[0], {})[asked.place[1]] = held
    if "nodes_on" in found:
        found["nodes_on"] = {name: round(on) for name, on in found["nodes_on"].items()}
    return found, told


def _minutes(now: datetime, at: datetime) -> int:
    return max(timedelta(0), now - at) // timedelta(minutes=1)


def _asked(site: Site) -> Iterator[_Asked]:
    plant = site.cooling
    if plant is not None and plant.mass is not None:
        tags = {"asset": plant.mass.asset or "mass"}
        limits = plant.mass.lowest_c, plant.mass.allowable_c
        yield _Asked("temperature of the thermal mass", plant.mass.metric, tags, ("temperature_c",), *limits)
    for mass in () if plant is None else plant.masses:
        tags = {"asset": mass.asset or mass.name}
        limits = mass.lowest_c, mass.allowable_c
        yield _Asked(f"temperature of {mass.name}", mass.metric, tags, ("masses_c", mass.name), *limits)
    if plant is not None and plant.tank is not None:
        tags = {"asset": plant.tank.asset}
        yield _Asked("cold in the tank", plant.tank.metric, tags, ("tank_mwh",), 0.0, plant.tank.energy_mwh)
    for pool in site.pools:
        if pool.nodes is not None:
            there = float(pool.gpus // pool.gpus_per_node)
            yield _Asked(f"nodes on in {pool.name}", NODES_ON, {"pool": pool.name}, ("nodes_on", pool.name), 0.0, there)
