"""The killable child, replaced by scripts that die, hang, rave, lie or overeat: what the caller is told.

The rungs below the child are taken away here, so that its fault shows; ``test_ladder.py`` has them.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_site
import pytest
from small_day import day, job, planned

from models.errors import CherguiError, NoPlanInTime
from optimizer import rolling
from optimizer.document import Plan, dump_plan
from optimizer.refusals import check_problem
from optimizer.rolling import Progress, SolverFault
from optimizer.verify import verify

PYTHON = sys.executable
RECEIVED = check_problem(day(job("a", 1.0), prices=[20.0, 10.0, 30.0, 40.0]))
PREAMBLE = """
import json, os, signal, sys, time
asked = json.load(sys.stdin)
def say(plan=None, bound=None):
    print(json.dumps({"plan": plan, "bound": bound}), flush=True)
"""


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    """The optimum of the day, as the child would send it."""
    return dump_plan(planned(RECEIVED.raw))


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """Plan with a child that runs the given lines instead of the worker."""

    def run(lines: str, *, limit_s: float = 0.3, on_progress: Callable[[Progress], None] | None = None) -> Plan:
        script = tmp_path / "child"
        script.write_text(f"#!{PYTHON} -SE\n{PREAMBLE}{lines}\n")
        script.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(script))
        return rolling.plan(RECEIVED, time_limit_s=limit_s, on_progress=on_progress)

    monkeypatch.setattr(rolling, "START_UP_S", 1.0)
    monkeypatch.setattr(rolling, "GRACE_S", 0.3)
    monkeypatch.setattr(rolling, "lower_rungs", lambda *_: iter(()))
    return run


def say(plan: dict[str, Any]) -> str:
    return f"say(json.loads({json.dumps(plan)!r}))\n"


# ---- nothing good was found


def test_a_child_that_is_killed_at_once_found_no_plan(child: Callable[..., Plan]) -> None:
    with pytest.raises((NoPlanInTime, SolverFault)):
        child("os.kill(os.getpid(), signal.SIGKILL)")


def test_a_child_that_crashes_is_a_fault_with_its_last_words(child: Callable[..., Plan]) -> None:
    with pytest.raises(SolverFault, match="the wheel came off"):
        child("raise RuntimeError('the wheel came off')")


def test_a_child_that_ends_without_a_word_found_no_plan(child: Callable[..., Plan]) -> None:
    with pytest.raises(NoPlanInTime) as error:
        child("")
    assert error.value.time_limit_s == 0.3
    assert error.value.tried


def test_a_child_that_dies_of_a_signal_is_a_fault(child: Callable[..., Plan]) -> None:
    with pytest.raises(SolverFault, match="exit code"):
        child("os.kill(os.getpid(), signal.SIGSEGV)")


def test_a_child_that_hangs_is_ended(child: Callable[..., Plan]) -> None:
    begun = time.monotonic()
    with pytest.raises(NoPlanInTime):
        child("time.sleep(60)")
    assert time.monotonic() - begun < 20


def test_a_child_that_will_not_be_ended_is_killed(child: Callable[..., Plan]) -> None:
    begun = time.monotonic()
    with pytest.raises(NoPlanInTime):
        child("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)")
    assert time.monotonic() - begun < 20


def test_a_child_that_outgrows_its_memory_is_a_fault(
    child: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "MEMORY_LIMIT_BYTES", 256 << 20)
    with pytest.raises(SolverFault, match="MemoryError"):
        child("hoard = bytearray(1 << 30)")


LIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "cheaper than it is": lambda plan: {**plan, "objective": 1.0, "bound": 1.0},
    "of another day": lambda plan: {**plan, "problem_digest": "0" * 64},
    "proven beyond what it costs": lambda plan: {**plan, "bound": plan["objective"] + 1.0},
    "without its runs": lambda plan: {**plan, "jobs": [{**plan["jobs"][0], "runs": []}]},
    "from nowhere": lambda plan: {**plan, "series": {**plan["series"], "import_mw": [0.0] * 4}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_child_that_lies_is_a_fault(child: Callable[..., Plan], good: dict[str, Any], lie: str) -> None:
    with pytest.raises(SolverFault, match="referee refused every plan"):
        child(say(LIES[lie](good)))


# ---- something good was found before


AFTERWARDS = {
    "is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "crashes": "raise RuntimeError('the wheel came off')",
    "hangs": "time.sleep(60)",
    "will not be ended": "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)",
    "closes its mouth and hangs": "os.close(1); os.close(2); time.sleep(5)",
    "overeats": "hoard = bytearray(16 << 30)",
    "says half a line": 'sys.stdout.write(\'{"plan": {"sta\'); sys.stdout.flush()',
    "raves": "print('*** glibc detected ***', flush=True)",
    "says something else": "print('[]', flush=True); print('{}', flush=True); print('7', flush=True)",
    "says NaN": 'print(\'{"plan": null, "bound": NaN}\', flush=True)',
    "says bytes that are no text": "sys.stdout.buffer.write(b'\\xff\\xfe\\n'); sys.stdout.flush()",
}


@pytest.mark.parametrize("fate", AFTERWARDS)
def test_an_earlier_good_plan_is_kept(child: Callable[..., Plan], good: dict[str, Any], fate: str) -> None:
    seen: list[Progress] = []
    begun = time.monotonic()
    plan = child(say(good) + AFTERWARDS[fate], on_progress=seen.append)
    assert time.monotonic() - begun < 4
    assert dump_plan(plan) == good
    assert seen[0].objective == pytest.approx(10.0)
    assert all(step.bound is None or step.bound == step.bound for step in seen), "NaN reached a page"


@pytest.mark.parametrize("lie", LIES)
def test_an_earlier_good_plan_outlives_a_lie(child: Callable[..., Plan], good: dict[str, Any], lie: str) -> None:
    assert dump_plan(child(say(good) + say(LIES[lie](good)))) == good


NOT_A_PLAN = {
    "raves": "print('*** glibc detected ***', flush=True)",
    "says something else": "print('[]', flush=True)",
    "says a plan that is none": "say({'status': 'splendid'})",
    "says NaN for its cost": "PLAN['objective'] = float('nan'); say(PLAN)",
    "says NaN for its power": "PLAN['series']['import_mw'][0] = float('nan'); say(PLAN)",
    "says infinity for its bound": "PLAN['bound'] = float('-inf'); say(PLAN)",
}


@pytest.mark.parametrize("words", NOT_A_PLAN)
def test_a_child_that_says_no_plan_is_a_fault_of_ours(
    child: Callable[..., Plan], good: dict[str, Any], words: str
) -> None:
    # InvalidInput would blame the caller's document
    with pytest.raises(SolverFault):
        child(f"PLAN = json.loads({json.dumps(good)!r})\n{NOT_A_PLAN[words]}")


@pytest.mark.parametrize("words", NOT_A_PLAN)
def test_an_earlier_good_plan_outlives_what_is_no_plan(
    child: Callable[..., Plan], good: dict[str, Any], words: str
) -> None:
    lines = f"PLAN = json.loads({json.dumps(good)!r})\nsay(PLAN)\n{NOT_A_PLAN[words]}"
    assert dump_plan(child(lines)) == good


def test_a_dearer_plan_does_not_take_the_place_of_a_good_one(child: Callable[..., Plan], good: dict[str, Any]) -> None:
    dear = dump_plan(planned(day(job("a", 1.0, pinned_start="2026-11-09T03:00:00Z"), prices=[20.0, 10.0, 30.0, 40.0])))
    dear |= {"problem_digest": good["problem_digest"], "bound": None, "gap": None, "status": "feasible"}
    assert dump_plan(child(say(dear) + say(good) + say(dear))) == good
    assert dump_plan(child(say(dear))) == dear


def test_a_fault_after_a_plan_is_logged(
    child: Callable[..., Plan], good: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        child(say(good) + "raise RuntimeError('the wheel came off')")
    assert "the wheel came off" in caplog.text


def test_a_child_that_does_not_read_a_large_request_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "child"
    script.write_text(f"#!{PYTHON} -SE\nimport time\ntime.sleep(5)\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(rolling, "START_UP_S", 0.5)
    monkeypatch.setattr(rolling, "GRACE_S", 0.3)
    monkeypatch.setattr(rolling, "lower_rungs", lambda *_: iter(()))
    large = check_problem(made_site.site(200, seed=1))
    assert len(json.dumps(large.raw)) > 1 << 16  # more than a pipe holds
    begun = time.monotonic()
    with pytest.raises(CherguiError):
        rolling.plan(large, time_limit_s=0.2)
    assert time.monotonic() - begun < 4


# ---- the true child


def test_one_second_is_enough_for_a_refereed_plan_of_a_hundred_jobs() -> None:
    received = check_problem(made_site.site(100, seed=5))
    begun = time.monotonic()
    plan = rolling.plan(received, time_limit_s=1.0)
    assert time.monotonic() - begun < 25
    assert verify(received, plan) == []
    assert plan.objective is not None
