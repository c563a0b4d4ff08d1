"""Checkpoints: rows written by hand, and jobs that queue up for the storage when they stop and resume."""

from __future__ import annotations

import os
from typing import Any

import brute_force
import pytest
import random_asks
from golden_rows import Golden, check
from plan_here import plan_here
from small_day import at, bounds, compiled, cost, day, gave, job, on_slots, planned, ten

from optimizer.direct import only_milp
from optimizer.document import dump_plan, parse_plan
from optimizer.ladder import descend
from optimizer.preflight import conflicts
from optimizer.refusals import check_problem
from optimizer.rolling import plan
from optimizer.verify import verify

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))

# a hundredth of 3 GB a second is 108 GB an hour
STORAGE = {"gb_per_s": 0.03}
PAUSING = job("a", 1.0, preemptible=True, checkpoint_gb=60.0)
GOES_ON = job("b", 1.0, preemptible=True, checkpoint_gb=80.0, state="running")
SINGLE = job("c", 1.0, checkpoint_gb=50.0)
THREE = day(PAUSING, GOES_ON, SINGLE, storage=STORAGE, schema_version="1.1")
QUEUED = {"gb_per_s": 0.03, "most_slots": 3}
TWO_SLOTS = day(
    PAUSING | {"checkpoint_gb": 200.0, "deadline": "2026-11-09T03:00:00Z"},
    GOES_ON | {"checkpoint_gb": 200.0},
    storage=QUEUED,
    schema_version="1.1",
)
GOLDEN = [
    Golden("storage.begun_once_on[a,1]", THREE, "begun[a,1] - jobs.on[a,1] >= 0"),
    Golden("storage.begun_for_good[a,1]", THREE, "begun[a,1] - begun[a,0] >= 0"),
    Golden("storage.begun_where_on[a,1]", THREE, "begun[a,1] - begun[a,0] - jobs.on[a,1] <= 0"),
    # a start is read and, less the rise, a stop; the first start of a is not; c has one start, which reads nothing
    Golden(
        "storage.within_bandwidth[1]",
        THREE,
        "120 jobs.start[a,1] - 60 jobs.on[a,1] + 60 jobs.on[a,0] - 60 begun[a,1] + 60 begun[a,0]"
        " + 160 jobs.start[b,1] - 80 jobs.on[b,1] + 80 jobs.on[b,0]"
        " + 50 jobs.start[c,1] - 50 jobs.on[c,1] + 50 jobs.on[c,0] <= 108",
    ),
    # b runs when the day begins, so that it writes where it is off
    Golden(
        "storage.within_bandwidth[0]",
        THREE,
        "120 jobs.start[a,0] - 60 jobs.on[a,0] - 60 begun[a,0] + 160 jobs.start[b,0] - 80 jobs.on[b,0]"
        " + 50 jobs.start[c,0] - 50 jobs.on[c,0] - beyond[0] <= 28",
        {"elastic": True},
    ),
    # 200 GB are written in two halves: what began to be moved in this slot or the last, a start read and written
    Golden(
        "storage.within_bandwidth[2]",
        TWO_SLOTS,
        "200 jobs.start[a,2] + 200 jobs.start[a,1] - 100 jobs.on[a,2] + 100 jobs.on[a,0]"
        " - 100 begun[a,2] + 100 begun[a,0] + 200 jobs.start[b,2] + 200 jobs.start[b,1] - 100 jobs.on[b,2]"
        " + 100 jobs.on[b,0] <= 108",
    ),
    # the window of a is over: what it wrote last is the other half
    Golden(
        "storage.within_bandwidth[3]",
        TWO_SLOTS,
        "200 jobs.start[a,2] + 100 jobs.on[a,1] - 100 begun[a,2] + 100 begun[a,1]"
        " + 200 jobs.start[b,3] + 200 jobs.start[b,2] - 100 jobs.on[b,3] + 100 jobs.on[b,1] <= 108",
    ),
    # b was on before: both halves of a pause in slot 0 are a constant
    Golden(
        "storage.within_bandwidth[1]",
        TWO_SLOTS,
        "200 jobs.start[a,1] + 200 jobs.start[a,0] - 100 jobs.on[a,1] - 100 begun[a,1]"
        " + 200 jobs.start[b,1] + 200 jobs.start[b,0] - 100 jobs.on[b,1] <= 8",
    ),
    # who has stopped goes on no earlier than it is written
    Golden("jobs.pause_lasts[a,2]", TWO_SLOTS, "start[a,1] + start[a,2] + on[a,0] <= 1"),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_row(golden: Golden) -> None:
    check(golden)


def test_without_a_word_of_storage_there_are_no_variables() -> None:
    assert not [name for name in bounds(day(PAUSING, schema_version="1.1")) if name.startswith("storage.")]


def test_what_is_beyond_has_its_price_and_its_bound() -> None:
    soft = day(PAUSING, GOES_ON, storage=STORAGE | {"over_cost_per_gb": 2.0}, schema_version="1.1")
    assert bounds(soft)["storage.beyond[1]"] == (0.0, 280.0)
    assert cost(soft)[0]["storage.beyond[1]"] == 2.0


@pytest.mark.parametrize("storage", [STORAGE, None])
def test_only_the_whole_model_knows_of_checkpoints(
    storage: dict[str, Any] | None, caplog: pytest.LogCaptureFixture
) -> None:
    raw = day(PAUSING, GOES_ON, SINGLE, storage=storage, schema_version="1.1")
    assert only_milp(compiled(raw)) == (storage is not None)
    plan(check_problem(raw), method="large")
    assert ("need the whole model" in caplog.text) == (storage is not None)


def test_a_feigned_start_does_not_make_room() -> None:
    """Any two that end together write 110 GB or more, so that one job runs in each of the first hours: 10, 20, 30."""
    three = planned(THREE)
    assert three.status == "optimal"
    assert three.objective == pytest.approx(60.0)
    assert verify(check_problem(THREE), three) == []


def test_a_feigned_loss_does_not_keep_a_job_on() -> None:
    # it writes more than a slot takes, so that it would have to run to the end of the day, with work for two hours
    raw = day(job("a", 1.0, preemptible=True, checkpoint_gb=80.0, restart_loss_h=0.7, state="running"), storage=LITTLE)
    found = planned(raw | {"schema_version": "1.1"})
    assert found.status == "infeasible"
    assert "storage/gb_per_s" in " ".join(found.conflicts)


LITTLE = {"gb_per_s": 0.02}
DEAR = [10.0, 10.0, 90.0, 90.0, 90.0, *[10.0] * 5]


def pair(work_h: float, **more: Any) -> list[dict[str, Any]]:
    return [job(name, work_h, preemptible=True, checkpoint_gb=60.0, **more) for name in "ab"]


def test_two_jobs_do_not_pause_at_once() -> None:
    free = planned(ten(*pair(7.0), prices=DEAR))
    assert on_slots(free, "a") == on_slots(free, "b")
    plan = planned(ten(*pair(7.0), prices=DEAR, storage=STORAGE))
    # 60 GB fit into an hour and 120 do not: where both would pause over the dear hours, one of them has to run in one
    stops = [{t for t in range(1, 10) if t - 1 in on and t not in on} for on in (on_slots(plan, n) for n in "ab")]
    assert not stops[0] & stops[1]
    assert plan.objective > free.objective  # type: ignore[operator]


def test_a_job_that_ends_writes_too() -> None:
    # both have an hour of work: they may begin together, but not end together
    plan = planned(ten(*pair(1.0), storage=STORAGE))
    assert sorted(on_slots(plan, "a") + on_slots(plan, "b")) == [0, 1]
    # at the end of the day nobody has to
    last = planned(ten(*pair(1.0, release="2026-11-09T09:00:00Z"), storage=STORAGE))
    assert on_slots(last, "a") == on_slots(last, "b") == [9]


def test_the_first_start_reads_nothing_and_a_resumed_job_does() -> None:
    # a queued pair begins at once, a paused one in turn
    queued = planned(ten(*pair(10.0), storage=STORAGE))
    assert on_slots(queued, "a") == on_slots(queued, "b") == list(range(10))
    paused = planned(ten(*pair(9.0, state="paused"), storage=STORAGE))
    assert sorted([on_slots(paused, "a")[0], on_slots(paused, "b")[0]]) == [0, 1]


def test_a_running_job_writes_where_it_is_off_and_reads_where_it_goes_on_again() -> None:
    # at work when the day begins, both stop at once, or after a while, and come back: never both in one slot
    raw = check_problem(ten(*pair(2.0, state="running"), prices=[90.0] * 8 + [10.0] * 2, storage=STORAGE))
    plan = dump_plan(planned(raw.raw))
    assert verify(raw, parse_plan(plan)) == []
    first, other = plan["jobs"]
    for one in first, other:
        one["runs"] = [{**one["runs"][0], "start": at(8), "end": at(10)}]
    # off from slot 0 and on again in slot 8: twice twelve gigabytes too many
    crowded = [v for v in verify(raw, parse_plan(plan)) if v.rule == "storage.bandwidth"]
    assert [v.amount for v in crowded] == pytest.approx([24.0])
    for one, borders in ((first, (0, 1, 8, 9)), (other, (0, 2, 8, 9))):
        a, b, c, d = map(at, borders)
        one["runs"] = [{**one["runs"][0], "start": a, "end": b}, {**one["runs"][0], "start": c, "end": d}]
    # who goes on in slot 0 moves nothing there; both read in slot 8 and write in slot 9
    crowded = [v for v in verify(raw, parse_plan(plan)) if v.rule == "storage.bandwidth"]
    assert [v.amount for v in crowded] == pytest.approx([24.0])


def test_crowding_beyond_the_bandwidth_has_its_price() -> None:
    cheap = planned(ten(*pair(1.0), storage=STORAGE | {"over_cost_per_gb": 0.1}))
    # twelve gigabytes too many cost less than ten for an hour later
    assert gave(cheap) == {"storage/bandwidth": pytest.approx(12.0)}
    assert cheap.terms["wishes"] == pytest.approx(1.2)
    assert cheap.unmet[0].unit == "GB"
    assert cheap.unmet[0].source == "/storage/gb_per_s"
    dear = planned(ten(*pair(1.0), storage=STORAGE | {"over_cost_per_gb": 1.0}))
    assert gave(dear) == {}


def test_a_checkpoint_that_never_fits_is_named() -> None:
    hour = {"release": "2026-11-09T02:00:00Z", "deadline": "2026-11-09T03:00:00Z"}
    plan = planned(ten(*pair(1.0, **hour), storage=STORAGE))
    assert plan.status == "infeasible"
    assert "storage/gb_per_s" in " ".join(plan.conflicts)


# ---- larger than a slot takes


def large(name: str, work_h: float, **more: Any) -> dict[str, Any]:
    return job(name, work_h, preemptible=True, checkpoint_gb=200.0, **more)


def test_a_checkpoint_takes_the_slots_that_it_needs_and_no_more_than_are_allowed() -> None:
    sizes = {1.0: 1, 108.0: 1, 108.1: 2, 216.0: 2, 217.0: 3, 324.0: 3, 500.0: 3}
    jobs = [job(f"j{k}", 1.0, preemptible=True, checkpoint_gb=gb) for k, gb in enumerate(sizes)]
    found = compiled(ten(*jobs, storage=QUEUED))
    assert [e.checkpoint_slots for e in found.entries] == list(sizes.values())
    assert [e.min_pause for e in found.entries] == list(sizes.values())
    # unless that is said, one slot is all that there is
    assert {e.checkpoint_slots for e in compiled(ten(*jobs, storage=STORAGE)).entries} == {1}
    assert {e.checkpoint_slots for e in compiled(ten(*jobs, storage={"gb_per_s": 0.0, "most_slots": 2})).entries} == {2}
    # where the rate changes, the best slot tells
    rates = {"gb_per_s": [0.03] * 9 + [0.06], "most_slots": 3}
    assert [e.checkpoint_slots for e in compiled(ten(large("a", 1.0), storage=rates)).entries] == [1]


def test_a_large_checkpoint_keeps_its_job_off_until_it_is_written() -> None:
    # eight hours around one dear one: a pause of one hour would do, and two are needed to write
    dear = [10.0] * 4 + [90.0] + [10.0] * 5
    small = planned(ten(job("a", 9.0, preemptible=True, checkpoint_gb=100.0), prices=dear, storage=QUEUED))
    assert on_slots(small, "a") == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    plan = planned(ten(large("a", 8.0), prices=dear, storage=QUEUED))
    on = on_slots(plan, "a")
    assert len(on) == 8
    assert on in ([0, 1, 2, 3, 6, 7, 8, 9], [0, 1, 2, 5, 6, 7, 8, 9])
    # nine hours leave no room for two: it runs through the dear one
    assert on_slots(planned(ten(large("a", 9.0), prices=dear, storage=QUEUED)), "a") == list(range(9))


def test_who_writes_for_hours_lets_others_wait() -> None:
    # each writes 100 GB in each of two hours; without the storage both run in hours 0 to 2
    plan = planned(ten(large("a", 3.0), large("b", 3.0), storage=QUEUED))
    ends = sorted(on_slots(plan, name)[-1] for name in "ab")
    assert ends == [2, 4]
    # a small one fits beside: 100 and 8 GB are what the storage takes
    beside = planned(ten(large("a", 3.0), job("b", 3.0, checkpoint_gb=8.0), storage=QUEUED))
    assert on_slots(beside, "a") == on_slots(beside, "b") == [0, 1, 2]


def test_the_referee_knows_how_long_a_checkpoint_is_written() -> None:
    raw = check_problem(ten(large("a", 4.0), large("b", 3.0, release=at(6)), storage=QUEUED))
    plan = dump_plan(planned(raw.raw))
    first = plan["jobs"][0]
    first["runs"] = [{**first["runs"][0], "start": at(a), "end": at(b)} for a, b in ((0, 2), (3, 5))]
    found = {v.rule: v for v in verify(raw, parse_plan(plan))}
    assert "in which its checkpoint is written" in found["job.min_pause"].sentence
    # written in slots 2 and 3, read in 3 and 4, written again in 5 and 6: slot 3 has 92 GB too many
    assert found["storage.bandwidth"].amount == pytest.approx(92.0)
    assert found["storage.bandwidth"].slot == 3


LARGE = [seed for seed in range(5000, 5000 + 40 * SOAK) if "storage" in random_asks.day(seed)][: 6 * SOAK]


@pytest.mark.parametrize("seed", LARGE)
def test_large_checkpoints_cost_what_the_oracle_says(seed: int) -> None:
    raw = random_asks.day(seed)
    raw["storage"] |= {"gb_per_s": 0.5 * raw["storage"]["gb_per_s"], "most_slots": 2}
    answer, received = brute_force.solve(raw), check_problem(raw)
    assert all(e.checkpoint_slots == (2 if e.checkpoint_gb else 1) for e in compiled(raw).entries)
    plan = plan_here(received, gap=1e-9)
    if answer.plan is None:
        assert (plan.status, bool(plan.conflicts)) == ("infeasible", True)
        return
    assert verify(received, parse_plan(answer.plan), gap=1e-6) == []
    assert plan.objective == pytest.approx(answer.objective, rel=1e-5, abs=1e-5)


def test_a_held_job_that_cannot_be_written_at_once_is_named_before_solving() -> None:
    held = job("a", 1.0, due_h=0.0, preemptible=True, checkpoint_gb=200.0, state="running", held=True)
    found = conflicts(compiled(ten(held, storage=STORAGE)))
    assert len(found) == 1
    assert "job a is running and held" in found[0]
    assert "takes 108 GB" in found[0]
    assert not conflicts(compiled(ten(held, storage=STORAGE | {"over_cost_per_gb": 1.0})))


def test_the_referee_counts_every_checkpoint() -> None:
    free = dump_plan(planned(ten(*pair(7.0), prices=DEAR)))
    strict = check_problem(ten(*pair(7.0), prices=DEAR, storage=STORAGE))
    found = verify(strict, parse_plan(free | {"problem_digest": strict.digest}))
    assert {violation.rule for violation in found} == {"storage.bandwidth"}
    # both pause and both resume: twice twelve gigabytes too many
    assert found[0].amount == pytest.approx(24.0)


def test_rungs_without_a_solver_are_refused_where_they_crowd() -> None:
    raw = check_problem(ten(*pair(1.0), storage=STORAGE))
    found = [(plan.rung, {v.rule for v in verify(raw, plan)}) for plan in descend(compiled(raw.raw), None)]
    assert found[0] == ("GREEDY", {"storage.bandwidth"})
