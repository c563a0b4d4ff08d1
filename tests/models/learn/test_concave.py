"""The nearest rising concave curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import InvalidInput
from models.learn.concave import nearest_concave

VALUES = arrays(np.float64, st.integers(2, 9), elements=st.floats(0.0, 5.0))


@settings(deadline=None)
@given(VALUES, st.integers(0, 10_000))
def test_it_rises_is_concave_and_not_negative(y: np.ndarray, seed: int) -> None:
    x = np.cumsum(np.random.default_rng(seed).uniform(0.05, 1.0, len(y)))
    found = nearest_concave(x, y, np.ones(len(y)))
    slope = np.diff(found) / np.diff(x)
    assert (found >= -1e-9).all()
    assert (slope >= -1e-9).all()
    assert (np.diff(slope) <= 1e-7).all()


@settings(deadline=None)
@given(VALUES)
def test_no_other_concave_curve_of_a_hundred_lies_nearer(y: np.ndarray) -> None:
    x = np.arange(float(len(y)))
    best = float(((nearest_concave(x, y, np.ones(len(y))) - y) ** 2).sum())
    rng = np.random.default_rng(len(y))
    for _ in range(100):
        slopes = np.sort(rng.uniform(0, 3, len(y) - 1))[::-1]
        other = rng.uniform(0, 3) + np.concatenate([[0.0], np.cumsum(slopes)])
        assert best <= float(((other - y) ** 2).sum()) + 1e-9


def test_a_concave_curve_stays_as_it_is() -> None:
    x = np.array([100.0, 200.0, 300.0, 400.0])
    y = np.array([0.2, 0.7, 0.9, 1.0])
    assert nearest_concave(x, y, np.ones(4)) == pytest.approx(y)


def test_a_dent_is_shared_between_its_neighbours() -> None:
    # By hand: the nearest concave curve to 0, 0, 2 over 0, 1, 2 is the regression line: slope 1, level -1/3; the level
    # may not be negative, so the line through 0 that is nearest: slope (0*1 + 2*2) / (1 + 4) = 0.8.
    assert nearest_concave(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 2.0]), np.ones(3)) == pytest.approx(
        [0.0, 0.8, 1.6]
    )


@pytest.mark.parametrize(
    ("x", "y", "weight", "code"),
    [
        ([0.0, 1.0], [0.0], [1.0, 1.0], "shape"),
        ([0.0, 1.0], [0.0, np.nan], [1.0, 1.0], "not_finite"),
        ([1.0, 1.0], [0.0, 1.0], [1.0, 1.0], "not_rising"),
        ([0.0, 1.0], [0.0, 1.0], [1.0, 0.0], "not_positive"),
    ],
)
def test_bad_points_are_refused(x: list[float], y: list[float], weight: list[float], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        nearest_concave(np.array(x), np.array(y), np.array(weight))
    assert [fault.code for fault in refused.value.faults] == [code]
