"""Past loads of a site from a CSV file: ``time`` (start of the slot, RFC 3339) and a column of MW for each load.

Columns are named as the plan's forecasts are: ``base_load_mw``, ``it_mw``, ``inference_mw/SERVICE``. Slots of an hour
or of a part of one; an empty cell is a missing value.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import numpy as np

from ingest.sources.outlook import weather_csv
from ingest.sources.outlook.forecast_history import lines_of
from models.errors import Fault, InvalidInput
from models.series import Series, series_from_times

_HOUR = timedelta(hours=1)


def read_loads(path: Path, known: Collection[str]) -> dict[str, Series]:
    """Hourly means by column; an hour with a value missing is missing.

    Raises:
        InvalidInput: a file that cannot be read, columns other than ``known``, cells, times or values that are refused.
    """
    what = f"the past loads {path}"
    table = list(csv.reader(line for line in lines_of(path, what) if line.strip() and not line.startswith("#")))
    if len(table) < 2:
        raise InvalidInput(what, [Fault("", "empty", "no row in it; it needs a header and rows of time and loads")])
    names = [name.strip() for name in table[0]]
    weather_csv.refuse_semicolons(names, what)
    columns = [name for name in names if name != "time"]
    faults = [
        Fault(name, "unknown", f"no load of this site; known: {', '.join(known)}")
        for name in columns
        if name not in known
    ]
    faults += [
        Fault(name, "doubled", "a column of this name stands twice") for name in set(names) if names.count(name) > 1
    ]
    if "time" not in names or not columns:
        faults.append(Fault("time", "missing", f"time and at least one of {', '.join(known)} are required"))
    if faults:
        raise InvalidInput(what, faults)
    times, cells = weather_csv.cells(table, names, what)
    for name, values in zip(columns, cells.T, strict=True):
        if np.isnan(values).all():
            faults.append(Fault(name, "all_missing", "no value at all; drop the column or mend its source"))
        elif (bad := np.flatnonzero((values < 0) | np.isinf(values))).size:
            message = f"{values[bad[0]]:g} at {times[bad[0]].isoformat()}; a load is a number of MW, 0 or more"
            faults.append(Fault(name, "not_a_load", message))
    if faults:
        raise InvalidInput(what, faults)
    return {
        name: series_from_times(times, values, "MW", source=path.name).resampled(_HOUR)
        for name, values in zip(columns, cells.T, strict=True)
    }
