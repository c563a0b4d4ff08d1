"""Jobs that wait for others: whoever runs, runs after their work is done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .findings import Findings, near_h
from .hours import Hours


def check_order(all_hours: Sequence[Hours], findings: Findings) -> None:
    """No job runs in a slot before which one of those in ``after`` has work left, its losses counted in full."""
    by_id = {hours.track.job.id: hours for hours in all_hours}
    for hours in all_hours:
        running = np.flatnonzero(hours.track.copies > 0)
        for name in hours.track.job.after:
            if name not in by_id or not len(running):
                continue
            first, other = int(running[0]), by_id[name]
            done = float(other.track.work_h[:first].sum()) - other.starts.loss_h
            left = other.track.job.work_h - done
            if left > near_h(other.track.job.work_h):
                text = (
                    f"job {hours.track.job.id} runs here and waits for job {name}, which has {left:.9g} h of work left"
                )
                findings.add("job.after", text, amount=left, unit="h", job=hours.track.job.id, slot=first)
