"""Every wish of a document: kept or not, by how much, and what it cost that it gave."""

from __future__ import annotations

from optimizer.explain.seen import Seen
from optimizer.explain.statement import Fact, Statement

TOLD = ("due", "deadline", "moved", "frozen")
"""Wishes of jobs that have a sentence of their own."""


def requirements(seen: Seen) -> list[Statement]:
    """What gave first, then what is kept; each with its id, amount, and price where it has one."""
    gave = {u.requirement: u for u in seen.plan.unmet}
    told = []
    for u in seen.plan.unmet:
        subject, _, wish = u.requirement.partition("/")
        kind = wish if subject.startswith("job:") and wish in TOLD else "other"
        told.append(
            Statement(
                f"requirement.{kind}.gave",
                {
                    "requirement": u.requirement,
                    "job": subject.removeprefix("job:"),
                    "amount": round(u.amount, 6),
                    "gave_h": u.amount,
                    "unit": u.unit,
                    "each_money": u.price,
                    "cost_money": u.amount * u.price,
                },
                money=u.amount * u.price,
            )
        )
    done = {job.id: job for job in seen.plan.jobs}
    for e in seen.problem.entries:
        if e.due_h > 0 and f"job:{e.id}/due" not in gave:
            facts: dict[str, Fact] = {"requirement": f"job:{e.id}/due", "job": e.id, "due_h": e.count * e.due_h}
            told.append(Statement("requirement.due.kept", {**facts, "done_h": done[e.id].work_done_h}))
        if seen.job(e.id).deadline is not None and f"job:{e.id}/deadline" not in gave and seen.sessions(e.id):
            slack = (e.deadline - seen.sessions(e.id)[-1][1]) * seen.problem.step_h
            if slack >= 0:
                facts = {"requirement": f"job:{e.id}/deadline", "job": e.id, "slack_h": slack}
                told.append(Statement("requirement.deadline.kept", facts))
    return told
