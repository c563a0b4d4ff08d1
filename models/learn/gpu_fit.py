"""A GPU's speed over drawn power, from a few measured limits and the family of curves that are known already.

The logarithm of speed over (drawn W / highest limit) is a Gaussian process (Rasmussen & Williams 2006, ch. 2): its mean
is the mean of the known curves, its covariance the directions in which they differ from each other, plus a smooth
remainder. Measurements condition it; what nobody measured keeps the family's shape and a wide band. The nearest rising
concave curve to that is what a plan may use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from models.checking import Evidence
from models.errors import Fault, InvalidInput
from models.gpu_power import CapCurve, CapPoint, GpuModel
from models.jobs import Workload
from models.learn.concave import nearest_concave
from models.learn.gpu_samples import LimitPoint

Array = npt.NDArray[np.float64]
DIRECTIONS = 2
REMAINDER, REACH = 0.03, 0.5
"""Standard deviation of log speed that the family does not explain, and how far it is alike (in log drawn share)."""
_KNOWN = 0.005
_Z90 = 1.6449
MEASURED_LIMITS, MEASURED_BAND = 4, 0.04
"""A curve counts as measured from so many limits on, where half its 90 % band is at most this share of full speed."""
_TOP, _FREE = 0.97, 0.85
_SURE = 5.0  # standard errors by which a rate must fall with power to be refused
"""A limit of at least this share of the highest one is full speed; so is one of which less than this share is drawn."""


@dataclass(frozen=True, slots=True)
class Known:
    """A curve that is known: drawn W over the GPU's highest limit (rising), and speed (1 at the top)."""

    share: tuple[float, ...]
    speed: tuple[float, ...]


def family_of(models: Iterable[GpuModel], leave_out: str | None = None) -> tuple[Known, ...]:
    """Curves of catalogue rows of at least three points, but for the row ``leave_out``; measured ones where there are.

    A prior that was made from a measured curve would count that curve twice.
    """
    rows = [
        (
            curve.evidence,
            Known(tuple(p.drawn_w / m.max_limit_w for p in curve.points), tuple(p.speed for p in curve.points)),
        )
        for m in models
        if m.key != leave_out
        for curve in m.curves
        if len(curve.points) >= 3
    ]
    measured = tuple(known for evidence, known in rows if evidence == "measured")
    return measured or tuple(known for _, known in rows)


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Speed at drawn shares ``share`` (rising): a rising, concave middle with its 90 % band. Shapes ``(n,)``."""

    share: Array
    speed: Array
    low: Array
    high: Array


def posterior(family: Sequence[Known], share: Array, speed: Array, error: Array, asked: Array) -> Posterior:
    """Speed at all of ``share`` (measured) and ``asked``, sorted, given measured ``speed`` with relative ``error``.

    Raises:
        InvalidInput: fewer than two known curves, or values that are not finite and above 0.
    """
    _check(family, share, speed, error, asked)
    x = np.unique(np.concatenate([share, asked]))
    logs = np.array([_log_speed(known, x) for known in family])
    mean = logs.mean(axis=0)
    _, sizes, directions = np.linalg.svd(logs - mean, full_matrices=False)
    kept = min(DIRECTIONS, len(family) - 1)
    spread = directions[:kept].T * (sizes[:kept] ** 2 / (len(family) - 1))
    away = np.log(x)[:, None] - np.log(x)[None]
    cov = spread @ directions[:kept] + REMAINDER**2 * np.exp(-0.5 * (away / REACH) ** 2)
    at = np.searchsorted(x, share)
    seen = cov[np.ix_(at, at)] + np.diag(np.maximum(error, 1e-3) ** 2)
    gain = np.linalg.solve(seen, cov[at]).T
    middle = mean + gain @ (np.log(speed) - mean[at])
    left = np.maximum(np.diag(cov - gain @ cov[at]), 1e-12) + _KNOWN**2
    sd = np.sqrt(left)
    value = np.exp(middle)
    held = nearest_concave(x, value, 1.0 / (value * sd))
    low, high = np.exp(middle - _Z90 * sd), np.exp(middle + _Z90 * sd)
    return Posterior(x, held, np.minimum(low, held), np.maximum(high, held))


def _log_speed(known: Known, share: Array) -> Array:
    found: Array = PchipInterpolator(known.share, np.log(known.speed), extrapolate=True)(share)
    return found


def _check(family: Sequence[Known], share: Array, speed: Array, error: Array, asked: Array) -> None:
    faults = []
    if len(family) < 2:
        faults.append(Fault("family", "too_few", f"{len(family)} known curve(s); at least two are needed for a prior"))
    for name, values in (("share", share), ("speed", speed), ("asked", asked)):
        if not (np.isfinite(values).all() and (values > 0).all()):
            faults.append(Fault(name, "not_positive", "a value is missing, infinite or not above 0; leave it out"))
    if not share.shape == speed.shape == error.shape:
        faults.append(Fault("share", "shape", f"shapes {share.shape}, {speed.shape}, {error.shape}; give the same"))
    elif len(np.unique(share)) != len(share):
        faults.append(Fault("share", "not_rising", "two limits drew the same power; join them"))
    if faults:
        raise InvalidInput("the measured speeds", faults)


@dataclass(frozen=True, slots=True)
class FittedCurve:
    """Operating points by rising limit, half of the widest 90 % band among them (share of full speed), its evidence."""

    points: tuple[CapPoint, ...]
    half_band: float
    evidence: Evidence
    source: str

    def as_curve(self, workload: Workload) -> CapCurve:
        """As a row of the GPU catalogue."""
        return CapCurve(workload=workload, evidence=self.evidence, source=self.source, points=self.points)


def fit_curve(points: Sequence[LimitPoint], family: Sequence[Known], gpu: GpuModel, source: str) -> FittedCurve:
    """Curve of one workload from measured limits.

    Speed 1 is the highest limit's rate: that limit must be the device's highest, or not bind (draw less than 0.85 of
    it). Limits that bring no power or no speed over the one before are left out and named in ``source``.

    Raises:
        InvalidInput: no measurement at full speed, a limit outside the device's, fewer than two points left, a rate
            that falls as power rises.
    """
    top = points[-1]
    faults = [
        Fault(f"points[{k}].limit_w", "outside_limits", f"{p.limit_w:g} W is none of this GPU's; mend the model's name")
        for k, p in enumerate(points)
        if not gpu.min_limit_w - 1 <= p.limit_w <= gpu.max_limit_w + 1
    ]
    if top.limit_w < _TOP * gpu.max_limit_w and top.drawn_w >= _FREE * top.limit_w:
        message = (
            f"the highest limit measured is {top.limit_w:g} W and binds ({top.drawn_w:g} W drawn); measure at "
            f"{gpu.max_limit_w:g} W too, so that full speed is known"
        )
        faults.append(Fault("points", "no_full_speed", message))
    if faults:
        raise InvalidInput("the measured limits", faults)
    used, idle = _rising(points)
    _refuse_falling(used)
    share = np.array([p.drawn_w for p in used]) / gpu.max_limit_w
    rate = np.array([p.rate for p in used]) / top.rate
    error = np.array([p.error for p in used])
    found = posterior(family, share, rate, np.append(np.hypot(error[:-1], top.error), 1e-3), share)
    speed = np.minimum(found.speed / found.speed[-1], 1.0)
    half_band = float(((found.high - found.low) / 2).max())
    measured = len(used) >= MEASURED_LIMITS and half_band <= MEASURED_BAND
    kept = _strictly(tuple(zip(used, speed, strict=True)))
    said = f"{source}; {sum(p.windows for p in used)} windows under {len(used)} limits, 90 % band +-{half_band:.3f}"
    said += f"; limits that changed nothing: {', '.join(f'{w:g}' for w in idle)} W" if idle else ""
    return FittedCurve(kept, half_band, "measured" if measured else "prior", said)


def _rising(points: Sequence[LimitPoint]) -> tuple[list[LimitPoint], list[float]]:
    """Points by strictly rising draw up to the top, and the limits of the others (they did not bind)."""
    used: list[LimitPoint] = []
    idle: list[float] = []
    for point in reversed(points):
        if used and point.drawn_w >= 0.995 * used[-1].drawn_w:
            idle.append(point.limit_w)
        else:
            used.append(point)
    if len(used) < 2:
        message = "no limit measured lowers the power of this workload; measure under lower ones"
        raise InvalidInput("the measured limits", [Fault("points", "never_binds", message)])
    return used[::-1], idle[::-1]


def _refuse_falling(points: Sequence[LimitPoint]) -> None:
    low, top = points[0], points[-1]
    if low.rate > top.rate * (1.0 + _SURE * float(np.hypot(low.error, top.error))):
        message = (
            f"{low.rate:g} at {low.drawn_w:g} W and {top.rate:g} at {top.drawn_w:g} W: more power slows no job; "
            "give work done per second, not seconds per step, and measure while nothing else changes"
        )
        raise InvalidInput("the measurements", [Fault("rate", "falls", message)])


def _strictly(rows: tuple[tuple[LimitPoint, float], ...]) -> tuple[CapPoint, ...]:
    """As a catalogue wants them: limit, draw and speed all rise, the top is 1."""
    kept: list[CapPoint] = []
    for point, speed in reversed(rows):
        value = 1.0 if not kept else round(float(speed), 4)
        if not kept or 0.0 < value < kept[-1].speed:
            kept.append(CapPoint(limit_w=point.limit_w, drawn_w=round(point.drawn_w, 1), speed=value))
    return tuple(kept[::-1])
