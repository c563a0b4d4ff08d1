"""Why a job starts when it does, or does not run."""

from __future__ import annotations

import numpy as np

from models.horizon import rfc3339
from optimizer.explain.causes import contrasted
from optimizer.explain.contrast import held, redone, shifted
from optimizer.explain.seen import Seen
from optimizer.explain.statement import Fact, Reason, Statement
from optimizer.explain.way import in_the_way
from optimizer.problem import Entry


def why_start(seen: Seen, job_id: str) -> list[Statement]:
    """When a job runs, how long after the earliest it could, and what stands behind that.

    An order and a rule of its own come first; else the job is tried at its earliest start with all others held: it
    finds no room (which limits are in its way is counted from the documents), or the difference is told by its parts.

    Asked for again, it is the same.

    Raises:
        InvalidInput: there is no such job.
    """
    if job_id not in seen.starts:
        seen.starts[job_id] = _why_start(seen, seen.entry(job_id))
    return list(seen.starts[job_id])


def _why_start(seen: Seen, e: Entry) -> list[Statement]:
    sessions = seen.sessions(e.id)
    if not sessions:
        return _why_not(seen, e)
    first, last = sessions[0][0], sessions[-1][1]
    told = [_runs(seen, e, sessions)]
    ruled = _ruled(seen, e, first)
    if ruled is not None:
        return [*told, ruled]
    if first == e.first:
        return [*told, _earliest(seen, e)]
    facts: dict[str, Fact] = {
        "job": e.id,
        "earliest_at": seen.at(e.first),
        "start_at": seen.at(first),
        "wait_h": (first - e.first) * seen.problem.step_h,
    }
    told.append(Statement("start.moved", facts))
    told.append(_slack(seen, e, last))
    return [*told, *_against(seen, e, first)]


def _earliest(seen: Seen, e: Entry) -> Statement:
    """That it starts as early as it may: at its release, or where jobs that it waits for can be over."""
    facts: dict[str, Fact] = {"job": e.id, "earliest_at": seen.at(e.first)}
    if e.after and seen.job(e.id).release < seen.problem.horizon.at(e.first):
        return Statement("start.after", {**facts, "others_names": list(e.after)}, Reason.PRECEDENCE)
    return Statement("start.earliest", facts)


def _against(seen: Seen, e: Entry, first: int) -> list[Statement]:
    """The same job at its earliest start, or, where the others leave no room there, at the earliest with room."""
    told: list[Statement] = []
    for start in range(e.first, first):
        pattern = shifted(seen, e.id, start - first)
        blocked = in_the_way(seen, e, pattern[e.id])
        if start == e.first:
            told += blocked
        if blocked:
            continue
        other = held(seen, pattern)
        facts: dict[str, Fact] = {"job": e.id, "wished_at": seen.at(start)}
        if other is not None:
            return told + contrasted("start.contrast", redone(seen), other, e, facts)
        told += [Statement("start.no_room", facts)] if not told else []
    return [*told, Statement("start.no_earlier", {"job": e.id, "start_at": seen.at(first)})]


def _runs(seen: Seen, e: Entry, sessions: list[tuple[int, int]]) -> Statement:
    hours = sum(end - start for start, end in sessions) * seen.problem.step_h
    facts: dict[str, Fact] = {
        "job": e.id,
        "start_at": seen.at(sessions[0][0]),
        "end_at": seen.at(sessions[-1][1]),
        "run_h": hours,
    }
    if len(sessions) == 1:
        return Statement("job.runs", facts)
    return Statement("job.runs_in_parts", {**facts, "sessions_n": len(sessions)})


def _slack(seen: Seen, e: Entry, last: int) -> Statement:
    """What is left between the planned end and the deadline, or by how much it is passed."""
    if e.deadline > seen.problem.slots or seen.job(e.id).deadline is None:
        return Statement("start.no_deadline", {"job": e.id})
    deadline = rfc3339(seen.problem.horizon.at(e.deadline))
    slack = (e.deadline - last) * seen.problem.step_h
    if slack >= 0:
        return Statement("start.slack", {"job": e.id, "deadline_at": deadline, "slack_h": slack})
    return Statement("start.late", {"job": e.id, "deadline_at": deadline, "late_h": -slack}, Reason.DEADLINE)


def _ruled(seen: Seen, e: Entry, first: int) -> Statement | None:
    """A rule that leaves no choice of the start."""
    facts: dict[str, Fact] = {"job": e.id, "start_at": seen.at(first)}
    if e.pinned is not None:
        return Statement("start.pinned", facts, Reason.OPERATOR_OVERRIDE)
    if e.state == "running" and first == 0:
        if e.must_stay:
            return Statement("start.may_not_stop", facts, Reason.MIN_UPTIME)
        return Statement("start.goes_on", facts)
    if seen.plan.rung == "SAFE":
        return Statement("start.safe", facts, Reason.FAILSAFE_DEFAULT)
    return None


def _why_not(seen: Seen, e: Entry) -> list[Statement]:
    facts: dict[str, Fact] = {"job": e.id}
    if e.held:
        return [Statement("off.held", facts, Reason.OPERATOR_OVERRIDE)]
    if e.work_h <= 0:
        return [Statement("off.done", facts)]
    if e.pinned is None and seen.job(e.id).pinned_start is not None:
        return [Statement("off.pinned_later", facts, Reason.OPERATOR_OVERRIDE)]
    if not e.may_run and e.after and seen.job(e.id).release < seen.problem.horizon.at(min(e.deadline, e.last)):
        return [Statement("off.order", {**facts, "others_names": list(e.after)}, Reason.PRECEDENCE)]
    if not e.may_run:
        return [Statement("off.no_window", facts, Reason.DEADLINE)]
    if seen.plan.rung == "SAFE":
        return [Statement("off.safe", facts, Reason.FAILSAFE_DEFAULT)]
    on = np.zeros(seen.problem.slots, dtype=np.int64)
    length = int(np.ceil(max(e.due_h, seen.problem.step_h) / (seen.problem.step_h * max(e.top_speed, 1e-9)) - 1e-9))
    on[e.first : min(e.first + max(length, e.min_run), e.last)] = e.count
    pattern = {**seen.pattern, e.id: on}
    told = [Statement("off.waits", {**facts, "earliest_at": seen.at(e.first)})]
    facts |= {"wished_at": seen.at(e.first)}
    other = held(seen, pattern)
    if other is None:
        return told + (in_the_way(seen, e, on) or [Statement("start.no_room", facts)])
    return told + contrasted("start.contrast", redone(seen), other, e, facts)
