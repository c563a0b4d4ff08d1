"""How long in all, given how long already."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.learn.survival import total_h

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
hours = st.lists(st.floats(0.02, 200.0), min_size=6, max_size=6).map(sorted)
level = st.floats(0.0, 1.0)


def test_a_job_that_has_not_run_has_its_quantiles() -> None:
    quantiles = [1.0, 2.0, 4.0, 8.0, 16.0, 20.0]
    for q, value in zip(LEVELS, quantiles, strict=True):
        assert total_h(LEVELS, quantiles, 0.0, q, 48.0) == pytest.approx(value)


def test_a_job_that_outlived_its_middle_is_believed_longer() -> None:
    # By hand: it has run 4 h, the middle; of those that get so far half end by the 0.75 quantile, 8 h.
    assert total_h(LEVELS, [1.0, 2.0, 4.0, 8.0, 16.0, 20.0], 4.0, 0.5, 48.0) == pytest.approx(8.0)


def test_between_two_quantiles_the_logarithm_is_straight() -> None:
    # By hand: 0.625 is half way from 0.5 to 0.75, so sqrt(4 * 8).
    assert total_h(LEVELS, [1.0, 2.0, 4.0, 8.0, 16.0, 20.0], 0.0, 0.625) == pytest.approx(math.sqrt(32))


@settings(deadline=None)
@given(hours, st.floats(0, 300), level, st.one_of(st.none(), st.floats(0.1, 300)))
def test_it_is_never_less_than_it_has_run_nor_more_than_the_limit(
    quantiles: list[float], ran: float, q: float, limit: float | None
) -> None:
    found = total_h(LEVELS, quantiles, ran, q, limit)
    assert found >= ran
    if limit is not None:
        assert found <= max(limit, ran) * (1 + 1e-6)


@settings(deadline=None)
@given(hours, st.floats(0, 100), st.floats(0, 100), level)
def test_running_on_never_brings_the_end_forward(quantiles: list[float], ran: float, more: float, q: float) -> None:
    assert total_h(LEVELS, quantiles, ran + more, q) >= total_h(LEVELS, quantiles, ran, q) * (1 - 1e-9)


@settings(deadline=None)
@given(hours, st.floats(0, 100), level, level)
def test_a_higher_level_is_never_shorter(quantiles: list[float], ran: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert total_h(LEVELS, quantiles, ran, low) <= total_h(LEVELS, quantiles, ran, high) * (1 + 1e-9)


@pytest.mark.parametrize("quantiles", [[3.0, 2.0], [0.0, 2.0], [1.0], [1.0, math.inf], [math.nan, 2.0]])
def test_quantiles_that_do_not_rise_are_refused(quantiles: list[float]) -> None:
    with pytest.raises(InvalidInput, match="both rising"):
        total_h((0.1, 0.9), quantiles, 0.0, 0.5)


@pytest.mark.parametrize(("ran", "q"), [(-1.0, 0.5), (math.nan, 0.5), (1.0, 1.5), (1.0, math.nan)])
def test_questions_without_meaning_are_refused(ran: float, q: float) -> None:
    with pytest.raises(InvalidInput, match="write a level of 0 to 1"):
        total_h((0.1, 0.9), [1.0, 2.0], ran, q)
