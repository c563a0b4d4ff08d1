"""The real Slurm of ``every_plug``: three pretended nodes whose prologs write placement for agents of the first two.

Needs root and Debian's Slurm. Daemons are children of the script and end with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.slurm_site import slurm_site

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
from slurm_cluster import Cluster, cluster  # noqa: E402 - the peers are no package

GPUS = "--gres=gpu:h100:8"
_BUDGET = """
[jobs.slurm.budget]
licence = "kw"
spare = 20
"""


def has_slurm() -> bool:
    """Whether a cluster can be started here."""
    there = (shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("slurmctld", "slurmd", "munged", "scontrol"))
    return os.geteuid() == 0 and all(there)


class PluggedSlurm:
    """The cluster, and what the script asks of it."""

    def __init__(self, found: Cluster, folder: Path) -> None:
        self.cluster, self._times = found, folder / "hooks.txt"
        self.licences = 500
        self._again: subprocess.Popen[bytes] | None = None

    def site(self, folder: Path, floor_w: float) -> Path:
        """A site file of this cluster's 24 GPUs that plans quickly and takes its jobs from here alone."""
        path = slurm_site(folder, self.cluster.conf)
        text = path.read_text(encoding="utf-8")
        assert text.count("gap = 0.01") == 1
        path.write_text(text.replace("gap = 0.01", "gap = 0.01\ntime_limit_s = 2.0") + _BUDGET, encoding="utf-8")
        with (folder / "policy.toml").open("a", encoding="utf-8") as policy:
            policy.write(f"cap_floor_w = {floor_w}\n")
        return path

    def start_of(self, number: int) -> datetime:
        """From when on Slurm itself lets a job start."""
        return _instant(self.cluster.job(number)["EligibleTime"])

    def began(self, number: int) -> datetime | None:
        """When a job started; None: not yet."""
        row = self.cluster.job(number)
        return _instant(row["StartTime"]) if row["JobState"] in ("RUNNING", "COMPLETED") else None

    def waits(self, number: int) -> bool:
        """Whether it is put off by more than twenty minutes, with word for its user."""
        put_off = self.start_of(number) > datetime.now(UTC) + timedelta(minutes=20)
        return put_off and "AdminComment=chergui: starts" in self.cluster.run("scontrol", "show", "job", str(number))

    def reserved(self) -> int:
        """Licences that are reserved away."""
        told = self.cluster.run("scontrol", "show", "licenses", "-o")
        return int(next(word.split("=")[1] for word in told.split() if word.startswith("Reserved=")))

    def unchanged(self, number: int, before: dict[str, str]) -> bool:
        """Whether nobody but Slurm's own scheduler has touched a job."""
        after = self.cluster.job(number)
        changed = {key for key, value in after.items() if before.get(key) != value}
        return changed <= {"LastSchedEval", "SchedNodeList", "StartTime", "EndTime", "AccrueTime", "Reason"}

    def kill(self) -> None:
        """``kill -9`` of slurmctld."""
        os.kill(int((self.cluster.folder / "run" / "slurmctld.pid").read_text()), signal.SIGKILL)

    def restart(self) -> None:
        """Start slurmctld again, from what it had saved."""
        with (self.cluster.folder / "log" / "slurmctld-again").open("wb") as log:
            self._again = subprocess.Popen(["/usr/sbin/slurmctld", "-D"], env=self.cluster.env, stdout=log, stderr=log)

    def answers(self) -> bool:
        """Whether slurmctld does."""
        done = subprocess.run(["scontrol", "ping"], env=self.cluster.env, capture_output=True, text=True, timeout=60)
        return " is UP" in done.stdout

    def end(self) -> None:
        """End the daemon that the script itself started."""
        if self._again is not None and self._again.poll() is None:
            self._again.terminate()
            self._again.wait(20)

    def hooks(self) -> tuple[int, float, float, bool]:
        """Prologs and epilogs that ran: how many, median and longest in ms, whether all ended well."""
        rows = [line.split() for line in self._times.read_text().splitlines()]
        took = sorted(int(micros) / 1000 for _, micros, _ in rows)
        return len(rows), took[len(took) // 2], took[-1], all(code == "0" for _, _, code in rows)


@contextmanager
def plugged(folder: Path) -> Iterator[PluggedSlurm | None]:
    """A running cluster whose node ``gpuK`` writes placement into ``<folder>/nK/run``; None where none can run."""
    if not has_slurm():
        yield None
        return
    for name in ("prolog", "epilog"):
        script = f"#!/bin/sh\nbegan=$(date +%s%N)\nexport CHERGUI_RUN_DIR={folder}/n${{SLURMD_NODENAME#gpu}}/run\n"
        script += f"{ROOT}/deploy/slurm/{name}.sh\ncode=$?\n"
        script += f'echo "{name} $(( ($(date +%s%N) - began) / 1000 )) $code" >> {folder}/hooks.txt\nexit $code\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    more = f"Prolog={folder}/prolog\nEpilog={folder}/epilog\nPrologFlags=Alloc"
    # What the script started itself ends after the cluster, whose last words need a controller.
    with ExitStack() as last, cluster(nodes=3, more=more) as started:
        found = PluggedSlurm(started, folder)
        last.callback(found.end)
        yield found


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
