"""A first site file, commented, from what a machine could say about itself; valid as written."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ingest.machine_probe import SeenGpu, SeenPartition
from ingest.site_file import gpu_rows

_FALLBACK = "H100-SXM"


def catalogue_row(device: str) -> dict[str, Any] | None:
    """Catalogue row for a device as ``nvidia-smi`` or a GRES names it; the longest name that fits wins."""
    flat = _flat(device)
    fits = [
        (len(_flat(name)), row)
        for row in gpu_rows()
        for name in (row["key"], row["key"].split("-")[0], *row.get("device_names", ()))
        if _flat(name) in flat
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def skeleton(
    name: str, timezone: str, currency: str, gpus: Sequence[SeenGpu], partitions: Sequence[SeenPartition]
) -> str:
    """Text of a site file: a pool per GPU partition, else per kind of GPU in this machine, else an example.

    Every figure that nobody read from the machine is marked ``assumed``.
    """
    own: dict[str, str] = {}
    only = gpus[0] if len(gpus) == 1 else None
    pools: list[tuple[str, tuple[str, float], int, int, str]] = []
    for part in partitions:
        model = _key(part.kind or (only.name if only else ""), only, own)
        pools.append((part.name, model, part.nodes * part.gpus_per_node, part.gpus_per_node, "read from sinfo"))
    if not pools:
        note = "read from nvidia-smi on one node; multiply by your nodes"
        pools = [("this-node", _key(gpu.name, gpu, own), gpu.count, gpu.count, note) for gpu in gpus]
    if not pools:
        note = "assumed: neither nvidia-smi nor sinfo told of GPUs here"
        pools = [("hall", _key(_FALLBACK, None, own), 96, 8, note)]
    names = _distinct([_name(pool[0]) for pool in pools])
    mw = max(0.01, sum(pool[2] for pool in pools) * 1.5e-3)
    return _TEXT.format(
        name=json.dumps(_name(name)),
        timezone=json.dumps(timezone),
        currency=json.dumps(currency),
        pools="\n".join(_pool(label, *pool[1:]) for label, pool in zip(names, pools, strict=True)),
        names=json.dumps(names),
        own="".join(own.values()),
        import_mw=f"{1.4 * mw:.3f}",
        peak_mw=f"{0.7 * mw:.3f}",
        pv_mw=f"{1.2 * mw:.3f}",
        heat_mw=f"{1.2 * mw:.3f}",
        base_mw=f"{0.05 * mw:.3f}",
    )


def _distinct(names: list[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name}-{names[: k + 1].count(name)}" for k, name in enumerate(names)]


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._:-]", "-", text).strip("-._:")[:128] or "site"


def _flat(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _key(device: str, seen: SeenGpu | None, own: dict[str, str]) -> tuple[str, float]:
    """Catalogue key of a device and half its highest limit; a device no catalogue knows gets a row of its own."""
    row = catalogue_row(device)
    if row is None and seen is not None and seen.min_limit_w is not None and seen.max_limit_w is not None:
        key = _name(seen.name)
        own[key] = _own_row(key, seen.name, seen.min_limit_w, seen.max_limit_w)
        return key, max(seen.min_limit_w, round(seen.max_limit_w / 2))
    row = row or next(row for row in gpu_rows() if row["key"] == _FALLBACK)
    return str(row["key"]), max(float(row["min_limit_w"]), round(row["max_limit_w"] / 2))


def _own_row(key: str, title: str, low_w: float, high_w: float) -> str:
    points = [(share, speed) for share, speed in _ASSUMED_SHAPE if share * high_w >= low_w]
    lines = "\n".join(
        f"  {{ limit_w = {share * high_w:.1f}, drawn_w = {0.95 * share * high_w:.1f}, speed = {speed} }},"
        for share, speed in points
    )
    return f"""
# No catalogue knows this GPU: its limits were read from nvidia-smi, everything else is assumed.
[[gpu_models]]
key = {json.dumps(key)}
title = {json.dumps(title)}
min_limit_w = {low_w:g}
max_limit_w = {high_w:g}
limits_source = "nvidia-smi on this machine"
limits_evidence = "measured"
idle_w = {round(0.12 * high_w)}
idle_source = "12 % of the highest limit, a guess"
idle_evidence = "assumed"
host_w_per_gpu = {round(0.5 * high_w)}
host_source = "half of the highest limit, a guess"
host_evidence = "assumed"

[[gpu_models.curves]]
workload = "pretrain"
evidence = "assumed"
source = "shape of the A100 measurements, rounded; measure your own"
points = [
{lines}
]
"""


def _pool(name: str, model: tuple[str, float], gpus: int, per_node: int, note: str) -> str:
    key, default_w = model
    return f"""[[pools]]
name = {json.dumps(_name(name))}
gpu = {json.dumps(key)}   # a row of the GPU catalogue, or of gpu_models in this file
gpus = {gpus}
gpus_per_node = {per_node}
note = {json.dumps(note)}

[pools.default]   # what holds without a valid plan
limit_w = {default_w:g}   # W per GPU; half of the highest limit, assumed
admit_starts = false
suspend_order = ["low", "normal", "high"]
nodes_may_switch_off = false
"""


_ASSUMED_SHAPE = ((0.5, 0.65), (0.625, 0.78), (0.75, 0.87), (0.875, 0.94), (1.0, 1.0))

_TEXT = """# Site file of Chergui. Powers MW, energies MWh, W at the GPU, temperatures degC, prices in `currency`.
# Whatever is marked "assumed" was not read from your machines: replace it, then run `chergui check` on this file.
# Everything that may stand here is described in docs/guide/site-file.md.

name = {name}
title = ""
timezone = {timezone}
currency = {currency}
latitude_deg = 33.6    # assumed; sun and wind depend on it
longitude_deg = -7.6   # assumed
altitude_m = 50        # assumed
distribution_efficiency = 0.94   # IT power / power drawn for it, assumed
design_dry_bulb_c = 36.0         # hot day for which the defaults are proven, assumed
design_wet_bulb_c = 24.0         # assumed

# --- GPUs: a pool is a fabric domain; a gang fits into one pool. Partitions that share nodes must become one pool. ---

{pools}
# What stops when power must fall and no plan is valid: preemptible jobs by a checkpoint, the others are killed.
# seconds: how long that takes (assumed).
[[shed_groups]]
name = "stop-all"
pools = {names}
seconds = 180

# An upper limit on the IT power of some pools (UPS, feeder, transformer): uncomment and set.
# [[feeds]]
# name = "ups"
# pools = {names}
# limit_mw = {import_mw}

# --- Supply ---

[grid]
import_limit_mw = {import_mw}   # your subscription, assumed
# firm_limit_mw = {import_mw}   # what is granted whatever happens; without it the smallest import limit
export_limit_mw = 0.0
carbon_kg_per_mwh = 500.0   # assumed
peak_assumed_mw = {peak_mw}   # this month's highest import so far, assumed

# [[solar]]
# name = "roof"
# peak_dc_mw = {pv_mw}
# inverter_ac_mw = {pv_mw}
# tilt_deg = 15.0
# azimuth_deg = 180.0   # 180 = south

# [[wind]]
# name = "turbines"
# turbine = "E-126/4200"   # a type that windpowerlib has a power curve of
# count = 1
# rated_mw = 4.2
# hub_height_m = 100.0

# [[batteries]]
# name = "battery"
# power_mw = 0.1
# energy_mwh = 0.2

# One price at all hours (assumed). Seasons, hours and holidays: see docs/guide/site-file.md.
[tariff]
note = "assumed"
export_price_per_mwh = 0.0
demand_charge_per_mw = 0.0   # per MW of the month's highest import

[[tariff.periods]]
name = "all-day"
hours = [[0, 24]]
price_per_mwh = 100.0   # assumed

# --- Cooling: rows of the cooling catalogue; without this section cooling costs nothing ---

[cooling.air]
model = "air-cooled-chiller-18"   # assumed
heat_share = 1.0
rated_heat_mw = {heat_mw}   # assumed

[base_load]
mean_mw = {base_mw}   # storage, network, office; assumed

# --- What finished work is worth, per GPU-hour at full speed, in your currency (assumed) ---

[wishes]
value_per_gpu_h = 0.1
unmet_per_gpu_h = {{ low = 1.0, normal = 3.0, high = 6.0 }}
late_per_gpu_h = {{ low = 0.2, normal = 0.6, high = 1.5 }}

# Made-up weather to begin with. Nothing outside is asked until you name a source, for instance
# kind = "open_meteo" and url = "https://api.open-meteo.com/v1/forecast", or kind = "epw" and path = "year.epw".
[weather]
kind = "synthetic"
climate = "casablanca"   # assumed

[planning]
step_minutes = 15
horizon_h = 36
time_limit_s = 15
gap = 0.01
{own}"""
