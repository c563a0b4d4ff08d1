"""A GPU that starved during a sweep would bend the curve; what the telemetry of that time flagged does not teach."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.commands.learn import learn_app as app
from api.sweep_report import swept
from ingest.intake import Intake
from ingest.points import point, to_ns
from ingest.quarantine import Which, release
from ingest.stores.embedded import EmbeddedStore
from models.errors import InvalidInput
from models.horizon import rfc3339

RUN = CliRunner()
START = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
WINDOW = timedelta(seconds=20)
LIMITS = (400, 350, 300, 250, 200, 400)
GPUS = ("GPU-0", "GPU-1")
STARVED = {(limit, n) for limit in (350, 300) for n in range(3)}
"""Windows, three of the four under two limits, in which the second GPU waits for data, and the job with it."""


class Clock:
    def now(self) -> datetime:
        return START + timedelta(minutes=30)

    def monotonic(self) -> float:
        return 0.0


def speed(drawn_w: float) -> float:
    """The job's law: 94 W drive nothing, 372 W are full speed."""
    return float(((drawn_w - 94.0) / 278.0) ** 0.4)


def windows() -> Iterator[tuple[datetime, int, bool, tuple[float, float], float]]:
    """Begin, limit, whether the second GPU starves, drawn W of both GPUs, and the job's rate."""
    for k, limit in enumerate(LIMITS):
        for n in range(4):
            drawn = min(0.97 * limit, 372.0) + 0.05 * n
            starves = (limit, n) in STARVED
            both = (drawn, 0.4 * limit if starves else drawn)
            yield START + (4 * k + n) * WINDOW, limit, starves, both, 8 * speed(drawn) * (0.7 if starves else 1.0)


def report(path: Path, **change: object) -> Path:
    rows = [
        {
            "limit_w": limit,
            "drawn_w": sum(drawn) / 2,
            "rate": rate,
            "enforced_w": limit,
            "temp_c": 61,
            "busy": 0.98,
            "began": rfc3339(began),
            "ended": rfc3339(began + WINDOW),
        }
        | change
        for began, limit, _, drawn, rate in windows()
    ]
    path.write_text(json.dumps({"limits_found_w": dict.fromkeys(GPUS, 400), "not_restored": [], "samples": rows}))
    return path


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """What the collector of the service saw of both GPUs meanwhile, every 10 s, through its quality gate."""
    store = EmbeddedStore(tmp_path / "telemetry.db", clock=Clock())
    intake = Intake(store, Clock())
    for began, limit, starves, drawn, _ in windows():
        for second in (0, 10):
            at = to_ns(began + timedelta(seconds=second))
            for k, gpu in enumerate(GPUS):
                held = int(drawn[k] > 0.9 * limit)
                assert held == (not (starves and k == 1))
                fields = {"utilization_ratio": 0.98, "limit_enforced_w": float(limit), "throttle_power_cap": held}
                tags = {"site": "dakhla", "node": "n1", "gpu": gpu}
                intake.accept([point("gpu", tags, fields, at), point("gpu", tags, {"power_w": drawn[k]}, at)])
    yield store
    store.close()


def farthest(path: Path, folder: Path) -> tuple[float, str]:
    """How far the learned curve is from the law at its worst point, and what was said beside it."""
    done = RUN.invoke(app, ["gpu", str(path), "--gpu", "A100-SXM-400W", "--data-dir", str(folder)])
    assert done.exit_code == 0, done.output
    (curve,) = tomllib.loads(done.stdout)["gpu_models"]["curves"]
    return max(abs(p["speed"] - speed(p["drawn_w"])) for p in curve["points"]), done.stderr


def test_a_starved_gpu_would_bend_the_curve_and_does_not(tmp_path: Path, watched: EmbeddedStore) -> None:
    bent, _ = farthest(report(tmp_path / "sweep.json"), tmp_path / "no-telemetry")
    straight, said = farthest(tmp_path / "sweep.json", tmp_path)
    assert straight < 0.01
    assert bent > 0.04, "some 5 % of full speed at 200 to 240 W, and 86 W too few at a limit of 300 W"
    assert said.count("flagged in the telemetry: GPU-1 starved") == len(STARVED)
    assert "GPU-0" not in said
    assert "not known" not in said


def test_what_an_operator_released_teaches_again(tmp_path: Path, watched: EmbeddedStore) -> None:
    path = report(tmp_path / "sweep.json")
    assert sum(bool(one.doubt) for one in swept(path, 85.0, watched).samples) == len(STARVED)
    every = Which(START, START + timedelta(hours=1), "gpu.power_w", {"gpu": "GPU-1"})
    release(watched, every, "operator", START, "the data loader was slow on purpose")
    assert not any(one.doubt for one in swept(path, 85.0, watched).samples)


def test_windows_that_nobody_watched_teach_and_are_counted(tmp_path: Path, watched: EmbeddedStore) -> None:
    later = START + timedelta(days=2)
    away = report(tmp_path / "away.json", began=rfc3339(later), ended=rfc3339(later + WINDOW))
    found = swept(away, 85.0, watched)
    assert (found.unseen, any(one.doubt for one in found.samples)) == (24, False)
    old = report(tmp_path / "old.json", began=None)
    assert swept(old, 85.0, watched).unseen == 24, "of an agent that did not say when it measured"
    assert "24 window(s) without telemetry" in farthest(old, tmp_path)[1]
    with pytest.raises(InvalidInput, match="RFC 3339"):
        swept(report(tmp_path / "odd.json", began="at noon"), 85.0, watched)


def test_a_window_in_which_kernels_ran_less_than_usual_does_not_teach(tmp_path: Path) -> None:
    """By what the driver told the sweep itself, with no telemetry at all."""
    path = report(tmp_path / "sweep.json")
    told = json.loads(path.read_text())
    told["samples"][9]["busy"] = 0.6
    path.write_text(json.dumps(told))
    assert "left out: window 9: starved: busy 60% of the time, usually 98%" in farthest(path, tmp_path)[1]
