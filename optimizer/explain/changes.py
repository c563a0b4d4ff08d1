"""Two plans side by side: who moved, what it costs by term, and which change of the inputs stands behind it."""

from __future__ import annotations

from datetime import datetime

from models.errors import CherguiError, Fault, InvalidInput
from models.horizon import rfc3339
from optimizer.explain.contrast import Move, Solve, difference, moves
from optimizer.explain.inputs import changed, laid_on, with_cause
from optimizer.explain.seen import Seen
from optimizer.explain.statement import Fact, Statement, ranked
from optimizer.refusals import check_problem
from optimizer.replay import Previous


def compare(a: Seen, b: Seen, solve: Solve | None) -> dict[str, list[Statement]]:
    """What became of plan ``a`` in plan ``b``; ``solve`` None leaves the causes out.

    On one horizon costs are compared term by term. On another the plans cost what they cost on their own, and the
    moves are those of jobs that both know.

    Raises:
        InvalidInput: the plans' slots are not of one length, or do not lie on the same borders.
    """
    here, there = a.problem.horizon, b.problem.horizon
    if here.step != there.step or (here.start - there.start) % here.step:
        told = "the plans' slots do not lie on the same borders; compare plans of one site file"
        raise InvalidInput("the two plans", [Fault("/horizon", "borders", told)])
    same = (here.start, here.slots) == (there.start, there.slots)
    sections = {"cost": _cost(a, b) if same else _both_costs(a, b), "jobs": _jobs(a, b)}
    if solve is not None:
        sections["causes"] = causes(a, b, solve)
    return sections


def _cost(a: Seen, b: Seen) -> list[Statement]:
    found = difference(a, b)
    facts: dict[str, Fact] = {
        "before_money": a.money,
        "after_money": b.money,
        "signed_money": found.money,
        "signed_kg": found.carbon_kg,
        "signed_mw": found.peak_mw,
    }
    terms = [
        Statement("diff.term", {"part_term": name, "signed_money": money}, money=money)
        for name, money in found.terms.items()
        if abs(money) > 1e-6 * max(1.0, abs(a.money))
    ]
    return [Statement("diff.cost", facts), *ranked(terms)]


def _both_costs(a: Seen, b: Seen) -> list[Statement]:
    facts: dict[str, Fact] = {
        "before_money": a.money,
        "after_money": b.money,
        "before_at": a.at(0),
        "after_at": b.at(0),
    }
    return [Statement("diff.horizons", facts)]


def _jobs(a: Seen, b: Seen) -> list[Statement]:
    was, becomes = ({e.id for e in seen.problem.entries} for seen in (a, b))
    told = [Statement("diff.gone", {"job": i}) for i in sorted(was - becomes)]
    told += [Statement("diff.new", {"job": i}) for i in sorted(becomes - was)]
    now = b.problem.horizon.start
    told += [moved(m) for m in moves(a, b) if not _begun(m, now)]
    return told + _levels(a, b)


def _begun(move: Move, now: datetime) -> bool:
    """Whether a job only went on: it had started before the later horizon begins, and is on there."""
    return move.before is not None and move.before < now and move.after == now


def moved(move: Move) -> Statement:
    """A job that goes elsewhere, and what becomes of its wishes."""
    facts: dict[str, Fact] = {"job": move.job}
    if move.before is not None:
        facts["before_at"] = rfc3339(move.before)
    if move.after is not None:
        facts["after_at"] = rfc3339(move.after)
    key = {
        (True, True): "move.start",
        (True, False): "move.off",
        (False, True): "move.on",
        (False, False): "move.hours",
    }[move.before is not None, move.after is not None]
    if key == "move.start" and move.before == move.after:
        key = "move.hours"
    if move.late_h or move.unmet_h:
        return Statement(f"{key}_and_hours", {**facts, "signed_late_h": move.late_h, "signed_unmet_h": move.unmet_h})
    return Statement(key, facts)


def _levels(a: Seen, b: Seen) -> list[Statement]:
    """Jobs that run in the same slots at other levels: energy by job over the slots that both have."""
    ahead = (b.problem.horizon.start - a.problem.horizon.start) // a.problem.horizon.step
    slots = min(a.problem.slots - ahead, b.problem.slots)
    told = []
    known = {e.id for e in a.problem.entries}
    for e in b.problem.entries:
        if e.id not in known or slots <= 0 or ahead < 0:
            continue
        on_before, on = a.pattern[e.id][ahead:][:slots], b.pattern[e.id][:slots]
        if not on.any() or (on_before != on).any():
            continue
        h = a.problem.step_h
        before = h * a.problem.unit_mw * float(a.schedule.power(e.id)[ahead:][:slots].sum())
        after = h * b.problem.unit_mw * float(b.schedule.power(e.id)[:slots].sum())
        if abs(after - before) > 1e-3 * max(before, after):
            told.append(Statement("diff.level", {"job": e.id, "before_mwh": before, "after_mwh": after}))
    return told


def causes(a: Seen, b: Seen, solve: Solve) -> list[Statement]:
    """What each changed input alone makes of the cost of ``a``, the largest first, and what they make together.

    Every cause is one solve of ``a``'s problem with that input taken from ``b``; the rest to the cost of ``b`` is what
    causes do together, and what the searches left open. The parts add up.
    """
    base = laid_on(a.received.raw, b.received.raw)
    found = changed(base, b.received.raw)
    if not found:
        return [Statement("cause.none", {"signed_money": b.money - a.money}, money=b.money - a.money)]
    begin = Previous(a.plan, a.problem.horizon.start)
    same = a.received.raw["horizon"] == b.received.raw["horizon"]
    start = a.money if same else solve(check_problem(base), begin).objective
    if start is None:
        return [Statement("cause.untold", {"cause_names": list(found)})]
    told, untold, sum_ = [], [], 0.0
    for cause in found:
        try:
            cost = solve(check_problem(with_cause(base, b.received.raw, cause)), begin).objective
        except CherguiError:
            cost = None  # this input alone contradicts the others, so nothing can be said of it alone
        if cost is None:
            untold.append(cause)
            continue
        told.append(Statement(f"cause.{cause}", {"signed_money": cost - start}, money=cost - start))
        sum_ += cost - start
    rest = b.money - start - sum_
    told = ranked(told)
    if abs(rest) > 1e-6 * max(1.0, abs(start)):
        told.append(Statement("cause.together", {"signed_money": rest}, money=rest))
    return told + ([Statement("cause.untold", {"cause_names": [str(c) for c in untold]})] if untold else [])
