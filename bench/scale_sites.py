"""GPU sites of any size with constants that nobody tuned to, and the simple day with its known optimum.

Sites and simple days come from generators that lie beside the checkout (``../shared/peers``) and are loaded
from there; the constants of a site are drawn here.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

PEERS = Path(__file__).resolve().parents[2] / "shared" / "peers"


class Missing(Exception):
    """A generator or instance is not there; the message says which and where it was looked for."""


@cache
def _module(name: str) -> ModuleType:
    path = _there(PEERS / f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"peers_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _there(path: Path) -> Path:
    if not path.exists():
        raise Missing(f"{path} is not there; this command needs that generator and makes nothing up instead")
    return path


def site_day(jobs: int, seed: int, constants: dict[str, Any]) -> dict[str, Any]:
    """Problem document of a GPU site's day; ``constants`` are laid over those of the shared family.

    Raises:
        Missing: the generator is not beside the checkout.
    """
    sites = _module("gen_sites")
    document: dict[str, Any] = sites.make(jobs, seed, {**sites.CAMPUS, **constants}, f"site_n{jobs:05d}_s{seed}")
    return document


@dataclass(frozen=True)
class SimpleDay:
    """A simple day as a problem document, with the best known cost of it."""

    document: dict[str, Any]
    best: float


def simple_day(jobs: int) -> SimpleDay:
    """The ``tight`` day of 5, 20, 100 or 500 jobs; raises :class:`Missing` as :func:`site_day`."""
    name = f"tight_n{jobs:03d}_s1"
    instance = json.loads(_there(PEERS / "instances" / f"{name}.json").read_text(encoding="utf-8"))
    known = json.loads(_there(PEERS / "reference.json").read_text(encoding="utf-8"))
    return SimpleDay(_module("to_problem").convert(instance), float(known[name]["best"]))


def unseen(seed: int) -> dict[str, Any]:
    """Constants of a site drawn from a seed: sizes, curves, lengths, windows, prices, supply, battery, grid.

    Supply is sized to what the day asks for, so that the import limit is tight and can be kept, as at a real
    site. Every range is ours and *assumed*.
    """
    rng = np.random.default_rng([seed, 20261125])

    def between(low: float, high: float, digits: int = 3) -> float:
        return round(float(rng.uniform(low, high)), digits)

    h100, b200 = 8 * int(rng.integers(1000, 3001)), 8 * int(rng.integers(500, 1501))
    size = (h100 + 1.4 * b200) / (16000 + 1.4 * 8000)
    util, idle_w, host_w = between(0.62, 0.82), between(0, 90, 0) * int(rng.integers(0, 2)), between(250, 450, 0)
    efficiency, base_mw = between(0.93, 0.97), between(0.2, 1.5) * size
    share = between(0.5, 0.75)
    pools = [
        _pool(rng, "h100", "H100-SXM", h100, 700, share, ((0.4, 0.62), (0.52, 0.8), (0.6, 0.9), (0.7, 0.97))),
        _pool(rng, "b200", "B200", b200, 1000, 1 - share, ((0.45, 0.66), (0.55, 0.82), (0.65, 0.92), (0.8, 0.98))),
    ]
    busy_mw = sum(p["gpus"] * (0.92 * p["tdp_w"] + host_w) for p in pools) / 1e6
    idle_mw = sum(p["gpus"] for p in pools) * idle_w / 1e6
    need_mw = (util * busy_mw + (1 - util) * idle_mw) / efficiency * 1.14 + base_mw
    pv_mw, wind_mw = between(7, 17) * size, between(6, 15) * size
    import_mw = max(0.3 * need_mw, (need_mw - 0.24 * pv_mw - 0.5 * wind_mw) * between(1.06, 1.3))
    power_mw = between(10, 25) * size
    energy_mwh = power_mw * between(2, 5)
    low, middle, high = between(35, 70, 1), between(75, 115, 1), between(125, 210, 1)
    morning, evening, night = int(rng.integers(6, 9)), int(rng.integers(16, 19)), int(rng.integers(20, 23))
    dear = between(0.6, 1.6)
    return {
        "pools": pools,
        "host_w": host_w,
        "idle_w": idle_w,
        "util": util,
        "run_h": between(2.0, 4.5),
        "slack": [between(1.1, 1.5), between(4.0, 8.0)],
        "preemptible": between(0.3, 0.7),
        "beyond": between(0.05, 0.25),
        "restart_loss_h": between(0.05, 0.3),
        "unmet_per_gpu_h": [[round(3 * dear, 3), 0.6], [round(6 * dear, 3), 0.3], [round(12 * dear, 3), 0.1]],
        "pv_mw": round(pv_mw, 3),
        "wind_mw": round(wind_mw, 3),
        "base_mw": round(base_mw, 3),
        "efficiency": efficiency,
        "battery": {
            "power_mw": round(power_mw, 3),
            "energy_mwh": round(energy_mwh, 3),
            "charge_efficiency": between(0.93, 0.98),
            "discharge_efficiency": between(0.93, 0.98),
            "soc_start_mwh": round(energy_mwh / 2, 3),
            "soc_end_min_mwh": round(energy_mwh / 2, 3),
            "wear_cost_per_mwh": between(1, 10, 1),
        },
        "import_limit_mw": round(import_mw, 3),
        "export_limit_mw": round(between(5, 20) * size, 3),
        "peak_so_far_mw": round(import_mw * between(0.85, 1.0), 3),
        "demand_charge_per_mw": between(1000, 5000, 0),
        "price": [[0, low], [morning, middle], [evening, high], [night, middle], [23, low]],
        "export_price": [[0, between(10, 30, 1)]],
        "heat_scale_mw": round(13 * size, 3),
    }


def _pool(
    rng: np.random.Generator,
    name: str,
    gpu: str,
    gpus: int,
    tdp_w: int,
    share: float,
    curve: tuple[tuple[float, float], ...],
) -> dict[str, Any]:
    """A pool with a compute-bound and a memory-bound curve; a root of a concave curve is concave."""
    bent, flat = float(rng.uniform(0.75, 1.0)), float(rng.uniform(0.25, 0.45))
    return {
        "name": name,
        "gpu": gpu,
        "gpus": gpus,
        "tdp_w": tdp_w,
        "share": share,
        "memory_bound": round(float(rng.uniform(0.2, 0.6)), 3),
        "levels": [[[f, s**bent] for f, s in (*curve, (1.0, 1.0))], [[f, s**flat] for f, s in (*curve, (0.9, 1.0))]],
    }
