"""Sessions and pauses: how often a job starts, what a start loses, and which pauses it may make.

A job that was running and is off in slot 0 has been paused there, also when it never returns; a job
that is held or has no work left has not been paused but stopped. All other pauses lie between two
sessions. The pause of a paused job before slot 0 counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.document import Job

from .day import Day
from .findings import Findings, near_h
from .runs import Track


@dataclass(frozen=True)
class Starts:
    """Starts that cost ``start_cost``, and the work lost by those that resume and by changes of the gang."""

    paid: int
    loss_h: float


def count_starts(track: Track) -> Starts:
    """Starts of an entry where its number of running copies rises.

    For one job these are its sessions; a running entry enters slot 0 with all copies on. A queued
    entry loses nothing in its first ``count`` starts.
    """
    job = track.job
    before = job.count if job.state == "running" else 0
    rises = int(np.maximum(0, np.diff(track.copies, prepend=before)).sum())
    resumed = max(0, rises - job.count) if job.state == "queued" else rises
    return Starts(rises, resumed * job.restart_loss_h + track.resized_h)


def check_sessions(day: Day, track: Track, work_done_h: float, findings: Findings) -> None:
    """Preemption, shortest session, shortest pause and number of pauses."""
    if track.job.count > 1:
        _check_aggregate(track, findings)
        return
    job = track.job
    sessions = sessions_of(track)
    stopped = job.state == "running" and not job.held and job.work_h > 0 and not (sessions and sessions[0][0] == 0)
    _check_preemption(job, sessions, stopped, findings)
    _check_runs(day, job, sessions, stopped, work_done_h, findings)
    _check_pauses(day, job, sessions, stopped, findings)


def checkpoint_slots(day: Day, job: Job) -> int:
    """Slots in which a checkpoint is written, or read: one, or where none takes it whole, as many as it needs."""
    storage = day.problem.storage
    if storage is None:
        return 1
    most_gb = 3600 * day.step_h * float(day.per_slot(storage.gb_per_s).max())
    slots = 1
    while slots < storage.most_slots and job.checkpoint_gb > slots * most_gb * (1 + 1e-9):
        slots += 1
    return slots


def sessions_of(track: Track) -> list[tuple[int, int]]:
    """Half-open slot ranges in which the job is on without a break."""
    edges = np.flatnonzero(np.diff((track.copies > 0).astype(int), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _check_aggregate(track: Track, findings: Findings) -> None:
    job = track.job
    starts = count_starts(track).paid
    allowed = 0 if job.state == "running" else job.count
    if not job.preemptible and starts > allowed:
        findings.add(
            "job.preemptible",
            f"job {job.id} cannot be paused and has {starts} starts, its {job.count} copies allow {allowed}",
            amount=float(starts - allowed),
            unit="starts",
            job=job.id,
        )


def _check_preemption(job: Job, sessions: list[tuple[int, int]], stopped: bool, findings: Findings) -> None:
    if job.preemptible:
        return
    if stopped:
        findings.add(
            "job.preemptible",
            f"job {job.id} is running, cannot be paused, has {job.work_h:g} h of work left and is off here",
            amount=job.work_h,
            unit="h",
            job=job.id,
            slot=0,
        )
    if len(sessions) > 1:
        findings.add(
            "job.preemptible",
            f"job {job.id} cannot be paused and starts session {len(sessions)} of 1 allowed",
            amount=float(len(sessions) - 1),
            unit="sessions",
            job=job.id,
            slot=sessions[1][0],
        )


def _check_runs(
    day: Day, job: Job, sessions: list[tuple[int, int]], stopped: bool, work_done_h: float, findings: Findings
) -> None:
    ran = max(1, job.ran_slots)
    if stopped and ran < job.min_run_slots:
        findings.add(
            "job.min_run",
            f"job {job.id} is stopped here after {ran} slots of the {job.min_run_slots} it must run",
            amount=float(job.min_run_slots - ran),
            unit="slots",
            job=job.id,
            slot=0,
        )
    ended = work_done_h >= job.work_h - near_h(job.work_h)
    for first, end in sessions:
        length = end - first + (job.ran_slots if first == 0 and job.state == "running" else 0)
        cut = end == day.slots
        last = (first, end) == sessions[-1]
        if length < job.min_run_slots and not cut and not (last and ended):
            findings.add(
                "job.min_run",
                f"job {job.id} starts a session of {length} slots, it must run {job.min_run_slots}",
                amount=float(job.min_run_slots - length),
                unit="slots",
                job=job.id,
                slot=first,
            )


def _check_pauses(day: Day, job: Job, sessions: list[tuple[int, int]], stopped: bool, findings: Findings) -> None:
    least = max(job.min_pause_slots, checkpoint_slots(day, job))
    ends = [0] * stopped + [end for _, end in sessions]
    starts = [start for start, _ in sessions][0 if stopped else 1 :]
    for begun, over in zip(ends, starts, strict=False):
        if over - begun < least:
            findings.add(
                "job.min_pause",
                f"job {job.id} is paused for {over - begun} slots, it must pause for {least}"
                + (", in which its checkpoint is written" if least > job.min_pause_slots else ""),
                amount=float(least - (over - begun)),
                unit="slots",
                job=job.id,
                slot=begun,
            )
    pauses = max(0, len(sessions) - 1) + stopped
    if job.max_pauses is not None and pauses > job.max_pauses:
        findings.add(
            "job.max_pauses",
            f"job {job.id} is paused {pauses} times, at most {job.max_pauses} allowed",
            amount=float(pauses - job.max_pauses),
            unit="pauses",
            job=job.id,
        )
