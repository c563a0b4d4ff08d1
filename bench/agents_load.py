"""A thousand agents against one service that is planning: errors and latencies.

``python -m bench.agents_load [--agents N] [--seconds S]``. The service is ``chergui run`` on the Dakhla sample
(1,536 nodes in its first hall), with a job handed in every few seconds so that its planner never rests; agents are
simulated by coroutines in this process, on the same machine: each asks for its caps and reports eight GPUs every 30 s,
a fifth sooner or later, over a new connection each time, as the real one does. Then all of them wait at once (long
poll) and a mode is changed. Limits: 0 errors, 100 ms at p99 of the polls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models.horizon import rfc3339

POOL, POLL_S, GOAL_S = "h100-a", 30.0, 0.1


@dataclass
class Tally:
    """Latencies by kind of request, s, and what went wrong."""

    took: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, seconds: float, status: int, good: Sequence[int]) -> None:
        """One request."""
        self.took.setdefault(kind, []).append(seconds)
        if status not in good:
            self.wrong[f"{kind} {status}"] += 1


class Client:
    """Requests to the service, each on a connection of its own."""

    def __init__(self, url: str, key: str) -> None:
        self._host, _, port = url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._key = key

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str]]:
        """Status and headers; status 0 where there was no answer."""
        content = b"" if body is None else json.dumps(body).encode()
        told = {"Host": "localhost", "Authorization": f"Bearer {self._key}", "Connection": "close", **headers}
        told["Content-Length"] = str(len(content))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
            writer.write("\r\n".join(lines).encode() + content)
            answer = await reader.read()
            writer.close()
        except OSError:
            return 0, {}
        head = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        if len(head[0].split()) < 2:
            return 0, {}
        got = dict(line.split(": ", 1) for line in head[1:])
        return int(head[0].split()[1]), {name.lower(): value for name, value in got.items()}


def report(node: str, version: str) -> dict[str, Any]:
    """As an agent in control says it, without placement."""
    epoch, _, seq = version.partition(".")
    gpus = [{"index": k, "uuid": f"GPU-{node}-{k}", "jobs": [], "requested_w": 450.0, "applied_w": 450.0,
             "enforced_w": 450.0, "power_w": 430.0, "temp_c": 61.0} for k in range(8)]  # fmt: skip
    told = {"schema_version": "1.0", "node": node, "state": "CONTROLLED", "lease_remaining_s": 880.0, "gpus": gpus}
    return {**told, "plan_version": {"epoch": int(epoch), "seq": int(seq)}, "client_time": rfc3339(datetime.now(UTC))}


async def agent(client: Client, number: int, until: float, tally: Tally) -> None:
    """Poll and report until the time is over."""
    node, etag, version = f"{POOL}-n{number}", "", "0.0"
    await asyncio.sleep(random.uniform(0, POLL_S))
    while time.monotonic() < until:
        began = time.monotonic()
        status, got = await client.ask("GET", f"/api/v1/caps/nodes/{node}", **({"If-None-Match": etag} if etag else {}))
        tally.add("poll", time.monotonic() - began, status, (200, 304))
        etag, version = got.get("etag", etag), got.get("chergui-plan-version", version)
        began = time.monotonic()
        status, _ = await client.ask("POST", f"/api/v1/agents/{node}/report", report(node, version))
        tally.add("report", time.monotonic() - began, status, (204,))
        await asyncio.sleep(POLL_S * random.uniform(0.8, 1.2))


async def unrest(client: Client, until: float, tally: Tally) -> None:
    """A job now and then, so that the planner never rests."""
    number = 0
    while time.monotonic() < until:
        number += 1
        now = datetime.now(UTC)
        job = {"id": f"load-{number}", "pool": POOL, "gpus": 256, "work_h": 2.0, "release": rfc3339(now)}
        began = time.monotonic()
        status, _ = await client.ask("POST", "/api/v1/jobs", job | {"deadline": rfc3339(now + timedelta(hours=20))})
        tally.add("job", time.monotonic() - began, status, (200, 201))
        await asyncio.sleep(4.0)


async def herd(client: Client, agents: int, tally: Tally) -> None:
    """All wait for a change, which then comes."""
    version = (await client.ask("GET", f"/api/v1/caps/nodes/{POOL}-n1"))[1]["etag"]
    changed: list[float] = []

    async def wait(number: int) -> None:
        path = f"/api/v1/caps/nodes/{POOL}-n{number}"
        status, _ = await client.ask("GET", path, **{"If-None-Match": version, "Prefer": "wait=30"})
        tally.add("herd", time.monotonic() - changed[0] if changed else 0.0, status, (200,))

    waiting = [asyncio.create_task(wait(number)) for number in range(1, agents + 1)]
    await asyncio.sleep(8.0)
    changed.append(time.monotonic())
    await client.ask("PUT", f"/api/v1/modes/{POOL}", {"mode": "failsafe"})
    await asyncio.gather(*waiting)


async def load(client: Client, agents: int, seconds: float) -> Tally:
    """Both parts."""
    tally = Tally()
    until = time.monotonic() + seconds
    await asyncio.gather(
        unrest(client, until, tally), *(agent(client, number, until, tally) for number in range(1, agents + 1))
    )
    await herd(client, agents, tally)
    return tally


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Address, first key and web process of a service on the Dakhla sample."""
    command = [sys.executable, "-P", "-c", "from api.cli import main; main()", "run", "--site", "dakhla"]
    said = folder / "said.txt"
    with said.open("w") as out, (folder / "log.txt").open("w") as log:
        process = subprocess.Popen([*command, "--data-dir", str(folder), "--port", "0"], stdout=out, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while len(lines := said.read_text().splitlines()) < 2 or not any(x.startswith("chergui_") for x in lines):
            if time.monotonic() > deadline or process.poll() is not None:
                raise TimeoutError((folder / "log.txt").read_text()[-2000:])
            time.sleep(0.2)
        key = next(line for line in lines if line.startswith("chergui_"))
        yield lines[0], key, int((folder / "run" / "web.pid").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used: what counts where others keep the machine busy."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(tally: Tally) -> Iterator[str]:
    """Lines to print."""
    yield f"{'request':8} {'count':>6} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}"
    for kind, took in tally.took.items():
        cut = statistics.quantiles(took, n=100, method="inclusive") if len(took) > 1 else took * 99
        yield f"{kind:8} {len(took):6} {cut[49] * 1e3:8.1f} {cut[98] * 1e3:8.1f} {max(took) * 1e3:8.1f}"
    yield f"errors: {dict(tally.wrong) or 0}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where something went wrong or a poll or report took more than 100 ms at p99."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0)
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="chergui-load-") as name, running(Path(name)) as (url, key, web):
        before = cpu_s(web)
        tally = asyncio.run(load(Client(url, key), told.agents, told.seconds))
        spent, count = cpu_s(web) - before, sum(len(took) for took in tally.took.values())
        print("\n".join(table(tally)))
        print(f"web process: {spent:.1f} s of one core for {count} requests, {spent / count * 1e3:.1f} ms each")
    slow = [
        kind
        for kind in ("poll", "report")
        if statistics.quantiles(tally.took[kind], n=100, method="inclusive")[98] > GOAL_S
    ]
    return 1 if tally.wrong or slow else 0


if __name__ == "__main__":
    sys.exit(main())
