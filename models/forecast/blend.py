"""Half boosting, half forest: all quantiles of a target from features.

Boosted trees (scikit-learn, pinball loss) are fitted at a few levels; between and beyond these the forest's own
shape holds, moved by half of what the two differ there, as straight lines. In both contests of 2014 the half way
between the two beat either; the forest alone is too wide, boosting alone too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from models.forecast.features import Matrix
from models.forecast.quantile_trees import QuantileTrees, grow
from models.series import Values


@dataclass(frozen=True, slots=True)
class Recipe:
    """How large and how careful the trees are; what the defaults reach is in docs/guide/forecasts.md."""

    knots: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    rounds: int = 200
    learning_rate: float = 0.05
    leaves: int = 20
    boosting_min_leaf: int = 40
    boosting_features: float = 0.5
    trees: int = 100
    forest_min_leaf: int = 5
    forest_features: float = 0.5
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """``boosted[k]`` answers the level ``recipe.knots[k]``."""

    recipe: Recipe
    boosted: tuple[Any, ...]
    forest: QuantileTrees

    def predict(self, x: Matrix, levels: Values) -> Values:
        """Quantiles of shape ``(len(x), len(levels))``, rising along the levels, held by nothing else."""
        if not len(x):
            return np.empty((0, len(levels)))
        knots = np.asarray(self.recipe.knots)
        both = self.forest.predict(x, np.concatenate([levels, knots]))
        wide, at_knots = both[:, : len(levels)], both[:, len(levels) :]
        with threadpool_limits(1, user_api="openmp"):
            narrow = np.sort(np.stack([model.predict(x) for model in self.boosted], axis=1), axis=1)
        moved = wide + _lines((narrow - at_knots) / 2, knots, levels)
        rising: Values = np.sort(moved, axis=1)
        return rising


def fit(x: Matrix, y: Values, recipe: Recipe) -> Blend:
    """Blend fitted to ``x`` (shape ``(n, k)``) and ``y`` (shape ``(n,)``, no missing value)."""
    # One thread: several wait for each other in a busy loop, which on a shared machine costs more than they gain.
    with threadpool_limits(1, user_api="openmp"):
        boosted = tuple(_boosted(level, recipe).fit(x, y) for level in recipe.knots)
    forest = grow(
        x,
        y,
        trees=recipe.trees,
        min_leaf=recipe.forest_min_leaf,
        share_of_features=recipe.forest_features,
        seed=recipe.seed,
    )
    return Blend(recipe, boosted, forest)


def _boosted(level: float, recipe: Recipe) -> Any:
    return HistGradientBoostingRegressor(
        loss="quantile",
        quantile=level,
        max_iter=recipe.rounds,
        learning_rate=recipe.learning_rate,
        max_leaf_nodes=recipe.leaves,
        min_samples_leaf=recipe.boosting_min_leaf,
        max_features=recipe.boosting_features,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=recipe.seed,
    )


def _lines(differences: Values, knots: Values, levels: Values) -> Values:
    """Straight lines between the knots, held at the first and the last; shape ``(n, len(levels))``."""
    right = np.clip(np.searchsorted(knots, levels), 1, len(knots) - 1)
    share = np.clip((levels - knots[right - 1]) / (knots[right] - knots[right - 1]), 0.0, 1.0)
    along: Values = differences[:, right - 1] * (1.0 - share) + differences[:, right] * share
    return along
