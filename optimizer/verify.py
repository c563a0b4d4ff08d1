"""The referee: does a plan keep every rule of the contract, and is every number in it true?

An independent check, NumPy only: it re-derives every curve, hour, watt and cost from the two
documents alone and takes nothing from the model, its parts or the solver (see :mod:`optimizer.referee`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from optimizer.document import (
    Battery,
    CoolingUnit,
    Generator,
    Inference,
    NamedMass,
    Plan,
    PlanSeries,
    Pool,
    Problem,
    ReceivedProblem,
)

from .referee.battery import check_battery
from .referee.day import Day
from .referee.findings import Findings, Violation
from .referee.hours import check_unmet, judge_hours
from .referee.machines import check_machines
from .referee.money import check_bound, check_terms, terms_of
from .referee.order import check_order
from .referee.partners import check_quotas
from .referee.power import check_power
from .referee.runs import Track, lay
from .referee.stability import changes_of
from .referee.storage import storage_wish
from .referee.surplus import check_surplus
from .referee.thermal import check_temperature
from .referee.windows import check_window
from .referee.wishes import Wish, check_duties, check_outages, wishes_of

__all__ = ["Violation", "verify"]


def verify(problem: ReceivedProblem, plan: Plan, gap: float | None = None) -> list[Violation]:
    """Every rule that ``plan`` breaks as a plan for ``problem``; empty when it is clean.

    ``gap`` is the relative gap that was asked for, where the caller knows it. Without it, ``optimal``
    is refused only where nothing is proven or the gap exceeds both the document's and one half,
    because a command line may have asked for another gap than the document.

    That a problem is infeasible is a claim no referee can check by itself: of such a plan only the
    form is judged.
    """
    day = Day.of(problem.document)
    findings = Findings(day)
    _check_identity(problem, plan, findings)
    if _check_finite(plan, findings):
        if plan.status == "infeasible":
            _check_infeasible(plan, findings)
        else:
            _check_plan(day, plan, gap, findings)
    return findings.violations


def _check_identity(problem: ReceivedProblem, plan: Plan, findings: Findings) -> None:
    if plan.problem_digest != problem.digest:
        text = f"the plan is for the problem with digest {plan.problem_digest[:80]}, this one has {problem.digest}"
        findings.add("plan.digest", text, amount=1.0, unit="documents")
    if plan.schema_version != problem.document.schema_version:
        text = f"the plan is of version {plan.schema_version}, the problem of {problem.document.schema_version}"
        findings.add("plan.version", text, amount=1.0, unit="documents")
    if plan.name != problem.document.name:
        text = f"the plan is named {plan.name}, the problem {problem.document.name}"
        findings.add("plan.name", text, amount=1.0, unit="documents")
    if plan.solve_seconds < 0:
        text = f"solving is said to have taken {plan.solve_seconds:g} s"
        findings.add("plan.solve_seconds", text, amount=-plan.solve_seconds, unit="s")


def _check_finite(plan: Plan, findings: Findings) -> bool:
    clean = True
    for place, value in _numbers(plan, ""):
        if not math.isfinite(value):
            clean = False
            findings.add("plan.finite", f"{place} is {value}, not a finite number", amount=1.0, unit="numbers")
    return clean


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, BaseModel | dict):
        for key, item in (value if isinstance(value, dict) else vars(value)).items():
            yield from _numbers(item, f"{place}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}/{index}")


def _check_infeasible(plan: Plan, findings: Findings) -> None:
    for what, there in (
        ("series", plan.series is not None),
        ("runs", any(entry.runs for entry in plan.jobs)),
        ("an objective", plan.objective is not None),
        ("a bound", plan.bound is not None),
        ("a gap", plan.gap is not None),
        ("terms", bool(plan.terms)),
        ("unmet wishes", bool(plan.unmet)),
    ):
        if there:
            findings.add("infeasible.content", f"an infeasible plan carries {what}", amount=1.0, unit="fields")
    if not any(sentence.strip() for sentence in plan.conflicts):
        text = "an infeasible plan must say in its conflicts what stands against what"
        findings.add("infeasible.conflicts", text, amount=1.0, unit="sentences")


def _check_plan(day: Day, plan: Plan, gap: float | None, findings: Findings) -> None:
    problem = day.problem
    if plan.conflicts:
        text = f"the plan is {plan.status} and still lists conflicts"
        findings.add("plan.conflicts", text, amount=len(plan.conflicts), unit="sentences")
    tracks = _check_jobs(day, plan, findings)
    all_hours = [judge_hours(day, track, findings) for track in tracks]
    check_order(all_hours, findings)
    wishes: list[Wish] = []
    changes: list[Wish] = []
    check_bound(plan, problem, gap, findings)
    if plan.series is None:
        findings.add("series.missing", f"the plan is {plan.status} and has no series", amount=1.0, unit="fields")
    elif _check_lengths(day, plan.series, findings):
        pool_mw = check_power(day, plan.series, tracks, findings)
        check_quotas(day, tracks, findings)
        check_surplus(day, plan.series, tracks, findings)
        for battery in problem.batteries:
            check_battery(day, battery, plan.series, findings)
        check_machines(day, plan.series, findings)
        check_temperature(day, plan.series, pool_mw, findings)
        check_outages(day, plan.series, findings)
        wishes = [*wishes_of(day, plan.series, pool_mw), *storage_wish(day, tracks)]
        check_duties(wishes, findings)
        changes = changes_of(day, tracks, plan.series)
        terms = terms_of(day, plan.series, all_hours, wishes, changes)
        check_terms(plan, terms, problem.site.currency, findings)
    check_unmet(plan, all_hours, [*wishes, *changes], findings)


def _check_jobs(day: Day, plan: Plan, findings: Findings) -> list[Track]:
    entries = {entry.id: entry for entry in plan.jobs}
    known = {job.id for job in day.problem.jobs}
    for name, times in Counter(entry.id for entry in plan.jobs).items():
        if name not in known:
            text = f"the plan has a job {name}, the problem has none"
            findings.add("jobs.unknown", text, amount=1.0, unit="jobs", job=name)
        elif times > 1:
            text = f"job {name} stands {times} times in the plan"
            findings.add("jobs.twice", text, amount=times - 1.0, unit="jobs", job=name)
    tracks = []
    for job in day.problem.jobs:
        if job.id not in entries:
            text = f"job {job.id} of the problem is missing in the plan"
            findings.add("jobs.missing", text, amount=1.0, unit="jobs", job=job.id)
            continue
        track = lay(day, job, entries[job.id], findings)
        check_window(day, track, findings)
        tracks.append(track)
    return tracks


def _check_lengths(day: Day, series: PlanSeries, findings: Findings) -> bool:
    """Arrays of ``slots`` values, and for batteries exactly those of the problem."""
    before = len(findings.violations)
    for name in PlanSeries.model_fields:
        value = getattr(series, name)
        if value is None or isinstance(value, list):
            _check_held(name, value is not None, day.problem, findings)
        rows: dict[str, list[float]] = {"": value} if isinstance(value, list) else value or {}
        if isinstance(value, dict):
            _check_names(name, set(value), day.problem, findings)
        for key, row in rows.items():
            if len(row) != day.slots:
                label = f"{name}/{key}".rstrip("/")
                text = f"series {label} has {len(row)} values, the horizon has {day.slots} slots"
                findings.add("series.length", text, amount=len(row) - day.slots, unit="values")
    return len(findings.violations) == before


def _check_held(series: str, there: bool, problem: Problem, findings: Findings) -> None:
    """The series of a thermal mass and a tank are there exactly where the problem has one."""
    cooling = problem.cooling
    held = {
        "heat_removed_mw": cooling is not None and cooling.holds_heat,
        "temperature_c": cooling is not None and cooling.mass is not None,
        "tank_mwh": cooling is not None and cooling.tank is not None,
    }
    if series in held and there != held[series]:
        device = "tank" if series == "tank_mwh" else "thermal mass"
        word = f"is missing for the {device}" if held[series] else f"is given without a {device}"
        findings.add("series.mass", f"series {series} {word}", amount=1.0, unit="series")


def _check_names(series: str, said: set[str], problem: Problem, findings: Findings) -> None:
    devices: dict[str, tuple[str, Sequence[Battery | Generator | Inference | NamedMass | CoolingUnit | Pool]]] = {
        "generator_mw": ("generator", problem.generators),
        "generator_on": ("generator", problem.generators),
        "inference_mw": ("service", problem.inference),
        "nodes_on": ("pool", [pool for pool in problem.pools if pool.nodes is not None]),
        "unit_heat_mw": ("unit", [] if problem.cooling is None else problem.cooling.units),
        "mass_removed_mw": ("mass", [] if problem.cooling is None else problem.cooling.masses),
        "mass_c": ("mass", [] if problem.cooling is None else problem.cooling.masses),
    }
    kind, there = devices.get(series, ("battery", problem.batteries))
    known = {device.name for device in there}
    for name in sorted(said ^ known):
        word = f"missing for {kind}" if name in known else f"given for an unknown {kind}"
        findings.add(f"series.{kind}", f"series {series} is {word} {name}", amount=1.0, unit="series")
