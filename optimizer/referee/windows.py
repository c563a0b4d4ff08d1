"""When a job may run at all: release, deadline, and what an operator ordered."""

from __future__ import annotations

import numpy as np

from models.horizon import rfc3339

from .day import Day
from .findings import Findings
from .runs import Track


def check_window(day: Day, track: Track, findings: Findings) -> None:
    """Release, a deadline that nothing may pass, ``held`` and ``pinned_start``."""
    job, on = track.job, track.copies > 0
    slots = np.arange(day.slots)
    if job.held:
        _forbidden(track, on, "job.held", "is held by an operator and may not run", day, findings)
    # A running job has been released, whatever its release says.
    release = 0 if job.state == "running" else day.first_slot_from(job.release)
    early = on & (slots < release)
    _forbidden(track, early, "job.release", f"is not released before {rfc3339(job.release)}", day, findings)
    if job.deadline is not None and job.late_cost_per_h is None:
        late = on & (slots >= day.first_slot_from(job.deadline))
        text = f"may not run after its deadline {rfc3339(job.deadline)}, no late cost is given"
        _forbidden(track, late, "job.deadline", text, day, findings)
    _pinned(day, track, findings)


def deadline_slot(day: Day, track: Track) -> int:
    """First slot whose work is late; the number of slots where none is."""
    if track.job.deadline is None:
        return day.slots
    return min(max(0, day.first_slot_from(track.job.deadline)), day.slots)


def _forbidden(track: Track, where: np.typing.NDArray[np.bool_], rule: str, text: str, day: Day, to: Findings) -> None:
    for k in np.flatnonzero(where):
        to.add(rule, f"job {track.job.id} runs but {text}", amount=day.step_h, unit="h", job=track.job.id, slot=int(k))


def _pinned(day: Day, track: Track, findings: Findings) -> None:
    job = track.job
    if job.pinned_start is None or job.held:
        return
    pinned = day.first_slot_from(job.pinned_start)
    on = np.flatnonzero(track.copies > 0)
    if pinned < 0:
        return
    if pinned >= day.slots:
        text = f"is pinned to {rfc3339(job.pinned_start)}, after the horizon"
        _forbidden(track, track.copies > 0, "job.pinned_start", text, day, findings)
    elif len(on) == 0 and job.work_h > 0:
        findings.add(
            "job.pinned_start",
            f"job {job.id} is pinned to start here and never runs",
            amount=job.work_h,
            unit="h",
            job=job.id,
            slot=pinned,
        )
    elif len(on) and int(on[0]) != pinned:
        findings.add(
            "job.pinned_start",
            f"job {job.id} first starts here, an operator pinned it to {rfc3339(job.pinned_start)}",
            amount=(int(on[0]) - pinned) * day.step_h,
            unit="h",
            job=job.id,
            slot=int(on[0]),
        )
