"""What the referee says when a number of a good plan, or of its problem, is changed: written down, to the amount.

It changes on purpose only. ``PYTHONPATH=.:tests/support python tests/optimizer/test_verify_verdicts.py`` writes the
verdicts anew; read the difference before you keep it.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paper_day
import pytest

from models.errors import InvalidInput
from optimizer.document import parse_plan
from optimizer.refusals import check_problem
from optimizer.verify import verify

FOLDER = Path(__file__).with_name("verdicts")
DAYS = ("paper", "duties")
CHANGES = ((1.0005, 0.0005), (0.9995, -0.0005), (3.0, 1.0))
"""Factor and shift: a little too large, a little too small, far off."""


def pair(day: str) -> tuple[Any, ...]:
    """Problem and a plan of it that the referee passes: one computed on paper, one with all that 1.1 can ask."""
    if day == "paper":
        return paper_day.problem().raw, paper_day.raw_plan()
    return tuple(json.loads((FOLDER / f"duties-{what}.json").read_text()) for what in ("problem", "plan"))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every number and list of a document with its path; words and times are left alone."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        yield path, value
        for index, item in enumerate(value):
            yield from places(item, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def changed(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document with one number changed, or one list without its last item, again and again."""
    for path, value in places(document):
        name = "/".join(map(str, path))
        if isinstance(value, list):
            if value:
                yield f"{name} cut", replaced(document, path, value[:-1])
            continue
        for factor, shift in CHANGES:
            other = value * factor + shift
            if other == value:
                continue
            yield f"{name} * {factor}", replaced(document, path, round(other) if isinstance(value, int) else other)


def replaced(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with another value in a place."""
    other = copy.deepcopy(document)
    place: Any = other
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return other


def verdicts(day: str) -> dict[str, list[str]]:
    """Rule, job, slot, amount and unit of every violation, by what was changed; documents that are refused are not."""
    problem, plan = pair(day)
    received, found = check_problem(problem), {}
    for name, other in changed(plan):
        try:
            found[f"plan {name}"] = said(received, other)
        except InvalidInput:
            continue
    for name, other in changed(problem):
        try:
            found[f"problem {name}"] = said(check_problem(other), plan)
        except InvalidInput:
            continue
    return found


def said(received: Any, plan: dict[str, Any]) -> list[str]:
    """Each violation in short; the digest, which every change of a problem breaks, left out."""
    found = verify(received, parse_plan(plan), gap=0.001)
    return [f"{v.rule} {v.job} {v.slot} {round(v.amount, 9):.4g} {v.unit}" for v in found if v.rule != "plan.digest"]


@pytest.mark.parametrize("day", DAYS)
def test_the_plan_itself_is_clean(day: str) -> None:
    problem, plan = pair(day)
    assert verify(check_problem(problem), parse_plan(plan), gap=0.001) == []


@pytest.mark.parametrize("day", DAYS)
def test_the_verdicts_are_those_written_down(day: str) -> None:
    written, now = json.loads((FOLDER / f"{day}.json").read_text()), verdicts(day)
    assert {name: (now.get(name), then) for name, then in written.items() if now.get(name) != then} == {}
    assert now.keys() == written.keys()


@pytest.mark.parametrize("day", DAYS)
def test_a_plan_s_number_that_is_far_off_is_always_noticed(day: str) -> None:
    written = json.loads((FOLDER / f"{day}.json").read_text())
    free = ("solve_seconds", "limit_w")  # tried elsewhere, in their own units
    unseen = [
        name
        for name, then in written.items()
        if not then and name.startswith("plan ") and name.endswith("3.0") and not any(word in name for word in free)
    ]
    assert unseen == []


PROBLEM, PLAN = pair("paper")
JOB, TWICE = PLAN["jobs"][0], {**PLAN, "jobs": [*PLAN["jobs"], PLAN["jobs"][0], PLAN["jobs"][0]]}
NOTHING = {"status": "infeasible", "conflicts": ["a stands against b"], "jobs": []}
DOCUMENTS = {
    "version": (PLAN | {"schema_version": "1.1"}, ["plan.version", 1.0, "documents"]),
    "name": (PLAN | {"name": "another"}, ["plan.name", 1.0, "documents"]),
    "seconds": (PLAN | {"solve_seconds": -2.5}, ["plan.solve_seconds", 2.5, "s"]),
    "conflicts": (PLAN | {"conflicts": ["a", "b"]}, ["plan.conflicts", 2.0, "sentences"]),
    "unknown": (PLAN | {"jobs": [*PLAN["jobs"], JOB | {"id": "ghost"}]}, ["jobs.unknown", 1.0, "jobs"]),
    "twice": (TWICE, ["jobs.twice", 2.0, "jobs"]),
    "missing": (PLAN | {"jobs": PLAN["jobs"][1:]}, ["jobs.missing", 1.0, "jobs"]),
    "battery": (replaced(PLAN, ("series", "soc_mwh"), {}), ["series.battery", 1.0, "series"]),
    "mass": (replaced(PLAN, ("series", "tank_mwh"), [0.0] * 3), ["series.mass", 1.0, "series"]),
    "short": (replaced(PLAN, ("series", "pv_used_mw"), [0.0]), ["series.length", -2.0, "values"]),
    "silent": (PLAN | NOTHING | {"conflicts": [" "]}, ["infeasible.conflicts", 1.0, "sentences"]),
    "content": (PLAN | NOTHING, ["infeasible.content", 1.0, "fields"]),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_what_is_wrong_with_a_whole_document_is_told_with_its_amount(what: str) -> None:
    plan, expected = DOCUMENTS[what]
    found = verify(check_problem(PROBLEM), parse_plan(plan), gap=0.001)
    assert expected in [[v.rule, v.amount, v.unit] for v in found]


def test_numbers_that_are_none_are_all_told_and_nothing_else_is_judged() -> None:
    plan = parse_plan(PLAN)
    assert plan.series is not None
    plan.series.import_mw[:2] = [math.nan, math.inf]
    plan.terms["import"] = -math.inf
    found = verify(check_problem(PROBLEM), plan, gap=0.001)
    assert [(v.rule, v.amount, v.unit) for v in found] == [("plan.finite", 1.0, "numbers")] * 3


if __name__ == "__main__":
    for each in DAYS:
        (FOLDER / f"{each}.json").write_text(json.dumps(verdicts(each), indent=0) + "\n")
