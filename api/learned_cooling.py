"""A learned COP of a cooling plant: from its meters, kept where it beats the catalogue, and in a round's plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from api.knowledge import HOUR, Knowledge, first_line
from models import cooling
from models.cooling import Tangents
from models.cooling_plant import CoolingPlant
from models.errors import Fault, InvalidInput
from models.forecast.past import moment64
from models.learn.chiller import drift
from models.learn.plant_cop import CopVerdict, LearnedCop, cop_tangents, learn_cop, promoted, rejects_to_wet, standing
from models.learn.plant_records import PlantRecords, ScreenedRecords, screen_records
from models.series import Values
from models.site import Site
from models.weather import WeatherTable, wet_bulb_c

PAST = timedelta(days=90)
_WATCHED = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class LearnedPieces:
    """``tangents`` for the plan (None: the site file's physics), the row of evidence, and why it does not serve."""

    tangents: Tangents | None = None
    row: dict[str, Any] | None = None
    not_used: str | None = None


def metered_plant(site: Site, now: datetime, knowledge: Knowledge, past: timedelta = PAST) -> ScreenedRecords:
    """Hourly records of the whole plant: heat of the metered IT power, metered cooling power, and the ambient.

    The ambient is the site's thermometer where the dry bulb counts and is metered, else the archived weather runs.

    Raises:
        InvalidInput: no cooling plant, a meter that is missing, no ambient, or records that cannot teach.
    """
    plant = _plant(site)
    wet = rejects_to_wet(plant)
    it, power = (knowledge.metered(name, now, past) for name in ("site.it_mw", "site.cooling_mw"))
    faults = [
        Fault(name, "not_metered", "nothing was metered; name a source under [telemetry], or give --records")
        for name, series in (("site.it_mw", it), ("site.cooling_mw", power))
        if series is None
    ]
    if it is None or power is None:
        raise InvalidInput("the plant's records", faults)
    starts = it.starts()
    dry = None if wet else knowledge.metered("site.dry_bulb_c", now, past)
    ambient = _from_runs(knowledge.past_runs(now - past)[0], starts, wet) if dry is None else dry.values
    if np.isnan(ambient).all():
        message = "neither a thermometer (site.dry_bulb_c) nor archived weather runs of that time; run the service"
        raise InvalidInput("the plant's records", [Fault("ambient_c", "not_metered", message)])
    times = np.array([moment64(start) for start in starts])
    return screen_records(PlantRecords(times, it.values / site.distribution_efficiency, power.values, ambient))


def taught(site: Site, records: ScreenedRecords, now: datetime, knowledge: Knowledge) -> tuple[LearnedCop, CopVerdict]:
    """Learn the plant's COP, judge it, and keep it where it is promoted.

    Raises:
        InvalidInput: no cooling plant, or as :func:`models.learn.plant_cop.learn_cop`.
    """
    plant = _plant(site)
    records = records.known_at(moment64(now))
    found = learn_cop(records, plant, now)
    verdict = promoted(found, _champion(knowledge), plant, records.records)
    if verdict.serves:
        knowledge.cops.put(found)
    return found, verdict


def _plant(site: Site) -> CoolingPlant:
    if site.cooling is None:
        message = "the site file has no cooling plant; add [cooling]"
        raise InvalidInput(site.name, [Fault("cooling", "missing", message)])
    return site.cooling


def learned_pieces(
    site: Site, dry_bulb_c: Sequence[float], wet_bulb_c: Sequence[float], now: datetime, knowledge: Knowledge | None
) -> LearnedPieces:
    """Straight pieces of the learned COP, where the site asks for it (``cooling.learned``) and one may serve."""
    plant = site.cooling
    if plant is None or not plant.learned or knowledge is None:
        return LearnedPieces()
    try:
        card = knowledge.cops.card()
        if card is None:
            return LearnedPieces(not_used="no COP is learned yet; run  chergui learn plant")
        key = f"cop {card.get('digest')}"
        found, verdict, shift = knowledge.once_a_day(key, now, lambda: _watched(site, card, now, knowledge))
    except InvalidInput as error:
        return LearnedPieces(not_used=first_line(error))
    if not verdict.serves:
        return LearnedPieces(not_used=verdict.reason)
    dry, wet = np.asarray(dry_bulb_c, dtype=np.float64), np.asarray(wet_bulb_c, dtype=np.float64)
    pieces = cop_tangents(found, plant, dry, wet, shift)
    return LearnedPieces(pieces, _evidence(found, pieces, shift, verdict.reason, site, (dry, wet)))


def with_learned_cop(rows: list[dict[str, Any]], pieces: LearnedPieces) -> list[dict[str, Any]]:
    """Rows of evidence: the learned COP in the place of the cooling's sides, or with why none serves."""
    if pieces.row is not None:
        return [row for row in rows if row["kind"] != "cooling"] + [pieces.row]
    if pieces.not_used is None:
        return rows
    why = f"; the learned COP does not serve: {pieces.not_used}"
    return [row | {"source": row["source"] + why} if row["kind"] == "cooling" else row for row in rows]


def _watched(
    site: Site, card: dict[str, Any], now: datetime, knowledge: Knowledge
) -> tuple[LearnedCop, CopVerdict, float]:
    """The kept COP, whether it may serve today, and its factor of the last week (a logarithm)."""
    found, plant = knowledge.cops.cop(card), site.cooling
    assert plant is not None
    try:
        records = metered_plant(site, now, knowledge, _WATCHED).records
    except InvalidInput as error:
        nothing = np.zeros(0)
        none = PlantRecords(np.zeros(0, dtype="datetime64[us]"), nothing, nothing, nothing)
        verdict = standing(found, plant, none, now)
        return found, CopVerdict(verdict.serves, f"{verdict.reason}; not watched: {first_line(error)}"), 0.0
    return found, standing(found, plant, records, now), drift(found.chiller, records, now)


def _champion(knowledge: Knowledge) -> LearnedCop | None:
    """The one that stands there; one that may not be opened is none."""
    try:
        card = knowledge.cops.card()
        return None if card is None else knowledge.cops.cop(card)
    except InvalidInput:
        return None


def _from_runs(runs: Sequence[WeatherTable], starts: Sequence[datetime], wet: bool) -> Values:
    """Hourly ambient of the newest run known before each hour; NaN where there is none."""
    found = np.full(len(starts), np.nan)
    for run in runs:
        if run.step != HOUR or run.available_at is None:
            continue
        values = wet_bulb_c(run["temp_air_c"], run["relative_humidity_pct"]) if wet else run["temp_air_c"]
        for k, start in enumerate(starts):
            place, rest = divmod(start - run.start, HOUR)
            if start >= run.available_at - HOUR and not rest and 0 <= place < len(run):
                found[k] = values[place]
    return found


def _evidence(
    found: LearnedCop, pieces: Tangents, shift: float, standing_now: str, site: Site, bulbs: tuple[Values, Values]
) -> dict[str, Any]:
    """Row of the learned COP beside the plan's other curves; its error is that of the pieces."""
    assert site.cooling is not None
    worst = int(np.argmax(pieces.error_mw))
    full = float(cooling.plant_power_mw(pieces.capacity_heat_mw[worst], bulbs[0][worst], bulbs[1][worst], site.cooling))
    scores = ", ".join(f"{name} {value:.1%}" for name, value in sorted(found.scores.items()))
    return {
        "kind": "cooling",
        "name": "plant",
        "of": "learned",
        "evidence": "measured",
        "source": f"{found.chiller.rows} hours, {found.window[0][:10]} to {found.window[1][:10]}; held-out error: "
        f"{scores}; last week {shift:+.1%}; {standing_now}",
        "error_mw": round(float(pieces.error_mw[worst]), 6),
        "error_ratio": round(float(pieces.error_mw[worst]) / full, 6),
    }
