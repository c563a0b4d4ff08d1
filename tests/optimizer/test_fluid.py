"""The first prices: melted jobs are near enough, whatever the pools and windows, and never a bound by themselves."""

from __future__ import annotations

import time

import made_site
import numpy as np
import pytest

from optimizer.energy_model import EnergyModel
from optimizer.large.crowd import Crowd
from optimizer.large.fluid import first_rows, masses
from optimizer.large.prices import rounds
from optimizer.large.pricing import price
from optimizer.problem import Floats, compile_problem
from optimizer.refusals import check_problem


def _bound_at(energy: EnergyModel, crowd: Crowd, rows: Floats) -> float:
    theta = crowd.first_theta(float(np.abs(rows[energy.power_rows]).max()))
    return energy.bound(rows, float(price(crowd, energy.slot_prices(rows), theta).least.sum()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_its_prices_prove_nearly_what_many_rounds_prove(seed: int) -> None:
    problem = compile_problem(check_problem(made_site.site(40, seed=seed)))
    energy, crowd = EnergyModel(problem), Crowd(problem)
    *_, last = rounds(energy, crowd, time.monotonic() + 10.0)
    rows = first_rows(energy, crowd)
    assert rows is not None
    at_once, at_import_price = _bound_at(energy, crowd, rows), _bound_at(energy, crowd, energy.import_prices())
    assert at_once <= last.relaxed + 1e-6 * abs(last.relaxed)
    assert at_once >= last.bound - 0.1 * abs(last.bound)
    assert at_once > at_import_price


def test_no_mass_holds_jobs_of_two_pools() -> None:
    problem = compile_problem(check_problem(made_site.site(300, seed=5)))
    crowd = Crowd(problem)
    mass = masses(crowd)
    assert len(mass) == len(crowd.kinds)
    assert len(np.unique(crowd.row)) > 1
    for m in np.unique(mass):
        assert len(np.unique(crowd.row[mass == m])) == 1
