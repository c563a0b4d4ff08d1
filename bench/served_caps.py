"""A web process with a plan that the bench makes by hand, so that what is timed is the way of a cap and no solve."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.doors import Doors
from api.settings import Settings
from api.store.migrate import upgrade
from api.wiring import doors_for, engine_of
from ingest.site_file import sample_path
from models.horizon import rfc3339
from models.lease import Mode

JOB = "llm-7"
POOL = "hall"


class ServedCaps:
    """The real web process on a free port; :meth:`publish` puts another limit of the one job in force."""

    def __init__(self, doors: Doors, port: int) -> None:
        self.doors = doors
        self.port = port
        self.silent = False
        """Whether the planner gives no sign of life."""
        self.web = 0
        """Process that serves."""
        self.url = f"http://127.0.0.1:{port}"
        self.key = doors.keys.new("admin", "bench", "bench")

    def publish(self, limit_w: float) -> None:
        """A plan in which the job has this limit for hours."""
        self.publish_jobs({JOB: (8, limit_w)})

    def publish_jobs(self, limits: Mapping[str, tuple[int, float]]) -> None:
        """A plan in which each of some jobs, by its GPUs and the W of each of them, has its limit for hours."""
        now = datetime.now(UTC).replace(microsecond=0)
        first = now - timedelta(minutes=now.minute % 15, seconds=now.second)
        end = rfc3339(first + timedelta(hours=6))
        span = {"start": rfc3339(first), "end": end, "power_mw": 0.006, "speed": 1.0}
        horizon = {"start": rfc3339(first), "step_minutes": 15, "slots": 24}
        jobs = [{"id": name, "pool": POOL, "gpus": gpus} for name, (gpus, _) in limits.items()]
        runs = [{"id": name, "runs": [{**span, "limit_w": limit_w}]} for name, (_, limit_w) in limits.items()]
        plan: dict[str, Any] = {"rung": "MILP", "status": "optimal", "gap": 0.0, "jobs": runs}
        problem = {"horizon": horizon, "jobs": jobs}
        edition = {"site": self.doors.site.name, "valid_from": rfc3339(first), "valid_until": end}
        self.doors.plans.publish({**edition, "problem": problem, "plan": plan}, {})


@contextmanager
def served_caps(folder: Path, lease_s: float | None = None) -> Iterator[ServedCaps]:
    """Start it, give its planner's sign of life, stop it in the end. ``lease_s``: none, the site file's."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    settings = Settings(sample_path("local"), folder, port=listener.getsockname()[1])
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    engine = engine_of(settings)
    upgrade(engine)
    found = ServedCaps(doors_for(settings, engine), settings.port)
    found.doors.planner.give()
    found.doors.plans.set_mode(POOL, Mode.AUTO, lease_s, "bench")
    found.publish(600.0)
    command = [sys.executable, "-P", "-m", "api.web", settings.to_json(), str(listener.fileno()), str(os.getpid())]
    stop = threading.Event()

    def live() -> None:
        while not stop.wait(0.2):
            if not found.silent:
                found.doors.planner.give()

    with (folder / "web.txt").open("w") as log:
        web = subprocess.Popen(command, pass_fds=(listener.fileno(),), stdout=log, stderr=log, start_new_session=True)
    found.web = web.pid
    alive = threading.Thread(target=live, daemon=True)
    alive.start()
    try:
        _answers(settings.port)
        yield found
    finally:
        stop.set()
        web.terminate()
        web.wait(20)
        listener.close()


def _answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise TimeoutError("the web process did not answer within a minute")
