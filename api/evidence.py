"""What a plan's curves rest on: measured, prior or assumed, in whose words; and how far its straight pieces err."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models import cooling
from models.site import Site


def curves_of(site: Site, dry_bulb_c: Sequence[float], wet_bulb_c: Sequence[float]) -> list[dict[str, Any]]:
    """A row for each GPU curve that the pools use, and for each side or unit of the cooling.

    ``error_mw`` of the cooling: the most by which the plant's power exceeds the straight pieces that the plan reckons
    with, at any heat up to its capacity and in any slot; ``error_ratio``: of the power at capacity. Levels of a GPU's
    curve lie on it, so it has none.
    """
    rows: list[dict[str, Any]] = []
    for key in dict.fromkeys(pool.gpu for pool in site.pools):
        rows += [
            {"kind": "gpu", "name": key, "of": curve.workload, "evidence": curve.evidence, "source": curve.source}
            for curve in site.gpu(key).curves
        ]
    plant = site.cooling
    if plant is None:
        return rows
    found = cooling.tangents(plant, dry_bulb_c, wet_bulb_c)
    worst = int(np.argmax(found.error_mw))
    full = cooling.plant_power_mw(found.capacity_heat_mw[worst], dry_bulb_c[worst], wet_bulb_c[worst], plant)
    error = float(found.error_mw[worst])
    told = {"error_mw": round(error, 6), "error_ratio": round(error / float(full), 6)}
    sides = (("air", plant.air), ("liquid", plant.liquid), *((unit.name, unit) for unit in plant.units))
    return rows + [
        {"kind": "cooling", "name": name, "of": side.kind, "evidence": side.evidence, "source": side.source, **told}
        for name, side in sides
        if side is not None
    ]
