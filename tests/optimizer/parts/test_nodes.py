"""Nodes that switch off: rows written by hand, boots and least runs, and the nodes that a rule switches."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from golden_rows import Golden, check
from hypothesis import given, settings
from hypothesis import strategies as st
from small_day import at, bounds, compiled, day, job, on_slots, planned, pool, series_of, ten

from optimizer.document import dump_plan, parse_plan
from optimizer.ladder import descend
from optimizer.nodes import Nodes
from optimizer.preflight import conflicts
from optimizer.refusals import check_problem
from optimizer.verify import verify


def halls(**nodes: Any) -> dict[str, Any]:
    """Two nodes of four GPUs; one that is on and idle draws 0.4 MW, one that is off 0.1 MW."""
    return pool(idle_w_per_gpu=100_000.0, nodes={"gpus_per_node": 4, "off_w": 100_000.0, **nodes})


GANG = job("a", 2.0, pool="hall", gpus=4)
BOOTING = day(GANG, pools=[halls(boot_slots=2, min_up_slots=3, started_before=[1])], schema_version="1.1")
GOLDEN = [
    Golden("nodes.start_when_more_on[hall,0]", BOOTING, "start[hall,0] - on[hall,0] >= -2"),
    Golden("nodes.start_when_more_on[hall,2]", BOOTING, "start[hall,2] - on[hall,2] + on[hall,1] >= 0"),
    # one of the two was started a slot ago and boots in slot 0 for the last time
    Golden("nodes.enough_up[hall,0]", BOOTING, "4 jobs.on[a,0] - 4 on[hall,0] + 4 start[hall,0] <= -4"),
    Golden(
        "nodes.enough_up[hall,2]", BOOTING, "4 jobs.on[a,2] - 4 on[hall,2] + 4 start[hall,1] + 4 start[hall,2] <= 0"
    ),
    Golden(
        "nodes.enough_up[hall,3]",
        BOOTING,
        "4 jobs.on[a,3] - 4 on[hall,3] + 4 start[hall,2] + 4 start[hall,3] - too_few[hall,3] <= 0",
        {"elastic": True},
    ),
    Golden("nodes.run_lasts[hall,1]", BOOTING, "start[hall,0] + start[hall,1] - on[hall,1] <= -1"),
    Golden("nodes.run_lasts[hall,3]", BOOTING, "start[hall,1] + start[hall,2] + start[hall,3] - on[hall,3] <= 0"),
    # what a node draws on instead of off takes the place of the idle power of all GPUs: 0.2 of nodes that are off
    Golden(
        "gpus.power_of_pool[hall,1]",
        BOOTING,
        "0.6 jobs.on[a,1] + 0.3 on[hall,1] - gpus.pool_power[hall,1] = -0.2",
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    said = golden.says.replace("gpus.gpus.", "gpus.")
    if golden.family == "gpus.power_of_pool":
        said = said.replace(" on[", " nodes.on[")
    check(Golden(golden.name, golden.document, said, golden.how))


def test_a_pool_whose_nodes_stay_on_has_no_variables() -> None:
    assert not [name for name in bounds(day(GANG, pools=[pool()])) if name.startswith("nodes.")]
    assert bounds(BOOTING)["nodes.on[hall,1]"] == (0, 2)


def nodes_on(raw: dict[str, Any]) -> list[int]:
    return series_of(planned(raw)).nodes_on["hall"]


def test_nodes_that_nobody_needs_are_off() -> None:
    plan = planned(ten(GANG, pools=[halls()]))
    assert on_slots(plan) == [0, 1]
    assert series_of(plan).nodes_on["hall"] == [1, 1, *[0] * 8]
    # a megawatt of work, and a tenth for each node that is off
    assert series_of(plan).it_mw == pytest.approx([1.1, 1.1, *[0.2] * 8])


def test_a_job_waits_until_its_nodes_are_up() -> None:
    plan = planned(ten(GANG, pools=[halls(on_before=0, boot_slots=2)]))
    assert on_slots(plan) == [2, 3]
    assert series_of(plan).nodes_on["hall"] == [1, 1, 1, 1, *[0] * 6]
    # the boot draws like an idle node
    assert series_of(plan).it_mw[:3] == pytest.approx([0.5, 0.5, 1.1])


def test_a_node_that_was_started_before_is_up_sooner() -> None:
    raw = ten(GANG, pools=[halls(on_before=1, boot_slots=3, started_before=[0, 1])])
    # started two slots before, it boots in slot 0 for the last time
    assert on_slots(planned(raw)) == [1, 2]


def test_a_node_stays_on_for_its_least_run() -> None:
    assert nodes_on(ten(GANG, pools=[halls(on_before=0, boot_slots=1, min_up_slots=5)])) == [1] * 5 + [0] * 5
    kept = halls(on_before=1, min_up_slots=5, started_before=[1])
    assert nodes_on(ten(pools=[kept])) == [1] * 4 + [0] * 6


def test_a_pause_shorter_than_a_boot_leaves_the_node_on() -> None:
    prices = [10.0, 90.0, 90.0, 90.0, 10.0, *[90.0] * 5]
    apart = GANG | {"preemptible": True}
    off = planned(ten(apart, prices=prices, pools=[halls(boot_slots=2)]))
    assert on_slots(off) == [0, 4]
    assert series_of(off).nodes_on["hall"] == [1, 0, 1, 1, 1, *[0] * 5]
    # three hours at 90 of what a node draws more on than off: 0.3 MW cost more than the 80 that a pause saves, 0.2 less
    assert nodes_on(ten(apart, prices=prices, pools=[halls(boot_slots=3)])) == [1, 1, *[0] * 8]
    kept = halls(boot_slots=3, off_w=200_000.0)
    assert nodes_on(ten(apart, prices=prices, pools=[kept])) == [1] * 5 + [0] * 5


def test_a_boot_goes_to_its_end() -> None:
    nodes = compiled(ten(pools=[halls(boot_slots=3, min_up_slots=1)])).pools[0].nodes
    assert nodes is not None
    assert nodes.min_up == 3
    raw = check_problem(ten(GANG, pools=[halls(boot_slots=3, on_before=1)]))
    plan = dump_plan(planned(raw.raw))
    # a second node that is started and off again while it boots
    plan["series"]["nodes_on"]["hall"][1] += 1
    assert "nodes.min_up" in {violation.rule for violation in verify(raw, parse_plan(plan))}


def test_a_second_node_is_started_in_time_beside_the_first() -> None:
    # six hours of gangs in five slots, one node up and the other two slots away
    pair = [GANG | {"id": name, "work_h": 3.0, "deadline": at(5)} for name in "ab"]
    plan = planned(ten(*pair, pools=[halls(on_before=1, boot_slots=2)]))
    # the second carries a gang for one slot, after two of its boot
    assert series_of(plan).nodes_on["hall"] == [2, 2, 2, 1, 1, *[0] * 5]


def test_work_gathers_where_nodes_are_up() -> None:
    small = [job(name, 1.0, pool="hall", gpus=2, levels=[{"power_mw": 0.2, "speed": 1.0}]) for name in "bc"]
    plan = planned(ten(*small, prices=[50.0] * 10, pools=[halls(on_before=0, boot_slots=1)]))
    assert on_slots(plan, "b") == on_slots(plan, "c")
    assert max(series_of(plan).nodes_on["hall"]) == 1


def test_nodes_follow_maintenance() -> None:
    window = [{"start": at(0), "end": at(3), "left_share": 0.5}]
    both = job("a", 2.0, pool="hall", gpus=8)
    plan = planned(ten(both, pools=[halls() | {"maintenance": window}]))
    assert on_slots(plan) == [3, 4]
    # a node that is not there draws nothing
    assert series_of(plan).it_mw[:3] == pytest.approx([0.1] * 3)


def test_a_gang_that_must_run_before_its_nodes_are_up_is_named() -> None:
    found = conflicts(compiled(ten(GANG | {"deadline": at(3)}, pools=[halls(on_before=0, boot_slots=3)])))
    assert "pool hall has at most 0" in found[0]
    # each may run alone, both together need a second node in time
    pair = [GANG | {"id": name, "deadline": at(4)} for name in "ab"]
    plan = planned(ten(*pair, pools=[halls(on_before=1, boot_slots=3)]))
    assert plan.status == "optimal"
    longer = [one | {"work_h": 3.0} for one in pair]
    assert planned(ten(*longer, pools=[halls(on_before=1, boot_slots=3)])).status == "infeasible"


def test_nodes_may_stay_on_where_import_is_paid_for() -> None:
    raw = ten(GANG, prices=[-10.0] * 10, pools=[halls()])
    assert nodes_on(raw) == [2] * 10


def test_rungs_without_a_solver_switch_nodes_by_rule() -> None:
    raw = check_problem(ten(GANG, pools=[halls(on_before=0, boot_slots=2, min_up_slots=3)]))
    found = [(plan.rung, verify(raw, plan)) for plan in descend(compiled(raw.raw), None)]
    greedy = [broken for rung, broken in found if rung == "GREEDY"]
    assert greedy
    assert not any(greedy)


LIES = [
    ([1] * 10, "power.it"),
    ([3, 3, *[0] * 8], "nodes.there"),
    ([0] * 10, "nodes.up"),
    ([1, 1, 0, 0, 1, 0, 0, 0, 0, 0], "nodes.min_up"),
]


@pytest.mark.parametrize(("said", "rule"), LIES, ids=[rule for _, rule in LIES])
def test_a_lie_about_nodes_is_called_by_its_name(said: list[int], rule: str) -> None:
    raw = check_problem(ten(GANG, pools=[halls(min_up_slots=2)]))
    plan = dump_plan(planned(raw.raw))
    assert verify(raw, parse_plan(plan)) == []
    plan["series"]["nodes_on"]["hall"] = said
    assert rule in {violation.rule for violation in verify(raw, parse_plan(plan))}
    del plan["series"]["nodes_on"]["hall"]
    assert {violation.rule for violation in verify(raw, parse_plan(plan))} == {"series.pool"}


SLOTS = 5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2), st.integers(1, 3), st.integers(0, 2), st.lists(st.integers(0, 2), min_size=5, max_size=5))
def test_the_rule_holds_where_anything_does_and_takes_the_fewest(
    boot: int, least: int, before: int, needed: list[int]
) -> None:
    nodes = Nodes(4, np.full(SLOTS, 2), boot, max(boot, least), 0.0, before, ())
    used = 4.0 * np.array(needed)
    every = [np.array(on) for on in itertools.product(range(3), repeat=SLOTS)]
    able = [int(on.sum()) for on in every if nodes.holds(on, used)]
    found = nodes.by_rule(used)
    assert nodes.holds(found, used) == bool(able)
    if able and nodes.min_up == 1:
        assert int(found.sum()) == min(able)
