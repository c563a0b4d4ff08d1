"""``python -m api.jobs_process SETTINGS PARENT``: reads the site's queues, and tells Slurm what the plan says."""

from __future__ import annotations

import signal
import sys
import threading

from api import logs
from api.guard import die_with_parent
from api.job_round import write_status
from api.settings import Settings
from models.horizon import use_packaged_time_zones

_LOOK_S = 0.5
_log = logs.get("jobs")


def main() -> None:
    """Read and act until told to stop. What Slurm was told stays in Slurm: every start there is a latest one."""
    settings = Settings.from_json(sys.argv[1])
    die_with_parent(int(sys.argv[2]))
    use_packaged_time_zones()
    logs.configure("jobs")
    from api.wiring import sign_of, turns_for

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sign = sign_of(settings, "jobs")
    turns = turns_for(settings)
    while not stop.wait(_LOOK_S):
        taken = [turn.take() for turn in turns]
        if any(taken):
            write_status(settings.run_dir, turns)
        sign.give()


if __name__ == "__main__":
    main()
