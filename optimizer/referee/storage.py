"""Checkpoints recounted from the runs: what jobs write when they stop and read when they resume, slot by slot."""

from __future__ import annotations

from collections.abc import Sequence

from .day import Day
from .runs import Track
from .sessions import checkpoint_slots, sessions_of
from .wishes import Wish


def storage_wish(day: Day, tracks: Sequence[Track]) -> list[Wish]:
    """By how many GB the storage is asked for more than it takes; nothing where nothing is said of it."""
    storage = day.problem.storage
    if storage is None:
        return []
    most = [rate * 3600 * day.step_h for rate in day.per_slot(storage.gb_per_s).tolist()]
    moved = [0.0] * day.slots
    for track in tracks:
        parts, sessions = checkpoint_slots(day, track.job), sessions_of(track)
        begun = [0] * (track.job.state == "running" and not (sessions and sessions[0][0] == 0))
        for number, (begin, end) in enumerate(sessions):
            goes_on = begin == 0 and track.job.state == "running"
            fresh = number == 0 and track.job.state == "queued"
            begun += [begin] * (not goes_on and not fresh) + [end]
        for slot in (first + k for first in begun for k in range(parts)):
            if slot < day.slots:
                moved[slot] += track.job.checkpoint_gb / parts
    beyond = [max(0.0, gb - limit) for gb, limit in zip(moved, most, strict=True)]
    worst = max(range(day.slots), key=lambda k: beyond[k])
    slack = 1e-6 * sum(moved) + 1e-9
    price, source = storage.over_cost_per_gb, "/storage/gb_per_s"
    return [Wish("storage/bandwidth", "storage.bandwidth", "GB", sum(beyond), slack, price, source, worst)]
