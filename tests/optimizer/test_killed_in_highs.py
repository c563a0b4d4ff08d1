"""The true child, killed in the middle of HiGHS: the better plan that HiGHS had found comes back."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from small_day import at, day, job

from optimizer import rolling
from optimizer.beside import beside
from optimizer.refusals import check_problem
from optimizer.rolling import Progress
from optimizer.verify import verify

LIMIT_S = 120.0


def hard_day() -> dict[str, Any]:
    """Twelve pausing jobs behind a narrow connection: listed well at first, better by HiGHS, proven late."""
    dice = random.Random(2)
    jobs = [
        job(
            f"j{k}",
            float(dice.randint(2, 6)),
            levels=[{"power_mw": dice.choice([0.7, 1.1, 1.6, 2.3]), "speed": 1.0}],
            preemptible=True,
            restart_loss_h=0.3,
            max_pauses=2,
            unmet_cost_per_h=90.0,
            deadline=at(dice.randint(14, 24)),
        )
        for k in range(12)
    ]
    document: dict[str, Any] = day(*jobs, grid={"import_limit_mw": 4.0})
    document["horizon"]["slots"] = 24
    prices = [dice.choice([10, 20, 40, 80]) + round(dice.random(), 3) for _ in range(24)]
    document["series"]["import_price_per_mwh"] = prices
    return document


def test_what_highs_found_outlives_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[subprocess.Popen[bytes]] = []
    begin = rolling._child

    @contextlib.contextmanager
    def watched(request: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
        with begin(request) as child:
            children.append(child)
            yield child

    seen: list[Progress] = []

    def kill_at_the_first_better_plan(step: Progress) -> None:
        seen.append(step)
        if step.rung == "INCUMBENT":
            os.kill(children[0].pid, signal.SIGKILL)

    monkeypatch.setattr(rolling, "_child", watched)
    received = check_problem(hard_day())
    begun = time.monotonic()
    plan = rolling.plan(received, gap=1e-6, time_limit_s=LIMIT_S, on_progress=kill_at_the_first_better_plan)
    # long before the limit, so HiGHS was still at work: by itself it ends with MILP, or at the limit
    assert time.monotonic() - begun < LIMIT_S / 2
    assert children[0].returncode == -signal.SIGKILL
    listed = [step.objective for step in seen if step.rung == "GREEDY" and step.objective is not None]
    assert plan.rung == "INCUMBENT"
    assert plan.status == "feasible"
    assert plan.objective is not None
    assert plan.objective < min(listed)
    assert verify(received, plan) == []


def test_the_newest_is_worked_on_and_what_is_raised_beside_is_raised_here() -> None:
    done: list[int] = []
    with beside(done.append) as give:
        give(1)
        until = time.monotonic() + 10
        while not done and time.monotonic() < until:
            time.sleep(0.01)
    assert done == [1]

    def fails(thing: int) -> None:
        done.append(thing)
        raise ValueError("the wheel came off")

    def fail_beside() -> None:
        with beside(fails) as give:
            give(2)
            until = time.monotonic() + 10
            while 2 not in done and time.monotonic() < until:
                time.sleep(0.01)

    with pytest.raises(ValueError, match="the wheel came off"):
        fail_beside()
