"""Many quantiles judged at once: pinball over all levels, and whether they cover what they say.

Power has atoms: a calm farm gives exactly 0, and quantiles that all say 0 are neither above nor below it. Where
the outcome equals quantiles, its probability is drawn evenly between their levels (randomised PIT: Czado, Gneiting
& Held 2009), with a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.series import Values

DECILES = np.arange(1, 10) / 10


def pinball(quantiles: Values, levels: Values, actual: Values) -> Values:
    """Mean over the levels of the pinball loss, for each row; shape ``(n,)`` (Koenker & Bassett 1978)."""
    error = actual[:, None] - quantiles
    loss: Values = np.maximum(levels * error, (levels - 1.0) * error).mean(axis=1)
    return loss


def probabilities(quantiles: Values, levels: Values, actual: Values, seed: int = 0) -> Values:
    """Where each outcome fell in its forecast, 0 to 1 (shape ``(n,)``); even in [0, 1] for a forecast that holds.

    Straight lines between the quantiles; below the first and above the last even in what is left.
    """
    full = np.concatenate([[0.0], levels, [1.0]])
    below = (quantiles < actual[:, None]).sum(axis=1)
    upto = (quantiles <= actual[:, None]).sum(axis=1)
    drawn = np.random.default_rng(seed).uniform(size=len(actual))
    tied = upto > below
    # Quantiles below+1 .. upto equal the outcome: anything from the level before the first to the last may be meant,
    # but at the foot and the top only what the equal quantiles themselves span.
    low = np.where(below == 0, 0.0, full[np.minimum(below + 1, upto)])
    high = np.where(upto == len(levels), 1.0, full[upto])
    rows = np.arange(len(actual))
    left = quantiles[rows, np.maximum(below - 1, 0)]
    right = quantiles[rows, np.minimum(below, len(levels) - 1)]
    inside = (below > 0) & (below < len(levels)) & ~tied
    span = np.where(inside & (right > left), right - left, 1.0)
    share = np.where(inside, (actual - left) / span, drawn)
    between = full[below] + share * (full[below + 1] - full[below])
    placed: Values = np.where(tied, low + drawn * (high - low), between)
    return placed


@dataclass(frozen=True, slots=True)
class Reliability:
    """``cover``: share of outcomes in P5 to P95 (0.90 is meant); ``decile_error``: mean distance of the nine
    deciles' shares from what they say; ``below_p5``, ``above_p95``: the two tails (0.05 each is meant)."""

    cover: float
    decile_error: float
    below_p5: float
    above_p95: float


def reliability(placed: Values) -> Reliability:
    """Judgement of :func:`probabilities`."""
    below, above = float((placed < 0.05).mean()), float((placed > 0.95).mean())
    error = np.mean([abs((placed <= level).mean() - level) for level in DECILES])
    return Reliability(1.0 - below - above, float(error), below, above)
