"""Records of a cooling plant: heat taken away, electric power, ambient temperature; and which of them may teach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import Fault, InvalidInput

Array = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
LEAST_ROWS = 200
STUCK_ROWS = 12
_COP_LOW, _COP_HIGH = 1.0, 200.0  # fans alone, in free cooling, reach 100 and more
_UNIT = 200.0
_AMBIENT_C = (-60.0, 70.0)
_USUAL_C = (-50.0, 50.0)  # of the middle; beyond lie degrees Fahrenheit and Kelvin


@dataclass(frozen=True, slots=True, eq=False)
class PlantRecords:
    """One row a period, shapes ``(n,)``: UTC start, MW of heat, electric MW, degC that counts for the plant.

    ``ambient_c`` is whatever temperature the plant rejects heat to: wet bulb, dry bulb, or the condenser's water.
    """

    time: Times
    heat_mw: Array
    power_mw: Array
    ambient_c: Array

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in ("time", "heat_mw", "power_mw", "ambient_c")}
        if len(set(lengths.values())) > 1:
            raise InvalidInput(
                "the plant's records", [Fault("", "length", f"columns of {lengths}; give each the same")]
            )

    def __len__(self) -> int:
        return len(self.time)

    def at(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> PlantRecords:
        """Some of the rows."""
        return PlantRecords(self.time[rows], self.heat_mw[rows], self.power_mw[rows], self.ambient_c[rows])


@dataclass(frozen=True, slots=True, eq=False)
class ScreenedRecords:
    """Rows that may teach, and how many were left out, by reason."""

    records: PlantRecords
    left_out: dict[str, int]

    def known_at(self, moment: np.datetime64) -> ScreenedRecords:
        """What of them had begun by then (UTC): later rows teach nothing yet."""
        known = self.records.time < moment
        if known.all():
            return self
        later = {f"not known yet at {moment.astype('datetime64[s]')}Z": int((~known).sum())}
        return ScreenedRecords(self.records.at(known), self.left_out | later)


def screen_records(records: PlantRecords) -> ScreenedRecords:
    """Rows that may teach.

    Left out: missing values, a plant at rest, a COP under 1 or above 200, an ambient that no place has, repeated times,
    and the later rows of a reading that stays the same to the digit for 12 rows or more (an ambient: for a day) while
    the heat moves.

    Raises:
        InvalidInput: fewer than 200 rows are left; a typical COP or ambient that only a wrong unit explains.
    """
    reasons: dict[str, npt.NDArray[np.bool_]] = {}
    values = np.stack([records.heat_mw, records.power_mw, records.ambient_c])
    reasons["a missing value"] = ~np.isfinite(values).all(axis=0) | np.isnat(records.time)
    reasons["the plant at rest"] = ~((records.heat_mw > 0) & (records.power_mw > 0))
    sound = ~(reasons["a missing value"] | reasons["the plant at rest"])
    cop = np.full(len(records), np.nan)
    cop[sound] = records.heat_mw[sound] / records.power_mw[sound]
    _refuse_units(cop[sound], records.ambient_c[sound])
    reasons["a COP that no plant has"] = sound & ~((cop >= _COP_LOW) & (cop <= _COP_HIGH))
    low_c, high_c = _AMBIENT_C
    reasons["an ambient that no place has"] = sound & ~((records.ambient_c >= low_c) & (records.ambient_c <= high_c))
    _, first = np.unique(records.time, return_index=True)
    again = np.ones(len(records), bool)
    again[first] = False
    reasons["a time that stands twice"] = again
    stuck = _stuck(records.power_mw, records.heat_mw) | _stuck(records.heat_mw, records.power_mw)
    stuck |= _stuck(records.ambient_c, records.heat_mw, max(STUCK_ROWS, _rows_a_day(records.time)))
    reasons["a stuck sensor"] = stuck
    left = np.zeros(len(records), bool)
    counted: dict[str, int] = {}
    for reason, rows in reasons.items():
        new = rows & ~left
        if new.any():
            counted[reason] = int(new.sum())
        left |= rows
    kept = records.at(~left)
    if len(kept) < LEAST_ROWS:
        said = ", ".join(f"{n} for {reason}" for reason, n in counted.items()) or "none left out"
        message = f"{len(kept)} of {len(records)} rows may teach, {LEAST_ROWS} are needed ({said}); record for longer"
        raise InvalidInput("the plant's records", [Fault("", "too_few", message)])
    order = np.argsort(kept.time)
    return ScreenedRecords(kept.at(order), counted)


def _refuse_units(cop: Array, ambient_c: Array) -> None:
    typical = float(np.median(cop)) if len(cop) else 5.0
    if not 1 / _UNIT <= typical / 5.0 <= _UNIT:
        message = f"heat over power is {typical:g} in the middle: one of them is in another unit; give both in MW"
        raise InvalidInput("the plant's records", [Fault("power_mw", "unit_suspect", message)])
    middle = float(np.median(ambient_c)) if len(ambient_c) else 0.0
    if not _USUAL_C[0] <= middle <= _USUAL_C[1]:
        message = f"{middle:g} in the middle is no ambient in degC; give degrees Celsius, not Fahrenheit or Kelvin"
        raise InvalidInput("the plant's records", [Fault("ambient_c", "unit_suspect", message)])


def _rows_a_day(times: Times) -> int:
    steps = np.diff(np.unique(times[~np.isnat(times)]))
    return int(np.timedelta64(1, "D") / np.median(steps)) if len(steps) else 0


def _stuck(value: Array, other: Array, least: int = STUCK_ROWS) -> npt.NDArray[np.bool_]:
    """Rows after the first of a run of one value, where the other moves by more than a hundredth meanwhile."""
    found = np.zeros(len(value), bool)
    begin = 0
    for k in range(1, len(value) + 1):
        if k < len(value) and value[k] == value[begin]:
            continue
        run = other[begin:k]
        run = run[np.isfinite(run)]
        if k - begin >= least and len(run) and np.ptp(run) > 0.01 * max(abs(float(np.median(run))), 1e-12):
            found[begin + 1 : k] = True
        begin = k
    return found
