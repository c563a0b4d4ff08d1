"""What Slurm is told: never a start after the latest, never a word about a job that no row names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.slurm.budget import Licences, Window, budget_orders, read_total, read_windows
from api.slurm.decide import decide
from api.slurm.order import Order, commands
from api.slurm.pauses import due_resumes
from api.slurm.view import PlanView, Run
from ingest.sources.slurm.note import Note, read_note
from ingest.sources.slurm.shape import SlurmJob, job_id
from ingest.sources.slurm.source import Seen
from models.horizon import Horizon
from models.job_policy import judge, read_policy
from models.job_sources import Slurm
from models.placement import Placement

NOW = datetime(2026, 11, 28, 12, 7, tzinfo=UTC)
SLOT0 = NOW.replace(minute=0)
HOUR, SLOT = timedelta(hours=1), timedelta(minutes=15)
HORIZON = Horizon(SLOT0, SLOT, 96)
ROW = {"name": "r", "partitions": ["train"], "longest_delay_h": 8.0, "pausable": True, "restart_loss_h": 0.1}
POOLS = {"hall": 96}
SPEC = Slurm(act=True, budget={"licence": "kw"})

JOB = SlurmJob(
    number=7,
    state="queued",
    name="train",
    user="amina",
    account="vision",
    qos="normal",
    partition="train",
    gpus=8,
    node_count=1,
    nodes=(),
    gpus_on=(),
    submitted=NOW - HOUR,
    eligible=NOW - HOUR,
    started=None,
    ran_s=0,
    limit_min=240,
    deadline=None,
    comment="",
    extra="",
    admin_comment="",
    licences={"kw": 8},
    held=False,
    requeue=True,
    restarts=0,
    batch=True,
    depends=False,
    hetero=False,
    tasks=1,
)
RUNNING = replace(
    JOB, state="running", nodes=("gpu1",), started=NOW - HOUR, ran_s=3600, admin_comment=Note().comment("runs")
)


def told(*jobs, runs=(), row=None, following=("hall",), licences=None, now=NOW, plan=True, spec=SPEC, holding=False):
    """Orders, with the plan's runs given as (job, start, end) or (job, start, end, speed) in slots."""
    facts = tuple(job.facts("hall") for job in jobs)
    policy = read_policy({"rows": [{**ROW, **(row or {})}]}, "the policy")
    judged = [judge(one, policy, POOLS, now) for one in facts]
    known = {job_id(job.number): [] for job in jobs}
    for number, first, last, *speed in runs:
        known[job_id(number)].append(Run(HORIZON.at(first), HORIZON.at(last), *(speed or (1.0,))))
    price = [100.0] * 40 + [60.0] * 56
    green = [0.1] * 60 + [0.8] * 36
    view = PlanView("pln_1", HORIZON, {key: tuple(found) for key, found in known.items()}, price, green)
    seen = Seen(now, tuple(jobs), facts, Placement(now))
    return decide(seen, judged, view if plan else None, set(following), spec, licences, now, holding=holding)


def test_a_window_becomes_the_start_and_the_comment_says_why_and_until_when():
    (order,) = told(JOB, runs=[(7, 20, 36)])
    assert (order.kind, order.job, order.at) == ("start", 7, SLOT0 + 5 * HOUR)
    latest = JOB.submitted + 8 * HOUR
    assert order.comment.startswith(
        "chergui: starts 2026-11-28 17:00 UTC, no room for it before; at the latest 2026-11-28 19:07 UTC ["
    )
    note = read_note(order.comment)
    assert (note.start, note.latest) == (order.at.timestamp(), latest.timestamp())
    assert (note.begin, note.restarts) == (JOB.submitted.timestamp(), 0)


def test_the_reason_comes_from_the_plans_own_series():
    late = {"longest_delay_h": 40.0}
    (cheap,) = told(JOB, runs=[(7, 42, 58)], row=late)
    assert "power 40% cheaper" in cheap.comment
    (sunny,) = told(JOB, runs=[(7, 64, 80)], row=late)
    assert "80% sun and wind instead of 10% and power 40% cheaper" in sunny.comment


def test_a_window_of_now_lets_the_job_start():
    assert told(JOB, runs=[(7, 0, 16)]) == [], "Slurm may start it anyway, and nothing was said"
    note = Note(start=int((NOW + HOUR).timestamp()), begin=int(JOB.submitted.timestamp()), restarts=0)
    waiting = replace(JOB, eligible=NOW + HOUR, admin_comment=note.comment("x"))
    (order,) = told(waiting, runs=[(7, 0, 16)])
    assert commands(order, NOW)[0][:4] == ("scontrol", "update", "JobId=7", "StartTime=now")


def test_a_job_without_a_window_starts_at_its_latest():
    (order,) = told(JOB)
    assert order.at == JOB.submitted + 8 * HOUR


def test_a_start_that_stands_is_not_told_again():
    (order,) = told(JOB, runs=[(7, 20, 36)])
    stands = replace(JOB, eligible=order.at, admin_comment=order.comment)
    assert told(stands, runs=[(7, 20, 36)]) == []
    (moved,) = told(stands, runs=[(7, 24, 40)])
    assert moved.at == SLOT0 + 6 * HOUR
    assert read_note(moved.comment).begin == JOB.submitted.timestamp(), "the user's begin is not forgotten"


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, partition="debug"),
        replace(JOB, comment="chergui=off"),
        replace(JOB, comment="chergui=perhaps"),
        replace(JOB, admin_comment="ask amina"),
        replace(JOB, batch=False),
        replace(JOB, depends=True),
        replace(JOB, held=True),
        replace(JOB, gpus=0),
        replace(
            JOB, eligible=NOW + 3 * HOUR, admin_comment=Note(start=int(NOW.timestamp()) + 99, restarts=0).comment("x")
        ),
        replace(RUNNING, partition="debug"),
    ],
)
def test_jobs_that_are_left_alone_are_never_spoken_of(job):
    assert told(job, runs=[(7, 20, 36)]) == []


def test_in_a_pool_that_does_not_follow_the_plan_what_waits_because_of_us_is_let_go():
    (order,) = told(JOB, runs=[(7, 20, 36)])
    stands = replace(JOB, eligible=order.at, admin_comment=order.comment)
    for change in ({"following": ()}, {"plan": False}, {"row": {"partitions": ["other"]}}):
        (let_go,) = told(stands, runs=[(7, 20, 36)], **change)
        assert (let_go.kind, let_go.at) == ("start", NOW)
        after = replace(stands, eligible=NOW, admin_comment=let_go.comment)
        assert told(after, runs=[(7, 20, 36)], **change) == []
    later = replace(
        stands, admin_comment=read_note(order.comment).but(begin=int((NOW + HOUR).timestamp())).comment("x")
    )
    (let_go,) = told(later, following=())
    assert let_go.at == NOW + HOUR, "not before the user's own begin"


@given(
    first=st.integers(0, 95),
    length=st.integers(1, 40),
    delay=st.floats(0, 60),
    begin=st.integers(-600, 900),
    deadline=st.none() | st.integers(10, 3000),
    limit=st.integers(1, 2000),
)
def test_no_start_is_ever_told_beyond_the_latest_nor_before_the_users_own(first, length, delay, begin, deadline, limit):
    job = replace(
        JOB,
        eligible=NOW + timedelta(minutes=begin),
        limit_min=limit,
        deadline=None if deadline is None else NOW + timedelta(minutes=deadline),
    )
    earliest = max(job.submitted, job.eligible)
    for order in told(job, runs=[(7, first, min(96, first + length))], row={"longest_delay_h": delay}):
        assert order.kind == "start"
        if order.at > NOW:
            assert earliest <= order.at <= max(earliest, earliest + timedelta(hours=delay, seconds=1))
            if job.deadline is not None and order.at > earliest:
                assert order.at + timedelta(minutes=limit) <= job.deadline


# Running jobs


def test_a_pausable_job_is_signalled_then_requeued_and_slurm_keeps_when_it_goes_on():
    row = {"checkpoint_signal": "USR1", "checkpoint_s": 60.0}
    runs = [(7, 12, 30)]  # again at 15:00
    (signal,) = told(RUNNING, runs=runs, row=row)
    assert commands(signal, NOW)[1] == ("scancel", "--batch", "--signal=USR1", "7")
    for whom, flags in (("steps", ()), ("all", ("--full",))):
        (other,) = told(RUNNING, runs=runs, row={**row, "checkpoint_to": whom})
        assert commands(other, NOW)[1] == ("scancel", *flags, "--signal=USR1", "7")
    saved = replace(RUNNING, admin_comment=signal.comment, ran_s=3660)
    assert told(saved, runs=runs, row=row, now=NOW + timedelta(seconds=30)) == []
    (after_all,) = told(saved, runs=[(7, 0, 30)], row=row)
    assert (after_all.kind, read_note(after_all.comment).signalled) == ("note", None)
    then = NOW + timedelta(seconds=60)
    (stop,) = told(saved, runs=runs, row=row, now=then)
    assert [step[:2] for step in commands(stop, then)] == [("scontrol", "requeue"), ("scontrol", "update")]
    assert stop.at == SLOT0 + 3 * HOUR
    note = read_note(stop.comment)
    assert (note.restarts, note.done, note.signalled) == (1, 61, None)
    back = replace(JOB, eligible=stop.at, restarts=1, admin_comment=stop.comment)
    assert told(back, runs=runs, row=row, now=then) == [], "its start stands already"
    facts = back.facts("hall")
    job = judge(facts, read_policy({"rows": [{**ROW, **row}]}, "p"), POOLS, then).job
    assert (job.state, job.work_h) == ("paused", pytest.approx(4 - 61 / 60, abs=1e-3))


def test_a_job_is_not_paused_beyond_its_longest_delay_nor_for_nothing():
    assert told(RUNNING, runs=[(7, 0, 16)]) == [], "the plan has it running"
    assert told(RUNNING, runs=[(7, 1, 16)]) == [], "a pause of minutes is none"
    past = SLOT0 + 5 * HOUR
    assert told(RUNNING, runs=[(7, 0, 16)], now=past) == [], "it takes longer than planned, and is not stopped for that"
    assert told(RUNNING, runs=[(7, 12, 30)], row={"pausable": False}) == []
    assert told(replace(RUNNING, requeue=False), runs=[(7, 12, 30)]) == []
    # submitted at 11:07, ran one hour from then on; eight hours of delay: it must go on at 20:07
    (stop,) = told(RUNNING, runs=[(7, 60, 80)])
    assert stop.at == JOB.submitted + 9 * HOUR
    used_up = replace(RUNNING, submitted=NOW - 8 * HOUR, eligible=NOW - 8 * HOUR)
    assert told(used_up, runs=[(7, 60, 80)], row={"longest_delay_h": 7.0}) == []


def test_a_job_on_surplus_is_stopped_also_where_the_plan_has_no_more_of_it():
    assert told(RUNNING, runs=[(7, 0, 0)]) == [], "its end was reckoned with"
    (stop,) = told(RUNNING, runs=[(7, 0, 0)], row={"surplus": True})
    assert (stop.kind, stop.at) == ("requeue", JOB.submitted + 9 * HOUR), "back when its waiting is used up"
    assert told(RUNNING, runs=[(7, 0, 0)], row={"surplus": True, "longest_delay_h": 0.1}) == []


def test_a_suspended_job_goes_on_by_the_plan_or_by_its_note_without_one():
    row = {"pause": "suspend"}
    (stop,) = told(RUNNING, runs=[(7, 12, 30)], row=row)
    assert [step[1] for step in commands(stop, NOW)] == ["update", "suspend"], "the note comes first"
    still = replace(RUNNING, state="paused", admin_comment=stop.comment)
    assert told(still, runs=[(7, 12, 30)], row=row) == []
    (go,) = told(still, runs=[(7, 12, 30)], row=row, now=SLOT0 + 3 * HOUR)
    assert go.kind == "resume"
    by = datetime.fromtimestamp(read_note(stop.comment).latest, UTC)
    assert by == JOB.submitted + 9 * HOUR
    assert list(due_resumes([still], by - SLOT)) == []
    assert [order.kind for order in due_resumes([still], by)] == ["resume"]
    assert [order.kind for order in told(still, following=(), row=row)] == ["resume"]
    theirs = replace(still, admin_comment="")
    assert told(theirs, following=()) == [], "a job that somebody else suspended stays so"


def test_a_capped_job_gets_the_time_that_its_caps_cost():
    # 240 min at 0.8 of its speed take 300
    (order,) = told(RUNNING, runs=[(7, 0, 8, 1.0), (7, 8, 20, 0.8)])
    assert (order.kind, order.minutes) == ("limit", 302)
    assert read_note(order.comment).limit == 240
    given_ = replace(RUNNING, limit_min=302, admin_comment=order.comment)
    assert told(given_, runs=[(7, 0, 20, 0.8)]) == []
    assert given_.facts("hall").limit_h == 4.0, "the user's own limit counts"
    (less,) = told(replace(RUNNING, deadline=RUNNING.started + timedelta(minutes=250)), runs=[(7, 0, 20, 0.5)])
    assert less.minutes == 250, "never past the deadline"


# The budget


def reserved(orders, at=None):
    """Licences that our reservations hold away at an instant, if all of them begin now."""
    made = [order for order in orders if order.kind == "reserve"]
    assert all(order.at <= NOW for order in made)
    return sum(order.amount for order in made if at is None or order.until > at)


def test_what_the_plan_does_not_grant_is_reserved_away():
    free = Licences(500)
    orders = told(JOB, replace(RUNNING, number=8), runs=[(7, 2, 16), (8, 0, 4)], licences=free)
    # 8 runs until 13:00, 7 from 12:30 on: 8 kW each
    assert reserved(orders) == 492
    assert [reserved(orders, SLOT0 + k * SLOT) for k in range(1, 9)] == [492, 484, 484, 484, 484, 484, 484, 484]
    assert reserved(orders, NOW + 3 * HOUR) == 0, "without us the budget opens by itself"


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12), st.integers(0, 60)), max_size=6))
def test_what_is_reserved_now_is_what_is_not_granted_now_and_it_only_falls(spans):
    jobs = [replace(JOB, number=k, licences={"kw": kw}) for k, (_, _, kw) in enumerate(spans)]
    runs = [(k, first, first + length) for k, (first, length, _) in enumerate(spans)]
    orders = told(*jobs, runs=runs, licences=Licences(200))
    granted = sum(kw for first, _, kw in spans if first == 0)
    assert reserved(orders) == max(0, 200 - granted)
    profile = [reserved(orders, SLOT0 + k * SLOT) for k in range(12)]
    assert profile == sorted(profile, reverse=True)


def test_a_job_at_its_latest_start_has_its_licences_whatever_the_plan_says():
    old = replace(JOB, submitted=NOW - 7 * HOUR, eligible=NOW - 7 * HOUR)  # latest start 13:07
    orders = told(old, runs=[(7, 90, 96)], licences=Licences(100))
    assert [reserved(orders, SLOT0 + k * SLOT) for k in range(1, 7)] == [100, 100, 100, 92, 92, 92]
    due = replace(JOB, submitted=NOW - 8 * HOUR, eligible=NOW - 8 * HOUR)
    assert reserved(told(due, runs=[(7, 90, 96)], licences=Licences(100))) == 92


def test_jobs_that_run_keep_their_licences_whoever_they_are():
    stranger = replace(RUNNING, partition="debug")
    amounts = {order.amount for order in told(stranger, licences=Licences(10)) if order.kind == "reserve"}
    assert amounts == {2}


def test_failsafe_by_an_operators_order_holds_every_start_that_needs_power_and_ends_by_itself():
    waits = replace(JOB, submitted=NOW - 20 * HOUR, eligible=NOW - 20 * HOUR)
    (order,) = told(waits, replace(RUNNING, number=8), following=(), licences=Licences(500), holding=True)
    assert (order.kind, order.name, order.amount, order.until - NOW) == (
        "reserve",
        "chergui_kw_hold",
        492,
        timedelta(minutes=10),
    )
    held = Window("chergui_kw_hold", NOW, order.until, "kw", 492)

    def again(seconds, holding=True):
        now = NOW + timedelta(seconds=seconds)
        return told(replace(RUNNING, number=8), following=(), licences=Licences(500, (held,)), holding=holding, now=now)

    assert again(15) == []
    (renewed,) = again(310)
    assert (renewed.kind, renewed.until - NOW) == ("resize", timedelta(minutes=10, seconds=310))
    assert [order.kind for order in again(15, holding=False)] == ["unreserve"]


def test_windows_are_changed_made_and_taken_away():
    first = Window("chergui_kw_1", SLOT0, SLOT0 + SLOT, "kw", 10)
    second = replace(first, name="chergui_kw_2", start=SLOT0 + SLOT, end=SLOT0 + 2 * SLOT)
    past = replace(first, name="chergui_kw_0", start=SLOT0 - SLOT, end=SLOT0)
    others = replace(first, name="maintenance")
    assert list(budget_orders([first], [first], NOW)) == []
    assert [o.kind for o in budget_orders([replace(first, amount=5), second], [first, past, others], NOW)] == [
        "resize",
        "reserve",
    ]
    assert [(o.kind, o.name) for o in budget_orders([], [first, past, others], NOW)] == [("unreserve", "chergui_kw_1")]
    assert [o.kind for o in told(JOB, runs=[(7, 2, 16)], following=(), licences=Licences(500, (first,)))] == [
        "unreserve"
    ]


def test_reservations_and_licences_are_read_as_scontrol_prints_them():
    line = (
        "ReservationName=chergui_kw_1 StartTime=2026-11-28T03:21:33 EndTime=2026-11-28T03:36:33 Duration=00:15:00 "
        "Nodes=(null) NodeCnt=0 Flags=ANY_NODES TRES=(null) Users=root Licenses=kw:498 State=ACTIVE"
    )
    start = datetime(2026, 11, 28, 3, 21, 33, tzinfo=UTC)
    assert read_windows(line + "\nNo reservations in the system\n") == [
        Window("chergui_kw_1", start, start + SLOT, "kw", 498)
    ]
    assert read_windows(line.replace("chergui_", "")) == []
    assert read_total("LicenseName=kw Total=500 Used=5 Free=495 Reserved=0 Remote=no\n", "kw") == 500
    assert read_total("No licenses configured in Slurm.\n", "kw") is None


def test_a_reservation_is_said_as_slurm_wants_it():
    order = Order("reserve", "", at=SLOT0, until=SLOT0 + SLOT, name="chergui_kw_1", licence="kw", amount=7)
    ((_, *arguments),) = commands(order, NOW)
    assert arguments == [
        "create",
        "reservation",
        "ReservationName=chergui_kw_1",
        "StartTime=now",
        "EndTime=2026-11-28T12:15:00",
        "Licenses=kw:7",
        "Flags=LICENSE_ONLY",
        "Users=root",
    ]


def test_where_not_all_can_be_told_at_once_what_lets_jobs_run_comes_first():
    many = [replace(JOB, number=k) for k in range(20, 30)]
    still = replace(RUNNING, number=9, state="paused", admin_comment=Note(suspended=1).comment("x"))
    orders = told(*many, still, runs=[(9, 0, 9)], spec=SPEC.model_copy(update={"most_orders": 5}))
    assert [order.kind for order in orders] == ["resume", "start", "start", "start", "start"]
