"""A learned forecast of a plant's power: physics among its features, blended trees, calibrated quantiles.

Training chains forward: the later half of the past is cut into folds, each is predicted by a model that saw only what
was known when the fold's first forecast was issued, and calibrated on earlier folds. What that scores beside its
baselines decides whether the model may serve; the model that serves is then fitted to everything known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.blend import Blend, Recipe, fit
from models.forecast.calibration import Calibration, calibrated
from models.forecast.doubts import beside_physics, unknown, without_weather
from models.forecast.features import Features
from models.forecast.history import History, teaching
from models.forecast.past import moment64
from models.forecast.reliability import Reliability, pinball, probabilities, reliability
from models.forecast.rows import Flags
from models.forecast.yardsticks import banded_physics, yardsticks
from models.series import Values

LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
FOLDS = 4
LEAST_DAYS = 21.0  # of past, below which nothing is learned
LEAST_ROWS = 300
CALIBRATION_DAYS = 183
PROVEN_DAYS = 60
SERVICE = Recipe(rounds=120, leaves=24, boosting_min_leaf=60, forest_min_leaf=5, forest_features=0.4)
LEAD_EDGES_H = (6.0, 12.0, 24.0, 36.0)
_TELLING = 0.05  # of the best baseline's pinball over all leads: below it (night) a lead tells no skill


@dataclass(frozen=True, slots=True)
class Score:
    """Pinball of a forecaster as a share of the capacity; ``by_lead``: under 6, 12, 24, 36 h and beyond (NaN: none)."""

    pinball: float
    by_lead: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DayScore:
    """One UTC day of forecasts: pinball as a share of the capacity by forecaster, share of outcomes in P5 to P95."""

    day: str
    pinball: dict[str, float]
    cover: float


@dataclass(frozen=True, slots=True)
class Report:
    """Held-out scores: ``scores`` by forecaster (``learned`` and the baselines), on the same rows for all.

    ``by_day``: the same by UTC day (not kept with a model); ``days``: how many; ``notes``: what was left out, in words.
    """

    scores: dict[str, Score]
    reliability: Reliability
    days: int
    notes: tuple[str, ...]
    by_day: tuple[DayScore, ...] = ()

    @property
    def best_baseline(self) -> str:
        """Name of the baseline with the lowest pinball."""
        return min((name for name in self.scores if name != "learned"), key=lambda name: self.scores[name].pinball)

    @property
    def skill(self) -> float:
        """1 - pinball / pinball of the best baseline; above 0 is better."""
        base = self.scores[self.best_baseline].pinball
        return 1.0 - self.scores["learned"].pinball / base if base > 0 else float("-inf")

    @property
    def skill_by_lead(self) -> tuple[float | None, ...]:
        """The same by lead; None where no row has it, or where next to nothing is left to be better at."""
        mine, base = self.scores["learned"], self.scores[self.best_baseline]
        return tuple(
            1.0 - ours / theirs if ours == ours and theirs > _TELLING * base.pinball else None
            for ours, theirs in zip(mine.by_lead, base.by_lead, strict=True)
        )

    @property
    def proven(self) -> bool:
        """Whether at least :data:`PROVEN_DAYS` days are scored."""
        return self.days >= PROVEN_DAYS


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A fitted model of one quantity; features by name and order, in shares of the capacity.

    ``capacity_mw``: the plant's when the model was trained; another one's power is taken in proportion.
    ``known_until``: the instant whose knowledge it holds; ``window``: first and last slot that taught; ``by_state``:
    it learned the clean plant, and its answers are taken times the plant's state.
    """

    quantity: str
    names: tuple[str, ...]
    blend: Blend
    calibration: Calibration
    known_until: datetime
    window: tuple[str, str]
    rows: int
    capacity_mw: float
    by_state: bool = False

    def predict(self, features: Features, state: Values | None = None) -> Values:
        """Quantiles at :data:`LEVELS` as shares of the capacity, shape ``(n, levels)``; exactly 0 where asleep.

        ``state`` (n,): what the plant's slow state leaves; looked at only by a model that learned the clean plant.

        Raises:
            InvalidInput: other features than it was fitted with.
        """
        if features.names != self.names:
            odd = sorted(set(features.names) ^ set(self.names)) or ["their order"]
            message = f"other features than the model's ({', '.join(odd[:5])}); train it anew"
            raise InvalidInput(f"the model of {self.quantity}", [Fault("features", "mismatch", message)])
        return _predicted(self.blend, self.calibration, features, state if self.by_state else None)


def train(
    history: History, features: Features, issued_at: datetime, recipe: Recipe | None = None
) -> tuple[Learned, Report]:
    """Model from what was known at ``issued_at``, and how forecasts like its own have scored.

    Raises:
        InvalidInput: features of other rows, or too little past to learn from.
    """
    recipe = recipe or SERVICE
    taught = teaching(history, issued_at)
    if len(features) != len(history.rows):
        message = f"features of {len(features)} rows for {len(history.rows)} rows of weather; give each the same"
        raise InvalidInput(f"the history of {history.quantity}", [Fault("features", "length", message)])
    usable = taught.rows & features.whole
    notes = (*taught.notes, *without_weather(history, taught.rows & ~features.whole))
    kept = usable & features.awake & history.tells_clean
    span = _days(history, kept)
    if kept.sum() < LEAST_ROWS or span < LEAST_DAYS:
        message = (
            f"{int(kept.sum())} rows over {span:.0f} days can teach; at least {LEAST_ROWS} over {LEAST_DAYS:g} are "
            f"needed{''.join('; ' + note for note in (*unknown(history, issued_at), *notes))}"
        )
        raise InvalidInput(f"the history of {history.quantity}", [Fault("rows", "too_short", message)])
    notes = (*notes, *beside_physics(history, kept))
    held = _held_out(history, features, usable, recipe)
    report = _reported(history, features, held, notes)
    recent = (
        held.rows & features.awake & (history.rows.ends > moment64(issued_at) - np.timedelta64(CALIBRATION_DAYS, "D"))
    )
    calibration = calibrated(held.raw[recent], history.share[recent], LEVELS)
    blend = fit(features.values[kept], history.clean_share[kept], recipe)
    starts = history.rows.starts[kept]
    window = (f"{starts.min()}Z", f"{starts.max()}Z")
    rows, cap, by_state = int(kept.sum()), float(history.capacity_mw[-1]), history.state is not None
    return Learned(history.quantity, features.names, blend, calibration, issued_at, window, rows, cap, by_state), report


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    """Quantiles of shape ``(n, levels)``, NaN outside ``rows``: ``raw`` and ``final`` before and after calibration."""

    rows: Flags
    raw: Values
    final: Values
    physics: Values


def _held_out(history: History, features: Features, usable: Flags, recipe: Recipe) -> _HeldOut:
    issues = np.unique(history.rows.issued_at[usable])
    borders = issues[np.linspace(len(issues) // 2, len(issues) - 1, FOLDS + 1).astype(int)]
    raw = np.full((len(features), len(LEVELS)), np.nan)
    final, physics = raw.copy(), raw.copy()
    done = np.zeros(len(features), dtype=np.bool_)
    for begin, end in pairwise(borders):
        fold = usable & (history.rows.issued_at > begin) & (history.rows.issued_at <= end)
        known = usable & features.awake & (history.known_at <= begin) & (history.rows.issued_at <= begin)
        tells = known & history.tells_clean
        if tells.sum() < LEAST_ROWS or not fold.any():
            continue
        blend = fit(features.values[tells], history.clean_share[tells], recipe)
        past = done & features.awake & (history.known_at <= begin)
        shifts = calibrated(raw[past], history.share[past], LEVELS)
        part = Features(features.names, features.values[fold], features.awake[fold])
        state = None if history.state is None else history.state[fold]
        raw[fold] = _predicted(blend, None, part, state)
        final[fold] = _predicted(blend, shifts, part, state)
        physics[fold] = banded_physics(history, features.awake, known, LEVELS)[fold]
        done |= fold
    return _HeldOut(done, raw, final, physics)


def _predicted(
    blend: Blend, calibration: Calibration | None, features: Features, state: Values | None = None
) -> Values:
    found = np.zeros((len(features), len(LEVELS)))
    awake = features.awake
    clean = np.clip(blend.predict(features.values[awake], LEVELS), 0.0, 1.0)
    raw = clean if state is None else np.clip(clean * state[awake, None], 0.0, 1.0)
    found[awake] = raw if calibration is None else calibration.apply(raw)
    return found


def _reported(history: History, features: Features, held: _HeldOut, notes: tuple[str, ...]) -> Report:
    if not held.rows.any():
        message = "no fold of the past has enough before it to be scored; wait for more days"
        raise InvalidInput(f"the history of {history.quantity}", [Fault("rows", "too_short", message)])
    said = {"learned": held.final, "physics": held.physics} | yardsticks(history, LEVELS)
    judged = held.rows & np.all([np.isfinite(values).all(axis=1) for values in said.values()], axis=0)
    lead = np.digitize(history.rows.lead_h()[judged], LEAD_EDGES_H)
    actual = history.share[judged]
    scores = {}
    for name, quantiles in said.items():
        losses = pinball(quantiles[judged], LEVELS, actual)
        parts = [losses[lead == k] for k in range(len(LEAD_EDGES_H) + 1)]
        scores[name] = Score(
            float(losses.mean()), tuple(float(part.mean()) if len(part) else float("nan") for part in parts)
        )
    awake = judged & features.awake
    placed = probabilities(held.final[awake], LEVELS, history.share[awake])
    daily = by_day(history, features, said, judged)
    return Report(scores, reliability(placed), len(daily), notes, tuple(daily))


def by_day(history: History, features: Features, said: dict[str, Values], judged: Flags) -> list[DayScore]:
    """Scores of ``said`` (quantiles at :data:`LEVELS` by forecaster) on the rows ``judged``, by UTC day."""
    dates = history.rows.starts.astype("datetime64[D]")
    found = []
    for day in np.unique(dates[judged & features.awake]):
        rows = judged & (dates == day)
        actual = history.share[rows]
        losses = {name: float(pinball(values[rows], LEVELS, actual).mean()) for name, values in said.items()}
        awake = rows & features.awake
        placed = probabilities(said["learned"][awake], LEVELS, history.share[awake])
        found.append(DayScore(str(day), losses, reliability(placed).cover))
    return found


def _days(history: History, kept: Flags) -> float:
    starts = history.rows.starts[kept]
    return float((starts.max() - starts.min()) / np.timedelta64(1, "D")) if len(starts) else 0.0
