"""A learned model at work: weather runs in, one fan on the slots of a horizon out, by the highest step there is."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from models.errors import Fault, InvalidInput
from models.forecast.fan import Fan, averaged
from models.forecast.features import Features
from models.forecast.ladder import Rung
from models.forecast.learned import LEVELS, Learned
from models.forecast.past import known_part, refuse_future
from models.forecast.plant_state import PlantState, left_of
from models.forecast.plants import HOUR, Prepared, cloudless_mw, prepared
from models.forecast.refine import by_shape, straight
from models.forecast.rows import Flags
from models.forecast.site import PV, pv_mw
from models.horizon import Horizon
from models.series import Series, Values
from models.site import Site
from models.sky import Place, clear_sky
from models.weather import WeatherTable

_SEASON = timedelta(days=45)


def served(
    site: Site, model: Learned, found: Rung, horizon: Horizon, issued_at: datetime, state: PlantState | None = None
) -> Fan:
    """The model's fan for ``horizon``, issued at ``issued_at``, from the tables of a rung that has any.

    ``state``: of a PV plant, for a model that learned the clean one.

    Raises:
        InvalidInput: climatology (use :func:`usual`), weather not known or missing, features not the model's, a model
            that knows more than was known at ``issued_at``.
    """
    refuse_future(f"the model of {model.quantity}", model.known_until, issued_at)
    if not found.tables:
        raise InvalidInput("the forecast", [Fault("weather", "none", "no weather on this step; take the climatology")])
    hours = [_from_known(table, horizon, issued_at) for table in found.tables]
    ready = [
        prepared(site, model.quantity, [table.on(span)], [issued_at])
        for table, span in zip(found.tables, hours, strict=True)
    ]
    # All runs at once: an ensemble has dozens, and a forest takes nearly as long for one as for all.
    together = Features(
        ready[0].features.names,
        np.concatenate([one.features.values for one in ready]),
        np.concatenate([one.features.awake for one in ready]),
    )
    borders = np.cumsum([len(one.features) for one in ready])[:-1]
    left = None
    if state is not None and model.by_state:
        each = zip(found.tables, hours, ready, strict=True)
        left = np.concatenate(
            [left_of(one.physics_mw, pv_mw(site.solar, table.on(span), state)) for table, span, one in each]
        )
    shares = np.split(model.predict(together, left), borders)
    fans = [
        _of_run(site, model, table, horizon, issued_at, found, *made)
        for table, made in zip(found.tables, zip(hours, ready, shares, strict=True), strict=True)
    ]
    return fans[0] if len(fans) == 1 else averaged(fans, found.step)


def _of_run(
    site: Site,
    model: Learned,
    table: WeatherTable,
    horizon: Horizon,
    issued_at: datetime,
    found: Rung,
    hours: Horizon,
    ready: Prepared,
    shares: Values,
) -> Fan:
    """The fan of one run: ``shares`` (shape ``(hours, levels)``) of its capacity, spread over the slots."""
    parts = HOUR // horizon.step
    fine = Horizon(hours.start, horizon.step, hours.slots * parts)
    if model.quantity == PV:
        shape = cloudless_mw(site, table.on(fine))
    else:
        shape = straight(shares[:, int(np.argmin(np.abs(LEVELS - 0.5)))], parts)
    cap = ready.capacity_mw
    first = (horizon.start - fine.start) // horizon.step
    values = np.stack([by_shape(level, shape, 1.0)[first : first + horizon.slots] for level in shares.T]) * cap
    if model.quantity == PV:
        values = np.where(_sun_up(table.place, horizon), values, 0.0)
    method = f"learned from {model.rows} rows until {model.known_until:%Y-%m-%d}"
    if not math.isclose(cap, model.capacity_mw, rel_tol=1e-6):
        method += f" of {model.capacity_mw:g} MW, taken in proportion for the plant's {cap:g} MW now (train it anew)"
    if model.calibration.outcomes:
        method += f", calibrated on {model.calibration.outcomes} outcomes"
    # Filling parts by weight rounds in the last digits, so order and borders are put right there.
    values = np.clip(np.sort(values, axis=0), 0.0, cap)
    known = table.available_at or issued_at
    return Fan(horizon, LEVELS, values, cap, known, found.step, method, found.reason, table.source, table.synthetic)


def usual(
    quantity: str, actual: Series, place: Place, horizon: Horizon, issued_at: datetime, cap: float, reason: str
) -> Fan:
    """The last step: quantiles of the hour of day over the last 45 days known at ``issued_at``; night is 0 for sun.

    Raises:
        InvalidInput: nothing was known.
    """
    past = known_part(actual, issued_at)
    starts = past.starts()
    recent = np.array([issued_at - _SEASON <= start for start in starts]) & np.isfinite(past.values)
    if not recent.any():
        message = "no value of the last 45 days is known; give weather or wait for measurements"
        raise InvalidInput("the climatology", [Fault("values", "empty", message)])
    hours = np.array([start.hour for start in starts])
    everything = np.quantile(past.values[recent], LEVELS)
    values = np.empty((len(LEVELS), horizon.slots))
    for slot, start in enumerate(horizon.starts()):
        same = recent & (hours == start.hour)
        values[:, slot] = np.quantile(past.values[same], LEVELS) if same.any() else everything
    values = np.clip(values, 0.0, cap)
    if quantity == PV:
        values = np.where(_sun_up(place, horizon), values, 0.0)
    method = "the usual of the hour of day over the last 45 days"
    return Fan(horizon, LEVELS, values, cap, issued_at, "climatology", method, reason, actual.source, actual.synthetic)


def _sun_up(place: Place, horizon: Horizon) -> Flags:
    return clear_sky(place, horizon.start, horizon.step, horizon.slots).sun_up


def _from_known(table: WeatherTable, horizon: Horizon, issued_at: datetime) -> Horizon:
    """Whole hours from when the table was known (it taught from there) to the end of ``horizon``."""
    if HOUR % horizon.step:
        message = f"slots of {horizon.step} do not divide an hour; plan in 5, 10, 15, 20, 30 or 60 minutes"
        raise InvalidInput("the horizon", [Fault("step", "unfit_step", message)])
    known = min(table.available_at or issued_at, horizon.start)
    start = max(known, table.start).replace(minute=0, second=0, microsecond=0)
    start = start if start >= table.start else start + HOUR
    return Horizon(start, HOUR, -((start - horizon.end) // HOUR))
