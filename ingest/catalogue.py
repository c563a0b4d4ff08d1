"""Every metric that we write ourselves: name, unit, tags and the range a sane value lies in.

``low``/``high`` are physical: outside them a value is flagged ``range``. ``usual`` is where a
working device reads; a value outside it that lies inside after × 1000 or ÷ 1000 is flagged
``unit_suspect`` (kW for W, mW for W, MWh for kWh). Ranges of GPUs come from the boards sold so far
(300 to 1,400 W; physics.md 1.2) with room above; they catch broken values, not hot days.
Metrics of others (Telegraf, exporters) are stored as they come and not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from models.units import converter


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``tags`` are those that identify a series; the site's name is always one of them.

    ``kind`` "counter" only rises until it is reset; "switch" is 0 or 1, so that its mean is a share; "code" is a
    whole number that says what a thing does (an enumeration or a bit mask). Switches and codes are stored as integers.
    """

    name: str
    unit: str
    tags: tuple[str, ...]
    low: float
    high: float
    about: str
    kind: Literal["gauge", "counter", "switch", "code"] = "gauge"
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


def _asset(name: str, unit: str, low: float, high: float, about: str) -> Metric:
    return Metric(name, unit, _ASSET, low, high, about)


def _forecast(field: str, unit: str, low: float, high: float) -> Metric:
    return Metric(f"forecast.{field}", unit, ("site", "quantile"), low, high, "expected when the plan was made")


def _code(name: str, about: str) -> Metric:
    return Metric(name, "1", _ASSET, 0, 65_535, about, kind="code")


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
    _gpu("memory_temperature_c", "degC", -20, 130, "of the GPU's memory"),
    _gpu("memory_used_mib", "MiB", 0, 2**20, "of the GPU's memory"),
    _gpu("clock_sm_mhz", "MHz", 0, 5_000, "of the streaming multiprocessors"),
    _gpu("clock_memory_mhz", "MHz", 0, 20_000, "of the memory"),
    _gpu("utilization_ratio", "1", 0, 1, "share of the last sample period with a kernel running"),
    Metric("gpu.throttle_bits", "1", _GPU, 0, 2**32, "reasons why clocks are low, the driver's bit mask", kind="code"),
    _gpu_switch("throttle_power_cap", "slowed by the software power limit"),
    _gpu_switch("throttle_power_brake", "slowed by an external power brake"),
    _gpu_switch("throttle_thermal", "slowed by temperature"),
    _gpu_switch("mig_enabled", "split into instances; power stays that of the whole GPU"),
    _gpu_switch("reachable", "1: answers; 0: the driver lost it"),
    Metric("node.power_w", "W", ("site", "node"), 0, 50_000, "of a whole node, by its own meter"),
    Metric("node.inlet_c", "degC", ("site", "node"), -20, 60, "air at the node's inlet"),
    Metric("pool.power_mw", "MW", _POOL, 0, _MAX_MW, "of a GPU pool, hosts included"),
    Metric("pool.nodes_on", "1", _POOL, 0, 1e6, "nodes that are on, booting ones included"),
    Metric("site.import_mw", "MW", _SITE, 0, _MAX_MW, "drawn from the grid"),
    Metric("site.export_mw", "MW", _SITE, 0, _MAX_MW, "given to the grid"),
    Metric("site.it_mw", "MW", _SITE, 0, _MAX_MW, "of all computing"),
    Metric("site.cooling_mw", "MW", _SITE, 0, _MAX_MW, "of the cooling plant"),
    Metric("site.base_load_mw", "MW", _SITE, 0, _MAX_MW, "of all that no plan decides: inference, offices, network"),
    Metric("site.pv_mw", "MW", _SITE, 0, _MAX_MW, "produced by photovoltaics"),
    Metric("site.wind_mw", "MW", _SITE, 0, _MAX_MW, "produced by wind"),
    Metric("site.dry_bulb_c", "degC", _SITE, -60, 60, "outdoor air"),
    Metric("battery.charge_mw", "MW", _ASSET, 0, _MAX_MW, "into the battery, AC side"),
    Metric("battery.discharge_mw", "MW", _ASSET, 0, _MAX_MW, "out of the battery, AC side"),
    Metric("battery.soc_mwh", "MWh", _ASSET, 0, 50_000, "stored"),
    _asset("battery.power_mw", "MW", -_MAX_MW, _MAX_MW, "at the battery's own terminals, charging positive"),
    _asset("battery.soc_ratio", "1", 0, 1, "stored, of what it can hold"),
    _asset("battery.health_ratio", "1", 0, 1.05, "life left, by the battery's own estimate"),
    _code("battery.charge_code", "SunSpec 802 ChaSt: 1 off, 2 empty, 3 discharging, 4 charging, 5 full, 6 holding"),
    _asset("meter.power_mw", "MW", -_MAX_MW, _MAX_MW, "through a meter, import or consumption positive"),
    Metric("meter.import_mwh", "MWh", _ASSET, 0, 1e9, "counted one way", kind="counter"),
    Metric("meter.export_mwh", "MWh", _ASSET, 0, 1e9, "counted the other way", kind="counter"),
    _asset("meter.frequency_hz", "Hz", 40, 70, "of the mains"),
    _asset("pdu.power_mw", "MW", 0, 10, "through a PDU or a rack's feed"),
    Metric("pdu.energy_mwh", "MWh", _ASSET, 0, 1e7, "through a PDU", kind="counter"),
    _asset("chiller.supply_c", "degC", -30, 60, "liquid that leaves the chiller"),
    _asset("chiller.return_c", "degC", -30, 80, "liquid that comes back to the chiller"),
    _asset("chiller.setpoint_c", "degC", -30, 60, "wanted at the outlet"),
    _asset("chiller.ambient_c", "degC", -60, 60, "outdoor air as the chiller measures it"),
    _asset("chiller.power_mw", "MW", 0, 100, "electric"),
    _asset("chiller.load_ratio", "1", 0, 1.2, "of its capacity"),
    _asset("chiller.flow_m3_h", "m3/h", 0, 50_000, "through the chiller"),
    Metric("chiller.running", "1", _ASSET, 0, 1, "1: compressors may run", kind="switch"),
    _asset("crah.supply_c", "degC", -10, 60, "air to the hall"),
    _asset("crah.return_c", "degC", -10, 80, "air from the hall"),
    _asset("crah.setpoint_c", "degC", -10, 60, "wanted of the supply air"),
    _asset("crah.relative_humidity_pct", "%", 0, 100, "of the return air"),
    _asset("crah.fan_ratio", "1", 0, 1, "speed, of the highest"),
    _asset("crah.power_mw", "MW", 0, 5, "electric"),
    _asset("cdu.supply_c", "degC", -10, 80, "liquid to the racks"),
    _asset("cdu.return_c", "degC", -10, 95, "liquid from the racks"),
    _asset("cdu.primary_supply_c", "degC", -10, 80, "facility water that comes in"),
    _asset("cdu.primary_return_c", "degC", -10, 95, "facility water that goes back"),
    _asset("cdu.flow_l_min", "l/min", 0, 100_000, "to the racks"),
    _asset("cdu.pressure_kpa", "kPa", 0, 5_000, "difference over the racks"),
    _asset("cdu.heat_mw", "MW", 0, 50, "taken from the racks"),
    _asset("mass.temperature_c", "degC", -60, 120, "of a hall's air, a loop or another thermal mass"),
    _asset("tank.stored_mwh", "MWh", 0, 5_000, "cold in a chilled-water tank, as heat that it can take up"),
    _asset("service.power_mw", "MW", 0, _MAX_MW, "drawn by a service: inference and the like"),
    _asset("generator.power_mw", "MW", 0, _MAX_MW, "given by a generating set"),
    _asset("inverter.power_mw", "MW", -10, 500, "AC, production positive"),
    _asset("inverter.dc_power_mw", "MW", -10, 500, "from the panels"),
    Metric("inverter.energy_mwh", "MWh", _ASSET, 0, 1e8, "AC energy since it was built", kind="counter"),
    _asset("inverter.cabinet_c", "degC", -40, 120, "inside the cabinet"),
    _code("inverter.state_code", "SunSpec St: 1 off, 2 sleeping, 3 starting, 4 MPPT, 5 throttled, 7 fault, 8 standby"),
    Metric("source.reachable", "1", ("site", "source", "target"), 0, 1, "1: a target answered", kind="switch"),
    Metric("source.fetch_s", "s", ("site", "source", "target"), 0, 3_600, "how long the answer took"),
    Metric("plan.import_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.export_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.pv_used_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.wind_used_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.it_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.cooling_mw", "MW", _SITE, 0, _MAX_MW, "planned"),
    Metric("plan.heat_mw", "MW", _SITE, 0, _MAX_MW, "planned, of computing with its distribution losses"),
    Metric("plan.base_load_mw", "MW", _SITE, 0, _MAX_MW, "expected load that no plan decides"),
    _asset("plan.inference_mw", "MW", 0, _MAX_MW, "planned, of a service: inference and the like"),
    _asset("plan.inference_asked_mw", "MW", 0, _MAX_MW, "what a service was expected to ask for"),
    _asset("plan.charge_mw", "MW", 0, _MAX_MW, "planned, into a battery"),
    _asset("plan.discharge_mw", "MW", 0, _MAX_MW, "planned, out of a battery"),
    _asset("plan.soc_mwh", "MWh", 0, 50_000, "planned to be stored at that instant"),
    _asset("plan.generator_mw", "MW", 0, _MAX_MW, "planned, of a generator"),
    _asset("plan.mass_c", "degC", -60, 120, "planned temperature of a thermal mass at that instant"),
    _asset("plan.mass_removed_mw", "MW", 0, _MAX_MW, "planned, heat taken from a thermal mass"),
    _asset("plan.unit_heat_mw", "MW", 0, _MAX_MW, "planned, heat removed by a cooling unit"),
    _asset("plan.nodes_on", "1", 0, 1e6, "planned, nodes on in a pool"),
    Metric("plan.temperature_c", "degC", _SITE, -60, 120, "planned, of the one thermal mass at that instant"),
    Metric("plan.tank_mwh", "MWh", _SITE, 0, 5_000, "planned to be in the tank at that instant"),
    Metric("plan.heat_removed_mw", "MW", _SITE, 0, _MAX_MW, "planned, heat removed by the cooling plant"),
    _forecast("pv_available_mw", "MW", 0, _MAX_MW),
    _forecast("wind_available_mw", "MW", 0, _MAX_MW),
    _forecast("base_load_mw", "MW", 0, _MAX_MW),
    _forecast("it_mw", "MW", 0, _MAX_MW),
    _forecast("cooling_mw", "MW", 0, _MAX_MW),
    Metric("forecast.inference_mw", "MW", ("site", "asset", "quantile"), 0, _MAX_MW, "expected when the plan was made"),
    _forecast("dry_bulb_c", "degC", -60, 60),
    _forecast("wet_bulb_c", "degC", -60, 60),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def unit_of(metric: str) -> str:
    """Unit of a metric; empty where it is none of ours."""
    known = METRICS.get(metric)
    return known.unit if known else ""


def conversion(metric: str, unit: str) -> Callable[[float], float]:
    """From ``unit`` to the unit that ``metric`` is kept in; as it is where none is said or the metric is none of ours.

    Raises:
        ValueError: the two measure different things.
    """
    kept = unit_of(metric)
    return converter(unit, kept) if unit and kept else float


def as_stored(metric: str, value: float) -> float | int:
    """``value`` in the type that ``metric`` is kept in: whole numbers for our switches and codes, else a float.

    A fraction where a whole number belongs stays as it is; the store will refuse it by name.
    """
    known = METRICS.get(metric)
    if known is None or known.kind not in ("switch", "code"):
        return float(value)
    return int(value) if float(value).is_integer() else float(value)
