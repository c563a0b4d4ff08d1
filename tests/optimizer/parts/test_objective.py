"""The objective: named terms, their sum, and slack instead of money in the diagnosing model."""

from __future__ import annotations

import pytest
from pyomo.repn import generate_standard_repn
from small_day import at, battery, compiled, cost, day, job, planned, pool

from optimizer.build import build
from optimizer.ledger import FIRST_TERMS, TERMS

ALL = day(
    job("a", start_cost=3.0, due_h=1.0, unmet_cost_per_h=60.0, work_value_per_h=4.0),
    job("b", 1.0, deadline=at(1), late_cost_per_h=7.0, published={"runs": [], "moved_cost_per_h": 2.5}),
    job("c", 1.0, pool="cloud", gpus=2),
    pools=[pool(name="cloud", gpus=4, partner={"price_per_gpu_h": 3.0})],
    stability={"until": at(4)},
    grid={"export_limit_mw": 1.0, "demand_charge_per_mw": 5.0, "carbon_price_per_kg": 0.01},
    series={"export_price_per_mwh": [5.0] * 4, "carbon_kg_per_mwh": [100.0] * 4},
    batteries=[battery(wear_cost_per_mwh=2.0, soc_end_value_per_mwh=6.0)],
    cooling={"tangents": [{"slope": 0.1, "intercept_mw": 0.0}], "water_m3_per_mwh": 2.0, "water_price_per_m3": 1.5},
    generators=[{"name": "set", "power_mw": 1.0, "fuel_cost_per_mwh": 90.0, "no_load_cost_per_h": 4.0}],
    inference=[{"name": "chat", "power_mw": [1.0] * 4, "min_power_mw": 0.4, "below_nominal_cost_per_mwh": 80.0}],
    schema_version="1.1",
)
# by hand: the coefficients of slot 2, and of what has no slot
TERMS_OF_SLOT_2 = {
    "import": {"grid.import_[2]": 30.0},
    "export": {"grid.export[2]": -5.0},
    "demand_charge": {"grid.peak": 5.0},
    "carbon": {"grid.import_[2]": 1.0},
    "wear": {"battery.discharge[store,2]": 2.0},
    "starts": {"jobs.start[a,2]": 3.0},
    "late": {"jobs.on[b,2]": 7.0},
    "unmet": {"jobs.unmet[a]": 60.0},
    "work_value": {"jobs.beyond_due[a]": -4.0},
    "fuel": {"battery.discharge[set,2]": 90.0, "generators.on[set,2]": 4.0},
    "water": {"gpus.it[2]": 3.0},
    "partner": {"jobs.on[c,2]": 6.0},
    "stored": {},
    "change": {"jobs.on[b,2]": 2.5},
    "wishes": {"battery.discharge[chat,2]": 80.0},
}


def test_every_term_has_its_row_here() -> None:
    assert list(TERMS_OF_SLOT_2) == list(TERMS)


@pytest.mark.parametrize("name", TERMS)
def test_terms_are_kept_by_name(name: str) -> None:
    model, _ = build(compiled(ALL))
    term = generate_standard_repn(model.objective.term[name].expr)
    pairs = zip(term.linear_vars, term.linear_coefs, strict=True)
    found = {
        v.name: c for v, c in pairs if ("," not in v.name and "[" not in v.name) or "2]" in v.name or "[a]" in v.name
    }
    assert found == pytest.approx(TERMS_OF_SLOT_2[name])


def test_the_objective_is_the_sum_of_its_terms() -> None:
    money, constant = cost(ALL)
    assert money["grid.import_[2]"] == pytest.approx(31)
    # what is stored at the beginning is worth six a megawatt hour
    assert constant == pytest.approx(6)
    plan = planned(ALL)
    assert set(FIRST_TERMS) <= set(plan.terms) <= set(TERMS)
    assert plan.objective == pytest.approx(sum(plan.terms.values()))


def test_what_is_stored_at_the_end_is_worth_something_in_the_last_slot_alone() -> None:
    money, _ = cost(ALL)
    assert {name: price for name, price in money.items() if name.startswith("battery.soc")} == {
        "battery.soc[store,3]": -6.0
    }


def test_the_diagnosing_model_counts_slack_and_no_money() -> None:
    money, constant = cost(ALL, elastic=True)
    assert constant == 0
    # what has a price is no slack: only b and c must be done
    limits = {"battery.short_of_end[store]"} | {
        f"balance.{name}[{t}]" for name in ("missing", "surplus") for t in range(4)
    }
    limits |= {f"gpus.over_pool[cloud,{t}]" for t in range(4)}
    # a job's work gives first, a limit only where no job is to blame
    assert money == {"jobs.unmet[b]": 1.0, "jobs.unmet[c]": 1.0, **dict.fromkeys(limits, 1e4)}


def test_hours_scale_energy_and_not_peaks() -> None:
    quarters = ALL | {"horizon": {"start": at(0), "step_minutes": 15, "slots": 4}}
    quarters["jobs"] = [ALL["jobs"][0]]
    money, _ = cost(quarters)
    assert money["grid.import_[2]"] == pytest.approx(31 / 4)
    assert money["grid.peak"] == pytest.approx(5)
    assert money["battery.discharge[store,2]"] == pytest.approx(0.5)
    assert money["generators.on[set,2]"] == pytest.approx(1)
    assert money["jobs.start[a,2]"] == pytest.approx(3)
