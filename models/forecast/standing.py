"""Whether a learned model may serve: it must beat its baselines, not fall behind its predecessor, and go on doing so.

A *challenger* is promoted if its held-out pinball is below every baseline's and, where a *champion* serves, at most
2 % above the champion's on forecasts that neither was trained on (newer data are worth that much). A champion whose
last two weeks are worse than a baseline stops serving by itself (the physics serve instead), and serves again once
they are better. *Unproven* is said of whatever has fewer than 60 scored days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from models.forecast.features import Features
from models.forecast.history import History, teaching
from models.forecast.learned import LEVELS, PROVEN_DAYS, DayScore, Learned, Report, by_day
from models.forecast.past import moment64
from models.forecast.yardsticks import banded_physics, yardsticks

WATCH_DAYS = 14
LEAST_DAYS = 7  # scored days below which nothing is concluded
MOST_WORSE = 1.02
DRIFT_ERRORS = 3.0  # standard errors of the mean that recent pinball may lie above what was expected
DRIFT_SHARE = 1.2  # and at least this many times it, so that a long quiet past does not make every gust an alarm
COVER_BORDERS = (0.75, 0.98)  # of P5 to P95 over the watched days


@dataclass(frozen=True, slots=True)
class Verdict:
    """``promoted`` or not, and why in words."""

    promoted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """``serves``: the learned model (else the physics do); ``alarm``: empty, or what drifted; ``proven`` by days."""

    serves: bool
    proven: bool
    alarm: str
    reason: str


def judged(challenger: Report, beside: Sequence[DayScore] = ()) -> Verdict:
    """Verdict on a challenger; ``beside``: days scored with ``learned`` (the challenger) and ``champion`` alike."""
    best = challenger.best_baseline
    mine, base = challenger.scores["learned"].pinball, challenger.scores[best].pinball
    if not mine < base:
        return Verdict(False, f"pinball {mine:.4f} does not beat {best} ({base:.4f}); the physics go on serving")
    both = [day for day in beside if {"learned", "champion"} <= set(day.pinball)]
    if len(both) >= LEAST_DAYS:
        new, old = (float(np.mean([day.pinball[name] for day in both])) for name in ("learned", "champion"))
        on = f"{new:.4f} to {old:.4f} on {len(both)} days"
        if new > MOST_WORSE * old:
            return Verdict(False, f"worse than the champion ({on}), which goes on serving")
        return Verdict(True, f"beats {best} by {challenger.skill:.0%}; beside the champion {on}")
    alone = f"; {len(both)} day(s) beside the champion, compared from {LEAST_DAYS}" if both else ""
    return Verdict(True, f"beats {best}, the best baseline, by {challenger.skill:.0%}{alone}")


def standing(report: Report, days: Sequence[DayScore]) -> Standing:
    """Where a champion stands after the days it has served; ``report`` says what was expected of it."""
    proven = report.days + len(days) >= PROVEN_DAYS
    recent = list(days)[-WATCH_DAYS:]
    if len(recent) < LEAST_DAYS:
        return Standing(
            True, proven, "", f"{len(recent)} day(s) scored since it was trained; watched from {LEAST_DAYS}"
        )
    mine = np.array([day.pinball["learned"] for day in recent])
    base = {
        name: float(np.mean([day.pinball[name] for day in recent])) for name in recent[0].pinball if name != "learned"
    }
    best = min(base, key=lambda name: base[name])
    alarm = _alarm(report.scores["learned"].pinball, mine, float(np.mean([day.cover for day in recent])))
    if mine.mean() >= base[best]:
        reason = f"over {len(recent)} days {best} did better ({base[best]:.4f} to {mine.mean():.4f}); the physics serve"
        return Standing(False, proven, alarm or reason, reason)
    gain = 1.0 - mine.mean() / base[best]
    return Standing(True, proven, alarm, f"over {len(recent)} days {gain:.0%} better than {best}")


def _alarm(expected: float, mine: np.ndarray, cover: float) -> str:
    error = mine.std(ddof=1) / np.sqrt(len(mine))
    if mine.mean() > expected + DRIFT_ERRORS * error and mine.mean() > DRIFT_SHARE * expected:
        return f"drift: pinball {mine.mean():.4f} over {len(mine)} days, {expected:.4f} was expected; train anew"
    if not COVER_BORDERS[0] <= cover <= COVER_BORDERS[1]:
        return f"drift: P5 to P95 covers {cover:.0%} over {len(mine)} days, 90 % is meant; train anew"
    return ""


def served_days(model: Learned, history: History, features: Features, until: datetime) -> list[DayScore]:
    """Days of forecasts issued after the model was trained and known at ``until``, scored beside the baselines.

    Raises:
        InvalidInput: other features than the model's.
    """
    rows = history.rows
    after = teaching(history, until).rows & features.whole & (rows.issued_at >= moment64(model.known_until))
    taught = teaching(history, model.known_until).rows & features.whole & features.awake
    said = {
        "learned": model.predict(features, history.state),
        "physics": banded_physics(history, features.awake, taught, LEVELS),
    }
    said |= yardsticks(history, LEVELS)
    there = after & np.all([np.isfinite(values).all(axis=1) for values in said.values()], axis=0)
    return by_day(history, features, said, there)


def beside_champion(
    champion: Learned, challenger: Report, history: History, features: Features, until: datetime
) -> list[DayScore]:
    """The challenger's held-out days with the champion's pinball on the same days, where it has any."""
    theirs = {day.day: day.pinball["learned"] for day in served_days(champion, history, features, until)}
    return [
        DayScore(day.day, day.pinball | {"champion": theirs[day.day]}, day.cover)
        for day in challenger.by_day
        if day.day in theirs
    ]
