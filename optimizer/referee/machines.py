"""Generators and services: power between their limits, runs and pauses long enough, fuel that is there."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from optimizer.document import Generator, PlanSeries

from .day import Day
from .findings import POWER_FLOOR_MW, Findings, near_mw
from .power import between


def check_machines(day: Day, series: PlanSeries, findings: Findings) -> None:
    """Every generator and every service of the plan, whose series are there in full length."""
    for generator in day.problem.generators:
        _check_power(day, generator, series, findings)
        _check_runs(generator, series.generator_on[generator.name], findings)
    for service in day.problem.inference:
        drawn, nominal = day.per_slot(series.inference_mw[service.name]), day.per_slot(service.power_mw)
        between("inference.power", f"power of {service.name}", drawn, nominal, findings)
        least = day.per_slot(service.min_power_mw)
        for k in np.flatnonzero(least - drawn > near_mw(nominal)):
            text = f"service {service.name} draws {drawn[k]:.9g} MW, it does not run below {least[k]:.9g} MW"
            findings.add("inference.min_power", text, amount=least[k] - drawn[k], unit="MW", slot=int(k))


def _check_power(day: Day, generator: Generator, series: PlanSeries, findings: Findings) -> None:
    name = generator.name
    given, on = day.per_slot(series.generator_mw[name]), np.asarray(series.generator_on[name])
    for k in np.flatnonzero((on != 0) & (on != 1)):
        text = f"generator {name} is said to be {on[k]} times on"
        findings.add("generator.on", text, amount=float(on[k]), unit="sets", slot=int(k))
    running = np.where(on > 0, 1.0, 0.0)
    left = day.left(generator.maintenance)
    between("generator.power", f"power of {name}", given, generator.power_mw * left * running, findings)
    for k in np.flatnonzero((running > 0) & (left <= 0)):
        text = f"generator {name} is on while it is out for maintenance"
        findings.add("generator.maintenance", text, amount=1.0, unit="slots", slot=int(k))
    short = generator.min_power_mw * running - given
    for k in np.flatnonzero(short > near_mw(day.per_slot(generator.power_mw))):
        text = f"generator {name} gives {given[k]:.9g} MW, it runs at {generator.min_power_mw:.9g} MW at least"
        findings.add("generator.min_power", text, amount=short[k], unit="MW", slot=int(k))
    if generator.fuel_mwh is not None:
        burnt = day.step_h * float(given.sum())
        if burnt > generator.fuel_mwh * (1 + 1e-5) + POWER_FLOOR_MW:
            text = f"generator {name} gives {burnt:.9g} MWh, its fuel lasts for {generator.fuel_mwh:.9g} MWh"
            findings.add("generator.fuel", text, amount=burnt - generator.fuel_mwh, unit="MWh")


def _check_runs(generator: Generator, on: list[int], findings: Findings) -> None:
    """Each stretch of one state is long enough, counted from before slot 0, unless the horizon cuts it."""
    history = [(generator.on_before, generator.state_slots)]
    for state, stretch in groupby(on):
        length = len(list(stretch))
        if bool(state) == history[-1][0] and len(history) == 1:
            history[0] = (history[0][0], history[0][1] + length)
        else:
            history.append((bool(state), length))
    begun = -generator.state_slots
    for number, (state, length) in enumerate(history):
        needed = generator.min_up_slots if state else generator.min_down_slots
        over = number == len(history) - 1
        if length < needed and not over:
            word, rule = ("runs", "generator.min_up") if state else ("rests", "generator.min_down")
            findings.add(
                rule,
                f"generator {generator.name} {word} for {length} slots, {needed} are the least",
                amount=float(needed - length),
                unit="slots",
                slot=max(0, begun),
            )
        begun += length


def money_of_generators(day: Day, series: PlanSeries) -> tuple[float, float]:
    """Money for fuel, hours on, starts and stops; and the sum of its parts' sizes."""
    money = 0.0
    for generator in day.problem.generators:
        given, on = day.per_slot(series.generator_mw[generator.name]), series.generator_on[generator.name]
        money += day.step_h * float((given * day.per_slot(generator.fuel_cost_per_mwh)).sum())
        money += day.step_h * generator.no_load_cost_per_h * sum(on)
        for before, now in zip([int(generator.on_before), *on], on, strict=False):
            money += generator.start_cost * (now > before) + generator.stop_cost * (now < before)
    return money, abs(money)
