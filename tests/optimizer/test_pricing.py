"""Schedules of the pricing against what it proves: no schedule, at any prices, costs less than the proven least."""

from __future__ import annotations

import made_site
import numpy as np
import pytest

from optimizer.energy_model import SlotPrices
from optimizer.large.crowd import Crowd
from optimizer.large.pricing import price
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem


@pytest.mark.parametrize("seed", [1, 2])
def test_no_schedule_costs_less_than_the_least_proven_at_other_prices(seed: int) -> None:
    problem = compile_problem(check_problem(made_site.site(30, seed=seed)))
    crowd = Crowd(problem)
    rng = np.random.default_rng(seed)
    shape = len(problem.pools) + 1, problem.slots
    # free slots and equal prices are where segments tie
    shares = (0.0, 1.0, 40.0)
    at = [SlotPrices(s * np.ones(shape) + s * rng.random(shape), 1e-4 * s * rng.random(shape)) for s in shares]
    priced = [price(crowd, prices, crowd.first_theta(1.0)) for prices in at]
    for prices, here in zip(at, priced, strict=True):
        least = np.bincount(crowd.group, here.least, crowd.groups)
        for other in priced:
            row = crowd.parts.row
            power = (prices.power[row] * other.power).sum(axis=1) + (prices.gpus[row] * other.gpus).sum(axis=1)
            full = np.bincount(crowd.group, other.money, crowd.groups) + power
            assert (full >= least - 1e-6 * np.maximum(1.0, np.abs(least))).all()
