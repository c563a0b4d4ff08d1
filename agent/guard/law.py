"""How the site factor follows the meter: down at once, up slowly, with a gap between the two.

Three lines under the import limit, 99, 95 and 90 % of it: at the first the factor is cut so that the second would be
met, only under the third does it rise, and never so far that the second would be passed. What was cut and cannot show
at the meter yet (the agents' tick, the GPUs' own control loop) counts as gone, else every second would cut again.

The factor scales caps. ``flexible_mw`` is what all caps together command at the factor 1: the GPUs' draw at their
caps, with its part of cooling and losses. Too small a figure cuts too deep, too large a one takes a second cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_FIRST, _LOST, _OVER = "no reading yet", "the meter is lost", "over the limit in spite of the factor"


@dataclass(frozen=True, slots=True)
class Law:
    """Figures of one site; shares of ``limit_mw``, seconds."""

    limit_mw: float
    flexible_mw: float
    cut_at: float = 0.99
    aim_at: float = 0.95
    rise_under: float = 0.90
    rise_per_s: float = 0.005
    settle_s: float = 3.0
    calm_s: float = 30.0
    lost_after_s: float = 3.0
    patience_s: float = 10.0
    lowest: float = 0.0


@dataclass(frozen=True, slots=True)
class Word:
    """What agents are told: share of each cap, and whether the default set is to hold; ``reason`` for people."""

    share: float
    default: bool
    reason: str


@dataclass(slots=True)
class Governor:
    """The state of the loop. ``share`` may begin where an earlier life left it; the default holds until it is calm."""

    law: Law
    share: float = 1.0
    _default: str | None = _FIRST
    _at_s: float = math.nan
    _read_s: float = -math.inf
    _good_since_s: float = math.inf
    _low_since_s: float = math.inf
    _over_since_s: float = math.inf
    _cuts: list[tuple[float, float]] = field(default_factory=list)

    def step(self, now_s: float, reading_mw: float | None) -> Word:
        """One second: ``reading_mw`` is the import now, None where the meter gave none since the last step."""
        passed = 0.0 if math.isnan(self._at_s) else min(5.0, max(0.0, now_s - self._at_s))
        self._at_s = now_s
        if reading_mw is None:
            if now_s - self._read_s > self.law.lost_after_s:
                self._good_since_s = math.inf
                self._default = self._default or _LOST
            return self._word("holding")
        self._read_s = now_s
        self._good_since_s = min(self._good_since_s, now_s)
        reason = self._follow(now_s, reading_mw, passed)
        self._stand_by(now_s, reading_mw)
        return self._word(reason)

    def _follow(self, now_s: float, reading_mw: float, passed_s: float) -> str:
        law = self.law
        self._cuts = [(at, mw) for at, mw in self._cuts if now_s - at < law.settle_s]
        coming_mw = reading_mw - sum(mw for _, mw in self._cuts)
        if coming_mw >= law.cut_at * law.limit_mw:
            cut = min(self.share - law.lowest, (coming_mw - law.aim_at * law.limit_mw) / law.flexible_mw)
            if cut > 0:
                self.share -= cut
                self._cuts.append((now_s, cut * law.flexible_mw))
            self._low_since_s = math.inf
            return f"cut: {reading_mw:.3f} MW of {law.limit_mw:g} MW"
        if reading_mw >= law.rise_under * law.limit_mw:
            self._low_since_s = math.inf
            return "holding"
        self._low_since_s = min(self._low_since_s, now_s)
        if self.share < 1.0 and now_s - self._low_since_s >= law.calm_s:
            room = max(0.0, law.aim_at * law.limit_mw - reading_mw) / law.flexible_mw
            self.share = min(1.0, self.share + min(law.rise_per_s * passed_s, room))
            return "rising"
        return "clear" if self.share >= 1.0 else "waiting to rise"

    def _stand_by(self, now_s: float, reading_mw: float) -> None:
        """The default set: held while the meter is lost or the caps alone do not do, lifted when it has been calm."""
        law = self.law
        over = reading_mw >= law.limit_mw
        self._over_since_s = min(self._over_since_s, now_s) if over else math.inf
        if over and now_s - self._over_since_s >= law.patience_s:
            self._default = _OVER
        elif self._default is not None and reading_mw < law.cut_at * law.limit_mw:
            calm_since_s = {_FIRST: -math.inf, _LOST: self._good_since_s}.get(self._default, self._low_since_s)
            if now_s - calm_since_s >= law.calm_s:
                self._default = None

    def _word(self, reason: str) -> Word:
        return Word(self.share, self._default is not None, self._default or reason)
