"""What one series' own past says about its next value: jumps, hanging readings, units, clocks. Cheap per value.

A value that is flagged does not become the past by which the next is judged, so that one wild reading does not make
the good one after it look wild. Values that come out of order are judged by their clock alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ingest.catalogue import Metric
from ingest.points import NS

BACK_NS: Final = 60 * NS
_LEAST_REPEATS: Final = 6
_UNLIKELY: Final = math.log(1e-6)
_LEAST_CHANGES: Final = 10
_FADE: Final = 0.995
_MIXED_K: Final = 4.0
_THOUSANDTH: Final = (0.8e-3, 1.25e-3)


@dataclass(frozen=True, slots=True)
class Pace:
    """The most that a quantity changes: ``floor`` at once, ``per_s`` more with each second."""

    floor: float
    per_s: float


_ROOM = Pace(4.0, 0.2)  # losing all cooling warms a dense hall by some 10 K a minute
_PACES: Final[dict[str, Pace]] = {
    "gpu.temperature_c": Pace(8.0, 2.5),
    "gpu.memory_temperature_c": Pace(8.0, 2.5),
    "site.dry_bulb_c": Pace(2.0, 0.05),
    "chiller.ambient_c": Pace(2.0, 0.05),
    "meter.frequency_hz": Pace(0.3, 1.0),
}
_SETTINGS = ("setpoint_c", "limit_w", "limit_enforced_w", "limit_default_w", "limit_min_w", "limit_max_w")
_STILL = (
    "soc_mwh",
    "soc_ratio",
    "health_ratio",
    "utilization_ratio",
    "fan_ratio",
    "memory_used_mib",
    "clock_memory_mhz",
)
"""What may stand still though all is well: a battery at rest, a GPU at full use. GPUs' whole degrees do, too."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What is asked of the values of one metric: its pace, whether it can hang, and whether units may mix."""

    pace: Pace | None
    hangs: bool
    celsius: bool
    scaled: bool

    @classmethod
    def of(cls, metric: Metric) -> Judge:
        """From the catalogue."""
        measurement, _, field = metric.name.partition(".")
        lives = metric.kind == "gauge" and field not in _SETTINGS and measurement not in ("source", "plan")
        celsius = metric.unit == "degC"
        hangs = lives and field not in _STILL and not (celsius and measurement == "gpu")
        pace = _PACES.get(metric.name) or (_ROOM if celsius and lives else None)
        return cls(pace, hangs, celsius, lives and not celsius)


class Moves:
    """How much the series of one metric move, all together: peers of each other."""

    __slots__ = ("changes", "series")

    def __init__(self) -> None:
        self.changes = 0
        self.series = 0


class Past:
    """Past of one series; ``low`` to ``high`` is what is possible here."""

    __slots__ = (
        "at_ns",
        "batch",
        "changes",
        "good",
        "good_ns",
        "high",
        "low",
        "moves_then",
        "newest_ns",
        "odd",
        "odd_word",
        "raw",
        "repeats",
        "repeats_all",
        "step_ns",
    )

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.at_ns = self.newest_ns = self.step_ns = self.batch = 0
        self.raw = self.good = self.odd = math.nan
        self.good_ns = 0
        self.odd_word = ""
        self.repeats = self.moves_then = 0
        self.changes = self.repeats_all = 0.0

    def clock(self, time_ns: int, batch: int) -> str:
        """The word for the instant of a value of the ``batch``-th batch; empty for none.

        Within a batch readings may come in any order; what the batches before had is the device's clock.
        """
        if batch != self.batch:
            self.batch, self.newest_ns = batch, self.at_ns
        return "time_travel" if self.newest_ns and time_ns < self.newest_ns - BACK_NS else ""

    def judge(self, value: float, time_ns: int, judge: Judge, moves: Moves) -> str:
        """The word for a value that is possible and on time; empty for none."""
        if time_ns <= self.at_ns:
            return ""
        self.step_ns = time_ns - self.at_ns if self.at_ns else 0
        self.at_ns = time_ns
        word = self._hanging(value, judge, moves) or self._jump(value, time_ns, judge)
        if word:
            return word
        self.good, self.good_ns, self.odd_word = value, time_ns, ""
        return ""

    def _hanging(self, value: float, judge: Judge, moves: Moves) -> str:
        """Stuck: as many repeats are less likely than one in a million by its own past, and its peers moved on."""
        if value != self.raw:
            self.raw = value
            moves.changes += 1
            self.moves_then = moves.changes
            self.repeats_all = self.repeats_all * _FADE + self.repeats
            self.changes = self.changes * _FADE + 1
            self.repeats = 0
            return ""
        self.repeats += 1
        if not judge.hangs or value == 0.0 or self.repeats < _LEAST_REPEATS or self.changes < _LEAST_CHANGES:
            return ""
        if moves.series > 1 and moves.changes - self.moves_then < self.repeats:
            return ""
        usual = (self.repeats_all + 1) / (self.repeats_all + self.changes + 2)
        return "stuck" if self.repeats * math.log(usual) < _UNLIKELY else ""

    def _jump(self, value: float, time_ns: int, judge: Judge) -> str:
        good = self.good
        if good != good:  # nothing is known yet
            return ""
        word = ""
        if judge.scaled:
            least = min(0.002 * self.high, 0.05)  # near zero a thousandth means nothing
            if abs(good) > least and value and (_thousandth(value / good) or _thousandth(good / value)):
                word = "unit_suspect"
        elif judge.pace is not None:
            most = judge.pace.floor + judge.pace.per_s * (time_ns - self.good_ns) / NS
            if abs(value - good) > most:
                mixed = judge.celsius and abs(value - (good * 1.8 + 32)) < _MIXED_K
                word = "unit_suspect" if mixed else "rate"
        if not word and self.odd_word == "unit_suspect" and self._goes_on(value):
            word = "unit_suspect"
        if word:
            self.odd, self.odd_word = value, word
        return word

    def _goes_on(self, value: float) -> bool:
        """Whether a value is nearer to the suspect one before than to the good one: a unit stays mixed up."""
        if value * self.odd <= 0 or value * self.good <= 0:
            return False
        return abs(math.log(value / self.odd)) < abs(math.log(value / self.good))


def _thousandth(ratio: float) -> bool:
    return _THOUSANDTH[0] < ratio < _THOUSANDTH[1]
