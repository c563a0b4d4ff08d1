"""Slurm's part of ``every_plug``: jobs that are planned, one that is not, and Slurm without us."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.system.plugged_hall import Hall, Log
from tests.system.plugged_slurm import GPUS, PluggedSlurm


class Queue:
    """Slurm's part of the script: jobs that are planned, one that is not, and Slurm without us."""

    def __init__(self, slurm: PluggedSlurm, log: Log) -> None:
        self.slurm, self.log = slurm, log
        self.base = self.waiting = self.stranger = self.late = 0
        self.before: dict[str, str] = {}

    def hand_in(self, hall: Hall) -> None:
        """The job that the hall is granted for, and one that no row of the policy names."""
        cluster = self.slurm.cluster
        self.base = cluster.submit("sleep 7200", "-N2", "-w", "gpu1,gpu2", GPUS, "-t", "180")
        self.log.proves(lambda: cluster.state(self.base) == "RUNNING", "Slurm runs it")
        files = [node.folder / "run" / "placement" / str(self.base) for node in hall.nodes]
        self.log.proves(
            lambda: all(file.exists() for file in files), "its prolog says on both nodes whose their GPUs are"
        )
        self.stranger = cluster.submit("true", "-p", "debug", "-N3", GPUS, "-t", "60", "--begin=now+7200")
        self.before = cluster.job(self.stranger)

    def wait_for_windows(self) -> None:
        """A job that finds no room now is given its window, and power that is not granted is reserved away."""
        if not self.waiting:
            self.waiting = self.slurm.cluster.submit("true", "-N3", GPUS, "-t", "60", "-L", "kw:30")
        self.log.proves(
            lambda: self.slurm.waits(self.waiting), "Slurm holds its start, and its user reads why and when"
        )
        latest = datetime.now(UTC) + timedelta(hours=6)
        self.log.proves(lambda: self.slurm.start_of(self.waiting) <= latest, "no later than its latest start")
        spare = self.slurm.licences - 20
        self.log.proves(
            lambda: 0 < self.slurm.reserved() <= spare, "licences that the plan does not grant are reserved"
        )

    def let_go(self) -> None:
        """Failsafe: no job waits for us, and none starts that needs power."""
        soon = timedelta(minutes=1)
        self.log.proves(lambda: self.slurm.start_of(self.waiting) < datetime.now(UTC) + soon, "what waited is let go")
        self.log.proves(lambda: self.slurm.reserved() == self.slurm.licences, "and every free licence is held")

    def lose(self, hall: Hall) -> None:
        """Slurm's controller dies and comes back."""
        self.log.pull("kill -9 of slurmctld")
        self.slurm.kill()
        self.log.proves(lambda: not self.slurm.answers(), "Slurm is silent")
        time.sleep(5.0)
        self.log.proves(hall.granted, "the caps stay")
        self.slurm.restart()
        self.log.proves(self.slurm.answers, "Slurm is back")
        self.log.proves(lambda: self.slurm.cluster.state(self.base) == "RUNNING", "its job runs on")
        self.wait_for_windows()

    def hand_in_late(self) -> None:
        """A job that may wait for two minutes, and for which there is no room."""
        self.late = self.slurm.cluster.submit("true", "-N3", GPUS, "-t", "5", "--comment", "chergui=on delay=2m")
        told = ("scontrol", "show", "job", str(self.late))
        self.log.pull("a job is handed in that may wait for two minutes")
        said = "its latest start stands in Slurm itself"
        self.log.proves(lambda: "AdminComment=chergui: starts" in self.slurm.cluster.run(*told), said)

    def outlive(self, hall: Hall) -> None:
        """Without us: epilogs, latest starts, strangers."""
        cluster = self.slurm.cluster
        latest = self.slurm.start_of(self.late)
        cluster.run("scancel", str(self.base))
        gone = [node.folder / "run" / "placement" / str(self.base) for node in hall.nodes]
        self.log.proves(lambda: not any(file.exists() for file in gone), "a job ends: its epilog gives the GPUs back")
        self.log.proves(lambda: self.slurm.began(self.late) is not None, "the job starts by itself", 300.0)
        began = self.slurm.began(self.late)
        told = f"{(began - latest).total_seconds():.0f} s after its latest start" if began else ""
        in_time = began is not None and timedelta(0) <= began - latest <= timedelta(seconds=60)
        self.log.proves(lambda: in_time, f"not before it was told, {told}", 1.0)
        self.log.proves(lambda: self.slurm.unchanged(self.stranger, self.before), "whom no row names was never touched")
        count, middle, longest, well = self.slurm.hooks()
        said = f"{count} prologs and epilogs took {middle:.0f} ms (median), {longest:.0f} ms at most, and none failed"
        self.log.proves(lambda: well and middle <= 200.0, said, 1.0)
