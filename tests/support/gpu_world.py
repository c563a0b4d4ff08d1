"""The NVML stand-in: what it shows, and how it is compiled. The real nvidia-ml-py loads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "nvml" / "nvml_stand_in.c"
COMPILER = shutil.which("cc") or shutil.which("gcc")
GPU = {
    "uuid": "GPU-00",
    "name": "NVIDIA_H100_80GB_HBM3",
    "power": 431_500,
    "average": 430_000,
    "module": 0,
    "energy": 5_000_000,
    "limit": 700_000,
    "enforced": 0,
    "min": 200_000,
    "max": 700_000,
    "default": 700_000,
    "temp": 55,
    "sm": 1980,
    "mem": 2619,
    "util": 97,
    "reasons": 0,
    "flags": "",
}


class World:
    """What the stand-in shows: change ``gpus`` or ``driver`` and call :meth:`save`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.driver = "580.95.05"
        self.gpus = [{**GPU, "uuid": f"GPU-0{k}"} for k in range(4)]
        self.save()

    def save(self):
        lines = [f"driver {self.driver}"]
        lines += ["gpu " + " ".join(f"{key}={value}" for key, value in gpu.items()) for gpu in self.gpus]
        beside = self.path.with_suffix(".writing")
        beside.write_text("\n".join(lines) + "\n")
        beside.replace(self.path)


def build(folder: Path, *options: str) -> Path:
    if COMPILER is None:
        pytest.skip("NO C COMPILER: the NVML stand-in cannot be built, GPU telemetry is NOT tested")
    library = folder / "libnvidia-ml.so.1"
    command = [COMPILER, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run([*command, *options, "-o", str(library), str(SOURCE)], check=True)
    return library
