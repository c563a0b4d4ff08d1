"""Slot prices go from one solve to the next: without loss, moved by the slots gone, worth their bound."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import made_site
import numpy as np
import pytest

from optimizer.energy_model import EnergyModel, SlotPrices
from optimizer.kept_prices import KeptPrices, kept, work_of
from optimizer.large.crowd import Crowd
from optimizer.large.prices import Round, rounds
from optimizer.large.pricing import price
from optimizer.problem import Problem, compile_problem
from optimizer.refusals import check_problem


def _solved(seed: int = 1) -> tuple[Problem, EnergyModel, Crowd, Round, KeptPrices]:
    problem = compile_problem(check_problem(made_site.site(40, seed=seed)))
    energy, crowd = EnergyModel(problem), Crowd(problem)
    *_, last = rounds(energy, crowd, time.monotonic() + 20.0)
    work = {e.id: t for some, t in zip(crowd.members, last.theta.tolist(), strict=True) for e in some}
    return problem, energy, crowd, last, kept(problem, last.prices.power, last.prices.gpus, work)


def test_there_and_back_through_json() -> None:
    problem, _, crowd, last, prices = _solved()
    again = KeptPrices.from_json(json.loads(json.dumps(prices.to_json())))
    assert again == prices
    told = again.on(problem)
    assert told is not None
    np.testing.assert_allclose(told[0], last.prices.power, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(told[1], last.prices.gpus, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(work_of(crowd.kinds, again, np.zeros(len(crowd.kinds))), last.theta)


def test_a_later_problem_sees_them_moved_and_their_last_ones_beyond_the_end() -> None:
    problem, _, _, last, prices = _solved()
    earlier = replace(prices, start=problem.horizon.start - timedelta(minutes=problem.horizon.step.seconds // 60 * 3))
    told = earlier.on(problem)
    assert told is not None
    np.testing.assert_allclose(told[0][:, :-3], last.prices.power[:, 3:], rtol=1e-12)
    np.testing.assert_allclose(told[0][:, -3:], last.prices.power[:, -1:].repeat(3, axis=1), rtol=1e-12)


def test_a_site_with_another_pool_gets_none() -> None:
    problem, _, _, _, prices = _solved()
    first = problem.pools[0].name
    gone = replace(prices, power_per_mwh={n: row for n, row in prices.power_per_mwh.items() if n != first})
    assert gone.on(problem) is None


@pytest.mark.parametrize("seed", [1, 2])
def test_power_and_gpu_prices_alone_prove_what_all_row_prices_proved(seed: int) -> None:
    problem, energy, crowd, last, prices = _solved(seed)
    told = prices.on(problem)
    assert told is not None
    rows = energy.completed(SlotPrices(*told))
    assert rows is not None
    priced = price(crowd, energy.slot_prices(rows), last.theta.copy())
    bound = energy.bound(rows, float(priced.least.sum()))
    assert bound >= last.bound - 1e-4 * abs(last.bound)
    assert bound <= last.relaxed + 1e-6 * abs(last.relaxed)


def test_a_quote_adds_up_what_the_slots_of_a_run_are_worth() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    prices = KeptPrices(start, {"a": (10.0, 20.0, 40.0, 0.0)}, {"a": (0.0, 1.0, 0.0, 0.5)}, {})
    # 2 MW and 3 GPUs for half an hour in quarter hours: 0.25 x (2 x 10) + 0.25 x (2 x 20 + 3 x 1) = 15.75, and so on
    assert prices.quotes("a", 3, 2.0, 2, 0.25) == pytest.approx([15.75, 30.75, 20.375])
    assert prices.quotes("a", 3, 2.0, 5, 0.25) == []
    with pytest.raises(KeyError):
        prices.quotes("b", 1, 1.0, 1, 0.25)
