"""The policy table gives silent jobs their meaning and leaves alone what no row names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidInput
from models.job_policy import UNTOUCHED_W, judge, read_policy
from models.queued_job import QueuedJob, Words

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POOLS = {"hall": 96, "annex": 16}
JOB = QueuedJob("slurm-7", "slurm", "queued", 8, NOW, limit_h=4.0, partition="train", account="vision", user="amina")


def policy(*rows):
    return read_policy({"rows": [{"name": f"r{k}", "pool": "hall", **row} for k, row in enumerate(rows)]}, "the policy")


def test_a_row_gives_what_the_job_does_not_say():
    rows = policy(
        {
            "partitions": ["tr*"],
            "longest_delay_h": 6.0,
            "workload": "finetune",
            "pausable": True,
            "restart_loss_h": 0.25,
            "cap_floor_w": 350.0,
            "tenant_from": "account",
            "used_share": 0.5,
        }
    )
    found = judge(JOB, rows, POOLS, NOW)
    assert found.latest_start == NOW + 6 * HOUR
    assert (found.job.workload, found.job.preemptible, found.job.restart_loss_h) == ("finetune", True, 0.25)
    assert (found.job.work_h, found.job.cap_floor_w, found.job.tenant) == (2.0, 350.0, "vision")
    # latest start 18:00, two hours of work stretched by 1.2
    assert found.job.deadline == NOW + 8.4 * HOUR


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        ({}, True),
        ({"partitions": ["train"]}, True),
        ({"partitions": ["TRAIN"]}, False),
        ({"partitions": ["train"], "accounts": ["speech"]}, False),
        ({"accounts": ["speech", "vis*"]}, True),
        ({"users": ["am?na"], "sources": ["csv"]}, False),
        ({"opt_in": True}, False),
        ({"qos": ["*"]}, True),
    ],
)
def test_a_row_fits_where_all_its_criteria_do(row, fits):
    assert (judge(JOB, policy(row), POOLS, NOW).row is not None) == fits


def test_the_first_row_that_fits_counts():
    rows = policy({"accounts": ["vision"], "plan": False}, {"longest_delay_h": 8.0})
    found = judge(JOB, rows, POOLS, NOW)
    assert (found.row, found.job, found.why) == (None, None, "row 'r0' leaves such jobs alone")


def test_opting_in_and_out():
    rows = policy({"opt_in": True, "longest_delay_h": 2.0})
    assert judge(replace(JOB, words=Words(takes_part=True)), rows, POOLS, NOW).row is not None
    out = judge(replace(JOB, words=Words(takes_part=False)), policy({}), POOLS, NOW)
    assert (out.row, out.why) == (None, "it says chergui=off")
    asked = judge(replace(JOB, words=Words(takes_part=True)), policy({"partitions": ["other"]}), POOLS, NOW)
    assert asked.row is None, "asking to take part does not make a job one that the site named"


def test_a_job_that_no_row_names_is_a_load_at_full_power_while_it_runs_and_nothing_else():
    waits = judge(JOB, policy({"partitions": ["other"]}), POOLS, NOW)
    assert (waits.row, waits.job) == (None, None)
    runs = judge(replace(JOB, state="running", ran_h=1.0, pool="hall"), policy(), POOLS, NOW)
    assert runs.row is None
    assert (runs.job.cap_floor_w, runs.job.preemptible, runs.job.work_h) == (UNTOUCHED_W, False, 3.0)


def test_the_jobs_own_words_win_over_the_row():
    words = Words(True, 1.0, None, 3.0, "inference", False, 500.0)
    row = {"longest_delay_h": 8.0, "pausable": True, "cap_floor_w": 300.0}
    found = judge(replace(JOB, words=words), policy(row), POOLS, NOW)
    assert found.latest_start == NOW + HOUR
    assert (found.job.work_h, found.job.workload, found.job.preemptible) == (3.0, "inference", False)
    assert found.job.cap_floor_w == 500.0


def test_the_latest_start_never_lets_the_schedulers_deadline_kill_a_job():
    tight = replace(JOB, deadline=NOW + 5 * HOUR)
    found = judge(tight, policy({"longest_delay_h": 8.0}), POOLS, NOW)
    assert found.latest_start == NOW + HOUR - timedelta(minutes=2)
    hopeless = replace(JOB, deadline=NOW + HOUR)
    assert judge(hopeless, policy({"longest_delay_h": 8.0}), POOLS, NOW).latest_start == NOW


@given(
    delay=st.floats(0, 200),
    begin=st.integers(-48, 48),
    limit=st.floats(0.1, 100),
    due=st.none() | st.integers(1, 300),
    done=st.floats(0, 50),
)
def test_waiting_never_exceeds_the_longest_delay(delay, begin, limit, due, done):
    eligible = NOW + begin * HOUR
    deadline = None if due is None else NOW + due * HOUR
    job = replace(JOB, eligible_at=eligible, limit_h=limit, deadline=deadline, done_h=done)
    found = judge(job, policy({"longest_delay_h": delay}), POOLS, NOW)
    earliest = max(NOW, eligible)
    assert earliest <= found.latest_start <= earliest + timedelta(hours=delay + done, seconds=1)
    if deadline is not None and deadline - limit * HOUR > earliest + timedelta(minutes=2):
        assert found.latest_start + limit * HOUR <= deadline


def test_jobs_that_cannot_be_planned_are_left_alone_and_why():
    rows = policy({})
    assert "no time limit" in judge(replace(JOB, limit_h=None), rows, POOLS, NOW).why
    assert "has 96" in judge(replace(JOB, gpus=128), rows, POOLS, NOW).why
    assert judge(replace(JOB, bars="it waits for another job"), rows, POOLS, NOW).why == "it waits for another job"
    anywhere = read_policy({"rows": [{"name": "a"}]}, "the policy")
    assert "belongs to no pool" in judge(JOB, anywhere, POOLS, NOW).why
    assert judge(JOB, anywhere, {"hall": 96}, NOW).job.pool == "hall"


def test_what_a_list_states_wins():
    told = replace(JOB, given={"priority": "high", "deadline": NOW + 9 * HOUR})
    job = judge(told, policy({"priority": "low"}), POOLS, NOW).job
    assert (job.priority, job.deadline) == ("high", NOW + 9 * HOUR)


def test_a_policy_lists_every_fault_at_once():
    raw = {
        "rows": [
            {"name": "a", "tenant": "x", "tenant_from": "account"},
            {"name": "a", "checkpoint_s": 60, "longest_dely_h": 3},
            {"name": "c", "pausable": True, "checkpoint_s": 60},
        ]
    }
    with pytest.raises(InvalidInput) as caught:
        read_policy(raw, "the policy")
    told = {fault.pointer: fault.code for fault in caught.value.faults}
    assert told["rows[0].tenant_from"] == "two_tenants"
    assert told["rows[1].longest_dely_h"] == "extra_forbidden"
    assert told["rows[2].checkpoint_signal"] == "missing"
    with pytest.raises(InvalidInput, match="already stands"):
        policy({"name": "a"}, {"name": "a"})


LISTED = replace(JOB, id="q-7", source="json")


def test_a_row_offers_ways_and_words_or_the_list_win():
    row = {
        "pools": ["annex"],
        "may_rent": True,
        "least_gang_share": 0.3,
        "gang_exponent": 0.8,
        "checkpoint_gb_per_gpu": 10.0,
        "residency": ["MA"],
    }
    job = judge(LISTED, policy(row), POOLS, NOW).job
    assert (job.pools, job.may_rent, job.gang_exponent, job.residency) == (("annex",), True, 0.8, ("MA",))
    assert (job.gpus_min, job.checkpoint_gb) == (3, 80.0), "0.3 of 8 GPUs, rounded up"
    words = Words(pools=("hall",), gpus_min=4, rent=False, residency=("FR", "MA"), checkpoint_gb=5.0)
    job = judge(replace(LISTED, words=words), policy(row), POOLS, NOW).job
    assert (job.pools, job.gpus_min, job.may_rent, job.residency) == (("hall",), 4, False, ("FR", "MA"))
    assert job.checkpoint_gb == 5.0
    job = judge(replace(LISTED, given={"gang_sizes": (4, 2), "may_rent": False}), policy(row), POOLS, NOW).job
    assert (job.gang_sizes, job.gpus_min, job.may_rent) == ((4, 2), None, False)


def test_a_job_of_slurm_stays_where_and_as_large_as_it_is_and_that_is_said():
    row = {"pools": ["annex"], "may_rent": True, "least_gang_share": 0.5, "residency": ["MA"]}
    found = judge(JOB, policy(row), POOLS, NOW)
    assert (found.job.pools, found.job.may_rent, found.job.gpus_min) == ((), False, None)
    assert found.job.residency == ("MA",)
    assert "not for jobs of Slurm" in found.why
    asks = judge(replace(JOB, words=Words(pools=("annex",), rent=True)), policy({}), POOLS, NOW)
    assert asks.row is None
    assert "pools, rent" in asks.why
    assert "stays in its partition" in asks.why
    with pytest.raises(InvalidInput, match="stays in its partition"):
        policy({**row, "sources": ["slurm"]})


def test_surplus_lasts_until_the_latest_start_and_needs_a_pausable_row():
    rows = policy({"surplus": True, "pausable": True, "longest_delay_h": 6.0})
    assert judge(JOB, rows, POOLS, NOW + 5 * HOUR).job.surplus
    assert not judge(JOB, rows, POOLS, NOW + 6 * HOUR).job.surplus, "from here on it is due like others"
    # what it has run did not use up its waiting
    ran = replace(JOB, state="running", ran_h=1.0)
    assert judge(ran, rows, POOLS, NOW + 6.5 * HOUR).job.surplus
    with pytest.raises(InvalidInput, match="pausable = true"):
        policy({"surplus": True})
    asks = judge(replace(JOB, words=Words(surplus=True)), policy({"longest_delay_h": 6.0}), POOLS, NOW)
    assert asks.row is None
    assert "surplus" in asks.why


def test_a_running_job_that_is_left_alone_keeps_no_choice():
    given = {"pools": ("annex",), "surplus": True, "running_pool": "annex"}
    told = replace(LISTED, pool="hall", state="running", words=Words(takes_part=False, rent=True), given=given)
    job = judge(told, policy({}), POOLS, NOW).job
    assert (job.pools, job.may_rent, job.surplus, job.running_pool) == ((), False, False, "annex")
