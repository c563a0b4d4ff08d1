"""From results to the table: what stood at an instant, what was asked, whether it was reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.growth import fit, growth_points
from bench.scale_cases import BUILD_SHARE, GROWTH_GAP, SIMPLE_TOLERANCE, WARM_GAP, Case

Json = dict[str, Any]
Trace = Sequence[Sequence[float | None]]
"""Rows of seconds, objective, bound, gap, as :mod:`bench.scale_run` tells them."""


@dataclass(frozen=True)
class Row:
    """A line of the table; ``reached`` is None where nothing was asked or its means is not built."""

    what: str
    goal: str
    measured: str
    reached: bool | None

    def __str__(self) -> str:
        word = {True: "yes", False: "no", None: "–"}[self.reached]
        return f"| {self.what} | {self.goal} | {self.measured} | {word} |"


def markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    head = ["| what | goal | measured, one value a seed | reached |", "|---|---|---|---|"]
    return "\n".join([*head, *map(str, rows)])


def first_plan_s(trace: Trace) -> float | None:
    """Seconds to the first refereed plan."""
    return next((row[0] for row in trace if row[1] is not None), None)


def gap_at(trace: Trace, seconds: float) -> float | None:
    """Gap of the best plan against the best bound that stood at an instant; None where one of them was missing."""
    plans = [row[1] for row in trace if row[1] is not None and (row[0] or 0.0) <= seconds]
    bounds = [row[2] for row in trace if row[2] is not None and (row[0] or 0.0) <= seconds]
    if not plans or not bounds:
        return None
    best = min(plans)
    return max(0.0, best - max(bounds)) / max(1.0, abs(best))


def reached_s(trace: Trace, gap: float) -> float | None:
    """Seconds until the gap was first at most ``gap``."""
    instants = sorted({row[0] for row in trace if row[0] is not None})
    return next((s for s in instants if (found := gap_at(trace, s)) is not None and found <= gap), None)


def bound_is_honest(trace: Trace) -> bool:
    """Whether no bound claimed at any time lies above any plan found at any time."""
    plans = [row[1] for row in trace if row[1] is not None]
    bounds = [row[2] for row in trace if row[2] is not None]
    return not plans or not bounds or max(bounds) <= min(plans) + 1e-6 * max(1.0, abs(min(plans)))


def faults(results: Sequence[Json]) -> list[str]:
    """What must never happen: a violation that the referee found, a bound above a known plan, a failed run."""
    found = []
    for result in results:
        name = f"{result['key']}, seed {result['seed']}"
        for part, told in ((name, result), (f"{name}, re-planned", result.get("replan") or {})):
            found += [f"{part}: {sentence}" for sentence in told.get("violations", ())]
            if "trace" in told and not bound_is_honest(told["trace"]):
                found.append(f"{part}: a claimed bound lies above a known plan")
            if "error" in told:
                found.append(f"{part}: {told['error']}")
    return found


def rows_of(cases: Sequence[Case], results: Sequence[Json]) -> list[Row]:
    """All lines for which there are results, in the order of the goals."""
    by_key: dict[str, list[Json]] = {}
    for result in results:
        by_key.setdefault(result["key"], []).append(result)
    rows: list[Row] = []
    for case in cases:
        if mine := by_key.get(case.key):
            rows += _site_rows(case, mine)
    for case in cases:
        if mine := by_key.get(case.key):
            rows += _replan_rows(case, mine) + _redispatch_rows(case, mine)
    rows += [_simple_row(result) for key, mine in by_key.items() if key.startswith("simple") for result in mine]
    rows += [_build_row(result) for result in by_key.get("build", [])]
    return [*rows, *_growth_rows(results)]


def _values(results: Sequence[Json], read: Callable[[Json], float | None], show: Callable[[float], str]) -> str:
    return " / ".join("none" if (v := read(result)) is None else show(v) for result in results)


def _gaps(results: Sequence[Json], seconds: float) -> str:
    """Gaps at an instant; where there is none, what was missing."""
    told = []
    for result in results:
        gap, first = gap_at(result["trace"], seconds), first_plan_s(result["trace"])
        missing = "no plan" if first is None or first > seconds else "no bound"
        told.append(missing if gap is None else f"{100 * gap:.2f} %")
    return " / ".join(told)


def _all(results: Sequence[Json], read: Callable[[Json], float | None], most: float) -> bool:
    return all((v := read(result)) is not None and v <= most for result in results)


def _most(gap: float) -> str:
    return f"≤ {100 * gap:g} %"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 1 else f"{value:.2f} s"


def _site_rows(case: Case, results: Sequence[Json]) -> list[Row]:
    def first(result: Json) -> float | None:
        return first_plan_s(result["trace"])

    def gigabytes(result: Json) -> float | None:
        return (result["solver_mb"] + result["referee_mb"]) / 1024 if "solver_mb" in result else None

    goal = "–" if case.first_s is None else f"≤ {case.first_s:g} s"
    reached = None if case.first_s is None else _all(results, first, case.first_s)
    rows = [Row(f"{case.title}: first refereed plan", goal, _values(results, first, _seconds), reached)]
    for instant, most in case.gaps:

        def gap(result: Json, instant: float = instant) -> float | None:
            return gap_at(result["trace"], instant)

        what = f"{case.title}: proven gap at {instant:g} s"
        rows.append(Row(what, _most(most), _gaps(results, instant), _all(results, gap, most)))
    goal = "–" if case.memory_gb is None else f"≤ {case.memory_gb:g} GB"
    reached = None if case.memory_gb is None else _all(results, gigabytes, case.memory_gb)
    rows.append(Row(f"{case.title}: peak memory", goal, _values(results, gigabytes, lambda v: f"{v:.2f} GB"), reached))
    return rows


def _not_built(parts: Sequence[Json]) -> str | None:
    return next((f"not built: {part['not_built']}" for part in parts if "not_built" in part), None)


def _replan_rows(case: Case, results: Sequence[Json]) -> list[Row]:
    if case.replan is None:
        return []
    instant, most = case.replan
    what, goal = f"{case.title}, re-plan one slot later: gap at {instant:g} s", _most(most)
    again = [result.get("replan") or {"trace": []} for result in results]
    if missing := _not_built(again):
        return [Row(what, goal, missing, None)]

    def gap(result: Json) -> float | None:
        return gap_at(result["trace"], instant)

    def ratio(result: Json) -> float | None:
        warm, cold = reached_s(result["trace"], most), reached_s(result.get("cold_trace", []), most)
        return None if warm is None or cold is None else cold / warm

    faster = f"{case.title}, re-plan from nothing / from memory, time to {100 * most:g} %"
    return [
        Row(what, goal, _gaps(again, instant), _all(again, gap, most)),
        Row(faster, "several times", _values(again, ratio, lambda v: f"{v:.1f} ×"), None),
    ]


def _redispatch_rows(case: Case, results: Sequence[Json]) -> list[Row]:
    rows: list[Row] = []
    parts = [result.get("redispatch") or {} for result in results]

    def cold(part: Json) -> float | None:
        return part.get("cold_s")

    def warm(part: Json) -> float | None:
        return part.get("warm_s")

    def off(part: Json) -> float | None:
        if "warm_cost" not in part:
            return None
        return abs(float(part["warm_cost"] - part["moved_cost"])) / max(1.0, abs(part["moved_cost"]))

    what = f"{case.title}, re-dispatch with starts fixed"
    if case.cold_s is not None:
        reached = _all(parts, cold, case.cold_s)
        rows.append(Row(f"{what}: cold", f"≤ {case.cold_s:g} s", _values(parts, cold, _seconds), reached))
    if case.warm_s is not None:
        goal = f"≤ {case.warm_s:g} s, within {WARM_GAP:g}"
        if missing := _not_built(parts):
            rows.append(Row(f"{what}: warm", goal, missing, None))
        else:
            measured = f"{_values(parts, warm, _seconds)}, off by {_values(parts, off, lambda v: f'{v:.1e}')}"
            reached = _all(parts, warm, case.warm_s) and _all(parts, off, WARM_GAP)
            rows.append(Row(f"{what}: warm", goal, measured, reached))
    return rows


def _simple_row(result: Json) -> Row:
    what = f"simple day (`tight`), {result['jobs']} jobs: cost against the best known"
    if "error" in result:
        return Row(what, "within 0.1 %", f"failed: {result['error']}", False)
    off = (result["objective"] - result["best"]) / abs(result["best"])
    measured = f"{100 * off:+.3f} %, whole process {result['seconds']:.1f} s"
    return Row(what, "within 0.1 %", measured, off <= SIMPLE_TOLERANCE)


def _build_row(result: Json) -> Row:
    what = f"simple day, {result['jobs']} jobs: Pyomo build + transfer of build + solve"
    if "error" in result:
        return Row(what, "≤ 25 %", f"failed: {result['error']}", False)
    build, transfer, solve = (result[name] for name in ("build_s", "transfer_s", "solve_s"))
    share = (build + transfer) / (build + transfer + solve)
    if not result["closed"]:
        measured = f"HiGHS did not reach the gap in {solve:.0f} s; build {build:.2f} + transfer {transfer:.2f} s"
        return Row(what, "≤ 25 %", measured, False)
    measured = f"{100 * share:.0f} % ({build:.2f} + {transfer:.2f} s, HiGHS {solve:.2f} s)"
    return Row(what, "≤ 25 %", measured, share <= BUILD_SHARE)


def _growth_rows(results: Sequence[Json]) -> list[Row]:
    rows = []
    for name, points in growth_points(results, {"first plan": first_plan_s, **_fixed_gap()}).items():
        if (line := fit(points)) is not None:
            sizes = sorted({jobs for jobs, _ in points})
            what = f"cost growth, {name}: time ~ jobs^e, {sizes[0]:,} to {sizes[-1]:,} jobs"
            rows.append(Row(what, "printed", f"e = {line.exponent:.2f} ({len(points)} runs)", None))
    return rows


def _fixed_gap() -> dict[str, Callable[[Trace], float | None]]:
    return {f"gap of {100 * GROWTH_GAP:g} %": lambda trace: reached_s(trace, GROWTH_GAP)}
