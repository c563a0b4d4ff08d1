"""The day that real agents hold: who is placed where, and what a report says of it."""

from __future__ import annotations

import pytest

from bench.day_held import Held, placed, report


def test_a_job_stays_on_its_nodes_and_a_new_one_takes_free_ones() -> None:
    first = placed({}, {"a": (16, 500.0), "b": (8, 400.0)}, 4)
    assert first == {"a": [0, 1], "b": [2]}
    then = placed(first, {"b": (8, 300.0), "c": (16, 700.0)}, 4)
    assert then == {"b": [2], "c": [0, 1]}, "who has left gives its nodes back"
    with pytest.raises(ValueError, match="no 2 free nodes"):
        placed(then, {"b": (8, 300.0), "c": (16, 700.0), "d": (16, 500.0)}, 4)


def test_errors_are_shares_of_what_was_planned() -> None:
    seen = Held(limits=32, took_s=[0.2, 0.4], planned_mw=[0.02, 0.01], drawn_mw=[0.0201, 0.0098])
    assert seen.slot_errors == pytest.approx([0.005, 0.02])
    assert seen.day_error == pytest.approx(0.0299 / 0.03 - 1)
    assert report(seen)[0] == "32 of 32 enforced limits are the plan's, rounded as devices round"
    assert "2.00% (worst)" in report(seen)[2]
