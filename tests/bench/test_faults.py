"""The true worker with a HiGHS that breaks: a verified plan in every cycle. ``make soak`` goes through 200."""

from __future__ import annotations

import os

import pytest

from bench.faults import FAULTS, cycles, histogram

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))


@pytest.mark.timeout(60 * 10 * SOAK)
def test_every_cycle_ends_in_a_verified_plan(capsys: pytest.CaptureFixture[str]) -> None:
    number = 1 if SOAK == 1 else 10 * SOAK
    done = list(cycles(number, seed=4))
    with capsys.disabled():
        print(f"\n{histogram(done)}")
    assert [cycle.wrong for cycle in done] == [[]] * number
    assert {cycle.fault for cycle in done} <= set(FAULTS)
