"""What series say about each other: parts and wholes, signs and counters, GPUs that starve.

Checks look at the newest good values of things that belong together, at most half a minute apart, and want to see a
contradiction twice before they speak, because a job that starts moves the parts before the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from ingest.points import NS, Tags
from ingest.quality_series import Role

_K = TypeVar("_K")
_V = TypeVar("_V")
_APART_NS: Final = 30 * NS
_TWICE: Final = 2
_BAND: Final = 0.05
_LEAST_HOST: Final = 0.02
_STARVED_BUSY: Final = 0.9
_STARVED_SHARE: Final = 0.6
_MOST_GROUPS: Final = 100_000
_SPAN_NS: Final = 120 * NS


@dataclass(frozen=True, slots=True)
class _Sum:
    """``whole`` against the sum of ``part`` over the series that share the tags ``by``: between the two ratios."""

    whole: str
    part: str
    by: tuple[str, ...]
    low: float
    high: float

    def group(self, tags: Tags) -> Tags | None:
        """Tags that parts and whole share; None where some are missing."""
        found = tuple((name, text) for name, text in tags if name in self.by)
        return found if len(found) == len(self.by) else None


_SUMS: Final = (
    _Sum("node.power_w", "gpu.power_w", ("site", "node"), 0.25, 1 - _LEAST_HOST),
    _Sum("site.it_mw", "pool.power_mw", ("site",), 1 - _BAND, 1 + _BAND),
)


class _Newest:
    __slots__ = ("time_ns", "value")

    def __init__(self) -> None:
        self.value, self.time_ns = 0.0, 0

    def told(self, value: float, time_ns: int) -> str:
        self.value, self.time_ns = value, time_ns
        return ""


class _Parts:
    """The parts of one whole."""

    __slots__ = ("parts", "strikes")

    def __init__(self) -> None:
        self.parts: dict[Tags, _Newest] = {}
        self.strikes = 0

    def part(self, tags: Tags) -> Role:
        return self.parts.setdefault(tags, _Newest()).told

    def whole(self, check: _Sum) -> Role:
        def told(value: float, time_ns: int) -> str:
            parts = self.parts.values()
            if not parts or any(abs(time_ns - part.time_ns) > _APART_NS for part in parts):
                return ""
            total = sum(part.value for part in parts)
            self.strikes = 0 if check.low * value <= total <= check.high * value else self.strikes + 1
            return "cross_check" if self.strikes >= _TWICE else ""

        return told


class _Battery:
    """What flows in must be found in it: energy between two readings of what is stored."""

    __slots__ = ("from_ns", "from_soc", "moved_mwh", "power", "power_ns", "strikes")

    def __init__(self) -> None:
        self.power_ns = self.from_ns = self.strikes = 0
        self.power = self.from_soc = self.moved_mwh = 0.0

    def shown(self, value: float, time_ns: int) -> str:
        if self.power_ns and time_ns > self.power_ns:
            self.moved_mwh += (self.power + value) / 2 * (time_ns - self.power_ns) / NS / 3600
        self.power, self.power_ns = value, time_ns
        return "sign_flip" if self.strikes >= _TWICE and value else ""

    def stored(self, value: float, time_ns: int) -> str:
        if not self.from_ns:
            self.from_soc, self.from_ns, self.moved_mwh = value, time_ns, 0.0
            return ""
        gained, least = value - self.from_soc, max(1e-4, 0.001 * value)
        if gained == 0 and abs(self.moved_mwh) > 5 * least:
            return "stuck"
        if time_ns - self.from_ns < _SPAN_NS or abs(self.moved_mwh) < least:
            return ""
        if abs(gained) >= least / 2:
            self.strikes = self.strikes + 1 if gained * self.moved_mwh < 0 else 0
        self.from_soc, self.from_ns, self.moved_mwh = value, time_ns, 0.0
        return ""


class _Counter:
    """MW by a counter of MWh."""

    __slots__ = ("mw", "time_ns", "value")

    def __init__(self) -> None:
        self.mw: float | None = None
        self.value, self.time_ns = 0.0, 0

    def told(self, value: float, time_ns: int) -> str:
        if self.time_ns and value >= self.value:
            self.mw = (value - self.value) / (time_ns - self.time_ns) * NS * 3600
        self.value, self.time_ns = value, time_ns
        return ""


class _Meter:
    """What it shows must be what it counts."""

    __slots__ = ("export", "import_", "strikes")

    def __init__(self) -> None:
        self.import_, self.export, self.strikes = _Counter(), _Counter(), 0

    def shown(self, value: float, time_ns: int) -> str:
        drawn, given = self.import_, self.export
        if drawn.mw is None or given.mw is None or abs(time_ns - min(drawn.time_ns, given.time_ns)) > _APART_NS:
            return ""
        net = drawn.mw - given.mw
        wrong = value * net < 0 and abs(value + net) < 0.3 * abs(net)
        self.strikes = self.strikes + 1 if wrong else 0
        return "sign_flip" if self.strikes >= _TWICE else ""


class _Gpu:
    """A GPU that is at work, far below its cap, and held by none, starves: its power says nothing about the cap."""

    __slots__ = ("busy", "capped", "limit")

    def __init__(self) -> None:
        self.busy, self.capped, self.limit = _Newest(), _Newest(), _Newest()

    def drawn(self, value: float, time_ns: int) -> str:
        busy, limit = self.busy, self.limit
        if value >= _STARVED_SHARE * limit.value or busy.value < _STARVED_BUSY or self.capped.value:
            return ""
        return "starved" if time_ns - min(busy.time_ns, limit.time_ns) <= 2 * _APART_NS else ""


class Groups:
    """Gives each series its roles; bounded: beyond :data:`_MOST_GROUPS` groups the oldest known are forgotten."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, Tags], _Parts] = {}
        self._gpus: dict[Tags, _Gpu] = {}
        self._batteries: dict[Tags, _Battery] = {}
        self._meters: dict[Tags, _Meter] = {}

    def roles(self, metric: str, tags: Tags) -> tuple[Role, ...]:
        """What a series tells its groups, value by value; empty for most."""
        found: list[Role] = []
        for check in _SUMS:
            if metric in (check.part, check.whole) and (group := check.group(tags)) is not None:
                parts = _kept(self._sums, (check.part, group), _Parts)
                found.append(parts.part(tags) if metric == check.part else parts.whole(check))
        measurement, _, field = metric.partition(".")
        if measurement == "gpu" and field in ("power_w", "utilization_ratio", "limit_enforced_w", "throttle_power_cap"):
            gpu = _kept(self._gpus, tags, _Gpu)
            newest = {"utilization_ratio": gpu.busy, "limit_enforced_w": gpu.limit, "throttle_power_cap": gpu.capped}
            found.append(gpu.drawn if field == "power_w" else newest[field].told)
        elif measurement == "battery" and field in ("power_mw", "soc_mwh"):
            battery = _kept(self._batteries, tags, _Battery)
            found.append(battery.shown if field == "power_mw" else battery.stored)
        elif measurement == "meter" and field in ("power_mw", "import_mwh", "export_mwh"):
            meter = _kept(self._meters, tags, _Meter)
            counted = {"import_mwh": meter.import_.told, "export_mwh": meter.export.told}
            found.append(counted.get(field, meter.shown))
        return tuple(found)


def _kept(groups: dict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    found = groups.get(key)
    if found is None:
        if len(groups) >= _MOST_GROUPS:
            del groups[next(iter(groups))]
        found = groups[key] = make()
    return found
