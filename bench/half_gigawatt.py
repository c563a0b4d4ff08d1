"""A day of half a gigawatt as a problem document, from a seed.

    python -m bench.half_gigawatt --seed 1 > problem.json

Eight pools with 294,912 GPUs (374 MW of IT at full draw, some 450 MW with losses, cooling and base load),
300 explicit large jobs, 2,000 aggregated entries, 96 quarter hours. Five feeds are rated below what their
pools could draw and lose more in the heat of the afternoon; one is under maintenance at night. PV, wind, a
large battery, an import limit with an evening window, time-of-use prices and a demand charge.

Cap levels, idle and host power come from ``data/catalogues``, cooling from the catalogue's rows through
:mod:`models.cooling`. All the rest is made up and *assumed*: it is a load for a planner, not a real plant.
``--share 0.02`` makes a site of a fiftieth of everything, for a quick look.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.half_gigawatt_jobs import JobMix, jobs_of_pool
from ingest.site_file import cooling_rows, gpu_rows
from models import cooling
from models.cooling_plant import CoolingPlant
from models.gpu_power import GpuModel, levels
from models.horizon import rfc3339

Array = NDArray[np.float64]
SLOTS, STEP_H = 96, 0.25
START = datetime(2026, 6, 1, tzinfo=UTC)
EFFICIENCY = 0.95
NODE = 8


@dataclass(frozen=True)
class Hall:
    """A pool as drawn: how many GPUs of which catalogue row, and the feed that carries it."""

    name: str
    gpu: str
    gpus: int
    feed: str


HALLS = (
    Hall("h100-a", "H100-SXM", 40_960, "feed-1"),
    Hall("h100-b", "H100-SXM", 32_768, "feed-1"),
    Hall("h200-a", "H200-SXM", 36_864, "feed-2"),
    Hall("a100-a", "A100-SXM-400W", 16_384, "feed-2"),
    Hall("b200-a", "B200-SXM", 53_248, "feed-3"),
    Hall("b200-b", "B200-SXM", 49_152, "feed-4"),
    Hall("gb200-a", "GB200", 32_768, "feed-5"),
    Hall("gb200-b", "GB200", 32_768, "feed-5"),
)
RATED_SHARE = {"feed-1": 0.80, "feed-2": 0.84, "feed-3": 0.78, "feed-4": 0.82, "feed-5": 0.80}
UNDER_MAINTENANCE, MAINTENANCE_H, MAINTENANCE_SHARE = "feed-4", (1.0, 5.0), 0.8
HEAT_H, HEAT_SHARE = (12.0, 18.0), 0.94


def make(seed: int, share: float = 1.0) -> dict[str, Any]:
    """Raw problem document of the day, or of ``share`` of it (every GPU, entry and MW), 0 < share <= 1.

    Draws are made in one order from one generator, so that a seed says the same day for ever.
    """
    rng = np.random.default_rng(seed)
    hours: Array = np.asarray((np.arange(SLOTS) + 0.5) * STEP_H, dtype=np.float64)
    models = {row["key"]: GpuModel.model_validate(row) for row in gpu_rows()}
    pools, jobs = [], []
    full_mw = {feed: np.zeros(SLOTS) for feed in RATED_SHARE}
    everything = sum(hall.gpus for hall in HALLS)
    for hall in HALLS:
        model = models[hall.gpu]
        gpus = max(8 * NODE, round(hall.gpus * share / NODE) * NODE)
        pools.append({"name": hall.name, "gpu": hall.gpu, "gpus": gpus, "idle_w_per_gpu": idle_w(model)})
        full_mw[hall.feed] += levels(gpus, model, "pretrain")[-1]["power_mw"]
        part = hall.gpus / everything * share
        mix = JobMix(
            explicit=max(1, round(300 * part)),
            aggregated=max(2, round(2000 * part)),
            gpu_hours=float(rng.uniform(0.72, 0.80)) * gpus * 24,
        )
        jobs += jobs_of_pool(rng, hall.name, gpus, model, mix)
    return {
        "schema_version": "1.0",
        "name": f"half-gigawatt-s{seed}" + ("" if share == 1 else f"-of-{share:g}"),
        "site": {"name": "half-gigawatt", "timezone": "Africa/El_Aaiun", "currency": "USD"},
        "horizon": {"start": rfc3339(START), "step_minutes": round(60 * STEP_H), "slots": SLOTS},
        **_energy(rng, hours, share),
        "distribution_efficiency": EFFICIENCY,
        "pools": pools,
        "feeds": [
            {
                "name": feed,
                "pools": [hall.name for hall in HALLS if hall.feed == feed],
                "limit_mw": rounded(RATED_SHARE[feed] * full * _derating(feed, hours)),
            }
            for feed, full in full_mw.items()
        ],
        "jobs": [in_words(job) for job in jobs],
        "gap": 0.01,
        "time_limit_s": 60.0,
    }


def idle_w(model: GpuModel) -> float:
    """W of a GPU not at work with its share of a host at rest (60 % of a busy one: Acme's nodes, NSDI'24)."""
    return round(model.idle_w + 0.6 * model.host_w_per_gpu, 3)


def rounded(values: Array) -> list[float]:
    """Nine digits are a milliwatt."""
    return [round(float(value), 9) for value in values]


def in_words(job: dict[str, Any]) -> dict[str, Any]:
    """Slots of ``release`` and ``deadline`` written as times."""

    def at(slot: int) -> str:
        return rfc3339(START + timedelta(hours=STEP_H * slot))

    return {**job, "release": at(job["release"]), "deadline": at(job["deadline"])}


def _derating(feed: str, hours: Array) -> Array:
    """Share of the rating by hour: less in the heat, one transformer out while it is under maintenance."""
    factor = np.where((hours >= HEAT_H[0]) & (hours < HEAT_H[1]), HEAT_SHARE, 1.0)
    if feed == UNDER_MAINTENANCE:
        factor = np.where((hours >= MAINTENANCE_H[0]) & (hours < MAINTENANCE_H[1]), MAINTENANCE_SHARE, factor)
    return factor


def _wander(rng: np.random.Generator, memory: float) -> Array:
    """A first-order autoregressive row of unit variance."""
    row = np.empty(SLOTS)
    row[0] = rng.normal()
    for t in range(1, SLOTS):
        row[t] = memory * row[t - 1] + np.sqrt(1 - memory**2) * rng.normal()
    return row


def _energy(rng: np.random.Generator, hours: Array, share: float) -> dict[str, Any]:
    """Supply, prices, grid, battery and cooling; powers scale with ``share``."""
    sun = np.clip(np.sin((hours - 6.0) / 13.0 * np.pi), 0.0, None) * ((hours > 6.0) & (hours < 19.0))
    pv = 165.0 * sun * (1 - 0.3 * np.clip(_wander(rng, 0.9), 0.0, 1.5))
    wind = 150.0 / (1 + np.exp(0.5 - 0.9 * _wander(rng, 0.95)))
    base = 17.0 + 3.0 * np.sin((hours - 8.0) / 24.0 * 2 * np.pi)
    dry = 25.0 + 6.0 * np.sin((hours - 9.0) / 24.0 * 2 * np.pi) + 0.4 * _wander(rng, 0.9)
    wet = dry - 7.0
    price = np.select([hours < 7, hours < 18, hours < 23], [62.0, 95.0, 158.0], 62.0)
    line = np.where((hours >= 18) & (hours < 22), 222.0, 258.0)
    found = cooling.tangents(_plant(share), dry, wet)
    return {
        "series": {
            "pv_available_mw": rounded(share * pv),
            "wind_available_mw": rounded(share * wind),
            "base_load_mw": rounded(share * base),
            "import_price_per_mwh": rounded(price),
            "export_price_per_mwh": [24.0] * SLOTS,
            "dry_bulb_c": rounded(dry),
            "wet_bulb_c": rounded(wet),
        },
        "grid": {
            "import_limit_mw": rounded(share * line),
            "export_limit_mw": 60.0 * share,
            "demand_charge_per_mw": 2400.0,
            "peak_so_far_mw": 240.0 * share,
        },
        "batteries": [
            {
                "name": "bess",
                "power_mw": 120.0 * share,
                "energy_mwh": 480.0 * share,
                "charge_efficiency": 0.96,
                "discharge_efficiency": 0.96,
                "soc_start_mwh": 200.0 * share,
                "soc_min_mwh": 24.0 * share,
                "soc_end_min_mwh": 200.0 * share,
                "wear_cost_per_mwh": 5.0,
            }
        ],
        "cooling": {
            "tangents": [
                {"slope": rounded(slope), "intercept_mw": rounded(intercept)}
                for slope, intercept in zip(found.slope, found.intercept_mw, strict=True)
            ],
            "capacity_heat_mw": rounded(found.capacity_heat_mw),
        },
    }


def _plant(share: float) -> CoolingPlant:
    """70 % of the heat in a warm loop on dry coolers, the rest by hall air; rows of the cooling catalogue."""
    rows = {row["key"]: {k: v for k, v in row.items() if k not in ("key", "title")} for row in cooling_rows()}
    liquid = {**rows["dry-cooler-40"], "heat_share": 0.7, "rated_heat_mw": 310.0 * share}
    air = {**rows["air-cooled-chiller-18"], "heat_share": 0.3, "rated_heat_mw": 135.0 * share}
    return CoolingPlant.model_validate({"air": air, "liquid": liquid, "tangents": 4})


def main(argv: list[str] | None = None) -> int:
    """Write the document to standard output."""
    parser = argparse.ArgumentParser(description="The 500 MW day as a problem document, from a seed.")
    parser.add_argument("--seed", type=int, default=1, help="seed of every draw (default: 1)")
    parser.add_argument("--share", type=float, default=1.0, help="part of the site, 0 to 1 (default: 1)")
    args = parser.parse_args(argv)
    if not 0 < args.share <= 1:
        parser.error(f"--share {args.share:g} is outside 0 to 1")
    json.dump(make(args.seed, args.share), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
