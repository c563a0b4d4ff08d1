"""The fan law, and the slow answer of the hall's air or the loop, from measurements, each with confidence bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.signal import lfilter

from models.errors import Fault, InvalidInput
from models.learn.bounds import Bounded, Rows, bounded
from models.series import Series

Array = npt.NDArray[np.float64]
_LEAST_SPREAD = 0.15
_BLOCKS = 20


@dataclass(frozen=True, slots=True)
class FanLaw:
    """Power = rated x (fixed + (1 - fixed) x speed ** exponent), as :mod:`models.cooling` has it."""

    rated_mw: Bounded
    fixed_share: Bounded
    exponent: Bounded


def fit_fan_law(speed: Array, power_mw: Array) -> FanLaw:
    """From speeds (share of rated) and electric MW, shapes ``(n,)``, in order of time.

    Raises:
        InvalidInput: values that are missing or out of range, fewer than 100 rows, speeds that hardly move (under 0.15
            between the 5th and 95th percentile), a power that does not move.
    """
    faults = []
    if speed.shape != power_mw.shape or len(speed) < 100:
        faults.append(Fault("speed", "too_few", f"{len(speed)} speeds, {len(power_mw)} powers; give 100 rows or more"))
    elif not (np.isfinite(speed).all() and np.isfinite(power_mw).all()):
        faults.append(Fault("power_mw", "not_finite", "a value is missing or infinite; leave its row out"))
    elif not ((speed >= 0) & (speed <= 1.1)).all():
        message = f"speeds from {speed.min():g} to {speed.max():g}; write shares of the rated speed, 0 to 1"
        faults.append(Fault("speed", "out_of_range", message))
    elif np.subtract(*np.quantile(speed, [0.95, 0.05])) < _LEAST_SPREAD:
        message = f"the speed stays within {np.ptp(speed):.2f}; the law shows only where it moves: let it"
        faults.append(Fault("speed", "no_variation", message))
    elif np.ptp(power_mw) == 0:
        faults.append(Fault("power_mw", "stuck", f"{power_mw[0]:g} MW at every speed: the meter is stuck; mend it"))
    if faults:
        raise InvalidInput("the fan's records", faults)

    def fit(rows: Rows) -> Array:
        x, y = speed[rows], power_mw[rows]
        top = float(np.quantile(y, 0.99))

        def misfit(p: Array) -> Array:
            return np.asarray(p[0] * (p[1] + (1 - p[1]) * x ** p[2]) - y) / (0.02 * top)

        begin = [top / max(float(x.max()) ** 3, 0.1), 0.05, 2.8]
        limits = ([1e-9, 0.0, 1.0], [100 * top, 0.95, 3.0])
        found: Array = least_squares(misfit, begin, bounds=limits, loss="soft_l1", x_scale=[top, 0.1, 0.5]).x
        return found

    return FanLaw(*bounded(fit, np.array_split(np.arange(len(speed)), _BLOCKS)))


@dataclass(frozen=True, slots=True)
class SlowAnswer:
    """One resistance and one capacity: steady temperature = set-point + rise x load, reached with a time constant."""

    time_constant_min: Bounded
    rise_at_rated_k: Bounded
    setpoint_c: Bounded
    rms_k: float


def fit_slow_answer(air_c: Series, load: Series) -> SlowAnswer:
    """From temperatures at the end of each slot and the load (share of the side's rated heat) during it.

    Output error: the model runs freely from its own state, so that a sensor's noise does not shorten the time constant
    as it does where each step starts from the last reading. Gaps cut the record into pieces.

    Raises:
        InvalidInput: series of other slots, fewer than 200 whole slots, a stuck sensor, a load that hardly moves.
    """
    _check_slow(air_c, load)
    step_min = air_c.step / timedelta(minutes=1)
    pieces = _whole_pieces(air_c.values, load.values)

    def fit(rows: Rows) -> Array:
        chosen = [pieces[k] for k in rows]
        start = np.array([np.log(12.0), 4.0, float(np.median(air_c.values[np.isfinite(air_c.values)]))])
        low, high = [np.log(step_min / 3), -20.0, -20.0], [np.log(600.0), 60.0, 60.0]
        run = least_squares(
            lambda p: np.concatenate([_run(p, t, q, step_min) - t for t, q in chosen]), start, bounds=(low, high)
        )
        found: Array = run.x
        return found

    places = [np.array([k], dtype=np.intp) for k in range(len(pieces))]
    tau, rise, setpoint = bounded(fit, places)
    best = np.array([tau.value, rise.value, setpoint.value])
    left = np.concatenate([_run(best, t, q, step_min) - t for t, q in pieces])
    minutes = Bounded(*(float(np.exp(v)) for v in (tau.value, tau.low, tau.high)))
    return SlowAnswer(minutes, rise, setpoint, float(np.sqrt(np.mean(left**2))))


def _run(p: Array, air_c: Array, load: Array, step_min: float) -> Array:
    keep = float(np.exp(-step_min / np.exp(p[0])))
    begin = float(np.mean(air_c[:3]))  # the state at the beginning, less noisy than one reading
    found: Array = lfilter([1 - keep], [1.0, -keep], p[2] + p[1] * load, zi=[keep * begin])[0]
    return found


def _whole_pieces(air_c: Array, load: Array) -> list[tuple[Array, Array]]:
    """The record cut at gaps, and then into about twenty pieces, for bounds."""
    whole = np.isfinite(air_c) & np.isfinite(load)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], whole.astype(int), [0]])))
    longest = max(24, int(whole.sum()) // _BLOCKS)
    found = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        parts = max(1, (end - begin) // longest)
        for rows in np.array_split(np.arange(begin, end), parts):
            if len(rows) >= 12:
                found.append((air_c[rows], load[rows]))
    return found


def _check_slow(air_c: Series, load: Series) -> None:
    faults = []
    if (air_c.start, air_c.step, len(air_c)) != (load.start, load.step, len(load)):
        faults.append(Fault("load", "other_slots", "temperature and load stand on other slots; resample one of them"))
    else:
        whole = np.isfinite(air_c.values) & np.isfinite(load.values)
        if whole.sum() < 200:
            faults.append(Fault("air_c", "too_few", f"{int(whole.sum())} whole slots; 200 or more are needed"))
        elif np.ptp(air_c.values[whole]) == 0:
            message = f"{air_c.values[whole][0]:g} degC in every slot: the sensor is stuck; mend it"
            faults.append(Fault("air_c", "stuck", message))
        elif np.ptp(load.values[whole]) < 0.05:
            message = f"the load moves by {np.ptp(load.values[whole]):.3f}; days on which it moves are needed"
            faults.append(Fault("load", "no_variation", message))
    if faults:
        raise InvalidInput("the hall's records", faults)
