"""Sites whose constants nobody tuned to: the master closes there too (the primal simplex went in circles on some)."""

from __future__ import annotations

import itertools
import time

import pytest

from bench.scale_sites import Missing, site_day, unseen
from optimizer.energy_model import EnergyModel
from optimizer.large.crowd import Crowd
from optimizer.large.prices import rounds
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem


@pytest.mark.parametrize("seed", [1, 4])
def test_prices_close_in_a_few_rounds(seed: int) -> None:
    try:
        day = site_day(100, seed, unseen(seed))
    except Missing as error:
        pytest.skip(str(error))
    problem = compile_problem(check_problem(day))
    steps = list(itertools.islice(rounds(EnergyModel(problem), Crowd(problem), time.monotonic() + 60), 40))
    assert steps[-1].spread < 0.01
    # neither side crosses the other
    assert all(step.bound <= step.relaxed + 1e-6 * abs(step.relaxed) for step in steps)
