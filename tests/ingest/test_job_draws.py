"""What jobs drew by their nodes' meters: whole nodes, uncapped quarter hours, and readings that are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.intake import Intake
from ingest.job_draws import with_draws
from ingest.points import point, to_ns
from ingest.stores.memory import MemoryStore
from models.learn.ended_jobs import EndedJob

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW = START + timedelta(hours=3)
MINUTE = timedelta(minutes=1)


class Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def job(*nodes: str, gpus: int = 2) -> EndedJob:
    return EndedJob("u", "train", "hall", gpus, START, START, START + 60 * MINUTE, nodes=nodes)


def metered(*, capped: range = range(0), odd: dict[int, float] | None = None) -> MemoryStore:
    """Two GPUs of a node for an hour: 500 and 600 W, in ``capped`` minutes 300 W at a limit of 350."""
    store = MemoryStore()
    intake = Intake(store, Clock())
    for k in range(60):
        for gpu, free_w in (("a", 500.0), ("b", 600.0)):
            tags = {"site": "local", "node": "n1", "gpu": gpu}
            power_w = 300.0 if k in capped else free_w + 0.1 * k
            if gpu == "a":
                power_w = (odd or {}).get(k, power_w)
            fields = {"power_w": power_w, "limit_w": 350.0 if k in capped else 700.0, "limit_max_w": 700.0}
            intake.accept([point("gpu", tags, fields, to_ns(START + k * MINUTE))])
    return store


def drawn(store: MemoryStore, one: EndedJob) -> float | None:
    (found,) = with_draws([one], store, "local", NOW)
    return found.drawn_w


def test_a_job_s_draw_is_the_mean_of_its_gpus() -> None:
    assert drawn(metered(), job("n1")) == pytest.approx(552.95)


def test_quarter_hours_under_a_limit_do_not_teach() -> None:
    assert drawn(metered(capped=range(15, 30)), job("n1")) == pytest.approx((552.95 * 4 - 552.2) / 3)
    assert drawn(metered(capped=range(15, 60)), job("n1")) is None  # one quarter hour is not enough


def test_a_quarter_hour_with_a_reading_that_is_not_believed_does_not_teach() -> None:
    assert drawn(metered(odd={20: 0.5}), job("n1")) == pytest.approx((552.95 * 4 - 552.2) / 3)


@pytest.mark.parametrize("one", [job(), job("n1", "n2"), job("n1", gpus=1)])
def test_a_job_without_whole_known_nodes_keeps_no_draw(one: EndedJob) -> None:
    assert drawn(metered(), one) is None
