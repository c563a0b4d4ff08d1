"""Every term of the objective recomputed by name, and the sum, the bound and the gap they must fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from optimizer.document import Plan, PlanSeries, Problem

from .day import Day
from .findings import HOURS_FLOOR_H, Findings, Floats, near_h, near_money
from .hours import Hours
from .machines import money_of_generators
from .partners import money_of_partners
from .wishes import Wish

# Above half, a gap is not a statement about quality any more; no plan may call that optimal unasked.
_LARGEST_GAP_OF_OPTIMAL = 0.5


def terms_of(
    day: Day, series: PlanSeries, all_hours: Sequence[Hours], wishes: Iterable[Wish], changes: Iterable[Wish]
) -> dict[str, tuple[float, float]]:
    """Each term by name: its value, and the error in it that rounding explains."""
    problem = day.problem
    given, grid, step = problem.series, problem.grid, day.step_h
    bought, sold = day.per_slot(series.import_mw), day.per_slot(series.export_mw)
    parts = {
        "import": step * bought * day.per_slot(given.import_price_per_mwh),
        "export": -step * sold * day.per_slot(given.export_price_per_mwh),
        "carbon": _carbon(day, series),
        "wear": np.array(
            [
                step * battery.wear_cost_per_mwh * sum(series.discharge_mw.get(battery.name, []))
                for battery in problem.batteries
            ]
        ),
    }
    parts |= {"water": _water(day, series), "stored": _stored(day, series)}
    peak = grid.demand_charge_per_mw * max(0.0, _highest_mean(day, bought) - grid.peak_so_far_mw)
    terms = {name: (float(part.sum()), near_money(float(np.abs(part).sum()))) for name, part in parts.items()}
    terms["demand_charge"] = (peak, near_money(peak))
    fuel, size = money_of_generators(day, series)
    terms["fuel"] = (fuel, near_money(size))
    rented = money_of_partners(day, [hours.track for hours in all_hours])
    terms["partner"] = (rented, near_money(rented))
    for name, given_up in (("wishes", wishes), ("change", changes)):
        priced = [(wish.amount, wish.slack, wish.price) for wish in given_up if wish.price is not None]
        paid = sum(amount * price for amount, _, price in priced)
        terms[name] = (paid, near_money(paid) + sum(slack * price for _, slack, price in priced))
    hourly = {"starts": 0.0, "late": 0.0, "unmet": 0.0, "work_value": 0.0}
    slack = dict.fromkeys(hourly, 0.0)
    for hours in all_hours:
        job = hours.track.job
        for name, amount, price in (
            ("late", hours.late, job.late_cost_per_h or 0.0),
            ("unmet", hours.unmet, job.unmet_cost_per_h or 0.0),
            ("work_value", -hours.beyond_due, job.work_value_per_h),
        ):
            hourly[name] += amount * price
            slack[name] += price * near_h(amount) + HOURS_FLOOR_H * price * hours.due
        hourly["starts"] += hours.starts.paid * job.start_cost
    for name, value in hourly.items():
        terms[name] = (value, near_money(value) + slack[name])
    return terms


def _carbon(day: Day, series: PlanSeries) -> Floats:
    problem = day.problem
    kg = day.per_slot(series.import_mw) * day.per_slot(problem.series.carbon_kg_per_mwh)
    for generator in problem.generators:
        kg = kg + generator.carbon_kg_per_mwh * day.per_slot(series.generator_mw[generator.name])
    return np.asarray(day.step_h * problem.grid.carbon_price_per_kg * kg, dtype=np.float64)


def _water(day: Day, series: PlanSeries) -> Floats:
    cooling = day.problem.cooling
    if cooling is None:
        return np.zeros(day.slots)
    gone = series.heat_removed_mw if cooling.holds_heat else series.heat_mw
    evaporated = day.per_slot(cooling.water_m3_per_mwh) * day.per_slot(gone)
    return np.asarray(day.step_h * cooling.water_price_per_m3 * evaporated, dtype=np.float64)


def _stored(day: Day, series: PlanSeries) -> Floats:
    """What the batteries hold more (less than nothing) or less at the end than at the beginning, at its worth."""
    changes = [
        battery.soc_end_value_per_mwh * (battery.soc_start_mwh - series.soc_mwh[battery.name][-1])
        for battery in day.problem.batteries
    ]
    return np.array([0.0, *changes])


def _highest_mean(day: Day, bought: Floats) -> float:
    """Highest mean import over a billing interval; the running one counts with what it imported before slot 0."""
    grid = day.problem.grid
    means, energy, slots = [], grid.billing_elapsed_mwh, grid.billing_elapsed_slots
    for power in bought:
        energy += float(power) * day.step_h
        slots += 1
        if slots == grid.billing_interval_slots:
            means.append(energy / (slots * day.step_h))
            energy, slots = 0.0, 0
    if slots:
        means.append(energy / (slots * day.step_h))
    return max(means)


def check_terms(plan: Plan, true: dict[str, tuple[float, float]], currency: str, findings: Findings) -> None:
    """The terms' names and values, and that they sum to the objective."""
    for name in plan.terms.keys() - true.keys():
        text = f"term {name!r} is none of {', '.join(sorted(true))}"
        findings.add("terms.unknown", text, amount=plan.terms[name], unit=currency)
    for name, (value, slack) in true.items():
        said = plan.terms.get(name, 0.0)
        if abs(said - value) > slack:
            text = f"term {name} is said to be {said:.9g} {currency}, the documents give {value:.9g} {currency}"
            findings.add(f"terms.{name}", text, amount=said - value, unit=currency)
    total = sum(plan.terms.values())
    if plan.objective is None:
        text = f"the plan has no objective, its terms sum to {total:.9g} {currency}"
        findings.add("plan.objective", text, amount=total, unit=currency)
    elif abs(plan.objective - total) > near_money(sum(map(abs, plan.terms.values()))):
        text = f"the objective is said to be {plan.objective:.9g} {currency}, its terms sum to {total:.9g} {currency}"
        findings.add("plan.objective", text, amount=plan.objective - total, unit=currency)


def check_bound(plan: Plan, problem: Problem, asked: float | None, findings: Findings) -> None:
    """Bound not above the objective, gap by its formula, and a status that fits both.

    ``asked`` None means that the gap asked for is not known here (the command line may override the
    document's): then only what no sensible request explains is found.
    """
    objective, bound, gap = plan.objective, plan.bound, plan.gap
    if objective is None:
        return
    money = problem.site.currency
    if (bound is None) != (gap is None):
        text = "bound and gap must be both given or both null"
        findings.add("plan.gap", text, amount=0.0 if gap is None else gap, unit="1")
    if bound is not None and gap is not None:
        size = max(1.0, abs(objective))
        true = (objective - bound) / size
        if -true > 1e-6:
            text = f"the bound {bound:.9g} {money} lies above the objective {objective:.9g} {money}"
            findings.add("plan.bound", text, amount=bound - objective, unit=money)
        if abs(gap - true) > 1e-7 + 1e-4 * abs(true):
            text = f"the gap is said to be {gap:.9g}, objective and bound give {true:.9g}"
            findings.add("plan.gap", text, amount=gap - true, unit="1")
    if plan.status == "optimal" and (bound is None or gap is None):
        text = "the plan is called optimal and proves no bound"
        findings.add("plan.status", text, amount=0.0, unit="1")
    if gap is None or bound is None:
        return
    widest = max(problem.gap, _LARGEST_GAP_OF_OPTIMAL) if asked is None else asked
    if plan.status == "optimal" and gap > widest + 1e-6:
        text = f"the plan is called optimal with a gap of {gap:.9g}, {widest:.9g} was asked"
        findings.add("plan.status", text, amount=gap - widest, unit="1")
    surely = min(problem.gap, 1e-9) if asked is None else asked
    if plan.status == "feasible" and gap <= surely:
        text = f"the plan is called feasible with a gap of {gap:.9g}; with {surely:.9g} or less it is optimal"
        findings.add("plan.status", text, amount=surely - gap, unit="1")
