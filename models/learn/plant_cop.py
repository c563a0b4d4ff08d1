"""A learned COP at work: judged beside the catalogue on days that it did not see, and as the straight pieces of a plan.

The yardsticks are the site file's physics as they stand, and the same moved by what they were off over the last week:
whoever knows no more than a factor need not learn. Beyond the ambients that were seen the catalogue's pieces hold,
because the nearest seen COP would be too good for a hotter day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from models import cooling
from models.cooling import Tangents
from models.cooling_plant import CoolingPlant
from models.errors import Fault, InvalidInput
from models.forecast.past import moment64
from models.horizon import rfc3339
from models.learn.chiller import Array, LearnedChiller, drift, fit_chiller, learned_tangents
from models.learn.plant_records import PlantRecords, ScreenedRecords

LEAST_DAYS = 14
HELD_OUT = 0.25
WATCH_DAYS = 7
MOST_WORSE = 1.02
_BESIDE_K = 1.0  # beyond the ambients seen, still answered by the learned COP
_LEAST_ROWS = 48
_OVER_RATED = 1.5
_DRIFT_AT_END = 0.149  # of the 0.15 that a factor is held to


@dataclass(frozen=True, slots=True, eq=False)
class LearnedCop:
    """``chiller`` of the plant of ``plant_digest``, from records in ``window``; held-out ``scores``: mean error of the
    power as a share, by forecaster; ``notes``: what was left out. ``wet``: its ambient is the wet bulb."""

    chiller: LearnedChiller
    plant_digest: str
    wet: bool
    window: tuple[str, str]
    known_until: datetime
    scores: dict[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CopVerdict:
    """Whether a learned COP may serve, and why or why not."""

    serves: bool
    reason: str


def digest_of(plant: CoolingPlant) -> str:
    """What a learned COP belongs to: the sides of the plant, since another machine has another COP."""
    sides = [side.model_dump_json() for side in plant.sides]
    return hashlib.sha256("\n".join(sides).encode()).hexdigest()[:16]


def rejects_to_wet(plant: CoolingPlant) -> bool:
    """Whether the ambient that counts is the wet bulb.

    Raises:
        InvalidInput: it is for one side and not for the other, or the plant is made of units.
    """
    if not plant.sides:
        message = "the plant is made of units, whose COPs differ; leave learned out"
        raise InvalidInput("the cooling plant", [Fault("cooling.units", "no_sides", message)])
    wet = {side.wet for side in plant.sides}
    if len(wet) > 1:
        message = "one side rejects heat to the wet bulb, the other to the dry; identify each (chergui learn cooling)"
        raise InvalidInput("the cooling plant", [Fault("cooling", "two_ambients", message)])
    return wet.pop()


def learn_cop(found: ScreenedRecords, plant: CoolingPlant, now: datetime) -> LearnedCop:
    """Learn from screened records (whole plant; ambient as :func:`rejects_to_wet` says) and score on the last quarter.

    Raises:
        InvalidInput: fewer than 14 days known at ``now``, heat above what the plant can remove, sides with two
            ambients, or as :func:`models.learn.chiller.fit_chiller`.
    """
    found = found.known_at(moment64(now))
    records = found.records
    days = len(np.unique(records.time.astype("datetime64[D]")))
    if days < LEAST_DAYS:
        said = "".join(f"; {count} row(s) left out: {reason}" for reason, count in found.left_out.items())
        message = f"records of {days} days; {LEAST_DAYS} are needed{said}"
        raise InvalidInput("the plant's records", [Fault("time", "too_few", message)])
    _refuse_heat(records, plant)
    cut = int(len(records) * (1 - HELD_OUT))
    early, late = records.at(np.arange(cut)), records.at(np.arange(cut, len(records)))
    scores = _scores(fit_chiller(early), plant, records, late)
    return LearnedCop(
        fit_chiller(records),
        digest_of(plant),
        rejects_to_wet(plant),
        (f"{records.time[0]}Z", f"{records.time[-1]}Z"),
        now,
        scores,
        tuple(f"{count} row(s) left out: {reason}" for reason, count in found.left_out.items()),
    )


def _refuse_heat(records: PlantRecords, plant: CoolingPlant) -> None:
    most = float(np.quantile(records.heat_mw, 0.99))
    rated = sum(side.capacity_top * side.rated_heat_mw for side in plant.sides)
    if most > _OVER_RATED * rated:
        message = f"{most:g} MW of heat, but the plant removes {rated:g} MW; mend rated_heat_mw or the unit"
        raise InvalidInput("the plant's records", [Fault("heat_mw", "above_capacity", message)])


def promoted(
    challenger: LearnedCop, champion: LearnedCop | None, plant: CoolingPlant, records: PlantRecords
) -> CopVerdict:
    """Whether a challenger takes the place: it beats every yardstick, and is no worse than a champion that fits.

    The two are compared on the rows after the champion's training, the challenger as held out there.
    """
    mine = challenger.scores["learned"]
    best = min((name for name in challenger.scores if name != "learned"), key=lambda name: challenger.scores[name])
    base = challenger.scores[best]
    if not mine < base:
        return CopVerdict(
            False, f"error {mine:.1%} does not beat {best} ({base:.1%}); the site file's physics serve on"
        )
    told = f"error {mine:.1%}, {best} {base:.1%}"
    if champion is None or champion.plant_digest != challenger.plant_digest:
        return CopVerdict(True, told)
    cut = int(len(records) * (1 - HELD_OUT))
    first = max(records.time[cut], moment64(champion.known_until))
    both = records.at(records.time >= first)
    if len(both) < _LEAST_ROWS:
        return CopVerdict(True, told)
    new = _scores(fit_chiller(records.at(np.arange(cut))), plant, records, both)["learned"]
    old = _scores(champion.chiller, plant, records, both)["learned"]
    if new > MOST_WORSE * old:
        return CopVerdict(False, f"worse than the one that serves ({new:.1%} to {old:.1%}), which goes on")
    return CopVerdict(True, f"{told}; beside the one before {new:.1%} to {old:.1%}")


def standing(found: LearnedCop, plant: CoolingPlant, records: PlantRecords, now: datetime) -> CopVerdict:
    """Whether a kept COP may serve at ``now``: its plant is the site's, and it held over the last week's records."""
    if found.plant_digest != digest_of(plant):
        return CopVerdict(False, "the plant in the site file is another than it was learned for; learn it anew")
    if found.known_until > now:
        return CopVerdict(False, f"it knows what came until {rfc3339(found.known_until)}, after this instant")
    end = moment64(now)
    week = records.at((records.time < end) & (records.time >= end - np.timedelta64(timedelta(days=WATCH_DAYS))))
    if len(week) < _LEAST_ROWS:
        return CopVerdict(
            True, f"{len(week)} hours of the last {WATCH_DAYS} days are metered; watched from {_LEAST_ROWS}"
        )
    if abs(drift(found.chiller, records, now)) >= _DRIFT_AT_END:
        return CopVerdict(False, "drift: the plant draws 15 % or more otherwise than it learned; learn it anew")
    scores = _scores(found.chiller, plant, records, week)
    if scores["learned"] >= scores["site file"]:
        told = f"{scores['learned']:.1%} to {scores['site file']:.1%}"
        return CopVerdict(False, f"over the last {WATCH_DAYS} days the site file's physics erred less ({told})")
    return CopVerdict(True, f"error {scores['learned']:.1%} over the last {WATCH_DAYS} days")


def cop_tangents(
    found: LearnedCop, plant: CoolingPlant, dry_bulb_c: Array, wet_bulb_c: Array, shift: float
) -> Tangents:
    """Straight pieces of the plant's power: learned where the ambient lies among those seen, else the site file's.

    Capacity is the site file's throughout; ``shift`` as :func:`models.learn.chiller.drift` says.
    """
    physics = cooling.tangents(plant, dry_bulb_c, wet_bulb_c)
    ambient = np.asarray(wet_bulb_c if found.wet else dry_bulb_c, dtype=np.float64)
    low, high = found.chiller.ambient_range_c
    seen = (ambient >= low - _BESIDE_K) & (ambient <= high + _BESIDE_K)
    top = float(physics.capacity_heat_mw.max())
    if not seen.any() or top <= found.chiller.heat_range_mw[0]:
        return physics
    learned = learned_tangents(found.chiller, ambient, top, len(physics.slope), shift)
    return replace(
        physics,
        slope=np.where(seen, learned.slope, physics.slope),
        intercept_mw=np.where(seen, learned.intercept_mw, physics.intercept_mw),
        error_mw=np.where(seen, learned.error_mw, physics.error_mw),
    )


def _scores(
    chiller: LearnedChiller, plant: CoolingPlant, records: PlantRecords, judged: PlantRecords
) -> dict[str, float]:
    """Mean error of the power over ``judged``, a factor of the week before each day taken along as in service."""
    physics = cooling.plant_power_mw(judged.heat_mw, judged.ambient_c, judged.ambient_c, plant)
    ours, moved = np.empty(len(judged)), np.empty(len(judged))
    usual = cooling.plant_power_mw(records.heat_mw, records.ambient_c, records.ambient_c, plant)
    off = np.log(records.power_mw / np.maximum(usual, 1e-9))
    day = judged.time.astype("datetime64[D]")
    for one in np.unique(day):
        rows = day == one
        begin = one.astype("datetime64[us]").astype(datetime).replace(tzinfo=UTC)
        ours[rows] = chiller.power_mw(
            judged.heat_mw[rows], judged.ambient_c[rows], drift(chiller, records, begin, WATCH_DAYS)
        )
        week = (records.time < one) & (records.time >= one - np.timedelta64(WATCH_DAYS, "D"))
        moved[rows] = physics[rows] * (np.exp(np.median(off[week])) if week.sum() >= _LEAST_ROWS // 2 else 1.0)
    told = {"learned": ours, "site file": physics, "site file, moved by its last week": moved}
    return {name: float(np.mean(np.abs(said / judged.power_mw - 1.0))) for name, said in told.items()}
