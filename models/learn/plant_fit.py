"""The physics of a cooling side from its records: the parameters of the site file, with confidence bounds.

Least squares of log power (soft-L1, so that odd hours do not lead) around the catalogue's row as a prior of stated
width: what the records do not show stays where the catalogue had it, and its bounds say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from models.cooling import free_share, side_power_mw
from models.cooling_plant import CoolingSide
from models.errors import Fault, InvalidInput
from models.learn.bounds import Bounded, Rows, bounded, by_day
from models.learn.plant_records import PlantRecords

Array = npt.NDArray[np.float64]
_SCATTER = 0.05
_ROOM = {  # standard deviation of the prior, lowest and highest value
    "carnot_share": (0.15, 0.05, 1.0),
    "condenser_k": (6.0, 0.0, 30.0),
    "approach_k": (4.0, 0.0, 25.0),
    "fan_w_per_kw": (30.0, 0.5, 300.0),
    "fan_fixed_share": (0.2, 0.0, 1.0),
}
_COMPRESSOR = ("carnot_share", "condenser_k", "approach_k")
_MOST_ROWS = 4000
MEASURED_ERROR = 0.15
"""Mean error of the power, as a share, above which the records follow something else than a side's physics."""


@dataclass(frozen=True, slots=True)
class IdentifiedSide:
    """The side with its learned parameters, the bounds of each, the ambient of the free-cooling switch, the misfit.

    ``free_below_c``: at and below this ambient all heat leaves without a compressor; None for a dry cooler.
    ``mape``: mean absolute error of the power over the records, as a share. ``unseen``: parameters that the records
    do not show (never cold enough to switch, say), which therefore stay the catalogue's.
    """

    side: CoolingSide
    parameters: dict[str, Bounded]
    free_below_c: Bounded | None
    mape: float
    unseen: tuple[str, ...]


def identify_side(records: PlantRecords, prior: CoolingSide, source: str) -> IdentifiedSide:
    """Learn a side from screened records of its own heat and power.

    It is called *measured* where its mean error is at most :data:`MEASURED_ERROR`; else it stays a *prior*.

    Raises:
        InvalidInput: fewer than five days, or heat above what the side can remove (units, or a wrong rated_heat_mw).
    """
    _check(records, prior)
    names = tuple(n for n in _ROOM if prior.kind != "dry-cooler" or n not in _COMPRESSOR)
    begin = _begin(records, prior, names)
    unseen = _unseen(records, prior.model_copy(update=begin))
    names = tuple(name for name in names if name not in unseen)
    found = bounded(lambda rows: _fit(records.at(_thinned(rows)), prior, names, begin)[0], by_day(records.time))
    parameters = dict(zip(names, found, strict=True))
    fitted = prior.model_copy(update={name: round(p.value, 4) for name, p in parameters.items()})
    power = side_power_mw(records.heat_mw, records.ambient_c, fitted)
    mape = float(np.mean(np.abs(power - records.power_mw) / records.power_mw))
    told = f"{source}: {len(records)} records of {len(by_day(records.time))} days"
    side = fitted.model_copy(
        update={"evidence": "measured", "source": told}
        if mape <= MEASURED_ERROR
        else {"evidence": "prior", "source": f"{told}, which the side's physics miss by {mape:.0%}"}
    )
    approach = parameters.get("approach_k")
    switch = None
    if approach is not None:
        switch = Bounded(*(side.supply_c - k for k in (approach.value, approach.high, approach.low)))
    return IdentifiedSide(
        CoolingSide.model_validate(side.model_dump()),
        parameters,
        switch,
        mape,
        unseen,
    )


def _check(records: PlantRecords, prior: CoolingSide) -> None:
    most = float(np.quantile(records.heat_mw, 0.99))
    if most > 1.5 * prior.capacity_top * prior.rated_heat_mw:
        message = (
            f"{most:g} MW of heat, but the side is rated {prior.rated_heat_mw:g} MW; mend rated_heat_mw or the unit"
        )
        raise InvalidInput("the plant's records", [Fault("heat_mw", "above_capacity", message)])


def _begin(records: PlantRecords, prior: CoolingSide, names: tuple[str, ...]) -> dict[str, float]:
    """Where to begin: the better of two fits, since a switch that begins beyond the records cannot be felt."""
    rows = records.at(_thinned(np.arange(len(records))))
    starts = [{n: float(getattr(prior, n)) for n in names}]
    if "approach_k" in names:
        starts.append({**starts[0], "approach_k": 1.0})
    tried = [_fit(rows, prior, names, start) for start in starts]
    best, _ = min(tried, key=lambda result: result[1])
    return dict(zip(names, (float(v) for v in best), strict=True))


def _unseen(records: PlantRecords, fitted: CoolingSide) -> tuple[str, ...]:
    """Parameters that these records cannot show."""
    if fitted.kind == "dry-cooler":
        return ()
    free = free_share(records.ambient_c, fitted)
    missing = [] if (free > 0).mean() > 0.02 else ["approach_k"]
    if (free >= 1).mean() < 0.02 and np.ptp(records.heat_mw) < 0.2 * float(np.median(records.heat_mw)):
        missing += ["fan_w_per_kw", "fan_fixed_share"]
    return tuple(missing)


def _thinned(rows: Rows) -> Rows:
    return rows if len(rows) <= _MOST_ROWS else rows[:: -(-len(rows) // _MOST_ROWS)]


def _fit(
    records: PlantRecords, prior: CoolingSide, names: tuple[str, ...], begin: dict[str, float]
) -> tuple[Array, float]:
    """The parameters ``names``, found from ``begin`` on, and what is left of misfit and distance from the prior."""
    wanted = np.log(records.power_mw)
    usual = np.array([float(getattr(prior, n)) for n in names])
    width, low, high = (np.array([_ROOM[n][k] for n in names]) for k in range(3))
    # Neighbouring hours repeat each other: a day's rows weigh as some six independent ones.
    weight = np.sqrt(6.0 * len(np.unique(records.time.astype("datetime64[D]"))) / len(records)) / _SCATTER

    def misfit(theta: Array) -> Any:
        side = prior.model_copy(update=dict(zip(names, theta, strict=True)))
        power = np.maximum(side_power_mw(records.heat_mw, records.ambient_c, side), 1e-9)
        return np.concatenate([(np.log(power) - wanted) * weight, (theta - usual) / width])

    start = np.clip([begin[n] for n in names], low + 1e-6, high - 1e-6)
    found = least_squares(misfit, start, bounds=(low, high), loss="soft_l1", x_scale=width)
    return found.x, float(found.cost)
