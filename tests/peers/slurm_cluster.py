"""A real Slurm 22.05 on loopback: munged, slurmctld, slurmd for some pretended nodes, slurmrestd where asked for.

Needs root (slurmd starts steps as other users) and Debian's packages; `cluster` skips loudly without them. Nodes are of
eight pretended H100 each, all on this machine. Ends with every process that it or its jobs began.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from processes import binary, free_ports, listens, running, wait_for

CONF = """
ClusterName=ci
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,default_queue_depth=500,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobcomp.txt
JobAcctGatherType=jobacct_gather/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
Licenses=kw:{licences}
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
MinJobAge=3600
MaxJobCount=20000
KillWait=2
{more}
"""
NODE = (
    "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=128 Boards=1 SocketsPerBoard=2 "
    "CoresPerSocket=64 ThreadsPerCore=1 RealMemory=2000000 Gres=gpu:h100:8 State=UNKNOWN\n"
)
PARTITIONS = (
    "PartitionName=train Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=10\n"
    "PartitionName=debug Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=20\n"
    "PartitionName=helped Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10\n"
)


class Cluster:
    """What a test does with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self.env = {**os.environ, "SLURM_CONF": str(self.conf), "TZ": "UTC"}

    def run(self, *command: str) -> str:
        """Output of one of Slurm's commands."""
        done = subprocess.run(command, env=self.env, timeout=30, capture_output=True, text=True, cwd=self.folder)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def submit(self, script: str, *options: str) -> int:
        """Number of a new job."""
        path = self.folder / f"job-{secrets.token_hex(4)}.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        return int(self.run("sbatch", "--parsable", "-o", "/dev/null", *options, str(path)))

    def job(self, number: int) -> dict[str, str]:
        """Fields of a job as ``scontrol show job`` prints them."""
        words = self.run("scontrol", "show", "job", "-o", str(number)).split(" ")
        return dict(word.split("=", 1) for word in words if "=" in word)

    def state(self, number: int) -> str:
        """State of a job."""
        return self.job(number)["JobState"]

    def wait(self, number: int, state: str, seconds: float = 30.0) -> None:
        """Until a job has a state."""
        wait_for(lambda: self.state(number) == state, f"{state} of job {number}: {self.job(number)}", seconds)


@contextmanager
def cluster(
    nodes: int = 3, licences: int = 500, more: str = "", beside: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """A running cluster of ``gpu1`` to ``gpuN``; ``more`` lines of slurm.conf, ``beside`` it further files."""
    if os.geteuid() != 0:
        pytest.skip("NOT ROOT: slurmd cannot be started, acting on Slurm is NOT tested against the real one")
    programs = {name: binary(name, "acting on Slurm") for name in ("munged", "slurmctld", "slurmd", "scontrol")}
    folder = Path(tempfile.mkdtemp(prefix="chergui-slurm-"))
    try:
        with ExitStack() as stack:
            for name, text in (beside or {}).items():
                (folder / name).write_text(text)
            yield _started(folder, programs, nodes, licences, more, stack)
    finally:
        _end_what_is_left(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, programs: dict[str, str], nodes: int, licences: int, more: str, stack: ExitStack) -> Cluster:
    folder.chmod(0o755)
    for name in ("state", "log", "run", "dev", "munge"):
        (folder / name).mkdir()
    names = [f"gpu{k + 1}" for k in range(nodes)]
    for name in names:
        (folder / "spool" / name).mkdir(parents=True)
    for k in range(8):
        os.mknod(folder / "dev" / f"nvidia{k}", 0o20666, os.makedev(1, 3))
    ports = free_ports(nodes + 1)
    (folder / "slurm.conf").write_text(
        CONF.format(folder=folder, ports=ports, licences=licences, more=more)
        + "".join(NODE.format(name=name, port=port) for name, port in zip(names, ports[1:], strict=True))
        + PARTITIONS
    )
    (folder / "gres.conf").write_text(f"Name=gpu Type=h100 File={folder}/dev/nvidia[0-7]\n")
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    found = Cluster(folder)
    os.environ["SLURM_CONF"] = str(found.conf)
    stack.callback(os.environ.pop, "SLURM_CONF", None)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    socket = folder / "munge" / "socket"
    munge = ["--foreground", "--force", f"--key-file={key}", f"--socket={socket}", f"--seed-file={folder}/munge/seed"]
    munge += [f"--pid-file={folder}/munge/pid", f"--log-file={folder}/log/munged"]
    stack.enter_context(running([programs["munged"], *munge], folder / "log" / "munged.out", socket.exists))
    control = [programs["slurmctld"], "-D", "-c", "-i"]
    stack.enter_context(running(control, folder / "log" / "slurmctld", lambda: listens(ports[0])))
    for name in names:
        log = folder / "log" / f"slurmd-{name}"
        stack.enter_context(running([programs["slurmd"], "-D", "-N", name], log, lambda: True))
    stack.callback(_cancel_all, found)
    wait_for(
        lambda: found.run("sinfo", "-h", "-o", "%T %D", "-p", "train").strip() == f"idle {nodes}", "idle nodes", 60
    )
    return found


def _cancel_all(found: Cluster) -> None:
    found.run("scancel", "--user=root")
    deadline = time.monotonic() + 10
    while found.run("squeue", "-h", "-t", "R,S,CG") and time.monotonic() < deadline:
        for line in found.run("squeue", "-h", "-t", "S", "-o", "%A").split():
            subprocess.run(["scontrol", "resume", line], env=found.env, timeout=10, check=False, capture_output=True)
        time.sleep(0.1)


def _end_what_is_left(folder: Path) -> None:
    """Processes of jobs that outlived their daemons: they carry our folder in their command line."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"{folder}/spool".encode() in told:
            os.kill(int(entry.name), signal.SIGKILL)


@contextmanager
def slurmrestd(found: Cluster) -> Iterator[str]:
    """slurmrestd at a socket; its address."""
    program = binary("slurmrestd", "reading Slurm over REST")
    socket = found.folder / "run" / "rest"
    env = {"SLURMRESTD_SECURITY": "disable_user_check", "SLURM_CONF": str(found.conf)}
    command = ["env", *(f"{key}={value}" for key, value in env.items()), program]
    command += ["-s", "openapi/v0.0.38", "-a", "rest_auth/local", f"unix:{socket}"]
    with running(command, found.folder / "log" / "slurmrestd", socket.exists):
        yield f"unix:{socket}"
