"""A weather table: named columns on regular slots, each value the *mean* over its slot.

Files and services stamp their rows differently, and half-period or one-hour shifts are the most
reported defect of this kind of software. So the convention is said once, at the door
(:func:`from_stamps`), and every table behind it means the same thing: slot ``k`` is
``[start + k*step, start + (k+1)*step)``, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

import numpy as np

from models.errors import Fault, InvalidInput
from models.horizon import Horizon, rfc3339
from models.series import Series, Values, regular_step
from models.sky import Place, clear_sky

RADIATION: Final = ("ghi_w_m2", "dni_w_m2", "dhi_w_m2")
REQUIRED: Final = (*RADIATION, "temp_air_c", "relative_humidity_pct", "wind_speed_m_s")
OPTIONAL: Final = ("pressure_pa", "aerosol_optical_depth")
UNITS: Final = {
    "ghi_w_m2": "W/m2",
    "dni_w_m2": "W/m2",
    "dhi_w_m2": "W/m2",
    "temp_air_c": "degC",
    "relative_humidity_pct": "%",
    "wind_speed_m_s": "m/s",
    "pressure_pa": "Pa",
    "aerosol_optical_depth": "1",
}
# What weather on this planet can be; beyond lies a wrong unit or a broken sensor. Pyranometers read a
# few watts below zero at night, which is an offset, not an error.
_RANGES: Final = {
    "ghi_w_m2": (-15.0, 1600.0),
    "dni_w_m2": (-15.0, 1400.0),
    "dhi_w_m2": (-15.0, 1000.0),
    "temp_air_c": (-80.0, 60.0),
    "relative_humidity_pct": (0.0, 110.0),
    "wind_speed_m_s": (0.0, 110.0),
    "pressure_pa": (45_000.0, 110_000.0),
    "aerosol_optical_depth": (0.0, 10.0),
}
_SHARE = ("relative_humidity_pct", 1.5, 24)  # a day all below so few per cent is no desert: it is told as a share
_FINE = timedelta(minutes=15)
_MOST_OVER_CLEAR = 1.5


class Stamp(Enum):
    """What the time of a row means for a column."""

    START = "start"
    END = "end"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True, eq=False)
class WeatherTable:
    """Columns of :data:`REQUIRED` (and any of :data:`OPTIONAL`), shape ``(slots,)`` each, at ``place``.

    ``wind_height_m`` is the height of ``wind_speed_m_s`` above ground. ``available_at`` is the instant
    from which the table was known. ``climate`` may hold a table of the usual weather of the season,
    from which spreads are taken where no past forecasts exist.

    Raises:
        InvalidInput: columns missing, unknown, of unequal length or outside physical ranges.
    """

    place: Place
    start: datetime
    step: timedelta
    columns: Mapping[str, Values]
    wind_height_m: float = 10.0
    source: str = ""
    synthetic: bool = False
    available_at: datetime | None = None
    climate: WeatherTable | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        columns = {name: np.array(values, dtype=np.float64) for name, values in self.columns.items()}
        faults = [Fault(name, "missing", "this column is required; add it") for name in REQUIRED if name not in columns]
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1 or lengths == {0}:
            faults.append(Fault("columns", "length", f"columns of {sorted(lengths)} rows; give each the same number"))
        for name, values in columns.items():
            if name not in _RANGES:
                faults.append(Fault(name, "unknown", f"unknown column; known are {', '.join(_RANGES)}"))
                continue
            low, high = _RANGES[name]
            bad = np.flatnonzero((values < low) | (values > high))
            if len(bad):
                shown = f"{values[bad[0]]:g} {UNITS[name]} in row {bad[0]}"
                message = f"{len(bad)} value(s) outside {low:g} to {high:g}, first {shown}; check unit and sensor"
                faults.append(Fault(name, "out_of_range", message))
            values.setflags(write=False)
        faults += _told_as_share(columns)
        if self.start.tzinfo is None:
            faults.append(Fault("start", "no_time_zone", f"{self.start.isoformat()} has no time zone; give it one"))
        if faults:
            raise InvalidInput(f"the weather {self.source!r}", faults)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "start", self.start.astimezone(UTC))

    def __len__(self) -> int:
        return len(self.columns["ghi_w_m2"])

    def __getitem__(self, name: str) -> Values:
        return self.columns[name]

    @property
    def end(self) -> datetime:
        """First instant after the last slot."""
        return self.start + len(self) * self.step

    def series(self, name: str) -> Series:
        """One column as a series with its unit and origin."""
        return Series(
            self.start, self.step, self.columns[name], UNITS[name], self.source, self.synthetic, self.available_at
        )

    def cut(self, first: int, last: int) -> WeatherTable:
        """Slots ``first`` to ``last`` (exclusive)."""
        columns = {name: values[first:last] for name, values in self.columns.items()}
        return replace(self, start=self.start + first * self.step, columns=columns)

    def on(self, horizon: Horizon) -> WeatherTable:
        """The table on exactly the slots of ``horizon``: averaged, or refined by :func:`refined`.

        Raises:
            InvalidInput: slots that do not fit, horizon not covered, or values missing in it.
        """
        table = self if self.step <= horizon.step else refined(self, horizon.step)
        columns: dict[str, Values] = {}
        faults: list[Fault] = []
        for name in table.columns:
            try:
                columns[name] = table.series(name).on(horizon)
            except InvalidInput as error:
                faults.extend(Fault(name, fault.code, fault.message) for fault in error.faults)
        if faults:
            raise InvalidInput(f"the weather {self.source!r}", faults)
        return replace(table, start=horizon.start, step=horizon.step, columns=columns)


def _told_as_share(columns: Mapping[str, Values]) -> list[Fault]:
    name, top, least = _SHARE
    known = columns.get(name, np.empty(0))
    known = known[np.isfinite(known)]
    if len(known) < least or not 0 < known.max() <= top:
        return []
    return [
        Fault(name, "unit_suspect", f"none of {len(known)} values above {known.max():g} %; give per cent, 0 to 100")
    ]


def from_stamps(
    times: Sequence[datetime],
    columns: Mapping[str, Values],
    place: Place,
    *,
    radiation: Stamp,
    state: Stamp,
    wind_height_m: float = 10.0,
    source: str = "",
    synthetic: bool = False,
    available_at: datetime | None = None,
) -> WeatherTable:
    """Table from rows stamped ``times``, with what the stamps mean said for radiation and for the rest.

    START: the row is the mean of the period after its time. END: of the period before it. INSTANT:
    the value at that moment; a slot's mean is then taken as the mean of the values at its two ends.
    Only slots that every column covers are kept (at most one row is lost at either end).

    Raises:
        InvalidInput: irregular times (:func:`models.series.regular_step`), or as :class:`WeatherTable`.
    """
    step = regular_step(times, f"the weather {source!r}")
    faults = [
        Fault(name, "length", f"{len(values)} values for {len(times)} times; give one each")
        for name, values in columns.items()
        if len(values) != len(times)
    ]
    if faults:
        raise InvalidInput(f"the weather {source!r}", faults)
    placed = {
        name: _slot_means(np.asarray(values, dtype=np.float64), radiation if name in RADIATION else state)
        for name, values in columns.items()
    }
    first = max((offset for offset, _ in placed.values()), default=0)
    last = min((offset + len(values) for offset, values in placed.values()), default=0)
    kept = {name: values[first - offset : last - offset] for name, (offset, values) in placed.items()}
    return WeatherTable(place, times[0] + first * step, step, kept, wind_height_m, source, synthetic, available_at)


def _slot_means(values: Values, stamp: Stamp) -> tuple[int, Values]:
    """First slot (counted from the first time) that has a value, and the means from there."""
    if stamp is Stamp.START:
        return 0, values
    if stamp is Stamp.END:
        return -1, values
    return 0, (values[:-1] + values[1:]) / 2


def refined(table: WeatherTable, step: timedelta = _FINE) -> WeatherTable:
    """The table on shorter slots that keep every mean.

    Radiation is spread within the old slot like the clear sky of that hour (constant clear-sky
    index), so that a morning hour rises and night is exactly 0; where the index would exceed
    1.5 (low sun, haze maps too thick) it is spread like the sun's height instead. Radiation said
    for a slot with the sun down throughout is dropped. The rest runs straight between slot middles
    and is then levelled to the old mean (by ratio for wind, which cannot be negative).

    Raises:
        InvalidInput: ``step`` does not divide the table's.
    """
    parts, rest = divmod(table.step, step)
    if rest:
        fault = Fault("step", "unfit_step", f"slots of {table.step} cannot be split into slots of {step}")
        raise InvalidInput(f"the weather {table.source!r}", [fault])
    if parts == 1:
        return table
    sky = clear_sky(table.place, table.start, step, len(table) * parts)
    columns: dict[str, Values] = {}
    for name, values in table.columns.items():
        if name in RADIATION:
            shape = {"ghi_w_m2": sky.ghi_w_m2, "dni_w_m2": sky.dni_w_m2, "dhi_w_m2": sky.dhi_w_m2}[name]
            columns[name] = _spread(np.maximum(values, 0.0), shape, sky.cos_zenith, parts)
        else:
            columns[name] = _straight(values, parts, ratio=name != "temp_air_c")
    return replace(table, step=step, columns=columns)


def _spread(means: Values, shape: Values, sun_height: Values, parts: int) -> Values:
    shapes, heights = shape.reshape(-1, parts), sun_height.reshape(-1, parts)
    clear = shapes.mean(axis=1)
    low = means > _MOST_OVER_CLEAR * clear
    weights = np.where(low[:, None], heights, shapes)
    total = weights.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(total[:, None] > 0, weights * (means / total)[:, None], 0.0 * means[:, None])
    out: Values = spread.reshape(-1)
    return out


def _straight(means: Values, parts: int, *, ratio: bool) -> Values:
    middles = np.arange(len(means)) + 0.5
    fine = (np.arange(len(means) * parts) + 0.5) / parts
    guess = np.interp(fine, middles, means).reshape(-1, parts)
    guess[np.isnan(means)] = np.nan
    # A missing neighbour makes the straight line missing as well; the slot itself is known.
    guess = np.where(np.isnan(guess), means[:, None], guess)
    now = guess.mean(axis=1)
    if ratio:
        with np.errstate(divide="ignore", invalid="ignore"):
            guess = guess * np.where(now > 0, means / now, 1.0)[:, None]
    else:
        guess = guess + (means - now)[:, None]
    out: Values = guess.reshape(-1)
    return out


def wet_bulb_c(dry_bulb_c: Values, relative_humidity_pct: Values) -> Values:
    """Wet-bulb temperature in degC at sea-level pressure (shapes as given), never above the dry bulb.

    R. Stull, "Wet-Bulb Temperature from Relative Humidity and Air Temperature", J. Appl. Meteor.
    Climatol. 50 (2011) 2267-2269, eq. 1: within -1.0 and +0.65 K between -20 and 50 degC and 5 to
    99 % at 1013.25 hPa. Humidity is held in that range here.
    """
    t = np.asarray(dry_bulb_c, dtype=np.float64)
    rh = np.clip(np.asarray(relative_humidity_pct, dtype=np.float64), 5.0, 99.0)
    wet = (
        t * np.arctan(0.151977 * np.sqrt(rh + 8.313659))
        + np.arctan(t + rh)
        - np.arctan(rh - 1.676331)
        + 0.00391838 * rh**1.5 * np.arctan(0.023101 * rh)
        - 4.686035
    )
    capped: Values = np.minimum(wet, t)
    return capped


def first_missing(table: WeatherTable) -> str | None:
    """Time and column of the first missing value, for messages; None where nothing is missing."""
    for name in REQUIRED:
        gaps = np.flatnonzero(np.isnan(table[name]))
        if len(gaps):
            return f"{name} at {rfc3339(table.start + int(gaps[0]) * table.step)}"
    return None
