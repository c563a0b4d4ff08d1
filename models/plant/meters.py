"""What the instruments of a simulated site show: names of the telemetry catalogue, noise and resolution of real ones.

One node a pool shows its GPUs; whole pools, meters and plant show themselves. Noise is normal and seeded by the caller;
its sizes are *assumed* in the order of the classes in use: 0.3 % for power meters, 0.5 % for a GPU's own (NVML), 0.1 K
for temperatures, whole degrees for a GPU's.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from models.plant.step import Flows, PlantState
from models.site import GpuPool, Site

Tags = tuple[tuple[str, str], ...]
_HALL, _CHILLER, _GRID, _CDU = "hall", "chiller", "grid", "cdu"


class Reading(NamedTuple):
    """A value of one series; ``exact`` values (switches, counters, limits) have no noise."""

    measurement: str
    tags: Tags
    field: str
    value: float | int
    exact: bool = False

    @property
    def metric(self) -> str:
        """Name in the telemetry catalogue."""
        return f"{self.measurement}.{self.field}"


def readings(site: Site, state: PlantState, flows: Flows) -> list[Reading]:
    """What perfect instruments would show after a step."""
    return [*_site(site, state, flows), *_plant(site, state, flows), *_nodes(site, state, flows)]


def _site(site: Site, state: PlantState, flows: Flows) -> Iterator[Reading]:
    here = (("site", site.name),)
    for field in ("import_mw", "export_mw", "it_mw", "cooling_mw", "pv_mw", "wind_mw"):
        yield Reading("site", here, field, getattr(flows, field))
    yield Reading("site", here, "dry_bulb_c", flows.air.dry_bulb_c)
    for pool, mw in flows.pools_mw.items():
        yield Reading("pool", _tags(site, pool=pool), "power_mw", mw)
    for name, mw in flows.battery_mw.items():
        tags = _tags(site, asset=name)
        yield Reading("battery", tags, "power_mw", mw)
        yield Reading("battery", tags, "charge_mw", max(0.0, mw))
        yield Reading("battery", tags, "discharge_mw", max(0.0, -mw))
        yield Reading("battery", tags, "soc_mwh", round(state.soc_mwh[name], 3), exact=True)
    grid = _tags(site, asset=_GRID)
    yield Reading("meter", grid, "power_mw", flows.import_mw - flows.export_mw)
    yield Reading("meter", grid, "import_mwh", round(state.import_mwh, 6), exact=True)
    yield Reading("meter", grid, "export_mwh", round(state.export_mwh, 6), exact=True)


def _plant(site: Site, state: PlantState, flows: Flows) -> Iterator[Reading]:
    plant = site.cooling
    if plant is None:
        return
    air_side = plant.air_like
    if air_side is not None:
        hall = _tags(site, asset=_HALL)
        rise = air_side.rise_k * max(0.1, flows.cooling_ratio)
        yield Reading("crah", hall, "supply_c", state.rooms.hall_c)
        yield Reading("crah", hall, "return_c", state.rooms.hall_c + rise)
        yield Reading("crah", hall, "setpoint_c", plant.hall.setpoint_c, exact=True)
        chiller = _tags(site, asset=_CHILLER)
        warm = max(0.0, state.rooms.hall_c - plant.hall.setpoint_c - plant.hall.rise_at_rated_k)
        yield Reading("chiller", chiller, "supply_c", air_side.supply_c + warm)
        yield Reading("chiller", chiller, "return_c", air_side.supply_c + warm + rise)
        yield Reading("chiller", chiller, "ambient_c", flows.air.dry_bulb_c)
        yield Reading("chiller", chiller, "power_mw", flows.cooling_mw)
        yield Reading("chiller", chiller, "load_ratio", min(1.0, flows.cooling_ratio))
    if plant.liquid is not None:
        cdu = _tags(site, asset=_CDU)
        heat = flows.it_mw / site.distribution_efficiency * plant.liquid.heat_share
        yield Reading("cdu", cdu, "supply_c", state.rooms.loop_c)
        yield Reading(
            "cdu", cdu, "return_c", state.rooms.loop_c + plant.liquid.rise_k * heat / plant.liquid.rated_heat_mw
        )
        yield Reading("cdu", cdu, "heat_mw", heat)


def _nodes(site: Site, state: PlantState, flows: Flows) -> Iterator[Reading]:
    for pool in site.pools:
        shown = flows.shown[pool.name]
        node = f"{pool.name}-n1"
        gpus = min(pool.gpus_per_node, pool.gpus)
        total = 0.0
        for k in range(gpus):
            spread = _spread(pool, k)
            drawn = min(shown.drawn_w * spread, shown.limit_w)
            total += drawn
            tags = _tags(site, node=node, gpu=f"GPU-{pool.name}-{k}", pool=pool.name)
            yield Reading("gpu", tags, "power_w", drawn)
            yield Reading("gpu", tags, "limit_w", shown.limit_w, exact=True)
            yield Reading("gpu", tags, "limit_enforced_w", shown.limit_w, exact=True)
            yield Reading("gpu", tags, "temperature_c", state.gpu_c[pool.name])
            yield Reading("gpu", tags, "utilization_ratio", shown.busy, exact=True)
            yield Reading("gpu", tags, "energy_j", round(state.gpu_j.get(pool.name, 0.0) * spread, 3), exact=True)
            capped = int(shown.busy > 0 and drawn > 0.95 * shown.limit_w)
            yield Reading("gpu", tags, "throttle_power_cap", capped, exact=True)
        at = _tags(site, node=node, pool=pool.name)
        yield Reading("node", at, "power_w", total + gpus * shown.host_w)
        yield Reading("node", at, "inlet_c", state.rooms.hall_c)


def _spread(pool: GpuPool, k: int) -> float:
    """GPUs of one type differ by some per cent, each always by the same."""
    return 0.98 + 0.04 * (zlib.crc32(f"{pool.name}{k}".encode()) % 1000) / 1000


def _tags(site: Site, **more: str) -> Tags:
    return tuple(sorted({"site": site.name, **more}.items()))


def measured(true: Iterable[Reading], rng: np.random.Generator) -> list[Reading]:
    """Readings with the noise and the resolution of instruments; what cannot be negative is not made so."""
    rows = list(true)
    noise = rng.standard_normal(len(rows))
    return [row if row.exact else row._replace(value=_read(row, float(n))) for row, n in zip(rows, noise, strict=True)]


def _read(row: Reading, noise: float) -> float:
    value = float(row.value)
    if row.field.endswith("_c"):
        whole = row.measurement == "gpu"
        return float(round(value + (0.4 if whole else 0.1) * noise, 0 if whole else 2))
    if value == 0.0:
        return 0.0  # meters show a quiet zero
    relative = 0.005 if row.measurement in ("gpu", "node") else 0.003
    told = round(value * (1 + relative * noise), 3 if row.field.endswith("_w") else 6)
    return min(told, 1.0) if row.field.endswith("_ratio") else told
