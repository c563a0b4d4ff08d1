"""What goes wrong with instruments, put into clean readings: each fault has a kind, a series, a begin and an end.

The kinds are those that sites report: values that are none, silence, single spikes, a reading that hangs, a unit that
changed (1,000 times too much or little, Fahrenheit), a sign that flipped, a clock ahead or behind, a counter that
began anew, a meter that drifts away from what it sums; and a GPU that waits for data, which is no sensor's fault.
Pure: the same faults and readings give the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from models.plant.meters import Reading, Tags

Kind = Literal[
    "nan",
    "silence",
    "spike",
    "stuck",
    "unit_up",
    "unit_down",
    "fahrenheit",
    "sign",
    "future",
    "past",
    "reset",
    "drift",
    "starved",
]
KINDS: Final[tuple[Kind, ...]] = (
    "nan",
    "silence",
    "spike",
    "stuck",
    "unit_up",
    "unit_down",
    "fahrenheit",
    "sign",
    "future",
    "past",
    "reset",
    "drift",
    "starved",
)
_AHEAD_S, _BEHIND_S = 900.0, -1800.0


@dataclass(frozen=True, slots=True)
class SensorFault:
    """``begins_s`` to ``ends_s`` of the readings' own clock, both included; a spike and a reset are one reading."""

    kind: Kind
    metric: str
    tags: Tags
    begins_s: float
    ends_s: float


class Stamped(NamedTuple):
    """A reading with the instant that it claims, and the fault that it carries, if any."""

    reading: Reading
    time_s: float
    fault: SensorFault | None = None


class FaultySensors:
    """Applies faults to one sweep of readings after the other; remembers what a hanging one showed."""

    def __init__(self, faults: Iterable[SensorFault]) -> None:
        self._by_series: dict[tuple[str, Tags], list[SensorFault]] = {}
        self._starved: dict[Tags, list[SensorFault]] = {}
        for fault in faults:
            self._by_series.setdefault((fault.metric, fault.tags), []).append(fault)
            if fault.kind == "starved":
                self._starved.setdefault(fault.tags, []).append(fault)
        self._hung: dict[SensorFault, float] = {}
        self._offset: dict[tuple[str, Tags], float] = {}
        self._single: set[SensorFault] = set()

    def sweep(self, rows: Sequence[Reading], time_s: float) -> list[Stamped]:
        """Readings as they arrive; silent ones are left out."""
        out: list[Stamped] = []
        for given in rows:
            row = given
            key = (row.metric, row.tags)
            faults = self._by_series.get(key)
            if row.field == "throttle_power_cap" and any(
                self._active(one, time_s) for one in self._starved.get(row.tags, ())
            ):
                row = row._replace(value=0)  # no cap holds a GPU that waits for data
            if not faults:
                out.append(Stamped(row, time_s))
                continue
            fault = next((one for one in faults if self._active(one, time_s)), None)
            value = row.value
            if fault is not None and fault.kind == "reset":
                self._offset[key] = float(value)
            value = value - self._offset.get(key, 0.0) if key in self._offset else value
            if fault is None:
                out.append(Stamped(row._replace(value=value), time_s))
            elif fault.kind != "silence":
                told, moved_s = self._told(fault, row, float(value), time_s)
                out.append(Stamped(row._replace(value=told), time_s + moved_s, fault))
        return out

    def _active(self, fault: SensorFault, time_s: float) -> bool:
        if fault.kind in ("spike", "reset"):
            if time_s < fault.begins_s or fault in self._single:
                return False
            self._single.add(fault)
            return True
        return fault.begins_s <= time_s <= fault.ends_s

    def _told(self, fault: SensorFault, row: Reading, value: float, time_s: float) -> tuple[float, float]:
        match fault.kind:
            case "nan":
                return float("nan"), 0.0
            case "spike":
                return _spike(row, value), 0.0
            case "stuck":
                return self._hung.setdefault(fault, value), 0.0
            case "unit_up":
                return value * 1000, 0.0
            case "unit_down":
                return value / 1000, 0.0
            case "fahrenheit":
                return round(value * 9 / 5 + 32, 2), 0.0
            case "sign":
                return -value, 0.0
            case "future":
                return value, _AHEAD_S
            case "past":
                return value, _BEHIND_S
            case "drift":
                grown = (time_s - fault.begins_s) / max(1.0, fault.ends_s - fault.begins_s)
                return value * (1 - 0.6 * min(1.0, 2 * grown)), 0.0
            case "starved":
                return value * 0.45, 0.0
        return value, 0.0


def _spike(row: Reading, value: float) -> float:
    """One wild value: a lost bit, not a physical event."""
    return value + 40.0 if row.field.endswith("_c") else value * 12 + 50.0


def fits(kind: Kind, row: Reading) -> bool:
    """Whether a series can have a fault of this kind so that anyone could tell."""
    celsius, counter = row.field.endswith("_c"), row.field in ("energy_j", "import_mwh", "export_mwh")
    if row.field == "setpoint_c" or row.field.startswith(("limit", "throttle", "utilization")):
        return kind in ("nan", "future", "past")
    match kind:
        case "fahrenheit":
            return celsius
        case "reset":
            return counter and row.value > 0
        case "sign":
            return row.metric in ("battery.power_mw", "meter.power_mw", "site.it_mw", "gpu.power_w") and row.value != 0
        case "drift":
            return row.metric in ("node.power_w", "site.it_mw")
        case "starved":
            return row.metric == "gpu.power_w" and row.value > 300
        case "unit_up" | "unit_down" | "spike":
            return not counter and (not celsius or kind == "spike") and row.value != 0
        case "stuck":
            return not counter and row.value != 0 and not celsius and row.field != "soc_mwh" and not row.exact
        case "silence" | "nan" | "future" | "past":
            return True
    return False


def drawn_faults(
    series: Sequence[Reading], span_s: float, per_hour: float, rng: np.random.Generator, quiet_s: float = 0.0
) -> list[SensorFault]:
    """Faults of random kinds, each as likely, on random series that can have them, over ``span_s``.

    Each lasts 5 to 30 minutes; no series has two.
    None begins in the first ``quiet_s``: what a gate knows of a series it learns there.
    """
    left = list(series)
    found: list[SensorFault] = []
    for _ in range(int(rng.poisson(per_hour * max(0.0, span_s - quiet_s) / 3600))):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        able = [row for row in left if fits(kind, row)]
        if not able:
            continue
        row = able[int(rng.integers(len(able)))]
        left.remove(row)
        begins = float(rng.uniform(quiet_s, max(quiet_s, span_s - 600)))
        found.append(SensorFault(kind, row.metric, row.tags, begins, begins + float(rng.uniform(300, 1800))))
    return sorted(found, key=lambda fault: fault.begins_s)
