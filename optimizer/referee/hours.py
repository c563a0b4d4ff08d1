"""Work done, late and unmet: recomputed from the runs, held against the job and against what is said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from optimizer.document import Plan

from .day import Day
from .findings import Findings, near_h
from .runs import Track
from .sessions import Starts, check_sessions, count_starts
from .ways import top_speed
from .windows import deadline_slot
from .wishes import Wish


@dataclass(frozen=True)
class Hours:
    """True hours of one entry, totals over its copies, and its starts."""

    track: Track
    starts: Starts
    done: float
    late: float
    unmet: float
    due: float
    beyond_due: float


def judge_hours(day: Day, track: Track, findings: Findings) -> Hours:
    """Recompute an entry's hours and check its sessions, its overrun, its due work and its own words."""
    job = track.job
    starts = count_starts(track)
    done = float(track.work_h.sum()) - starts.loss_h
    late = float(track.work_h[deadline_slot(day, track) :].sum())
    work = job.count * job.work_h
    due = job.count * (job.work_h if job.due_h is None else job.due_h)
    hours = Hours(track, starts, done, late, max(0.0, due - done), due, max(0.0, min(done, work) - due))
    check_sessions(day, track, done, findings)
    overrun = job.count * top_speed(job) * day.step_h
    if done > work + overrun + near_h(work + overrun):
        findings.add(
            "job.overrun",
            f"job {job.id} does {done:.9g} h of work, it has {work:.9g} h and may pass them by one slot "
            f"at top speed, {overrun:.9g} h",
            amount=done - work - overrun,
            unit="h",
            job=job.id,
        )
    if job.unmet_cost_per_h is None and hours.unmet > near_h(due):
        findings.add(
            "job.due",
            f"job {job.id} must do {due:.9g} h in the horizon and does {done:.9g} h; no price lets it off",
            amount=hours.unmet,
            unit="h",
            job=job.id,
        )
    said = track.said
    for rule, word, told, true in (
        ("job.work_done_h", "work done", said.work_done_h, done),
        ("job.late_h", "late work", said.late_h, late),
        ("job.unmet_h", "unmet work", said.unmet_h, hours.unmet),
    ):
        if abs(told - true) > near_h(max(abs(true), abs(told))):
            findings.add(
                rule,
                f"job {job.id} is said to have {told:.9g} h of {word}, its runs give {true:.9g} h",
                amount=told - true,
                unit="h",
                job=job.id,
            )
    return hours


def check_unmet(plan: Plan, all_hours: Iterable[Hours], energy: Iterable[Wish], findings: Findings) -> None:
    """The list of priced wishes that gave is complete and right."""
    wishes: dict[str, tuple[str | None, float, float, float, str]] = {
        wish.id: (None, wish.amount, wish.price, wish.slack, wish.unit) for wish in energy if wish.price is not None
    }
    for hours in all_hours:
        job = hours.track.job
        if job.unmet_cost_per_h is not None:
            wishes[f"job:{job.id}/due"] = (job.id, hours.unmet, job.unmet_cost_per_h, near_h(hours.due), "h")
        if job.late_cost_per_h is not None:
            wishes[f"job:{job.id}/deadline"] = (job.id, hours.late, job.late_cost_per_h, near_h(hours.late), "h")
    listed = Counter(entry.requirement for entry in plan.unmet)
    for requirement, (job_id, true, _, slack, unit) in wishes.items():
        if true > slack and requirement not in listed:
            text = f"{requirement} gave by {true:.9g} {unit} and is not listed under unmet"
            findings.add("unmet.missing", text, amount=true, unit=unit, job=job_id)
    for requirement, times in listed.items():
        if times > 1:
            text = f"{requirement} is listed {times} times under unmet"
            findings.add("unmet.twice", text, amount=times - 1.0, unit="entries")
    for entry in plan.unmet:
        if entry.requirement not in wishes:
            text = f"{entry.requirement} is listed under unmet, the problem prices no such wish"
            findings.add("unmet.unknown", text, amount=entry.amount, unit=entry.unit)
            continue
        job_id, true, price, slack, unit = wishes[entry.requirement]
        if unit == "h" and true <= slack and entry.amount <= slack:
            text = f"{entry.requirement} is listed under unmet, nothing of it is"
            findings.add("unmet.unknown", text, amount=entry.amount, unit=entry.unit, job=job_id)
        elif entry.amount < 0 or abs(entry.amount - true) > near_h(max(true, abs(entry.amount))) + (
            0.0 if unit == "h" else slack
        ):
            text = f"{entry.requirement} is said to give by {entry.amount:.9g} {unit}, the plan gives {true:.9g} {unit}"
            findings.add("unmet.amount", text, amount=entry.amount - true, unit=unit, job=job_id)
        if not math.isclose(entry.price, price, rel_tol=1e-12):
            text = f"{entry.requirement} is priced {entry.price:.9g} per {unit}, the problem says {price:.9g}"
            findings.add("unmet.price", text, amount=entry.price - price, unit=f"per {unit}", job=job_id)
        if entry.unit != unit:
            text = f"{entry.requirement} is counted in {entry.unit!r}, {unit!r} is meant"
            findings.add("unmet.unit", text, amount=entry.amount, unit=entry.unit, job=job_id)
        if not entry.sentence.strip():
            text = f"{entry.requirement} has no sentence that says what gave"
            findings.add("unmet.sentence", text, amount=entry.amount, unit=unit, job=job_id)
