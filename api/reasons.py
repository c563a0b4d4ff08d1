"""Questions about plans answered: statements with their numbers, without a store and without sentences. Heavy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.question import Question, moment, slot_of
from optimizer.document import Plan, ReceivedProblem, parse_plan
from optimizer.explain.changes import compare
from optimizer.explain.contrast import Solve, what_if
from optimizer.explain.overview import explain_job, explain_plan, explain_slot, to_json, waiting
from optimizer.explain.seen import Seen
from optimizer.explain.wish import told
from optimizer.kept_prices import KeptPrices
from optimizer.refusals import check_problem
from optimizer.replay import Previous
from optimizer.rolling import plan

_MOST_SOLVES = 7
"""A comparison solves for the first problem and each of five causes; one more is left for what is around."""

_AHEAD_S = 120.0
"""Seconds for the reasons of all jobs in a plan's overview where nobody waits for it."""


def seen_of(edition: dict[str, Any]) -> Seen:
    """A plan with its problem, and the slot prices of its solve where any were kept.

    Raises:
        InvalidInput: the plan may not be explained.
    """
    # editions of before slot prices were kept have none
    kept = None if edition.get("prices") is None else KeptPrices.from_json(edition["prices"])
    return Seen.of(check_problem(edition["problem"]), parse_plan(edition["plan"]), kept)


def explained(
    seen: Seen, question: Question, time_limit_s: float, other: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What a question is answered; ``other`` is the edition that it compares with.

    Raises:
        InvalidInput: the question makes no sense for this plan.
        NoPlanInTime, SolverFault: a what-if brought no plan.
    """
    if other is not None:
        solve = solver(time_limit_s / _MOST_SOLVES) if question.causes is not False else None
        sections = compare(seen, seen_of(other), solve)
    elif question.start is not None:
        sections = told(what_if(seen, str(question.job), moment(question.start, "/start"), solver(time_limit_s)))
    else:
        at = None if question.slot is None else slot_of(seen.problem.horizon, question.slot)
        if question.job is not None:
            sections = explain_job(seen, question.job, at)
        else:
            sections = explain_plan(seen) if at is None else explain_slot(seen, at)
    return to_json(seen, sections)


def ahead(seen: Seen) -> Iterator[tuple[Question, dict[str, Any]]]:
    """What will be asked of a plan: why each job is where it is, those first that wait, and then the whole plan."""
    for job in dict.fromkeys(e.id for e in [*waiting(seen), *seen.problem.entries]):
        yield Question(job=job), to_json(seen, explain_job(seen, job))
    yield Question(), to_json(seen, explain_plan(seen, _AHEAD_S))


def solver(limit_s: float) -> Solve:
    """Solves that take so long at most."""

    def solve(received: ReceivedProblem, begin: Previous | None) -> Plan:
        return plan(received, time_limit_s=limit_s, previous=begin)

    return solve
