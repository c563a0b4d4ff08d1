"""Weather forecasts as rows to learn from: one row a slot of one run, each with the instant it was known.

A *run* is one issue of a weather forecast. Neighbouring hours are looked up inside a run only, because across
its edge lies a run that is not there yet when the forecast is made; ``across_runs`` lifts that for contests
whose rules allow it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.errors import Fault, InvalidInput
from models.forecast.past import Moments, moment64
from models.series import Values
from models.sky import Place

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Weather of ``n`` slots at ``place``, run after run, each run regular and in time order.

    ``starts``: first instant of each slot (UTC, shape ``(n,)``); ``issued_at``: when the power forecast of that
    row is made; ``available_at``: when the row's weather was known. ``columns``: names to values, shape ``(n,)``,
    means over the slot in the unit of the name. ``across_runs`` lets neighbours lie in other runs.

    Raises:
        InvalidInput: columns of unequal length or infinite; no row; weather known only after the issue (``peeking``);
            no issue time (NaT); two rows of a run that do not follow each other by ``step``.
    """

    place: Place
    step: timedelta
    starts: Moments
    issued_at: Moments
    available_at: Moments
    columns: Mapping[str, Values]
    source: str = ""
    across_runs: bool = False
    edges: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise InvalidInput(f"the weather runs {self.source!r}", faults)
        new_run = np.flatnonzero(self.issued_at[1:] != self.issued_at[:-1]) + 1
        object.__setattr__(self, "edges", (0, *new_run.tolist(), len(self.starts)))
        off = [
            first + int(np.flatnonzero(gaps)[0])
            for first, last in pairwise(self.edges)
            if (gaps := np.diff(self.starts[first:last]) != np.timedelta64(self.step)).any()
        ]
        if off:
            row = off[0]
            message = (
                f"row {row} ({self.starts[row]}Z) is followed by {self.starts[row + 1]}Z, not {self.step} later; "
                "sort each run by time, drop doubled hours and give missing ones a row of empty cells"
            )
            raise InvalidInput(f"the weather runs {self.source!r}", [Fault("starts", "irregular", message)])

    def _faults(self) -> Sequence[Fault]:
        n = len(self.starts)
        lengths = {n, len(self.issued_at), len(self.available_at), *(len(v) for v in self.columns.values())}
        if len(lengths) > 1 or not n:
            return [Fault("columns", "length", f"columns of {sorted(lengths)} rows; give each the same, at least one")]
        faults = []
        if np.isnat(self.issued_at).any() or np.isnat(self.available_at).any():
            message = "a row does not say when its forecast was issued or known; give issued_at (fetch time will do)"
            faults.append(Fault("issued_at", "no_issue_time", message))
        elif (late := np.flatnonzero(self.available_at > self.issued_at)).size:
            message = (
                f"{late.size} row(s) rest on weather known only after the forecast's issue, the first at "
                f"{self.available_at[late[0]]}Z for the issue at {self.issued_at[late[0]]}Z; take an older run"
            )
            faults.append(Fault("available_at", "peeking", message))
        for name, values in self.columns.items():
            if np.isinf(values).any():
                faults.append(Fault(name, "not_finite", "an infinite value; leave it empty where it is missing"))
            elif np.isnan(values).all():
                faults.append(Fault(name, "all_missing", "no value at all; drop the column or mend its source"))
        return faults

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, name: str) -> Values:
        return self.columns[name]

    @property
    def ends(self) -> Moments:
        """First instant after each slot: when its mean can be known at the earliest."""
        return self.starts + np.timedelta64(self.step)

    @property
    def per_hour(self) -> int:
        """Slots in an hour, at least 1."""
        return max(1, timedelta(hours=1) // self.step)

    def middles(self) -> pd.DatetimeIndex:
        """Middle of each slot."""
        return pd.DatetimeIndex(self.starts + np.timedelta64(self.step) // 2, tz="UTC")

    def lead_h(self) -> Values:
        """Hours from when the weather was known to the middle of the slot: old weather has long leads."""
        passed = (self.starts + np.timedelta64(self.step) // 2) - self.available_at
        hours: Values = passed / np.timedelta64(1, "h")
        return hours

    def shifted(self, values: Values, slots: int) -> Values:
        """``values`` of ``slots`` slots later (negative: earlier); a run's first and last are held at its edges."""
        n = len(self)
        wanted = np.arange(n) + slots
        if self.across_runs:
            return values[np.clip(wanted, 0, n - 1)]
        run = np.repeat(np.arange(len(self.edges) - 1), np.diff(self.edges))
        first, last = np.asarray(self.edges[:-1])[run], np.asarray(self.edges[1:])[run] - 1
        return values[np.clip(wanted, first, last)]

    def around(self, values: Values, reach: int, apart: int = 1) -> Values:
        """Shape ``(2 * reach + 1, n)``: the slot with ``reach`` neighbours on either side, ``apart`` slots each."""
        return np.stack([self.shifted(values, k * apart) for k in range(-reach, reach + 1)])

    def day_mean(self, values: Values) -> Values:
        """Mean over the rows of the same run and the same 24 hours since its weather was known."""
        day = np.floor((self.starts - self.available_at) / np.timedelta64(24, "h")).astype(np.int64)
        keys = pd.MultiIndex.from_arrays([np.repeat(np.arange(len(self.edges) - 1), np.diff(self.edges)), day])
        return np.asarray(pd.Series(values, index=keys).groupby(level=[0, 1]).transform("mean"), dtype=np.float64)

    def issued_by(self, moment: datetime) -> Flags:
        """Which rows were issued at ``moment`` or before."""
        return np.asarray(self.issued_at <= moment64(moment), dtype=np.bool_)
