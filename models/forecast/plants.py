"""From a site and weather runs to rows, features and physics of its sun or its wind; the same for past and future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from models import solar
from models.errors import Fault, InvalidInput
from models.forecast.features import Features
from models.forecast.history import History
from models.forecast.past import Moments, moment64
from models.forecast.plant_state import PlantState, left_of
from models.forecast.rows import Rows
from models.forecast.site import PV, WIND, capacity_mw, pv_mw, wind_mw
from models.forecast.sun_features import Plane, sun_features
from models.forecast.wind_features import wind_features
from models.series import Series, Values
from models.site import Site
from models.supply import Solar
from models.weather import REQUIRED, WeatherTable

HOUR = timedelta(hours=1)
QUANTITIES = (PV, WIND)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One quantity on weather runs: ``physics_mw`` and, for sun, ``cloudless_mw``, shape ``(n,)``."""

    rows: Rows
    features: Features
    physics_mw: Values
    cloudless_mw: Values | None
    capacity_mw: float


def prepared(site: Site, quantity: str, runs: Sequence[WeatherTable], issues: Sequence[datetime]) -> Prepared:
    """Rows of ``runs`` (hourly, in order), each used for the forecast issued at ``issues`` of the same place.

    Raises:
        InvalidInput: a site without such plant, runs that are not hourly or not known at their issue, missing values.
    """
    cap = capacity_mw(site)[quantity]
    if cap <= 0:
        raise InvalidInput(
            f"{site.name}", [Fault(quantity, "no_plant", "the site has none, so there is none to learn")]
        )
    for run in runs:
        if run.step != HOUR:
            message = f"slots of {run.step}; learn from hourly runs (quarter hours are made of them afterwards)"
            raise InvalidInput(f"the weather {run.source!r}", [Fault("step", "not_hourly", message)])
        if run.available_at is None:
            message = "it does not say since when it was known; set available_at (the fetch time will do)"
            raise InvalidInput(f"the weather {run.source!r}", [Fault("available_at", "no_available_at", message)])
    physics = _physics(site, quantity, runs)
    columns = {name: np.concatenate([run[name] for run in runs]) for name in REQUIRED}
    if quantity == WIND:
        columns = {name: columns[name] for name in ("wind_speed_m_s", "temp_air_c", "relative_humidity_pct")}
    columns["plant_physics"] = physics / cap
    rows = _rows(runs, issues, columns)
    rows = replace(rows, columns=columns | {"lead_h": rows.lead_h()})
    if quantity == WIND:
        return Prepared(rows, wind_features(rows), physics, None, cap)
    planes = [_plane(field) for field in site.solar]
    cloudless = np.concatenate([cloudless_mw(site, run) for run in runs])
    return Prepared(rows, sun_features(rows, planes), physics, cloudless, cap)


def sun_history(
    site: Site, runs: Sequence[WeatherTable], issues: Sequence[datetime], actual: Series, limited: Series | None
) -> History:
    """Sun on weather runs beside what came, without features: what the plant's state is told by.

    Raises:
        InvalidInput: as :func:`history_of`.
    """
    physics = _physics(site, PV, runs)
    cloudless = np.concatenate([cloudless_mw(site, run) for run in runs])
    cap = capacity_mw(site)[PV]
    rows = _rows(runs, issues, {"plant_physics": physics / cap})
    return _history(PV, rows, (physics, cloudless, cap), actual, limited, timedelta(0))


def in_states(
    history: History, site: Site, runs: Sequence[WeatherTable], states: Sequence[PlantState | None]
) -> History:
    """A history of sun, each run taken in the state that was known at its issue; None: clean and whole."""
    clean = np.split(history.physics_mw, history.rows.edges[1:-1])
    left = [
        np.ones(len(run)) if state is None else left_of(alone, pv_mw(site.solar, run, state))
        for run, state, alone in zip(runs, states, clean, strict=True)
    ]
    return replace(history, state=np.concatenate(left))


def _physics(site: Site, quantity: str, runs: Sequence[WeatherTable]) -> Values:
    return np.concatenate([(pv_mw(site.solar, run) if quantity == PV else wind_mw(site.wind, run)) for run in runs])


def _rows(runs: Sequence[WeatherTable], issues: Sequence[datetime], columns: dict[str, Values]) -> Rows:
    known = [moment64(run.available_at or issue) for run, issue in zip(runs, issues, strict=True)]
    lengths = [len(run) for run in runs]
    return Rows(
        runs[0].place,
        HOUR,
        np.concatenate([_starts(run) for run in runs]),
        np.repeat(np.array([moment64(issue) for issue in issues]), lengths),
        np.repeat(np.array(known), lengths),
        columns,
        runs[0].source,
    )


def history_of(
    prepared_runs: Prepared, quantity: str, actual: Series, limited: Series | None, delay: timedelta = timedelta(0)
) -> History:
    """Rows beside what came: ``actual`` in MW (hourly means after averaging) and, above 0, the share of a slot limited.

    A slot's value counts as known ``delay`` after the slot was over.

    Raises:
        InvalidInput: slots that do not fit hours, or as :class:`History`.
    """
    alone = prepared_runs.physics_mw, prepared_runs.cloudless_mw, prepared_runs.capacity_mw
    return _history(quantity, prepared_runs.rows, alone, actual, limited, delay)


def _history(
    quantity: str,
    rows: Rows,
    alone: tuple[Values, Values | None, float],
    actual: Series,
    limited: Series | None,
    delay: timedelta,
) -> History:
    """Rows beside what came; ``alone``: physics, cloudless physics and capacity."""
    physics, cloudless, cap = alone
    held = np.zeros(len(rows)) if limited is None else np.nan_to_num(_looked_up(rows, limited))
    return History(
        quantity,
        rows,
        physics,
        _looked_up(rows, actual),
        rows.ends + np.timedelta64(delay),
        np.full(len(rows), cap),
        held > 0,
        cloudless,
    )


def _looked_up(rows: Rows, series: Series) -> Values:
    hourly = series.resampled(rows.step)
    place = ((rows.starts - moment64(hourly.start)) // np.timedelta64(rows.step)).astype(int)
    inside = (place >= 0) & (place < len(hourly))
    found = np.full(len(rows), np.nan)
    found[inside] = hourly.values[place[inside]]
    return found


def cloudless_mw(site: Site, weather: WeatherTable) -> Values:
    """All PV fields under a cloudless sky, MW per slot."""
    total = np.zeros(len(weather))
    for field in site.solar:
        total = total + solar.clear_sky_mw(field, weather)
    return total


def _plane(field: Solar) -> Plane:
    # A tracker's plane moves; a flat one stands for it here, and the physics column knows better.
    return Plane(0.0, 180.0) if field.tracking != "fixed" else Plane(field.tilt_deg, field.azimuth_deg)


def _starts(run: WeatherTable) -> Moments:
    starts: Moments = moment64(run.start) + np.arange(len(run)) * np.timedelta64(run.step)
    return starts
