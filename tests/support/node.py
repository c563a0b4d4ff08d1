"""One GPU node for tests: the NVML stand-in, an agent's folders and configuration, and the agents started on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.gpu_world import World

FAST = 0.1
"""Seconds of a tick here; an agent in service ticks once a second."""


class Node:
    """One machine: a stand-in driver, folders, a configuration, and agents that are started on it."""

    def __init__(self, folder: Path, library: Path, url: str) -> None:
        self.folder = folder
        self.world = World(folder / "gpus.txt")
        for gpu in self.world.gpus:
            gpu["flags"] = "root-only"
        self.world.save()
        self.written = folder / "writes.log"
        self.env = {
            **os.environ,
            "LD_LIBRARY_PATH": str(library.parent),
            "NVML_STAND_IN": str(self.world.path),
            "NVML_STAND_IN_LOG": str(self.written),
        }
        self.url = url
        self.way = ["-m", "agent"]
        self.running: list[subprocess.Popen[bytes]] = []
        self.configure()

    def configure(self, actuator: str = "nvml-power", timers: str = "", **tables: str) -> None:
        lines = [f'server = "{self.url}"', 'node = "hall-n1"', f'actuator = "{actuator}"']
        lines += [f'{name}_dir = "{self.folder / name}"' for name in ("state", "run", "lock")]
        lines += ["[timers]", f"tick_s = {FAST}", "dwell_s = 0.0", "jitter_s = 0.0", "ramp_w_per_s = 5000.0", timers]
        for name, text in tables.items():
            lines += [f"[{name}]", text]
        (self.folder / "agent.toml").write_text("\n".join(lines) + "\n")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", *self.way, *words, "--config", str(self.folder / "agent.toml")]

    def start(self, **env: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(self.command(), env={**self.env, **env}, stderr=log, cwd=self.folder)
        self.running.append(process)
        return process

    def once(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), env=self.env, capture_output=True, text=True, cwd=self.folder)

    def gpus(self) -> list[dict[str, str]]:
        lines = [line for line in self.world.path.read_text().splitlines() if line.startswith("gpu ")]
        return [dict(pair.split("=", 1) for pair in line.split()[1:]) for line in lines]

    def limits(self) -> list[float]:
        return [int(gpu["limit"]) / 1000 for gpu in self.gpus()]

    def change(self, index: int, **values: object) -> None:
        """Change the world under the agent, keeping what it set."""
        gpus = self.gpus()
        gpus[index] |= {key: str(value) for key, value in values.items()}
        self.world.gpus = gpus
        self.world.save()

    def writes(self) -> list[float]:
        if not self.written.exists():
            return []
        rows = [line.split() for line in self.written.read_text().splitlines()]
        return [int(row[4]) / 1000 for row in rows if row[2] == "limit"]

    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / "run" / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def wait(self, what: Callable[[], Any], why: str, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            log = (self.folder / "log.txt").read_text() if (self.folder / "log.txt").exists() else ""
            assert time.monotonic() < deadline, f"{why} did not come: {self.limits()} {self.status()}\n{log[-2000:]}"
            time.sleep(0.02)

    def state(self) -> str:
        return str(self.status().get("state"))

    def end(self) -> None:
        """Kill every agent that was started here."""
        for process in self.running:
            process.kill()
            process.wait()
