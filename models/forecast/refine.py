"""Hours to quarter hours: each hour's mean is kept, the shape within it comes from what is known of it.

For sun the shape is cloudless power (a constant clear-sky index within the hour), for wind the straight line between
the hours' middles. No value passes the top: what the shape would put above it goes to the hour's other parts.
Means and shapes decide alone, both monotonically, so quantiles that did not cross do not cross after.
"""

from __future__ import annotations

import numpy as np

from models.errors import Fault, InvalidInput
from models.series import Values


def by_shape(means: Values, shape: Values, top: float) -> Values:
    """``means`` (shape ``(n,)``, 0 to ``top``) spread like ``shape`` (``(n * parts,)``, not negative).

    An hour without any shape (the sun down throughout) is 0 where its mean is, else even.

    Raises:
        InvalidInput: lengths that do not fit, means outside 0 to ``top``.
    """
    parts, rest = divmod(len(shape), max(1, len(means)))
    if rest or not parts or (means < 0).any() or (means > top * (1 + 1e-12)).any():
        message = f"{len(means)} means within 0 to {top:g} and a multiple of as many shape values are needed"
        raise InvalidInput("the refinement", [Fault("means", "unfit", message)])
    weights = np.maximum(shape.reshape(-1, parts), 0.0)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0 / parts)
    return _filled(means, weights, top).reshape(-1)


def straight(means: Values, parts: int) -> Values:
    """A shape for :func:`by_shape`: straight lines between the hours' middles, 0 in hours that are 0.

    Take one shape (the P50's) for all quantiles: each by its own line could cross.
    """
    fine = (np.arange(len(means) * parts) + 0.5) / parts
    line: Values = np.interp(fine, np.arange(len(means)) + 0.5, means)
    return np.where(np.repeat(means, parts) > 0, line, 0.0)


def _filled(means: Values, weights: Values, top: float) -> Values:
    """Fill each hour's parts by weight; what passes the top is poured into those below it (at most ``parts`` times)."""
    parts = weights.shape[1]
    wanted = means * parts
    out = np.zeros_like(weights)
    for _ in range(parts):
        left = wanted - out.sum(axis=1)
        free = np.where(out < top, weights, 0.0)
        # Parts without weight (before sunrise) take only what the others cannot.
        free = np.where(free.sum(axis=1, keepdims=True) > 0, free, (out < top).astype(np.float64))
        total = np.maximum(free.sum(axis=1), 1e-300)
        out = np.minimum(out + free * (left / total)[:, None], top)
    filled: Values = out
    return filled
