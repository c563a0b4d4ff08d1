"""The sample ``local`` with a whole plant: nodes that switch, units of which one may be lost, two masses, a tank."""

from __future__ import annotations

import tomllib
from typing import Any

from ingest.site_file import resolved_site, sample_path
from models.site import Site

NODES = """
[pools.nodes]
boot_minutes = 30.0
min_up_minutes = 60.0
off_w = 20.0
"""
HEAT = "heat_shares = { loop = 0.7, hall = 0.3 }\n"
COOLING = """
[cooling]
spare_units = 1
tangents = 2

[[cooling.units]]
name = "chiller-a"
model = "air-cooled-chiller-18"
rated_heat_mw = 0.13

[[cooling.units]]
name = "chiller-b"
model = "air-cooled-chiller-18"
rated_heat_mw = 0.13

[[cooling.units]]
name = "roof-cooler"
model = "air-cooled-chiller-18"
rated_heat_mw = 0.06
free_only = true

[[cooling.units.maintenance]]
start = 2026-11-25T08:00:00Z
end = 2026-11-25T09:10:00Z
reason = "coil washed"

[[cooling.masses]]
name = "hall"
heat_share = 0.5
mwh_per_k = 0.01
assumed_c = 24.0
lowest_c = 18.0
recommended_c = 27.0
above_recommended_cost_per_k_h = 5.0
allowable_c = 32.0
most_change_k_per_h = 6.0
time_constant_h = 4.0

[[cooling.masses]]
name = "loop"
heat_share = 0.5
mwh_per_k = 0.004
assumed_c = 30.0
lowest_c = 20.0
allowable_c = 40.0
metric = "cdu.supply_c"
asset = "cdu-1"

[cooling.tank]
energy_mwh = 0.2
fill_mw = 0.06
draw_mw = 0.06
assumed_mwh = 0.1
loss_share_per_h = 0.01

[planning]
horizon_h = 4.0
step_minutes = 30
time_limit_s = 5.0
gap = 0.05

[budgets]
export_allowance_mwh = 100.0
exported_assumed_mwh = 7.0
"""


def text() -> str:
    """The site file."""
    whole = sample_path("local").read_text(encoding="utf-8")
    head, rest = whole.split("[pools.default]")
    before, after = rest.split("[cooling]")
    _, load = after.split("[base_load]")
    load = load.split("[planning]")[0]
    return f"{head}{HEAT}{NODES}\n[pools.default]{before}{COOLING}\n[base_load]{load}"


def raw() -> dict[str, Any]:
    """The same as plain data."""
    return tomllib.loads(text())


def site(**changes: Any) -> Site:
    """The site, some sections replaced."""
    return resolved_site(raw() | changes)
