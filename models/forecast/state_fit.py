"""Slow states of a PV plant from telemetry: what it gave beside its physics, a number a day, and the steps in it.

A day tells by the median of its cloudless hours: the forecast had no clouds to speak of, and none passed that it did
not have, which move power from hour to hour as no plant's state does; power was there and inverters did not clip.
Hours in which the plant was held back, its meter stuck or silent never tell. They are compared with the physics under
a cloudless sky, because the forecast's own error of a day would hide a change for weeks. In the logarithm, a step is a
change that neighbouring days agree on: down is a loss at once (units out, a dust storm), up is its end or a cleaning.
Between steps the slope (Theil & Sen) is soiling, which accumulates after Kimber et al. 2006 (pvlib). What the last day
lies off the level is weather of the site's own, dust in the air above all, and fades as such days did before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from pvlib import soiling
from scipy.stats import theilslopes

from models.forecast.history import History, teaching
from models.forecast.past import Moments, moment64
from models.forecast.plant_state import PlantState
from models.forecast.rows import Flags
from models.series import Values

LEAST_DAYS = 10
JUDGED_DAYS = 30
_WINDOW_DAYS = 90
_LEAST_HOURS = 3
_POWER = (0.15, 0.9)  # of the capacity that physics promise: below lies dawn, above the inverters clip
_CLEAR = 0.75  # of a cloudless sky's power
_STEADY = 0.1  # from an hour to the next, beside a cloudless sky's power; on real plants 0.05 to 0.2 tell the same
_NOTHING = 0.05  # of the physics: under it the plant or its meter is off, and says nothing of dust
_SIDE = 5  # days either side of a step that are compared
_LEAST_STEP = 0.05
_SURE = 4.0
_MOST_RATE = 0.01  # per day; Kimber et al. 2006 saw 0.001 to 0.003
_MOST_SOILING = 0.3  # Kimber et al. 2006
_LEVELS = (0.05, 1.15)
_PULL_DAYS = 10.0
# Of n days the level lags dust that has just begun (0.003 a day, Kimber et al. 2006) by 0.0015 n, and the noise of days
# (0.03 to 0.04 on real plants) leaves it 1.25 * 0.035 / sqrt(n) of doubt: together least about here.
_LEVEL_DAYS = 10
_LEAST_PAIRS = 15
_MOST_KEPT = 0.8
_ALIKE = 0.35
_BETTER = 0.9

Step = tuple[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """By day of the sun's time ``number`` (days since 1970, rising): ``ratio``, logarithm of power over physics under a
    cloudless sky; ``forecast``, the same over what the day's run promised; ``known_at``, when all its hours were known.
    """

    number: npt.NDArray[np.int64]
    ratio: Values
    forecast: Values
    known_at: Moments
    shift: timedelta

    def __len__(self) -> int:
        return len(self.number)

    def known(self, issued_at: datetime) -> Days:
        """Those that were known then, the last 90 days before."""
        there = self.known_at <= moment64(issued_at)
        there &= self.number > (moment64(issued_at).astype("datetime64[D]").astype(np.int64) - _WINDOW_DAYS)
        return Days(self.number[there], self.ratio[there], self.forecast[there], self.known_at[there], self.shift)

    def end(self, k: int) -> datetime:
        """When day ``k`` was over at the site, UTC."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(self.number[k]) + 1) - self.shift


Fit = Callable[[Days, datetime], PlantState | None]


def telling_days(history: History, issued_at: datetime) -> Days:
    """Days of a PV plant's history known at ``issued_at`` that tell its state; of a slot's runs the newest counts."""
    rows, clear_mw = history.rows, history.physics_mw if history.cloudless_mw is None else history.cloudless_mw
    physics = history.physics_mw / history.capacity_mw
    taught = teaching(history, issued_at).rows & (physics > _POWER[0]) & (physics < _POWER[1])
    taught &= (history.physics_mw > _CLEAR * clear_mw) & (history.actual_mw > _NOTHING * history.physics_mw)
    place = np.flatnonzero(taught)
    place = place[np.lexsort((rows.issued_at[place], rows.starts[place]))]
    newest = np.append(rows.starts[place][1:] != rows.starts[place][:-1], True) if len(place) else np.zeros(0, bool)
    place = place[newest]
    place = place[_steady(rows.starts[place], np.log(history.actual_mw[place] / clear_mw[place]), rows.step)]
    shift = timedelta(hours=rows.place.longitude_deg / 15.0)
    day = (rows.starts[place] + np.timedelta64(shift)).astype("datetime64[D]").astype(np.int64)
    log, told = (np.log(history.actual_mw[place] / mw[place]) for mw in (clear_mw, history.physics_mw))
    hours = [(d, day == d) for d in np.unique(day) if (day == d).sum() >= _LEAST_HOURS]
    return Days(
        np.array([d for d, _ in hours], dtype=np.int64),
        np.array([float(np.median(log[its])) for _, its in hours]),
        np.array([float(np.median(told[its])) for _, its in hours]),
        np.array([history.known_at[place][its].max() for _, its in hours], dtype="datetime64[us]"),
        shift,
    )


def state_at(days: Days, issued_at: datetime) -> PlantState | None:
    """The state as known at ``issued_at``; None where fewer than 10 days of the last 90 tell."""
    days = days.known(issued_at)
    if len(days) < LEAST_DAYS:
        return None
    x, y = days.number.astype(np.float64), days.ratio
    noise = max(0.01, 1.4826 * float(np.median(np.abs(np.diff(y)))) / np.sqrt(2))
    steps = _steps(y, noise)
    rate = _rate(x, y, steps)
    rest = _rest(x, y, rate, steps)
    begin = steps[-1][0] if steps else 0
    now = (y - rate * (x[-1] - x))[begin:][-_LEVEL_DAYS:]  # carried on to the last day
    level = float(np.median(now))
    lost, cleaned = _told(steps, rate, x)
    return PlantState(
        as_of=days.end(-1),
        level=float(np.clip(np.exp(level), *_LEVELS)),
        working=float(np.exp(-sum(size for _, size in lost))),
        soiling=_soiled(rate, x[-1] - x[cleaned or 0]),
        rate_per_day=rate,
        air=float(now[-1] - level),
        air_keeps=_keeps(x, rest, noise),
        spread=float(1.25 * noise / np.sqrt(len(now))),
        days=len(x),
        cleaned=None if cleaned is None else _date(x[cleaned]),
        lost=_date(x[lost[-1][0]]) if lost else None,
    )


@dataclass(frozen=True, slots=True)
class StateVerdict:
    """Mean error of a day's logarithm over what its run promised, foretold the day before: by the state, and by none.

    Against the run, because that is what a state is put on: a weather model whose cloudless sky is another one than the
    physics' is no state of the plant.
    """

    by_state: float
    by_physics: float
    days: int

    @property
    def serves(self) -> bool:
        """Whether the state foretells better than none."""
        return self.days >= LEAST_DAYS and self.by_state < _BETTER * self.by_physics


def judged_state(days: Days, issued_at: datetime, fitted: Fit = state_at) -> StateVerdict:
    """How the last 30 days that told would have been foretold, each from what was known a day before its end.

    ``fitted`` is :func:`state_at`, or one that remembers its answers for those who judge many issues of the same days.
    """
    known = days.known(issued_at)
    errors = []
    for k in range(max(0, len(known) - JUDGED_DAYS), len(known)):
        state = fitted(days, known.end(k) - timedelta(days=1))
        if state is not None:
            noon = known.end(k) - timedelta(hours=12)
            told = float(np.log(state.cells([noon])[0] * state.working))
            errors.append((abs(known.forecast[k] - told), abs(known.forecast[k])))
    if not errors:
        return StateVerdict(0.0, 0.0, 0)
    by_state, by_physics = np.mean(errors, axis=0)
    return StateVerdict(float(by_state), float(by_physics), len(errors))


def _steady(starts: Moments, beside: Values, step: timedelta) -> Flags:
    """Which slots have a neighbour, and none from which ``beside`` changes by more than :data:`_STEADY`."""
    next_to = np.diff(starts) == np.timedelta64(step)
    moved = next_to & (np.abs(np.diff(beside)) > _STEADY)

    def either(flags: Flags) -> Flags:
        return np.asarray((np.append(flags, False) | np.insert(flags, 0, False))[: len(starts)], dtype=np.bool_)

    return either(next_to) & ~either(moved)


def _steps(y: Values, noise: float, first: int = 0) -> list[Step]:
    """(first day after it, change) of every step, in order: the surest parts the days, and each part is looked at."""
    best, where = 1.0, None
    for k in range(2, len(y) - 1):
        before, after = y[max(0, k - _SIDE) : k], y[k : k + _SIDE]
        change = float(np.median(after) - np.median(before))
        least = max(_LEAST_STEP, _SURE * 1.25 * noise * np.sqrt(1 / len(before) + 1 / len(after)))
        # medians alone would leave the day open, because one odd day does not move them
        sure = (abs(change) + abs(float(after.mean() - before.mean()))) / (2 * least)
        if abs(change) > least and sure > best:
            best, where = sure, (k, change)
    if where is None:
        return []
    k = where[0]
    return [*_steps(y[:k], noise, first), (first + k, where[1]), *_steps(y[k:], noise, first + k)]


def _rate(x: Values, y: Values, steps: list[Step]) -> float:
    """Share lost per day between steps, drawn towards none while days are few."""
    slopes, weights = [], []
    for first, last in pairwise([0, *(k for k, _ in steps), len(x)]):
        if last - first > _SIDE:
            slopes.append(float(theilslopes(y[first:last], x[first:last])[0]))
            weights.append(last - first)
    if not slopes:
        return 0.0
    pull = sum(weights) / (sum(weights) + _PULL_DAYS)
    return float(np.clip(-pull * np.average(slopes, weights=weights), 0.0, _MOST_RATE))


def _rest(x: Values, y: Values, rate: float, steps: list[Step]) -> Values:
    """What days lay off the level of their stretch."""
    rest = y + rate * x
    for first, last in pairwise([0, *(k for k, _ in steps), len(x)]):
        rest[first:last] -= np.median(rest[first:last])
    return rest


def _keeps(x: Values, rest: Values, noise: float) -> float:
    """Of what a day lies off, the share that the next one still does."""
    held = np.clip(rest, -5 * noise, 5 * noise)
    after = np.flatnonzero(np.diff(x) == 1.0)
    if len(after) < _LEAST_PAIRS:
        return 0.0
    return float(np.clip(held[after] @ held[after + 1] / (held[after] @ held[after]), 0.0, _MOST_KEPT))


def _told(steps: list[Step], rate: float, x: Values) -> tuple[list[Step], int | None]:
    """Losses at once that have not come back, and the day of the last cleaning.

    A rise ends the losses that it makes up for. One that none explains is a cleaning, and so is one within what had
    accumulated; else a part of the last loss has come back.
    """
    lost: list[Step] = []
    cleaned: int | None = None
    for k, change in steps:
        if change < 0:
            lost.append((k, -change))
            continue
        soiled = rate * (x[k] - x[cleaned or 0])
        equal = next((one for one in reversed(lost) if abs(one[1] - change) <= _ALIKE * one[1]), None)
        if equal is not None:
            lost.remove(equal)
        elif lost and change < lost[-1][1] and change > soiled / _ALIKE:
            lost[-1] = (lost[-1][0], lost[-1][1] - change)
        else:
            lost = [one for one in lost if one[1] > change]
            cleaned = k
    return lost, cleaned


def _soiled(rate: float, days: float) -> float:
    """Share lost after so many dry days."""
    dry = pd.Series(0.0, index=pd.date_range("2000-01-01", periods=max(2, int(days) + 1)))
    return float(soiling.kimber(dry, soiling_loss_rate=rate, max_soiling=_MOST_SOILING).iloc[int(days)])


def _date(number: float) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))
