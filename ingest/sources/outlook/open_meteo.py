"""Open-Meteo forecasts: a ``/v1/forecast`` document from a file, or asked live.

Nothing is asked outside unless the site file names an address. What the document means
(https://open-meteo.com/en/docs): times are local to ``utc_offset_seconds`` and carry no offset, so only
GMT is taken; radiation is the mean over the hour (or 15 minutes) that *ends* at the stamp, temperature,
humidity, pressure and wind are instants; units stand in ``*_units`` and default to km/h for wind; with
several models keys get the model's name behind; past a model's horizon there are nulls. The document does
not say when it was issued: it counts as known from the moment it was fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from ingest.errors import SourceUnavailable
from models import strict_json
from models.errors import Fault, InvalidInput
from models.series import Values
from models.sky import Place
from models.weather import REQUIRED, Stamp, WeatherTable, from_stamps

# Open-Meteo's name, ours, and for each unit it may come in what to multiply by (and to add).
_VARIABLES: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "shortwave_radiation": ("ghi_w_m2", {"W/m²": (1.0, 0.0)}),
    "direct_normal_irradiance": ("dni_w_m2", {"W/m²": (1.0, 0.0)}),
    "diffuse_radiation": ("dhi_w_m2", {"W/m²": (1.0, 0.0)}),
    "temperature_2m": ("temp_air_c", {"°C": (1.0, 0.0), "°F": (5 / 9, -160 / 9)}),
    "relative_humidity_2m": ("relative_humidity_pct", {"%": (1.0, 0.0)}),
    "wind_speed_10m": (
        "wind_speed_m_s",
        {"m/s": (1.0, 0.0), "km/h": (1 / 3.6, 0.0), "mp/h": (0.44704, 0.0), "kn": (1852 / 3600, 0.0)},
    ),
    "surface_pressure": ("pressure_pa", {"hPa": (100.0, 0.0)}),
}
_OPTIONAL = {"surface_pressure"}
_PART = re.compile(r"member\d+(_|$)|previous_day\d+(_|$)")
ASKED = tuple(_VARIABLES)
_WHAT = "the Open-Meteo document"
_TIMEOUT_S = 20.0


def read(path: Path | str, *, model: str | None = None, fetched_at: datetime | None = None) -> WeatherTable:
    """Weather of a stored document; known since ``fetched_at``, by default the file's own time.

    Raises:
        InvalidInput: as :func:`parse`, or the file cannot be read.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
        known = fetched_at or datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise InvalidInput(
            f"{_WHAT} {path}", [Fault("", "not_readable", f"{error.strerror}; check the path")]
        ) from None
    return parse(strict_json.loads(data, f"{_WHAT} {path}"), model=model, fetched_at=known)


def fetch(
    url: str,
    place: Place,
    *,
    hours: int,
    fetched_at: datetime,
    model: str | None = None,
    client: httpx.Client | None = None,
) -> WeatherTable:
    """Ask ``url`` (its ``/v1/forecast``) for the next ``hours`` at ``place``, in GMT and m/s.

    Raises:
        SourceUnavailable: no answer, or an answer that says it failed.
        InvalidInput: as :func:`parse`.
    """
    return parse(ask(url, place, hours=hours, model=model, client=client), model=model, fetched_at=fetched_at)


def ask(url: str, place: Place, *, hours: int, model: str | None = None, client: httpx.Client | None = None) -> Any:
    """The document that ``url`` answers for the next ``hours`` at ``place``, in GMT and m/s.

    Raises:
        SourceUnavailable: no answer, or an answer that says it failed.
        InvalidInput: it is no JSON.
    """
    days = min(16, -(-hours // 24) + 2)
    params: dict[str, str | float | int] = {
        "latitude": place.latitude_deg,
        "longitude": place.longitude_deg,
        "hourly": ",".join(ASKED),
        "timezone": "GMT",
        "wind_speed_unit": "ms",
        "past_days": 1,
        "forecast_days": days,
    }
    if model is not None:
        params["models"] = model
    try:
        answer = (client or httpx).get(url, params=params, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise SourceUnavailable(url, f"{type(error).__name__}: {error}") from None
    if answer.status_code != httpx.codes.OK:
        raise SourceUnavailable(url, f"HTTP {answer.status_code}: {answer.text[:200]}")
    return strict_json.loads(answer.content, f"{_WHAT} of {url}")


def models_in(document: Mapping[str, Any], block: str = "hourly") -> list[str]:
    """Names of the models in the document's keys; empty where there is one without a name."""
    keys = document.get(block, {})
    stem = "shortwave_radiation"
    if stem in keys:
        return []
    found = (key[len(stem) + 1 :] for key in keys if key.startswith(stem + "_"))
    return sorted(name for name in found if not _PART.match(name))


def parse(
    document: Any, *, fetched_at: datetime, model: str | None = None, block: str = "hourly", part: str = ""
) -> WeatherTable:
    """Weather table of a document; ``block`` is ``hourly`` or ``minutely_15``.

    ``part`` is what stands behind each variable's name, such as ``_member03`` (see open_meteo_runs).

    (In Morocco and wherever no regional model reaches, ``minutely_15`` is interpolated hourly data, so
    the hourly block, refined by the clear sky, is the better one.) Rows past the model's horizon, all
    null at the end, are cut off; holes before it stay missing and are refused where they are used.

    Raises:
        InvalidInput: an error document, several places, another zone than GMT, units that are not known,
            columns missing, several models of which none was named; everything at once.
    """
    if isinstance(document, list):
        if len(document) != 1:
            message = f"{len(document)} places in one document; ask for one place"
            raise InvalidInput(_WHAT, [Fault("", "several_places", message)])
        document = document[0]
    faults = _faults(document, block)
    if faults:
        raise InvalidInput(_WHAT, faults)
    names = models_in(document, block)
    if model is None and len(names) > 1:
        message = f"several models: {', '.join(names)}; name one"
        raise InvalidInput(_WHAT, [Fault(f"/{block}", "several_models", message)])
    chosen = model or (names[0] if names else "")
    suffix = part + (f"_{chosen}" if names else "")
    columns, notes = _columns(document[block], document[f"{block}_units"], block, suffix)
    times = _times(document[block]["time"], block)
    kept = _known_rows(columns)
    place = Place(float(document["latitude"]), float(document["longitude"]), float(document.get("elevation") or 0.0))
    source = "Open-Meteo" + (f" {chosen}" if chosen else "") + (f" ({'; '.join(notes)})" if notes else "")
    return from_stamps(
        times[:kept],
        {name: values[:kept] for name, values in columns.items()},
        place,
        radiation=Stamp.END,
        state=Stamp.INSTANT,
        source=source,
        available_at=fetched_at,
    )


def _faults(document: Any, block: str) -> list[Fault]:
    if not isinstance(document, dict):
        return [Fault("", "not_an_object", "not a JSON object; hand in the answer of /v1/forecast")]
    if document.get("error"):
        return [Fault("/reason", "error_document", f"the service answered: {document.get('reason')}")]
    faults = []
    if document.get("utc_offset_seconds") != 0:
        message = f"times at offset {document.get('utc_offset_seconds')} s; ask with timezone=GMT"
        faults.append(Fault("/utc_offset_seconds", "not_gmt", message))
    for key in ("latitude", "longitude"):
        if not isinstance(document.get(key), (int, float)):
            faults.append(Fault(f"/{key}", "missing", "this number is required"))
    if not isinstance(document.get(block), dict) or not isinstance(document.get(f"{block}_units"), dict):
        faults.append(Fault(f"/{block}", "missing", f"no {block} and {block}_units; ask for {block} variables"))
    elif not isinstance(document[block].get("time"), list):
        faults.append(Fault(f"/{block}/time", "missing", "no list of times"))
    return faults


def _columns(
    values: Mapping[str, Any], units: Mapping[str, Any], block: str, suffix: str
) -> tuple[dict[str, Values], list[str]]:
    columns: dict[str, Values] = {}
    notes: list[str] = []
    faults: list[Fault] = []
    rows = len(values["time"])
    for name, (ours, factors) in _VARIABLES.items():
        key = name + suffix
        if key not in values:
            if name not in _OPTIONAL:
                faults.append(Fault(f"/{block}/{key}", "missing", f"this variable is required; ask for {name}"))
            continue
        unit = units.get(key)
        if unit not in factors:
            message = f"unit {unit!r}; known: {', '.join(factors)}"
            faults.append(Fault(f"/{block}_units/{key}", "unknown_unit", message))
        elif not isinstance(values[key], list) or len(values[key]) != rows:
            faults.append(Fault(f"/{block}/{key}", "length", f"not {rows} values, one a time"))
        elif bad := [k for k, v in enumerate(values[key]) if v is not None and not isinstance(v, (int, float))]:
            faults.append(Fault(f"/{block}/{key}/{bad[0]}", "not_a_number", f"{values[key][bad[0]]!r} is no number"))
        else:
            factor, offset = factors[unit]
            columns[ours] = (
                np.array([np.nan if v is None else v for v in values[key]], dtype=np.float64) * factor + offset
            )
            if (factor, offset) != (1.0, 0.0) and ours != "pressure_pa":
                notes.append(f"{name} converted from {unit}")
    if faults:
        raise InvalidInput(_WHAT, faults)
    if "pressure_pa" in columns and np.isnan(columns["pressure_pa"]).all():
        del columns["pressure_pa"]
    return columns, notes


def _times(stamps: list[Any], block: str) -> list[datetime]:
    found, faults = [], []
    for k, stamp in enumerate(stamps):
        try:
            if not isinstance(stamp, str):
                raise ValueError("not a text")
            found.append(datetime.strptime(stamp, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC))
        except ValueError:
            message = f"{stamp!r} is not a time such as 2026-06-01T00:00; ask with timeformat=iso8601"
            faults.append(Fault(f"/{block}/time/{k}", "not_a_time", message))
    if faults:
        raise InvalidInput(_WHAT, faults[:5])
    return found


def _known_rows(columns: Mapping[str, Values]) -> int:
    """Rows up to the last one in which every required column has a value."""
    known = np.all([~np.isnan(columns[name]) for name in REQUIRED], axis=0)
    if not known.any():
        raise InvalidInput(_WHAT, [Fault("", "all_null", "no row with every value; the model does not reach here")])
    return int(np.flatnonzero(known)[-1]) + 1
