"""The restricted master: groups mix to one at most, prices stay in their box while held, and leave it after."""

from __future__ import annotations

import made_site
import numpy as np

from optimizer.energy_model import EnergyModel
from optimizer.large.crowd import Crowd
from optimizer.large.master import Master
from optimizer.large.pricing import price
from optimizer.problem import Floats, compile_problem
from optimizer.refusals import check_problem

SHARE = 0.05


def _master() -> tuple[EnergyModel, Master, Floats]:
    problem = compile_problem(check_problem(made_site.site(30, seed=4)))
    energy, crowd = EnergyModel(problem), Crowd(problem)
    master = Master(energy, crowd.parts, crowd.by_group(crowd.idle_cost(100.0)))
    near = energy.import_prices()
    for scale in (1.0, 1.3):
        priced = price(crowd, energy.slot_prices(scale * near), crowd.first_theta(float(near.max())))
        master.add(crowd.by_group(priced.money), priced.power, priced.gpus)
    return energy, master, near


def test_held_prices_stay_near_and_released_ones_need_not() -> None:
    energy, master, near = _master()
    master.hold(near, SHARE)
    held = master.solve()
    assert held is not None
    width = SHARE * float(np.abs(near[energy.power_rows]).mean())
    assert np.abs(held[1][energy.power_rows] - near[energy.power_rows]).max() <= width + 1e-6
    master.release()
    free = master.solve()
    assert free is not None
    # two schedules a group know too little: without the box the prices leave it, and nothing can be bought any more
    assert np.abs(free[1][energy.power_rows] - near[energy.power_rows]).max() > width
    assert free[0] >= held[0] - 1e-6 * abs(held[0])


def test_every_group_is_idle_or_mixes_to_one() -> None:
    _, master, _ = _master()
    assert master.solve() is not None
    shares = master.mix()
    assert shares.shape[0] == 2
    assert (shares >= -1e-9).all()
    assert (shares.sum(axis=0) <= 1.0 + 1e-9).all()
