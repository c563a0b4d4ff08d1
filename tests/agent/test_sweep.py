"""A sweep of a counting job on the NVML stand-in: what it measures, what it leaves behind, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.horizon import parse_rfc3339
from tests.support.caps_server import CapsServer, body
from tests.support.gpu_world import build
from tests.support.node import Node

JOB = """
import sys, time
world, count_file = sys.argv[1:]
done = 0.0
while True:  # faster with more power, as a real one; it counts on real time, so a late turn counts for more
    began = time.monotonic()
    time.sleep(0.01)
    limit = int(open(world).read().split("limit=")[1].split()[0]) / 1000
    done += 100 * (limit / 700) ** 0.5 * (time.monotonic() - began)
    with open(count_file, "a") as file:
        file.write(f"{done:.4f}\\n")
"""


DRAWS_WHAT_IT_MAY = {"power": 900_000, "average": 900_000}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml-sweep"))


@pytest.fixture
def node(tmp_path: Path, library: Path) -> Iterator[Node]:
    found = Node(tmp_path, library, "http://127.0.0.1:9")
    found.world.gpus = [gpu | DRAWS_WHAT_IT_MAY for gpu in found.world.gpus[:2]]
    found.world.save()
    yield found
    found.end()


@pytest.fixture
def job(node: Node) -> Iterator[Path]:
    counts = node.folder / "steps.txt"
    process = subprocess.Popen([sys.executable, "-c", JOB, str(node.world.path), str(counts)])
    node.wait(counts.exists, "the job's count")
    yield counts
    process.kill()
    process.wait()


def words(job: Path, limits: str = "500,400,300", **options: str) -> list[str]:
    given = {"window-s": "0.2", "windows": "2", "settle-s": "0.05", "out": str(job.with_name("sweep.json")), **options}
    flags = [word for name, value in given.items() for word in (f"--{name}", value)]
    return ["sweep", "--limits", limits, "--progress", str(job), *flags]


def report(job: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(job.with_name("sweep.json").read_text())
    return found


def test_a_sweep_measures_each_limit_and_gives_back_what_it_found(node: Node, job: Path) -> None:
    done = node.once(*words(job))
    assert done.returncode == 0, done.stderr
    assert node.limits() == [700, 700]
    assert max(node.writes()) == 700, "nothing was ever raised above what was found"
    samples = report(job)["samples"]
    assert [s["limit_w"] for s in samples] == [500, 500, 400, 400, 300, 300, 700, 700]
    assert all(s["drawn_w"] == pytest.approx(s["limit_w"]) for s in samples)
    mean = {w: sum(s["rate"] for s in samples if s["limit_w"] == w) / 2 for w in (300, 700)}
    assert mean[300] / mean[700] == pytest.approx((300 / 700) ** 0.5, rel=0.15)
    assert not (node.folder / "state" / "sweep.json").exists()
    assert [s["busy"] for s in samples] == pytest.approx([0.97] * 8), "as the stand-in shows it"
    spans = [(parse_rfc3339(s["began"]), parse_rfc3339(s["ended"])) for s in samples]
    assert all(began < ended for began, ended in spans)
    assert spans == sorted(spans)


def test_only_the_jobs_gpus_are_touched(node: Node, job: Path) -> None:
    assert node.once(*words(job, "300", gpus="0", windows="1")).returncode == 0
    assert {line.split()[3] for line in node.written.read_text().splitlines()} == {"GPU-00"}


def test_a_signal_ends_it_with_the_limits_back_and_what_was_measured_kept(node: Node, job: Path) -> None:
    process = subprocess.Popen(node.command(*words(job, windows="1000")), env=node.env, stderr=subprocess.PIPE)
    node.wait(lambda: node.limits() == [500, 500], "the first limit")
    time.sleep(0.6)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"stopped: by a signal" in said
    assert node.limits() == [700, 700]
    assert report(job)["samples"]


def test_after_sigkill_the_limits_stay_low_until_an_operator_asks(node: Node, job: Path) -> None:
    process = subprocess.Popen(node.command(*words(job, windows="1000")), env=node.env)
    node.wait(lambda: node.limits() == [500, 500], "the first limit")
    process.kill()
    process.wait()
    refused = node.once(*words(job))
    assert refused.returncode == 1
    assert "an earlier one was killed" in refused.stderr
    assert node.limits() == [500, 500]
    node.change(1, limit=450_000)  # somebody lowers one meanwhile: that is no longer the sweep's
    back = node.once("sweep", "--give-back")
    assert back.returncode == 0
    assert "450 W is not the sweep's; it stays" in back.stderr
    assert node.limits() == [700, 450]


def test_another_writer_ends_it_and_keeps_its_limit(node: Node, job: Path) -> None:
    process = subprocess.Popen(node.command(*words(job, windows="1000")), env=node.env, stderr=subprocess.PIPE)
    node.wait(lambda: node.limits() == [500, 500], "the first limit")
    node.change(0, limit=350_000)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"somebody set GPU GPU-00 to 350 W" in said
    assert node.limits() == [350, 700]
    assert report(job)["not_restored"] == ["GPU GPU-00: another writer's 350 W stays"]


@pytest.mark.parametrize(
    ("limits", "content", "said"),
    [
        ("800,300", "1\n", "800: write limits from 200 W, the least these GPUs take, to 700 W"),
        ("150", "1\n", "150: write limits from 200 W"),
        ("300", None, "let the job write its count of steps there"),
        ("300", "step two\n", "ends in 'step two', not in a line with a count"),
        ("300", "12", "ends in no whole line"),
        ("300", "nan\n", "ends in nan, which is no count of steps"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_set(
    node: Node, limits: str, content: str | None, said: str
) -> None:
    counts = node.folder / "steps.txt"
    if content is not None:
        counts.write_text(content)
    done = node.once(*words(counts, limits))
    assert done.returncode == 1
    assert said in done.stderr
    assert node.writes() == []


def test_a_job_that_begins_anew_ends_it(node: Node) -> None:
    counts = node.folder / "steps.txt"
    counts.write_text("1000\n")
    process = subprocess.Popen(node.command(*words(counts, windows="1000")), env=node.env, stderr=subprocess.PIPE)
    node.wait(lambda: node.limits() == [500, 500], "the first limit")
    counts.write_text("3\n")
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"fell: the job began anew" in said
    assert node.limits() == [700, 700]


def test_a_dry_run_does_not_sweep(node: Node, job: Path) -> None:
    node.configure(actuator="dry-run")
    done = node.once(*words(job))
    assert done.returncode == 1
    assert 'it needs "nvml-power"' in done.stderr


def test_a_living_agent_keeps_its_gpus(node: Node, job: Path) -> None:
    server = CapsServer()
    server.body = body(lease={"ttl_s": 900.0, "poll_s": 0.2, "stale_after_s": 120.0})
    server.body = {**server.body, "gpus": server.body["gpus"][:1]}
    node.url = server.url
    node.configure()
    node.start()
    node.wait(lambda: node.state() == "CONTROLLED", "control")
    refused = node.once(*words(job))
    server.close()
    assert refused.returncode == 3
    assert "stop the agent for the time of the sweep" in refused.stderr
