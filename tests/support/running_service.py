"""The real service in processes of its own, on a free port and a folder of its own."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner, Result

from api.cli import app
from ingest.site_file import sample_path


class Answer(NamedTuple):
    """Status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """A running ``chergui run``."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, url: str, key: str | None) -> None:
        self.process = process
        self.folder = folder
        self.url = url
        self.key = key

    def ask(self, method: str, path: str, body: Any = None, key: str | None = "", **headers: str) -> Answer:
        """One request; ``key`` "" is the first key, None is none."""
        host, port = self.url.removeprefix("http://").split(":")
        here = http.client.HTTPConnection(host, int(port), timeout=60)
        told = self.key if key == "" else key
        if told:
            headers["Authorization"] = f"Bearer {told}"
        here.request(method, path, json.dumps(body) if body is not None else None, headers)
        got = here.getresponse()
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def child(self, name: str) -> int:
        """Process id of ``web``, ``planner`` or ``collector``."""
        return int((self.folder / "run" / f"{name}.pid").read_text())

    def wait_for(self, what: Callable[[], Any], seconds: float, why: str) -> Any:
        """First true value of ``what``; fails with the service's log where it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            assert self.process.poll() is None, self.log()
            time.sleep(0.2)
        raise AssertionError(f"{why} did not come within {seconds:g} s\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-6000:]

    def plan(self, seconds: float = 90.0) -> Any:
        """The plan in force, waited for."""

        def there() -> Any:
            answer = self.get("/api/v1/plans/current")
            return answer.json() if answer.status == 200 else None

        return self.wait_for(there, seconds, "the first plan")


@contextmanager
def running(folder: Path, *options: str, site: str = "local") -> Iterator[Service]:
    """Start the service, wait for its address, stop it in the end."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-P", "-c", "from api.cli import main; main()", "run"]
    command += ["--site", site, "--data-dir", str(folder), "--port", "0", *options]
    said = folder / "said.txt"
    with (folder / "log.txt").open("a") as log, said.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=log, text=True, cwd=folder)
    service = Service(process, folder, "", None)
    try:
        lines = service.wait_for(lambda: said.read_text().splitlines(), 60, "the address")
        assert lines[0].startswith("http://127.0.0.1:")
        service.url = lines[0]
        service.key = next((line for line in lines if line.startswith("chergui_")), None)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def small_site(folder: Path) -> Path:
    """The sample ``local`` with fewer made-up jobs and little time to plan them, as a file in ``folder``."""
    text = sample_path("local").read_text(encoding="utf-8")
    for before, after in (("jobs_per_day = 20", "jobs_per_day = 6"), ("gap = 0.01", "gap = 0.01\ntime_limit_s = 2.0")):
        assert text.count(before) == 1
        text = text.replace(before, after)
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def chergui_here(*arguments: str) -> Result:
    """Run a command of ours in this process, which is faster."""
    return CliRunner().invoke(app, list(arguments))


def chergui(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end."""
    command = [sys.executable, "-P", "-c", "from api.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
