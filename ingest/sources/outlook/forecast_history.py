"""Past weather runs and what the plants gave: made up for a synthetic site, from two CSV files for a real one.

``runs.csv``: as a weather file (:mod:`ingest.sources.outlook.weather_csv`) with a column ``issued_at`` in front; the
rows of one issue stand together. ``actual.csv``: ``time`` (start of the slot), ``pv_available_mw``,
``wind_available_mw`` and, where the plant was held back, ``pv_limited``, ``wind_limited`` (share of the slot, 0 to 1).
Empty cells are missing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import numpy as np

from ingest.sources.outlook import synthetic_forecast, typical_year, weather_csv
from ingest.sources.outlook.weather import climate_of
from models.errors import Fault, InvalidInput
from models.forecast.site import PV, WIND, pv_mw, wind_mw
from models.horizon import parse_rfc3339, rfc3339
from models.series import Series, series_from_times
from models.site import Site
from models.weather import WeatherTable

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEADS_H = 48
_COLUMNS = {PV: "pv_limited", WIND: "wind_limited"}


@dataclass(frozen=True, slots=True)
class Past:
    """``runs`` in time order, each used for the forecast issued at the same place of ``issues``; hourly or finer
    ``actual`` in MW by quantity, ``limited`` as share of the slot by quantity where it is known."""

    runs: Sequence[WeatherTable]
    issues: Sequence[datetime]
    actual: Mapping[str, Series]
    limited: Mapping[str, Series]


def synthetic_past(site: Site, now: datetime, days: int) -> Past:
    """The made-up runs at 00 UTC of the last ``days`` days and the made-up power, through the site's own physics.

    Raises:
        NotFound: the site names a climate that does not ship.
    """
    climate = climate_of(site)
    year = typical_year.synthetic_year(climate)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - days * DAY
    issues = [first + day * DAY for day in range(days)]
    runs = [synthetic_forecast.forecast(year, climate, run, run, LEADS_H) for run in issues]
    hours = days * 24
    truth = year.table(first, hours, midnight)
    source = f"physics on {truth.source}"
    actual = {
        PV: Series(first, HOUR, pv_mw(site.solar, truth), "MW", source, True),
        WIND: Series(first, HOUR, wind_mw(site.wind, truth), "MW", source, True),
    }
    return Past(runs, issues, actual, {})


def read_past(runs: Path, actual: Path) -> Past:
    """Past of a real site from its two files.

    Raises:
        InvalidInput: files, columns or cells that are refused, with the row and the mend.
    """
    tables, issues = read_runs(runs)
    found, limited = _read_actual(actual)
    return Past(tables, issues, found, limited)


def read_runs(path: Path) -> tuple[list[WeatherTable], list[datetime]]:
    """Weather runs of a file and their issues, in time order; each counts as known since its issue.

    Raises:
        InvalidInput: no ``issued_at``, one that is no time, an issue in two places, or as a weather file.
    """
    what = f"the weather runs {path}"
    lines = lines_of(path, what)
    head = [line for line in lines if line.startswith("#")]
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(body) < 2:
        raise InvalidInput(what, [_empty("issued_at, time and the weather")])
    weather_csv.refuse_semicolons(body[0].split(","), what)
    name, _, columns = body[0].partition(",")
    if name.strip() != "issued_at":
        message = f"the first column is {name.strip()!r}; put issued_at first, the time when the run was known"
        raise InvalidInput(what, [Fault("issued_at", "no_issue_time", message)])
    split = [line.partition(",") for line in body[1:]]
    groups = [(issue.strip(), [rest for _, _, rest in rows]) for issue, rows in groupby(split, key=lambda row: row[0])]
    faults, tables, issues = [], [], []
    for issue, rows in groups:
        try:
            moment = parse_rfc3339(issue)
        except ValueError as error:
            faults.append(Fault("issued_at", "no_issue_time", str(error)))
            continue
        issues.append(moment)
        try:
            tables.append(weather_csv.parse([*head, columns, *rows], what, available_at=moment))
        except InvalidInput as error:
            told = [Fault(f"issue {issue}, {one.pointer}", one.code, one.message) for one in error.faults]
            said = {fault.message for fault in faults}
            faults += [fault for fault in told if fault.message not in said]  # a header is that of all runs
    if sorted(set(issues)) != issues:
        faults.append(
            Fault("issued_at", "unsorted", "issues are doubled or not in time order; sort by issued_at, time")
        )
    if faults:
        raise InvalidInput(what, faults[:20])
    return tables, issues


def _read_actual(path: Path) -> tuple[dict[str, Series], dict[str, Series]]:
    what = f"the measured power {path}"
    table = list(csv.reader(line for line in lines_of(path, what) if line.strip() and not line.startswith("#")))
    if len(table) < 2:
        raise InvalidInput(what, [_empty("time and what the plants gave")])
    names = [name.strip() for name in table[0]]
    weather_csv.refuse_semicolons(names, what)
    known = {"time", *_COLUMNS, *_COLUMNS.values()}
    faults = [
        Fault(n, "unknown", f"unknown column; known: {', '.join(sorted(known))}") for n in names if n not in known
    ]
    faults += [
        Fault(n, "duplicate", "this column stands twice") for n in sorted({n for n in names if names.count(n) > 1})
    ]
    faults += [
        Fault(flag, "without_power", f"no {name} beside it; add that column or drop this one")
        for name, flag in _COLUMNS.items()
        if flag in names and name not in names
    ]
    if "time" not in names or not set(names) & set(_COLUMNS):
        faults.append(Fault("time", "missing", f"time and at least one of {', '.join(_COLUMNS)} are required"))
    if faults:
        raise InvalidInput(what, faults)
    times, cells = weather_csv.cells(table, names, what)
    columns = {name: cells[:, k] for k, name in enumerate(n for n in names if n != "time")}

    def series(name: str, unit: str) -> Series:
        if np.isnan(columns[name]).all():
            raise InvalidInput(
                what, [Fault(name, "all_missing", "no value at all; drop the column or mend its source")]
            )
        return series_from_times(times, columns[name], unit, source=path.name)

    actual = {name: series(name, "MW") for name in _COLUMNS if name in columns}
    limited = {name: series(flag, "1") for name, flag in _COLUMNS.items() if flag in columns}
    faults = [fault for one in actual.values() for fault in _not_within_hours(one)][:1]
    faults += [fault for name in limited for fault in _unfit_limits(actual[name], limited[name], _COLUMNS[name])]
    if faults:
        raise InvalidInput(what, faults)
    return actual, limited


def _empty(columns: str) -> Fault:
    return Fault("", "empty", f"no row in it; it needs a header and rows of {columns}")


def _not_within_hours(series: Series) -> Iterator[Fault]:
    if HOUR % series.step:
        message = f"slots of {series.step}; give slots of 15, 30 or 60 minutes, in which sun and wind can be told"
        yield Fault("time", "unfit_step", message)


def _unfit_limits(power: Series, limited: Series, name: str) -> Iterator[Fault]:
    """A slot that may have been held back unnoticed would teach that the plant gives little."""
    share = limited.values
    starts = limited.starts()
    for wrong, code, message in (
        ((share < 0) | (share > 1), "outside", "give the share of the slot in which it was held back, 0 to 1"),
        (
            np.isnan(share) & np.isfinite(power.values),
            "unknown",
            "write 0 where the plant was free; where nobody knows, leave the power empty too",
        ),
    ):
        bad = np.flatnonzero(wrong)
        if bad.size:
            shown = "empty beside a power" if code == "unknown" else f"{share[bad[0]]:g}"
            yield Fault(name, code, f"{bad.size} value(s), the first {shown} at {rfc3339(starts[bad[0]])}; {message}")


def lines_of(path: Path, what: str) -> list[str]:
    """Lines of a text file that a person made.

    Raises:
        InvalidInput: not readable, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror}; check the path")]) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; save it as UTF-8"
        raise InvalidInput(what, [Fault("", "not_utf8", message)]) from None
