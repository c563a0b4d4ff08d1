"""The goals beside the peers, taken from the report of ``python -m bench.peers --out FILE``, as lines of the table."""

from __future__ import annotations

from typing import Any

from bench.scale_table import Row

NOT_HERE = Row(
    "simple day beside the peers",
    "see there",
    "not measured here: `python -m bench.peers --repeats 7 --out FILE`, then `--peers FILE`",
    None,
)


def peer_rows(report: dict[str, Any] | None) -> list[Row]:
    """A line a goal, its figures by instance; reached if every instance met it, unknown where one has no figure."""
    if report is None:
        return [NOT_HERE]
    by_goal: dict[str, list[dict[str, Any]]] = {}
    for goal in report["goals"]:
        by_goal.setdefault(goal["what"], []).append(goal)
    rows = []
    for what, goals in by_goal.items():
        name, _, most = what.partition(", ")
        figures = " / ".join(goal["figure"] for goal in goals)
        instances = ", ".join(goal["instance"] for goal in goals)
        met = [goal["met"] for goal in goals]
        reached = False if False in met else None if None in met else True
        rows.append(Row(f"beside the peers ({instances}): {name}", most, figures, reached))
    return rows
