"""What series say about each other: parts and wholes, signs and counters, GPUs that starve.

Checks look at the newest good values of things that belong together, at most half a minute apart, and want to see a
contradiction twice before they speak, because a job that starts moves the parts before the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from ingest.points import NS, Tags

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


_SUMS: Final = (
    _Sum("node.power_w", "gpu.power_w", ("site", "node"), 0.25, 1 - _LEAST_HOST),
    _Sum("site.it_mw", "pool.power_mw", ("site",), 1 - _BAND, 1 + _BAND),
)
_PARTS: Final = {check.part: check for check in _SUMS}
_WHOLES: Final = {check.whole: check for check in _SUMS}
_ENERGY: Final = {"battery.power_mw": "battery.soc_mwh"}
_STORES: Final = {"battery.soc_mwh": "battery.power_mw"}
_COUNTS: Final = ("meter.import_mwh", "meter.export_mwh")
_STARVING: Final = ("gpu.power_w", "gpu.utilization_ratio", "gpu.limit_enforced_w", "gpu.throttle_power_cap")
WATCHED: Final = frozenset((*_PARTS, *_WHOLES, *_ENERGY, *_STORES, *_COUNTS, "meter.power_mw", *_STARVING))


class _Newest:
    __slots__ = ("time_ns", "value")

    def __init__(self, value: float, time_ns: int) -> None:
        self.value, self.time_ns = value, time_ns


class _Stored:
    """A battery between two readings of what it holds."""

    __slots__ = ("from_ns", "from_soc", "moved_mwh", "power", "power_ns", "strikes")

    def __init__(self) -> None:
        self.power_ns = self.from_ns = self.strikes = 0
        self.power = self.from_soc = self.moved_mwh = 0.0


class _Counted:
    """A meter: its counters' newest values, and MW by them."""

    __slots__ = ("last", "rates", "strikes")

    def __init__(self) -> None:
        self.last: dict[str, _Newest] = {}
        self.rates: dict[str, _Newest] = {}
        self.strikes = 0


class Groups:
    """Newest good values by group; bounded: beyond :data:`_MOST_GROUPS` the oldest known are forgotten."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, Tags], dict[Tags, _Newest]] = {}
        self._strikes: dict[tuple[str, Tags], int] = {}
        self._gpus: dict[Tags, dict[str, _Newest]] = {}
        self._batteries: dict[Tags, _Stored] = {}
        self._meters: dict[Tags, _Counted] = {}

    def judge(self, metric: str, tags: Tags, value: float, time_ns: int) -> str:
        """The word for a good value of one of :data:`WATCHED`; empty for none."""
        if metric in _PARTS:
            group = self._group(_PARTS[metric], tags)
            if group is not None:
                _kept(self._parts, group, dict[Tags, _Newest])[tags] = _Newest(value, time_ns)
        if metric in _WHOLES:
            return self._sum(_WHOLES[metric], tags, value, time_ns)
        if metric in _ENERGY:
            return self._power(tags, value, time_ns)
        if metric in _STORES:
            return self._soc(tags, value, time_ns)
        if metric in _COUNTS:
            self._counted(metric, tags, value, time_ns)
        if metric == "meter.power_mw":
            return self._shown(tags, value, time_ns)
        return self._starved(metric, tags, value, time_ns) if metric in _STARVING else ""

    @staticmethod
    def _group(check: _Sum, tags: Tags) -> tuple[str, Tags] | None:
        found = tuple((name, text) for name, text in tags if name in check.by)
        return (check.part, found) if len(found) == len(check.by) else None

    def _sum(self, check: _Sum, tags: Tags, value: float, time_ns: int) -> str:
        group = self._group(check, tags)
        parts = self._parts.get(group, {}) if group is not None else {}
        if group is None or not parts or any(abs(time_ns - part.time_ns) > _APART_NS for part in parts.values()):
            return ""
        total = sum(part.value for part in parts.values())
        if not check.low * value <= total <= check.high * value:
            self._strikes[group] = self._strikes.get(group, 0) + 1
            return "cross_check" if self._strikes[group] >= _TWICE else ""
        self._strikes.pop(group, None)
        return ""

    # ---- batteries: what flows in must be found in it

    def _power(self, tags: Tags, value: float, time_ns: int) -> str:
        kept = _kept(self._batteries, tags, _Stored)
        if kept.power_ns and time_ns > kept.power_ns:
            kept.moved_mwh += (kept.power + value) / 2 * (time_ns - kept.power_ns) / NS / 3600
        kept.power, kept.power_ns = value, time_ns
        return "sign_flip" if kept.strikes >= _TWICE and value else ""

    def _soc(self, tags: Tags, value: float, time_ns: int) -> str:
        kept = _kept(self._batteries, tags, _Stored)
        if not kept.from_ns:
            kept.from_soc, kept.from_ns, kept.moved_mwh = value, time_ns, 0.0
            return ""
        gained, least = value - kept.from_soc, max(1e-4, 0.001 * value)
        if gained == 0 and abs(kept.moved_mwh) > 5 * least:
            return "stuck"
        if time_ns - kept.from_ns < _SPAN_NS or abs(kept.moved_mwh) < least:
            return ""
        if abs(gained) >= least / 2:
            kept.strikes = kept.strikes + 1 if gained * kept.moved_mwh < 0 else 0
        kept.from_soc, kept.from_ns, kept.moved_mwh = value, time_ns, 0.0
        return ""

    # ---- meters: what they show must be what they count

    def _counted(self, metric: str, tags: Tags, value: float, time_ns: int) -> None:
        kept = _kept(self._meters, tags, _Counted)
        before = kept.last.get(metric)
        if before is not None and time_ns > before.time_ns and value >= before.value:
            kept.rates[metric] = _Newest((value - before.value) / (time_ns - before.time_ns) * NS * 3600, time_ns)
        kept.last[metric] = _Newest(value, time_ns)

    def _shown(self, tags: Tags, value: float, time_ns: int) -> str:
        kept = self._meters.get(tags)
        fresh = [] if kept is None else [r for r in kept.rates.values() if abs(time_ns - r.time_ns) <= _APART_NS]
        if kept is None or len(fresh) < 2:
            return ""
        net = kept.rates["meter.import_mwh"].value - kept.rates["meter.export_mwh"].value
        wrong = value * net < 0 and abs(value + net) < 0.3 * abs(net)
        kept.strikes = kept.strikes + 1 if wrong else 0
        return "sign_flip" if kept.strikes >= _TWICE else ""

    # ---- GPUs that starve

    def _starved(self, metric: str, tags: Tags, value: float, time_ns: int) -> str:
        """A GPU that is at work, far below its cap, and held by none: its power says nothing about the cap."""
        known = _kept(self._gpus, tags, dict[str, _Newest])
        known[metric] = _Newest(value, time_ns)
        if metric != "gpu.power_w":
            return ""
        busy = known.get("gpu.utilization_ratio")
        limit = known.get("gpu.limit_enforced_w")
        capped = known.get("gpu.throttle_power_cap")
        if busy is None or limit is None or busy.value < _STARVED_BUSY or value >= _STARVED_SHARE * limit.value:
            return ""
        if any(time_ns - one.time_ns > 2 * _APART_NS for one in (busy, limit)) or (capped is not None and capped.value):
            return ""
        return "starved"


def _kept(groups: dict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    found = groups.get(key)
    if found is None:
        if len(groups) >= _MOST_GROUPS:
            del groups[next(iter(groups))]
        found = groups[key] = make()
    return found
