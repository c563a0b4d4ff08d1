"""Extremely randomised trees that answer quantiles (Meinshausen 2006; Geurts, Ernst & Wehenkel 2006).

scikit-learn grows the trees; a query's answer is the weighted distribution of the training targets that share its
leaves, each leaf weighing the same. All quantiles come from one distribution, so they cannot cross.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.ensemble import ExtraTreesRegressor

from models.forecast.features import Matrix
from models.series import Values

_QUERIES_AT_ONCE = 512  # bounds the weight matrix to some tens of megabytes


@dataclass(frozen=True, slots=True, eq=False)
class QuantileTrees:
    """``forest`` with the training targets in rising order and the leaf (node number) of each in each tree."""

    forest: Any
    targets: Values
    leaves: npt.NDArray[np.int32]

    def predict(self, x: Matrix, levels: Values) -> Values:
        """Quantiles of shape ``(len(x), len(levels))``, rising along the levels."""
        members, first = self._members()
        found = np.empty((len(x), len(levels)))
        for begin in range(0, len(x), _QUERIES_AT_ONCE):
            part = slice(begin, begin + _QUERIES_AT_ONCE)
            reached = first + self.forest.apply(x[part]).astype(np.int64)
            rows = np.repeat(np.arange(len(reached)), reached.shape[1])
            picks = sparse.csr_matrix(
                (np.ones(reached.size), (rows, reached.ravel())), shape=(len(reached), members.shape[0])
            )
            reach = np.cumsum(((picks @ members) / reached.shape[1]).toarray(), axis=1)
            for k, row in enumerate(reach):
                # The value at the middle of its own weight, straight lines in between.
                found[begin + k] = np.interp(levels, row - np.diff(row, prepend=0.0) / 2, self.targets)
        return found

    def _members(self) -> tuple[Any, npt.NDArray[np.int64]]:
        """Sparse (leaf, sample) matrix with rows that sum to 1, and where each tree's leaves begin in it."""
        sizes = np.array([tree.tree_.node_count for tree in self.forest.estimators_], dtype=np.int64)
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        leaf = (first + self.leaves).ravel()
        count = np.bincount(leaf, minlength=int(sizes.sum()))
        columns = np.repeat(np.arange(len(self.targets)), len(sizes))
        shape = (int(sizes.sum()), len(self.targets))
        return sparse.csr_matrix((1.0 / count[leaf], (leaf, columns)), shape=shape), first


def grow(x: Matrix, y: Values, *, trees: int, min_leaf: int, share_of_features: float, seed: int) -> QuantileTrees:
    """Forest fitted to ``x`` (shape ``(n, k)``) and ``y`` (shape ``(n,)``)."""
    order = np.argsort(y, kind="stable")
    forest = ExtraTreesRegressor(
        trees, min_samples_leaf=min_leaf, max_features=share_of_features, random_state=seed, n_jobs=1
    ).fit(x[order], y[order])
    return QuantileTrees(forest, y[order], forest.apply(x[order]).astype(np.int32))
