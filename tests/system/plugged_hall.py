"""What ``every_plug`` pulls: agents behind lines that break, a guard with its meter; and the log of what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.faulty_line import FaultyLine
from tests.support.gpu_world import build
from tests.support.node import Node
from tests.support.running_service import Service, chergui
from tests.system.plugged_slurm import PluggedSlurm

LEASE_S, DEFAULT_W, GRANT_W = 9.0, 350.0, 600.0
PATIENCE_S = float(os.environ.get("CHERGUI_PATIENCE_S", "120"))
JOB = "llm-7"


def new_key(service: Service) -> str:
    """A key for agents."""
    made = chergui("key", "new", "--scope", "write", "--data-dir", str(service.folder))
    return next(line for line in made.stdout.split() if line.startswith("chergui_"))


class Meter:
    """The grid meter: a page with one number; ``mw`` None: it says nothing."""

    def __init__(self) -> None:
        self.mw: float | None = 0.05
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                owner.tick += 1
                content = json.dumps({"mw": owner.mw and owner.mw + owner.tick % 2 * 1e-5}).encode()
                self.send_response(200 if owner.mw is not None else 503)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.tick = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class Hall:
    """Everything on this machine."""

    def __init__(self, folder: Path, service: Service, slurm: PluggedSlurm | None) -> None:
        self.folder, self.service, self.slurm = folder, service, slurm
        self.meter = Meter()
        (folder / "nvml").mkdir()
        library = build(folder / "nvml")
        port = int(service.url.rsplit(":", 1)[1])
        self.key_file = folder / "agent.key"
        self.key_file.write_text(new_key(service))
        self.guard: subprocess.Popen[bytes] | None = None
        self.factor = folder / "factor.json"
        lines = ["limit_mw = 0.12", "flexible_mw = 0.08", "period_s = 0.2"]
        lines += [
            "[meter]",
            'kind = "http"',
            f'url = "{self.meter.url}"',
            'pointer = "/mw"',
            'power_unit = "MW"',
            "[listen]",
            "port = 0",
            f'file = "{self.factor}"',
        ]
        lines += ["[law]", "calm_s = 1.0", "settle_s = 0.5", "rise_per_s = 0.5", "lost_after_s = 1.0"]
        (folder / "guard.toml").write_text("\n".join(lines) + "\n")
        self.lines = [FaultyLine(("127.0.0.1", port)) for _ in range(2)]
        self.nodes = [self._node(k, library) for k in range(2)]

    def _node(self, k: int, library: Path) -> Node:
        folder = self.folder / f"n{k + 1}"
        (folder / "run" / "placement").mkdir(parents=True)
        if self.slurm is None:
            (folder / "run" / "placement" / "4711").write_text(json.dumps({"job": JOB, "gpus": list(range(8))}))
        node = Node(folder, library, self.lines[k].url)
        node.world.gpus = [{**node.world.gpus[0], "uuid": f"GPU-{k}{j}"} for j in range(8)]
        node.world.save()
        text = (folder / "agent.toml").read_text().replace('"hall-n1"', f'"hall-n{k + 1}"')
        guard = f'[guard]\nfile = "{self.factor}"\nttl_s = 3.0\n'
        (folder / "agent.toml").write_text(f'key_file = "{self.key_file}"\n{text}{guard}')
        return node

    def start_guard(self) -> None:
        command = [sys.executable, "-P", "-m", "agent.guard", "--config", str(self.folder / "guard.toml")]
        with (self.folder / "guard.txt").open("ab") as log:
            self.guard = subprocess.Popen(command, stderr=log, stdout=log, cwd=self.folder)

    def caps(self, k: int) -> list[float]:
        return self.nodes[k].limits()

    def granted(self, k: int | None = None) -> bool:
        return all(min(self.caps(i)) >= GRANT_W for i in ((0, 1) if k is None else (k,)))

    def fallen(self, k: int | None = None) -> bool:
        return all(max(self.caps(i)) <= DEFAULT_W for i in ((0, 1) if k is None else (k,)))

    def end(self) -> None:
        for process in [*self.nodes[0].running, *self.nodes[1].running, self.guard]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


class Log:
    """Lines of proof."""

    def __init__(self, hall: Hall) -> None:
        self.hall, self.count, self._began = hall, 0, time.monotonic()

    def pull(self, plug: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {plug}", flush=True)

    def proves(self, what: Callable[[], Any], line: str, within_s: float = 0.0) -> None:
        """Wait for something and say how long it took."""
        began, allowed = time.monotonic(), within_s or PATIENCE_S
        while not what():
            if time.monotonic() - began > allowed:
                shown = [(self.hall.caps(k), self.hall.nodes[k].status().get("state")) for k in range(2)]
                why = [self.hall.nodes[k].status().get("last_answer") for k in range(2)]
                raise SystemExit(f"NOT within {allowed:g} s: {line}; {shown} {why}\n{self.hall.service.log()[-1500:]}")
            time.sleep(0.02)
        self.count += 1
        print(f"           proven after {time.monotonic() - began:6.2f} s: {line}", flush=True)
