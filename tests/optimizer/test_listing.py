"""The board after listing: nothing overrun, nothing forgotten, and what must be done has its place."""

from __future__ import annotations

import time

import made_site
import numpy as np
import pytest

from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.large.crowd import Crowd
from optimizer.large.improve import BoardCost, settle
from optimizer.large.kernels import BIG, UNMET
from optimizer.large.listing import BRISK, Listing
from optimizer.large.prices import Round, rounds
from optimizer.problem import compile_problem
from optimizer.refusals import check_problem


def _priced(seed: int, must: int = 0) -> tuple[EnergyModel, Crowd, Round]:
    raw = made_site.site(50, seed=seed)
    for job in [job for job in raw["jobs"] if job.get("unmet_cost_per_h")][:must]:
        job["unmet_cost_per_h"] = None
    problem = compile_problem(check_problem(raw))
    energy, crowd = EnergyModel(problem), Crowd(problem)
    *_, last = rounds(energy, crowd, time.monotonic() + 10.0)
    return energy, crowd, last


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_overrun_and_the_books_are_those_of_the_units(seed: int) -> None:
    energy, crowd, last = _priced(seed)
    listing = Listing(energy, crowd, last)
    listing.run(0.1, BRISK)
    assert not listing.board.is_overbooked()
    assert listing.on.any()
    used = np.zeros_like(listing.board.gpus)
    for u, line in enumerate(listing.line.tolist()):
        if crowd.row[line] < len(used):
            used[crowd.row[line]] += listing.copies[u] * crowd.gpus[line] * listing.on[u]
    np.testing.assert_allclose(listing.board.gpus, used, atol=1e-6)
    assert (listing.regret(np.zeros(len(crowd.kinds))) >= 0).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_what_must_be_done_has_a_place_however_late_it_comes(seed: int) -> None:
    energy, crowd, last = _priced(seed, must=3)
    listing = Listing(energy, crowd, last)
    listing.run(0.1)
    must = crowd.job[listing.line, UNMET] >= BIG
    assert must.sum() >= 3
    assert listing.on[must].any(axis=1).all()
    # forced off with the board full, they are given room again
    listing.lift(np.flatnonzero(must))
    listing.sweep(0.1, 10.0, hard=True, order=np.flatnonzero(~must))
    listing.make_hard(0.1)
    assert listing.on[must].any(axis=1).all()
    assert not listing.board.is_overbooked()


def test_a_snapshot_is_the_board_as_it_was() -> None:
    energy, crowd, last = _priced(1)
    listing = Listing(energy, crowd, last)
    listing.run(0.1)
    kept = listing.snapshot()
    listing.lift(np.arange(len(listing.line)))
    assert not listing.on.any()
    listing.restore(kept)
    for now, before in zip(listing.snapshot(), kept, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_prices_that_stay_nobody_moves_to_a_dearer_place(seed: int) -> None:
    energy, crowd, last = _priced(seed)
    listing = Listing(energy, crowd, last)
    listing.run(0.1, BRISK)
    free = SlotPrices(last.prices.power, np.zeros_like(last.prices.gpus))

    def paid() -> float:
        row = crowd.row[listing.line]
        power = (free.power[row] * listing.drawn).sum(axis=1)
        return float(listing.copies @ power + listing.money.sum())

    before = paid()
    assert listing.settle(np.arange(len(listing.line)), free) > 0
    assert paid() < before
    assert not listing.board.is_overbooked()
    assert listing.settle(np.arange(len(listing.line)), free) >= 0
    assert paid() <= before


@pytest.mark.parametrize("seed", [1, 2])
def test_settling_makes_a_board_cheaper_and_keeps_its_limits(seed: int) -> None:
    energy, crowd, last = _priced(seed)
    listing, cost = Listing(energy, crowd, last), BoardCost(energy)
    listing.run(1.0, BRISK)
    before = cost.of(listing)
    after = settle(listing, cost, time.monotonic() + 20.0)
    assert after < before
    assert cost.of(listing) == pytest.approx(after, rel=1e-9)
    assert not listing.board.is_overbooked()


def test_settling_stops_when_its_time_is_over() -> None:
    energy, crowd, last = _priced(1)
    listing, cost = Listing(energy, crowd, last), BoardCost(energy)
    listing.run(1.0, BRISK)
    kept = listing.snapshot()
    assert settle(listing, cost, time.monotonic() - 1.0) == pytest.approx(cost.of(listing))
    np.testing.assert_array_equal(kept[3], listing.on)
