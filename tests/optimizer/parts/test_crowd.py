"""All jobs together: rows that columns of schedules enter, and bounds that no schedule exceeds."""

from __future__ import annotations

import pytest
from golden_rows import Golden, check
from small_day import TWO_LEVELS, at, bounds, compiled, day, job, pool, rows

PRICED = {"priced": True}
DAY = day(
    job("a", 1.0, pool="hall", gpus=3, levels=TWO_LEVELS, release=at(1)),
    job("b", 1.0, pool="hall", gpus=2, count=2, deadline=at(3)),
    job("load", 1.0, deadline=at(2)),
    job("held", 1.0, pool="hall", gpus=8, held=True, unmet_cost_per_h=1.0),
    pools=[pool(), pool(name="annex")],
)
GOLDEN = [
    Golden("crowd.power_of_columns[0,2]", DAY, "power[0,2] = 0", PRICED),
    Golden("crowd.gpus_of_columns[1,3]", DAY, "gpus[1,3] = 0", PRICED),
    Golden("crowd.load_of_columns[1]", DAY, "load[1] = 0", PRICED),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_bounds_are_what_the_open_jobs_can_draw_and_hold_together() -> None:
    found = bounds(DAY, **PRICED)

    def most(name: str) -> list[float | None]:
        return [found[f"crowd.{name}{t}]"][1] for t in range(4)]

    # a from slot 1, two copies of b until slot 3, the load until slot 2; nobody in the annex
    assert compiled(DAY).unit_mw == 2.0  # both copies of b
    assert most("power[0,") == [2 / 2, 3 / 2, 3 / 2, 1 / 2]
    assert most("gpus[0,") == [4, 7, 7, 3]
    assert most("load[") == [1 / 2, 1 / 2, 0, 0]
    assert most("power[1,") == most("gpus[1,") == [0, 0, 0, 0]


def test_no_job_has_rows_of_its_own() -> None:
    assert not [name for name in rows(DAY, **PRICED) if name.startswith("jobs.")]
