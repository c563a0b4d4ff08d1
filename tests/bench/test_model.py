"""The bench of the whole model: its days are problems, its parts are on, its figures are told as they are."""

from __future__ import annotations

from bench.model import SLOTS, built_s, campus, day, gap_rows, with_everything
from optimizer.refusals import check_problem
from optimizer.rolling import Progress


def test_the_day_with_all_parts_on_is_a_document_that_has_them() -> None:
    site = with_everything(campus(10))
    raw = day(site, asks=True, reserve=50.0)
    document = check_problem(raw).document
    assert (document.horizon.slots, len(document.jobs)) == (SLOTS, 10)
    assert document.generators
    assert document.inference
    assert document.events
    assert document.reserve is not None
    assert document.cooling is not None
    assert document.cooling.mass is not None
    assert document.cooling.water_limits
    assert check_problem(day(campus(10))).document.schema_version == "1.0"


def test_building_is_timed_and_its_rows_are_counted() -> None:
    whole, priced, rows = built_s(day(campus(3)))
    assert min(whole, priced) > 0
    assert rows > SLOTS


def test_the_gap_at_an_instant_is_the_last_one_known() -> None:
    told = [Progress(4.0), Progress(6.0, "GREEDY", 10.0, 9.0, 0.1), Progress(20.0, "GREEDY", 10.0, 9.8, 0.02)]
    assert list(gap_rows(told, (5, 15, 60))) == ["| 5 | none yet |", "| 15 | 10.00% |", "| 60 | 2.00% |"]
