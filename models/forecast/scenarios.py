"""Scenarios: whole courses of several quantities that hang together, from their quantiles and past errors.

A Gaussian copula over slots and quantities: past outcomes are placed in their own forecasts (PIT), turned to normal
scores, and their correlation is shrunk (Ledoit & Wolf 2004); draws of it are mapped back through today's quantiles.
Judged by the energy score and the variogram score (Gneiting & Raftery 2007; Scheuerer & Hamill 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.covariance import LedoitWolf

from models.errors import Fault, InvalidInput
from models.series import Values

LEAST_DAYS = 20  # past courses from which a correlation is learned
_EDGE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Copula:
    """``root`` (shape ``(d, d)``): Cholesky root of the correlation of ``d`` columns; ``days`` taught it."""

    root: Values
    days: int


def copula(placed: Values) -> Copula:
    """From probabilities of past outcomes in their forecasts, shape ``(days, d)``, NaN where unknown.

    A column that says nothing (night) stays independent.

    Raises:
        InvalidInput: fewer than :data:`LEAST_DAYS` days, or probabilities outside 0 to 1.
    """
    if placed.ndim != 2 or len(placed) < LEAST_DAYS:
        message = f"{placed.shape} probabilities; at least {LEAST_DAYS} past courses are needed"
        raise InvalidInput("the copula", [Fault("placed", "too_short", message)])
    known = np.isfinite(placed)
    if (placed[known] < 0).any() or (placed[known] > 1).any():
        raise InvalidInput("the copula", [Fault("placed", "outside", "a probability leaves 0 to 1")])
    normal = np.where(known, ndtri(np.clip(np.where(known, placed, 0.5), _EDGE, 1 - _EDGE)), 0.0)
    spread = normal.std(axis=0)
    telling = (spread > 0) & (known.mean(axis=0) > 0.5)
    scores = (normal[:, telling] - normal[:, telling].mean(axis=0)) / spread[telling]
    correlation = np.eye(placed.shape[1])
    if telling.any():
        covariance = LedoitWolf(assume_centered=True).fit(scores).covariance_
        scale = np.sqrt(np.diag(covariance))
        correlation[np.ix_(telling, telling)] = covariance / np.outer(scale, scale)
    root = np.linalg.cholesky(correlation + 1e-9 * np.eye(len(correlation)))
    return Copula(np.asarray(root, dtype=np.float64), len(placed))


def drawn(found: Copula, quantiles: Values, levels: Values, count: int, seed: int) -> Values:
    """``count`` courses, shape ``(count, d)``, from quantiles of shape ``(levels, d)``; within the outermost quantiles.

    Raises:
        InvalidInput: shapes that do not fit.
    """
    d = len(found.root)
    if quantiles.shape != (len(levels), d):
        message = f"quantiles of shape {quantiles.shape} for {len(levels)} levels and {d} columns of the copula"
        raise InvalidInput("the scenarios", [Fault("quantiles", "shape", message)])
    chance = ndtr(np.random.default_rng(seed).standard_normal((count, d)) @ found.root.T)
    return np.stack([np.interp(chance[:, k], levels, quantiles[:, k]) for k in range(d)], axis=1)


def energy_score(scenarios: Values, actual: Values) -> float:
    """Mean distance to ``actual`` (shape ``(d,)``) less half the mean distance among ``scenarios`` (``(m, d)``).

    In the unit of the values, 0 is perfect; Gneiting & Raftery 2007, eq. 22, with the fair mean over pairs.
    """
    m = len(scenarios)
    off = float(np.linalg.norm(scenarios - actual, axis=1).mean())
    among = sum(float(np.linalg.norm(scenarios[k + 1 :] - scenarios[k], axis=1).sum()) for k in range(m - 1))
    return off - among / (m * (m - 1))


def variogram_score(scenarios: Values, actual: Values, power: float = 0.5) -> float:
    """Mean squared error of |x_i - x_j|^power over pairs (Scheuerer & Hamill 2015): blames wrong correlation."""
    i, j = np.triu_indices(len(actual), k=1)
    said = np.zeros(len(i))
    for course in scenarios:
        said += np.abs(course[i] - course[j]) ** power
    came = np.abs(actual[i] - actual[j]) ** power
    return float(((came - said / len(scenarios)) ** 2).mean())
