"""What the runs say together: medians, ratios, the table and the goals."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from bench.peers.pins import OURS, YARDSTICK, Peer
from bench.peers.runs import Run

QUALITY_FAMILY = "tight"
"""Only here does the import limit bind, so only here does a plan's cost say something about a planner."""


@dataclass
class Row:
    """All runs of one peer on one instance; ``cause`` says why there is none, or why some are missing."""

    peer: Peer
    instance: str
    runs: list[Run] = field(default_factory=list)
    cause: str | None = None

    @property
    def run(self) -> Run | None:
        """The run with the dearest plan, which is the one to be judged by; None where there is none."""
        return max(self.runs, key=lambda run: run.cost, default=None)

    def median(self, what: str) -> float | None:
        """Median of ``whole_s``, ``cpu_s``, ``build_s``, ``solve_s``, or ``both_s`` (build and solve), in seconds."""
        if not self.runs:
            return None
        return statistics.median(r.build_s + r.solve_s if what == "both_s" else getattr(r, what) for r in self.runs)


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal on one instance: what, the figure, and whether it is met; None where it could not be measured."""

    instance: str
    what: str
    figure: str
    met: bool | None


def family(instance: str) -> str:
    """``tight`` of ``tight_n500_s1``."""
    return instance.partition("_")[0]


def above_reference(row: Row, references: Mapping[str, Mapping[str, Any]]) -> float | None:
    """How much dearer than the best known cost, in per cent of it; None outside the family that can tell."""
    known = references.get(row.instance)
    if row.run is None or known is None or family(row.instance) != QUALITY_FAMILY:
        return None
    best = float(known["best"])
    return 100.0 * (row.run.cost - best) / max(1.0, abs(best))


def ratio(row: Row, rows: Sequence[Row], other: str, what: str) -> float | None:
    """Median seconds of a row over those of another peer on the same instance."""
    mine = row.median(what)
    (theirs,) = [r.median(what) for r in rows if r.instance == row.instance and r.peer.name == other] or [None]
    return None if mine is None or not theirs else mine / theirs


def record(row: Row, rows: Sequence[Row], references: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A row as it stands in the JSON file."""
    run = row.run
    return {
        "peer": row.peer.name,
        "instance": row.instance,
        "cost": None if run is None else run.cost,
        "above_reference_percent": above_reference(row, references),
        "bound": None if run is None else run.bound,
        "violations": None if run is None else run.violation_count,
        "first_violations": [] if run is None else list(run.violations[:5]),
        "status": None if run is None else run.status,
        "runs": len(row.runs),
        "whole_s": row.median("whole_s"),
        "cpu_s": row.median("cpu_s"),
        "build_s": row.median("build_s"),
        "solve_s": row.median("solve_s"),
        "build_and_solve_s": row.median("both_s"),
        "build_and_solve_to_highspy": ratio(row, rows, YARDSTICK, "both_s"),
        "whole_to_highspy": ratio(row, rows, YARDSTICK, "whole_s"),
        "cpu_to_highspy": ratio(row, rows, YARDSTICK, "cpu_s"),
        "every_whole_s": [round(r.whole_s, 3) for r in row.runs],
        "cause": row.cause,
    }


def table(instance: str, rows: Sequence[Row], references: Mapping[str, Mapping[str, Any]]) -> Table:
    """One instance, a line a peer; a peer without a run is named with the cause."""
    tight = family(instance) == QUALITY_FAMILY
    shown = Table(title=instance, title_justify="left", caption_justify="left")
    if not tight:
        shown.caption = f"costs are compared on the {QUALITY_FAMILY} family only"
    for name in (
        "peer",
        "cost",
        "to best",
        "bound",
        "broken",
        "whole s",
        "cpu s",
        "build s",
        "solve s",
        "b+s ×",
        "whole ×",
    ):
        shown.add_column(name, justify="left" if name == "peer" else "right", no_wrap=True)
    for row in (r for r in rows if r.instance == instance):
        name = f"[bold]{row.peer.name}[/]" if row.peer.name == OURS else row.peer.name
        run = row.run
        if run is None:
            shown.add_row(name, f"none: {row.cause}"[:90])
            continue
        above = above_reference(row, references)
        shown.add_row(
            name,
            f"{run.cost:,.2f}",
            "" if above is None else f"{above:+z.3f} %",
            "" if run.bound is None else f"{run.bound:,.2f}",
            str(run.violation_count),
            *(f"{row.median(what) or 0.0:.2f}" for what in ("whole_s", "cpu_s", "build_s", "solve_s")),
            *(_times(ratio(row, rows, YARDSTICK, what)) for what in ("both_s", "whole_s")),
        )
        if row.cause is not None:
            shown.add_row("", f"{len(row.runs)} run(s): {row.cause}"[:90])
    return shown


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def goals(rows: Sequence[Row], references: Mapping[str, Mapping[str, Any]]) -> list[Goal]:
    """What we ask of ourselves on every instance of the family that can tell (seconds: medians)."""
    found = []
    for ours in (r for r in rows if r.peer.name == OURS and family(r.instance) == QUALITY_FAMILY):
        above, broken = above_reference(ours, references), None if ours.run is None else ours.run.violation_count
        found.append(_goal(ours.instance, "cost to best known, at most +0.1 %", above, 0.1, "{:+z.3f} %"))
        found.append(_goal(ours.instance, "violations, none", broken, 0.0, "{:.0f}"))
        both = ratio(ours, rows, YARDSTICK, "both_s")
        found.append(_goal(ours.instance, "build + solve, at most 2 × raw HiGHS", both, 2.0, "{:.2f} ×"))
        names = {row.peer.name for row in rows}
        if "linopy" in names:
            whole = ratio(ours, rows, "linopy", "whole_s")
            found.append(_goal(ours.instance, "whole process, at most 1.3 × linopy", whole, 1.3, "{:.2f} ×"))
        for slow in ("flexmeasures", "pypsa", "oemof.solph", "emhass"):
            if slow in names:
                for what, part in (("both_s", "build + solve"), ("whole_s", "whole process")):
                    share = ratio(ours, rows, slow, what)
                    found.append(_goal(ours.instance, f"{part}, at most a third of {slow}", share, 1 / 3, "{:.2f} ×"))
    return found


def _goal(instance: str, what: str, value: float | None, most: float, form: str) -> Goal:
    if value is None:
        return Goal(instance, what, "not measured", None)
    return Goal(instance, what, form.format(value), value <= most)


def goals_table(found: Sequence[Goal]) -> Table:
    """The goals, one a line."""
    shown = Table(title="goals", title_justify="left")
    for name in ("instance", "what", "figure", ""):
        shown.add_column(name, no_wrap=True)
    for goal in found:
        shown.add_row(goal.instance, goal.what, goal.figure, {True: "met", False: "NOT MET", None: "-"}[goal.met])
    return shown


def build_share(split: Mapping[str, float]) -> float:
    """Pyomo build and transfer as a share of these two and HiGHS."""
    model = split["build"] + split["transfer"]
    return model / max(1e-9, model + split["highs"])


def split_table(splits: Mapping[str, Mapping[str, float]]) -> Table:
    """Our own seconds by stage, one instance a line."""
    shown = Table(title="ours, inside one process: seconds", title_justify="left")
    stages = list(next(iter(splits.values())))
    for name in ("instance", *stages, "(build + transfer) / (build + transfer + highs)"):
        shown.add_column(name, justify="left" if name == "instance" else "right")
    for instance, split in splits.items():
        shown.add_row(instance, *(f"{split[stage]:.2f}" for stage in stages), f"{build_share(split):.0%}")
    return shown
