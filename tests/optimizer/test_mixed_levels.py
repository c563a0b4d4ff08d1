"""Mixed levels of many jobs cost what the exact program finds, and hold the same promises."""

from __future__ import annotations

import copy
from typing import Any

import made_site
import pytest

from optimizer.dispatch import settled
from optimizer.energy_model import EnergyModel
from optimizer.first_come import in_order_of_release
from optimizer.large.dispatch import MixedLevels
from optimizer.levels import Levels
from optimizer.problem import Ints, Problem, compile_problem
from optimizer.refusals import check_problem
from optimizer.site_limits import supported_it
from optimizer.solve import Options
from optimizer.starts_given import levels_of

OPTIONS = Options(gap=1e-9, time_limit_s=30.0)
CLOSE = 1e-3


def _day(seed: int) -> tuple[dict[str, Any], Problem, dict[str, Ints]]:
    raw = made_site.site(80, seed=seed)
    problem = compile_problem(check_problem(raw))
    assert not problem.burning_may_pay
    pattern = in_order_of_release(
        problem, 0.6 * supported_it(problem, problem.import_limit), {e.id: 0 for e in problem.entries}
    )
    assert sum(on.any() for on in pattern.values()) > 30
    return raw, problem, pattern


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_mix_costs_what_the_exact_program_finds(seed: int) -> None:
    _, problem, pattern = _day(seed)
    exact = Levels(EnergyModel(problem), pattern).solve(30.0)
    energy = EnergyModel(problem)
    mixed = MixedLevels(energy, pattern).solve(30.0, [energy.import_prices()])
    assert exact is not None
    assert mixed is not None
    best, found = settled(problem, exact, OPTIONS), settled(problem, mixed[0], OPTIONS)
    assert best is not None
    assert found is not None
    assert best.cost * (1 - 1e-6) <= found.cost <= best.cost * (1 + CLOSE)


@pytest.mark.parametrize("seed", [1, 3])
def test_a_moved_forecast_is_met_with_the_answers_at_hand(seed: int) -> None:
    raw, problem, pattern = _day(seed)
    moved = copy.deepcopy(raw)
    moved["series"]["pv_available_mw"] = [0.7 * v for v in moved["series"]["pv_available_mw"]]
    after = compile_problem(check_problem(moved))
    energy = EnergyModel(problem)
    mixed = MixedLevels(energy, pattern)
    first = mixed.solve(30.0, [energy.import_prices()])
    assert first is not None
    mixed.forecast(after.pv, after.wind)
    again = mixed.solve(30.0, [first[1]])
    cold = Levels(EnergyModel(after), pattern).solve(30.0)
    assert again is not None
    assert cold is not None
    warm, anew = settled(after, again[0], OPTIONS), settled(after, cold, OPTIONS)
    assert warm is not None
    assert anew is not None
    assert anew.cost * (1 - 1e-6) <= warm.cost <= anew.cost * (1 + CLOSE)


def test_on_slots_beyond_what_the_site_can_supply_have_no_levels() -> None:
    _, problem, pattern = _day(1)
    crowded = dict(pattern)
    for e in problem.entries:
        if e.may_run and e.pool is not None:
            crowded[e.id] = crowded[e.id].copy()
            crowded[e.id][e.first : e.last] = e.count
    energy = EnergyModel(problem)
    assert MixedLevels(energy, crowded).solve(10.0, [energy.import_prices()]) is None


def test_few_entries_get_the_exact_program(monkeypatch: pytest.MonkeyPatch) -> None:
    _, problem, pattern = _day(2)
    assert isinstance(levels_of(EnergyModel(problem), pattern), Levels)
    monkeypatch.setattr("optimizer.starts_given.MANY", 10)
    many = levels_of(EnergyModel(problem), pattern)
    assert not isinstance(many, Levels)
    assert many.solve(30.0) is not None
