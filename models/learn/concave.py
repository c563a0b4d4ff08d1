"""The nearest rising and concave curve: more power never slows a job, and each watt buys no more than the one before.

A concave rising function on given abscissae is a level plus hinges ``min(x, knot)`` with weights at or above 0,
so the nearest one is a non-negative least-squares problem (Lawson & Hanson 1974), solved exactly and without knobs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from models.errors import Fault, InvalidInput

Array = npt.NDArray[np.float64]


def nearest_concave(x: Array, y: Array, weight: Array) -> Array:
    """Values at ``x`` of the rising, concave function at or above 0 that lies nearest to ``y``.

    ``x`` strictly rising, shape ``(n,)``; ``weight`` above 0 multiplies the residuals (1 / standard deviation).

    Raises:
        InvalidInput: shapes that differ, values that are not finite, ``x`` that does not rise, weights not above 0.
    """
    faults = []
    if not x.shape == y.shape == weight.shape or x.ndim != 1 or not len(x):
        faults.append(Fault("x", "shape", f"shapes {x.shape}, {y.shape}, {weight.shape}; give one value each a point"))
    elif not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(weight).all()):
        faults.append(Fault("y", "not_finite", "a value is missing or infinite; leave such points out"))
    elif (np.diff(x) <= 0).any():
        faults.append(Fault("x", "not_rising", "sort the points and join those with the same abscissa"))
    elif (weight <= 0).any():
        faults.append(Fault("weight", "not_positive", f"{weight.min():g}; weights are above 0"))
    if faults:
        raise InvalidInput("the points of a concave curve", faults)
    hinges = np.minimum(x[:, None], x[None, 1:]) - x[0]
    basis = np.concatenate([np.ones((len(x), 1)), hinges], axis=1)
    amounts, _ = nnls(basis * weight[:, None], y * weight)
    found: Array = basis @ amounts
    return found
