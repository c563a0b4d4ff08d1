"""Every metric that we write ourselves: name, unit, tags and the range a sane value lies in.

``low``/``high`` are physical: outside them a value is flagged ``range``. ``usual`` is where a
working device reads; a value outside it that lies inside after × 1000 or ÷ 1000 is flagged
``unit_suspect`` (kW for W, mW for W, MWh for kWh). Ranges of GPUs come from the boards sold so far
(300 to 1,400 W; physics.md 1.2) with room above; they catch broken values, not hot days.
Metrics of others (Telegraf, exporters) are stored as they come and not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``tags`` are those that identify a series; the site's name is always one of them.

    ``kind`` "counter" only rises until it is reset; "switch" is 0 or 1, so that its mean is a share.
    """

    name: str
    unit: str
    tags: tuple[str, ...]
    low: float
    high: float
    about: str
    kind: Literal["gauge", "counter", "switch"] = "gauge"
    usual: tuple[float, float] | None = None


_GPU = ("site", "node", "gpu")
_POOL = ("site", "pool")
_ASSET = ("site", "asset")
_SITE = ("site",)
_MAX_MW = 5_000.0  # no single site of the world draws more today


def _gpu(
    field: str, unit: str, low: float, high: float, about: str, usual: tuple[float, float] | None = None
) -> Metric:
    return Metric(f"gpu.{field}", unit, _GPU, low, high, about, usual=usual)


def _gpu_switch(field: str, about: str) -> Metric:
    return Metric(f"gpu.{field}", "1", _GPU, 0, 1, about, kind="switch")


_BOARD_W = (20.0, 3_000.0)
_ALL = (
    _gpu("power_w", "W", 0, 5_000, "drawn now (instantaneous where the driver says so)", _BOARD_W),
    _gpu("power_average_w", "W", 0, 5_000, "mean of the last second, by the driver", _BOARD_W),
    _gpu("power_mean_w", "W", 0, 5_000, "mean since the poll before, from the energy counter", _BOARD_W),
    _gpu("module_power_w", "W", 0, 10_000, "GPU with CPU and memory on one module", (20.0, 6_000.0)),
    Metric("gpu.energy_j", "J", _GPU, 0, 1e13, "since the driver was loaded", kind="counter"),
    _gpu("limit_w", "W", 0, 5_000, "power limit as requested", _BOARD_W),
    _gpu("limit_enforced_w", "W", 0, 5_000, "the least of all limiters, out-of-band ones too", _BOARD_W),
    _gpu("limit_default_w", "W", 0, 5_000, "the board's default limit", _BOARD_W),
    _gpu("limit_min_w", "W", 0, 5_000, "least limit that the driver takes", _BOARD_W),
    _gpu("limit_max_w", "W", 0, 5_000, "greatest limit that the driver takes", _BOARD_W),
    _gpu("temperature_c", "degC", -20, 120, "of the GPU die"),
    _gpu("clock_sm_mhz", "MHz", 0, 5_000, "of the streaming multiprocessors"),
    _gpu("clock_memory_mhz", "MHz", 0, 20_000, "of the memory"),
    _gpu("utilization_ratio", "1", 0, 1, "share of the last sample period with a kernel running"),
    _gpu("throttle_bits", "1", 0, 2**32, "reasons why clocks are low, as the driver's bit mask"),
    _gpu_switch("throttle_power_cap", "slowed by the software power limit"),
    _gpu_switch("throttle_power_brake", "slowed by an external power brake"),
    _gpu_switch("throttle_thermal", "slowed by temperature"),
    _gpu_switch("mig_enabled", "split into instances; power stays that of the whole GPU"),
    _gpu_switch("reachable", "1: answers; 0: the driver lost it"),
    Metric("pool.power_mw", "MW", _POOL, 0, _MAX_MW, "of a GPU pool, hosts included"),
    Metric("site.import_mw", "MW", _SITE, 0, _MAX_MW, "drawn from the grid"),
    Metric("site.export_mw", "MW", _SITE, 0, _MAX_MW, "given to the grid"),
    Metric("site.it_mw", "MW", _SITE, 0, _MAX_MW, "of all computing"),
    Metric("site.cooling_mw", "MW", _SITE, 0, _MAX_MW, "of the cooling plant"),
    Metric("site.pv_mw", "MW", _SITE, 0, _MAX_MW, "produced by photovoltaics"),
    Metric("site.wind_mw", "MW", _SITE, 0, _MAX_MW, "produced by wind"),
    Metric("site.dry_bulb_c", "degC", _SITE, -60, 60, "outdoor air"),
    Metric("battery.charge_mw", "MW", _ASSET, 0, _MAX_MW, "into the battery, AC side"),
    Metric("battery.discharge_mw", "MW", _ASSET, 0, _MAX_MW, "out of the battery, AC side"),
    Metric("battery.soc_mwh", "MWh", _ASSET, 0, 50_000, "stored"),
    Metric("plan.import_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.export_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.pv_used_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.wind_used_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.it_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.cooling_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def unit_of(metric: str) -> str:
    """Unit of a metric; empty where it is none of ours."""
    known = METRICS.get(metric)
    return known.unit if known else ""
