"""What one series' own past says about its next value: jumps, hanging readings, units, clocks. Cheap per value.

A value that is flagged does not become the past by which the next is judged, so that one wild reading does not make
the good one after it look wild. Values that come out of order are judged by their clock alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
Role = Callable[[float, int], str]
"""Takes a good value and its instant; gives the word that the group has for it, empty for none."""
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
    """Past of one series; ``low`` to ``high`` is what is possible here, ``roles`` what it tells its group."""

    __slots__ = (
        "at_ns",
        "batch",
        "changes",
        "counts",
        "good",
        "good_ns",
        "high",
        "judge",
        "low",
        "moves",
        "moves_then",
        "newest_ns",
        "odd",
        "odd_word",
        "raw",
        "repeats",
        "repeats_all",
        "roles",
        "step_ns",
    )

    def __init__(
        self, low: float, high: float, judge: Judge, moves: Moves, roles: tuple[Role, ...] = (), *, counts: bool = False
    ) -> None:
        self.low, self.high = low, high
        self.judge, self.moves, self.roles, self.counts = judge, moves, roles, counts
        self.at_ns = self.newest_ns = self.step_ns = self.batch = 0
        self.raw = self.good = self.odd = math.nan
        self.good_ns = 0
        self.odd_word = ""
        self.repeats = self.moves_then = 0
        self.changes = self.repeats_all = 0.0

    def word(self, value: float, time_ns: int, batch: int) -> str:
        """The word for a possible value of the ``batch``-th batch; empty for none.

        Within a batch readings may come in any order; what the batches before had is the device's clock.
        """
        if batch != self.batch:
            self.batch, self.newest_ns = batch, self.at_ns
        at_ns = self.at_ns
        if time_ns <= at_ns:
            return "time_travel" if time_ns < self.newest_ns - BACK_NS else ""
        self.step_ns = time_ns - at_ns if at_ns else 0
        self.at_ns = time_ns
        good = self.good
        if self.counts:
            self.good = value
            for role in self.roles:
                role(value, time_ns)
            return "counter_reset" if value < good else ""
        if value == self.raw:
            found = self._repeated(value)
        else:
            found = ""
            self._moved(value)
        if not found and (self.odd_word or self._is_far(value, good, time_ns)):
            found = self._jump(value, good, time_ns)
        if not found:
            self.good, self.good_ns, self.odd_word = value, time_ns, ""
            for role in self.roles:
                found = role(value, time_ns) or found
        return found

    def _moved(self, value: float) -> None:
        self.raw = value
        moves = self.moves
        moves.changes += 1
        self.moves_then = moves.changes
        self.repeats_all = self.repeats_all * _FADE + self.repeats
        self.changes = self.changes * _FADE + 1
        self.repeats = 0

    def _repeated(self, value: float) -> str:
        """Stuck: as many repeats are less likely than one in a million by its own past, and its peers moved on."""
        self.repeats += 1
        if not self.judge.hangs or value == 0.0 or self.repeats < _LEAST_REPEATS or self.changes < _LEAST_CHANGES:
            return ""
        if self.moves.series > 1 and self.moves.changes - self.moves_then < self.repeats:
            return ""
        usual = (self.repeats_all + 1) / (self.repeats_all + self.changes + 2)
        return "stuck" if self.repeats * math.log(usual) < _UNLIKELY else ""

    def _is_far(self, value: float, good: float, time_ns: int) -> bool:
        """Whether a value is worth a closer look; most are not. False where nothing is known yet (``good`` is NaN)."""
        pace = self.judge.pace
        if pace is not None:
            return abs(value - good) > pace.floor + pace.per_s * (time_ns - self.good_ns) / NS
        return self.judge.scaled and (value < 0.01 * good or good < 0.01 * value)

    def _jump(self, value: float, good: float, time_ns: int) -> str:
        word, pace = "", self.judge.pace
        if pace is not None:
            if self._is_far(value, good, time_ns):
                mixed = self.judge.celsius and abs(value - (good * 1.8 + 32)) < _MIXED_K
                word = "unit_suspect" if mixed else "rate"
        elif self.judge.scaled:
            least = min(0.002 * self.high, 0.05)  # near zero a thousandth means nothing
            if abs(good) > least and value and (_thousandth(value / good) or _thousandth(good / value)):
                word = "unit_suspect"
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
