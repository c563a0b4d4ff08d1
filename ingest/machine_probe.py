"""What this machine can say about its GPUs and partitions, for a first site file.

Asks ``nvidia-smi`` and ``sinfo`` where those commands exist; both only read. Parsing is apart from asking, so that
it is tested with captured output.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

_NVIDIA_SMI = (
    "nvidia-smi",
    "--query-gpu=name,power.min_limit,power.max_limit",
    "--format=csv,noheader,nounits",
)
_SINFO = ("sinfo", "-h", "-o", "%R|%D|%G")
_GRES = re.compile(r"gpu(?::([^:,(]+))?:(\d+)")


@dataclass(frozen=True, slots=True)
class SeenGpu:
    """GPUs of one kind in this machine; limits W, None where the driver does not say."""

    name: str
    count: int
    min_limit_w: float | None
    max_limit_w: float | None


@dataclass(frozen=True, slots=True)
class SeenPartition:
    """One kind of GPU node in a Slurm partition; ``kind`` is the type in its GRES, empty where none is named."""

    name: str
    nodes: int
    gpus_per_node: int
    kind: str


def parse_nvidia_smi(text: str) -> list[SeenGpu]:
    """GPUs of ``nvidia-smi`` (name, least and highest limit per line), alike ones counted."""
    rows: dict[tuple[str, float | None, float | None], int] = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        if len(parts) == 3 and parts[0]:
            key = (parts[0], _watts(parts[1]), _watts(parts[2]))
            rows[key] = rows.get(key, 0) + 1
    return [SeenGpu(name, count, low, high) for (name, low, high), count in rows.items()]


def parse_sinfo(text: str) -> list[SeenPartition]:
    """Partitions with GPUs of ``sinfo -h -o %R|%D|%G``; nodes without GPUs are left out."""
    found: dict[tuple[str, int, str], int] = {}
    for line in text.splitlines():
        parts = line.strip().split("|")
        if len(parts) != 3 or not parts[1].isdigit():
            continue
        for kind, count in _GRES.findall(parts[2]):
            key = (parts[0], int(count), kind)
            found[key] = found.get(key, 0) + int(parts[1])
    return [SeenPartition(name, nodes, count, kind) for (name, count, kind), nodes in found.items()]


def seen_gpus() -> list[SeenGpu]:
    """GPUs of this machine; none where there is no ``nvidia-smi`` or it fails."""
    return parse_nvidia_smi(_output(_NVIDIA_SMI))


def seen_partitions() -> list[SeenPartition]:
    """GPU partitions of the Slurm cluster this machine belongs to; none where there is no ``sinfo`` or it fails."""
    return parse_sinfo(_output(_SINFO))


def _watts(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _output(command: tuple[str, ...]) -> str:
    path = shutil.which(command[0])
    if path is None:
        return ""
    try:
        done = subprocess.run([path, *command[1:]], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
