"""Gangs that choose anew together: never dearer, nothing overrun, and what must be done stays."""

from __future__ import annotations

import time

import made_site
import numpy as np
import pytest

from optimizer.energy_model import EnergyModel
from optimizer.large import neighbourhood
from optimizer.large.crowd import Crowd
from optimizer.large.improve import BoardCost
from optimizer.large.listing import Listing
from optimizer.large.neighbourhood import search_around
from optimizer.large.prices import rounds
from optimizer.large.pricing import price
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem


@pytest.mark.parametrize(("seed", "all_s"), [(1, 10.0), (2, 10.0), (2, 0.0)], ids=["1", "2", "all at once"])
def test_every_step_is_cheaper_and_the_board_holds(seed: int, all_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhood, "ALL_S", all_s)
    problem = compile_problem(check_problem(made_site.site(40, seed=seed)))
    energy, crowd = EnergyModel(problem), Crowd(problem)
    *_, last = rounds(energy, crowd, time.monotonic() + 20.0)
    listing, cost = Listing(energy, crowd, last), BoardCost(energy)
    listing.run(0.1)
    least = price(crowd, last.prices, last.theta.copy()).least / crowd.times
    before = cost.of(listing)
    assert np.isfinite(before)
    steps = list(search_around(energy, listing, cost, least, last.bound, time.monotonic() + 2.5))
    assert all(b < a for a, b in zip([before, *steps], steps, strict=False))
    after = cost.of(listing)
    assert after == pytest.approx(steps[-1] if steps else before, rel=1e-9)
    assert after >= last.bound - 1e-6 * abs(last.bound)
    # the IT power that the site can carry moves with its batteries, so the model judged it, not the board
    assert (listing.board.gpus <= listing.board.gpu_limit + 1e-6).all()
    assert (listing.board.feeds <= listing.board.feed_limit + 1e-6).all()
    # the board's books are those of its units, whatever was lifted and put back
    power, gpus = listing.loads()
    used = np.zeros_like(gpus)
    for u, line in enumerate(listing.line.tolist()):
        if crowd.row[line] < len(problem.pools):
            used[crowd.row[line]] += listing.copies[u] * crowd.gpus[line] * listing.on[u]
    np.testing.assert_allclose(gpus, used, atol=1e-6)
    idle = listing.board.idle[:, None] * (listing.board.gpu_limit - gpus)
    np.testing.assert_allclose(listing.board.it, power.sum(axis=0) + idle.sum(axis=0), rtol=1e-6, atol=1e-9)
