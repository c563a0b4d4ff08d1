"""Whatever answers, clock jumps, losses and restarts come: a cap is never above what a lease or the default allows."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.climb import Climb, spread
from agent.clock import ServerClock
from agent.machine import Gpu, Heard, Machine, Rules, SiteFactor
from agent.orders import Orders, read_orders
from models.errors import InvalidInput
from models.lease import AgentState, Version
from tests.support.caps_server import body

GPU = Gpu(0, "GPU-00", 200.0, 700.0)
OTHER = Gpu(1, "GPU-01", 200.0, 700.0)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
QUICK = Rules(dwell_s=300.0, ramp_w_per_s=20.0, jitter_s=60.0)


def orders(version: tuple[int, int] = (1, 1), **changes: Any) -> Orders:
    return read_orders(json.dumps(body(version, **changes)).encode())


def at(seconds: float) -> str:
    return datetime.fromtimestamp(NOON + seconds, UTC).isoformat().replace("+00:00", "Z")


def machine(now_s: float = 0.0, **more: Any) -> Machine:
    return Machine(QUICK, now_s, draw=iter(f"token-{k}" for k in range(999)).__next__, **more)


def take(found: Machine, told: Orders, now_s: float, ttl_s: float = 900.0, **more: Any) -> Heard:
    return found.take(told, ttl_s, NOON + now_s, now_s, now_s, more.get("token", found.token))


def test_the_default_holds_before_the_first_answer_and_the_plan_after_it() -> None:
    found = machine()
    assert found.allowed_w(GPU, 0.0) == 200, "nothing is known: the least that the device accepts"
    assert found.wants_default_set
    assert take(found, orders(), 1.0) is Heard.TAKEN
    assert (found.state, found.allowed_w(GPU, 1.0), found.allowed_w(OTHER, 1.0)) == (AgentState.CONTROLLED, 600, 450)
    assert not found.wants_default_set


def test_silence_drops_the_grant_then_the_lease() -> None:
    found = machine()
    take(found, orders(), 0.0)
    assert found.tick(119) is AgentState.CONTROLLED
    assert found.tick(121) is AgentState.STALE
    assert found.allowed_w(GPU, 121, last_applied_w=600) == 450
    assert found.allowed_w(GPU, 121, last_applied_w=300) == 300
    assert found.tick(901) is AgentState.FAILSAFE
    assert found.wants_default_set


def test_an_older_version_is_refused_for_good_and_after_a_restart() -> None:
    found = machine()
    take(found, orders((1, 5)), 0.0)
    assert take(found, orders((1, 4)), 1.0) is Heard.OLDER
    assert take(found, orders((0, 99)), 1.0) is Heard.OLDER
    again = machine(seen=Version(1, 5))
    assert take(again, orders((1, 4)), 0.0) is Heard.OLDER
    assert take(again, orders((1, 5)), 0.0) is Heard.TAKEN, "the same again is what is in force"
    assert take(again, orders((2, 1)), 0.0) is Heard.TAKEN, "a later epoch, after a restore"


def test_another_sites_answer_is_refused() -> None:
    found = machine()
    take(found, orders(), 0.0)
    assert take(found, orders((1, 9), site="elsewhere"), 1.0) is Heard.OTHER_SITE


def test_only_an_answer_with_the_token_of_the_entry_leads_out_of_failsafe_and_only_after_the_dwell() -> None:
    found = machine()
    take(found, orders(), 0.0)
    assert found.token is None, "under control nobody asks for one"
    found.tick(1000)
    token = found.token
    assert token is not None
    assert take(found, orders((1, 2)), 1100) is Heard.WAITS, "the dwell is not over"
    assert found.state is AgentState.FAILSAFE
    assert found.lease.version == Version(1, 2), "but what came is fenced"
    for wrong in (None, "token-0"):
        assert found.take(orders((1, 2)), 900, NOON, 1400, 1400, wrong) is Heard.WAITS
    assert take(found, orders((1, 2)), 1400) is Heard.TAKEN
    assert found.state is AgentState.CONTROLLED


def test_a_304_renews_only_what_is_held() -> None:
    found = machine()
    assert found.renew(Version(1, 1), 900, NOON, 0, 0, found.token) is Heard.NOT_HELD
    take(found, orders((1, 2)), 0.0)
    assert found.etag_version == Version(1, 2)
    assert found.renew(Version(1, 2), 900, NOON, 100, 100, None) is Heard.TAKEN
    assert found.tick(219) is AgentState.CONTROLLED
    assert found.renew(Version(1, 1), 900, NOON, 219, 219, None) is Heard.OLDER
    assert found.renew(Version(1, 3), 900, NOON, 219, 219, None) is Heard.NOT_HELD
    assert found.etag_version is None, "the next question is unconditional"
    kept = machine(held=orders((1, 2)), seen=Version(1, 2))
    assert kept.renew(Version(1, 2), 900, NOON, 0, 0, kept.token) is Heard.NOT_HELD, "of an earlier life"


def test_a_lease_counts_from_the_question_and_ends_with_the_plan() -> None:
    found = machine()
    told = orders(valid_until=at(60))
    assert found.take(told, 900, NOON, 0.0, 4.0, found.token) is Heard.TAKEN
    assert found.tick(59.9) is AgentState.CONTROLLED
    assert found.tick(60) is AgentState.FAILSAFE
    assert found.take(orders((1, 2)), 0, NOON, 500, 500, found.token) is Heard.WAITS, "0 s: the default, now"


def test_hard_restrictions_outlive_lease_and_restart_and_soft_ones_do_not() -> None:
    spans = [{"start": at(0), "end": at(5000), "limit_w": 250.0, "hard": True}]
    told = orders(gpus=[{"index": 0, "job": "llm-7", "limit_w": 450.0, "periods": spans}])
    found = machine()
    take(found, told, 0.0)
    found.tick(2000)
    assert (found.state, found.allowed_w(GPU, 2000)) == (AgentState.FAILSAFE, 250)
    assert found.allowed_w(GPU, 5002) == 450, "to its own end"
    same_boot = machine(100.0, held=told, clock=ServerClock.remembered(NOON, NOON, 0.0, True, 100.0))
    assert same_boot.allowed_w(GPU, 100.0) == 250
    rebooted = machine(5.0, held=told, clock=ServerClock.remembered(NOON, NOON, 900.0, False, 5.0))
    assert rebooted.allowed_w(GPU, 5.0) == 250, "nobody counted while it was off"
    assert rebooted.allowed_w(GPU, 5006.0) == 450
    soft = orders(gpus=[{"index": 0, "job": None, "limit_w": 250.0}])
    assert machine(held=soft).allowed_w(GPU, 0.0) == 450


def test_after_a_reboot_a_restriction_to_come_may_have_begun() -> None:
    spans = [{"start": at(600), "end": at(1200), "limit_w": 250.0, "hard": True}]
    told = orders(gpus=[{"index": 0, "job": "a", "limit_w": 450.0, "periods": spans}])
    rebooted = machine(5.0, held=told, clock=ServerClock.remembered(NOON, NOON, 900.0, False, 5.0))
    assert rebooted.allowed_w(GPU, 5.0) == 250, "nobody knows how long it was off"
    running = machine(950.0, held=told, clock=ServerClock.remembered(NOON, NOON, 900.0, True, 950.0))
    assert running.allowed_w(GPU, 950.0) == 450


def test_a_lease_is_no_longer_than_the_pools() -> None:
    found = machine()
    take(found, orders(lease={"ttl_s": 60.0, "poll_s": 5.0, "stale_after_s": 20.0}), 0.0, ttl_s=5000.0)
    assert found.tick(61.0) is AgentState.FAILSAFE
    assert found.lease.until_s == 60.0


def test_a_304_for_another_version_leaves_the_plan_in_force_to_its_end() -> None:
    found = machine()
    take(found, orders((1, 2)), 0.0)
    found.renew(Version(1, 3), 900, NOON, 60, 60, None)
    assert found.allowed_w(GPU, 60) == 600
    assert found.tick(121) is AgentState.STALE, "but it renews nothing"


def test_plan_time_is_the_services_and_a_border_takes_the_lower_side() -> None:
    spans = [{"start": at(0), "end": at(900), "limit_w": 600.0}, {"start": at(900), "end": at(1800), "limit_w": 400.0}]
    found = machine()
    take(found, orders(gpus=[{"index": 0, "job": "a", "limit_w": 450.0, "periods": spans}]), 0.0)
    assert found.allowed_w(GPU, 10) == 600
    assert found.allowed_w(GPU, 899.5) == 400, "the service may be a second ahead"
    assert found.allowed_w(GPU, 901) == 400
    assert found.allowed_w(GPU, 1799.5) == 400
    assert found.allowed_w(GPU, 1801) == 450, "past the last period the default holds"


def test_caps_follow_a_placement_that_is_known_here() -> None:
    jobs = [
        {"job": "a", "gpus": 8, "periods": [{"start": at(0), "end": at(900), "limit_w": 600.0, "count": 1}]},
        {"job": "b", "gpus": 8, "periods": [{"start": at(0), "end": at(900), "limit_w": None, "count": 1}]},
        {"job": "c", "gpus": 8, "periods": []},
    ]
    raw = body(jobs=jobs)
    del raw["gpus"]
    found = machine()
    take(found, read_orders(json.dumps(raw).encode(), pool="hall"), 0.0)
    assert [found.allowed_w(GPU, 1.0, jobs=names) for names in ((), ("a",), ("b",), ("c",), ("x",), ("a", "b"))] == [
        300,
        600,
        700,
        450,
        450,
        600,
    ]


def test_the_guard_and_the_operator_only_lower() -> None:
    found = machine()
    take(found, orders(), 0.0)
    assert found.allowed_w(GPU, 1, factor=SiteFactor(0.8)) == pytest.approx(480)
    assert found.allowed_w(GPU, 1, factor=SiteFactor(1.0, default=True)) == 450
    assert found.allowed_w(GPU, 1, factor=SiteFactor(0.5, default=True)) == 225
    assert found.allowed_w(GPU, 1, factor=SiteFactor(0.0)) == 200, "the device accepts no less"
    assert found.allowed_w(GPU, 1, override_w=300) == 300
    assert found.allowed_w(GPU, 1, override_w=900) == 600


def test_a_climb_falls_at_once_waits_once_and_rises_by_the_ramp() -> None:
    climb = Climb(600.0, 0.0)
    assert climb.step(300, 1, 20, 30) == 300
    assert climb.step(400, 2, 20, 30) == 300
    assert climb.step(400, 31, 20, 30) == 300
    assert climb.step(400, 33, 20, 30) == pytest.approx(320)
    assert climb.step(400, 34, 20, 30) == pytest.approx(340)
    for second in range(35, 40):
        climb.step(400, second, 20, 30)
    assert climb.applied_w == 400
    assert climb.step(410, 41, 20, 30) > 400, "the same rise goes on"
    assert climb.step(410, 200, 20, 30) == 410
    assert climb.step(700, 300, 20, 30) == 410, "a new one waits again"
    assert climb.step(700, 400, 20, 30) <= 410 + 20 * 5, "a suspend is no licence to jump"


def test_a_gang_rises_together_and_jobs_apart() -> None:
    assert spread("llm-7", Version(1, 2)) == spread("llm-7", Version(1, 2))
    draws = {spread(f"job-{k}", Version(1, 2)) for k in range(200)}
    assert len(draws) == 200
    assert 0.4 < sum(draws) / 200 < 0.6


FALLEN = (AgentState.FAILSAFE, AgentState.INIT_FAILSAFE)


@dataclass
class Grant:
    """What the service itself believes that it gave: by its own count from the question on."""

    until_s: float
    planned_w: float


class AnyOrder(RuleBasedStateMachine):
    """The service's book of what it granted, kept apart from the agent, against what the agent would apply."""

    @initialize(
        jitter=st.sampled_from([0.0, 0.0, 60.0]),
        dwell=st.sampled_from([0.0, 0.0, 300.0]),
        ramp=st.sampled_from([1000.0, 1000.0, 20.0]),
    )
    def begin(self, jitter: float, dwell: float, ramp: float) -> None:
        self.rules = Rules(dwell_s=dwell, jitter_s=jitter, ramp_w_per_s=ramp)
        self.now = 1000.0
        self.offset = NOON  # the service's clock less the boot clock; it may jump
        self.seq = 0
        self.grants: list[Grant] = []
        self.hard: tuple[float, float, float] | None = None  # begin and end by the service's clock, W
        self.hard_offset = self.kept_offset = self.offset  # of that clock, at the last contact
        self.highest = Version(0, 0)
        self.default = 200.0
        self.kept: tuple[Orders, ServerClock, Version] | None = None
        self.machine = Machine(self.rules, self.now)
        self.climb = Climb(700.0, self.now)
        self.past: list[tuple[Orders, str | None]] = []
        self.tick()

    def granted(
        self, until_s: float, planned_w: float, echoed: str | None, asked: tuple[AgentState, str | None]
    ) -> None:
        """Write a grant into the book, unless the agent had fallen and the answer does not carry its token."""
        state, token = asked
        fallen = state in FALLEN
        self.grants = [] if fallen and (echoed is None or echoed != token) else [Grant(until_s, planned_w)]

    def asks(self) -> tuple[AgentState, str | None]:
        return self.machine.tick(self.now), self.machine.token

    def tick(self) -> None:
        self.machine.tick(self.now)
        target = self.machine.allowed_w(GPU, self.now, last_applied_w=self.climb.applied_w)
        before = self.climb.applied_w
        gap = self.now - self.climb.at_s
        self.climb.step(target, self.now, self.machine.ramp_w_per_s, self.machine.jitter_s)
        assert self.climb.applied_w <= max(before, target)
        assert self.climb.applied_w <= before + self.rules.ramp_w_per_s * min(5.0, gap) + 1e-6, "up by the ramp only"

    @rule(
        default=st.sampled_from([300.0, 450.0]),
        planned=st.sampled_from([250.0, 650.0, 700.0]),
        ttl=st.sampled_from([6, 900, 0]),
        slow=st.sampled_from([0.0, 4.0]),
        token=st.sampled_from([True, True, True, False]),
        hard=st.sampled_from([None, None, 220.0]),
    )
    def answer(self, default: float, planned: float, ttl: int, slow: float, token: bool, hard: float | None) -> None:
        """The service answers with a new version; it may take its time, and the token may get lost."""
        self.seq += 1
        server_s = math.floor(self.now + self.offset)
        row: dict[str, Any] = {"index": 0, "job": "j", "limit_w": planned}
        if hard is not None:
            spans = [{"start": at(server_s - NOON), "end": at(server_s - NOON + 600), "limit_w": hard, "hard": True}]
            row["periods"] = spans
        self.planned = planned if hard is None else max(hard, default)
        told = orders(
            (1, self.seq), gpus=[row], default=body()["default"] | {"limit_w": default, "idle_limit_w": default}
        )
        sent = self.now
        asked = self.asks()
        mine = asked[1]
        self.now += slow
        if self.machine.lease.at(self.now, self.machine.timers).state in FALLEN and asked[0] not in FALLEN:
            asked = (AgentState.FAILSAFE, None)  # it fell while the answer was on its way: too late
        self.machine.take(told, ttl, server_s, sent, self.now, mine if token else None)
        self.highest = Version(1, self.seq)
        self.default = default
        self.hard = (server_s, server_s + 600, hard) if hard is not None else None
        self.hard_offset = self.kept_offset = self.offset
        self.granted(sent + ttl, self.planned, mine if token else None, asked)
        self.kept = (told, self.machine.clock, self.highest)
        self.past.append((told, mine))
        self.tick()

    @precondition(lambda self: self.past)
    @rule(data=st.data(), ttl=st.sampled_from([120, 900]))
    def replay(self, data: st.DataObject, ttl: int) -> None:
        """An old answer comes again, with the token that it carried then."""
        told, token = data.draw(st.sampled_from(self.past[-1:] * len(self.past) + self.past))
        asked = self.asks()
        heard = self.machine.take(told, ttl, math.floor(self.now + self.offset), self.now, self.now, token)
        if told.version < self.highest:
            assert heard is Heard.OLDER
        else:
            self.hard_offset = self.offset
            self.granted(self.now + ttl, self.planned, token, asked)
        self.tick()

    @precondition(lambda self: self.past)
    @rule(ttl=st.sampled_from([6, 900]), token=st.sampled_from([True, True, False]))
    def not_modified(self, ttl: int, token: bool) -> None:
        """A 304 for the version that is in force."""
        asked = self.asks()
        mine = asked[1] if token else None
        server_s = math.floor(self.now + self.offset)
        heard = self.machine.renew(self.highest, ttl, server_s, self.now, self.now, mine)
        if heard is not Heard.NOT_HELD:
            self.hard_offset = self.offset
            self.granted(self.now + ttl, self.planned, mine, asked)
        self.tick()

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0, 121.0, 299.0, 901.0, 90_000.0]))
    def silence(self, seconds: float) -> None:
        """Nobody answers; a suspend is the long one."""
        self.now += seconds
        self.tick()

    @rule(seconds=st.sampled_from([1, 2, 3, 10]))
    def run_on(self, seconds: int) -> None:
        """Ticks at their pace."""
        for _ in range(seconds):
            self.now += 1.0
            self.tick()

    @rule(jump=st.sampled_from([-86_400.0, -60.0, 60.0, 86_400.0]))
    def clock_jumps(self, jump: float) -> None:
        """The service's wall clock is set (this machine's is never read); the next contact tells it."""
        self.offset += jump

    @rule(reboot=st.booleans())
    def restart(self, reboot: bool) -> None:
        """kill -9, and perhaps the machine with it; the limit on the device is what it was, or the maker's."""
        if reboot:
            self.now += 50.0
        held, clock, seen = self.kept if self.kept else (None, ServerClock(-math.inf, math.inf, 0.0), Version(0, 0))
        clock = ServerClock.remembered(clock.low_s, clock.high_s, clock.at_s, not reboot, self.now)
        self.machine = Machine(self.rules, self.now, held=held, clock=clock, seen=seen)
        self.hard_offset = self.kept_offset
        self.climb = Climb(700.0 if reboot else self.climb.applied_w, self.now)
        self.tick()

    @invariant()
    def never_above_what_a_lease_or_the_default_allows(self) -> None:
        if not hasattr(self, "machine"):
            return
        leased = [g.planned_w for g in self.grants if self.now < g.until_s]
        most = max([self.default, *leased])
        assert self.climb.applied_w <= most + 1e-6, (self.machine.state, self.now, self.grants)
        if self.hard is not None:
            begin, end, limit = self.hard
            if begin <= self.now + self.hard_offset < end:
                assert self.climb.applied_w <= limit + 1e-6

    @invariant()
    def versions_never_fall(self) -> None:
        if hasattr(self, "machine"):
            assert self.machine.lease.version <= self.highest


AnyOrder.TestCase.settings = settings(
    max_examples=120 * int(os.environ.get("CHERGUI_SOAK", "1")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = AnyOrder.TestCase


def test_a_row_without_a_job_for_a_gpu_that_is_not_there_harms_nobody_and_one_with_a_job_is_refused() -> None:
    rows = [{"index": 0, "job": "llm-7", "limit_w": 600.0}, {"index": 4, "job": None, "limit_w": 450.0}]
    assert read_orders(json.dumps(body(gpus=rows)).encode(), gpus=4).row(0, "GPU-00") is not None
    rows[1]["job"] = "llm-8"
    with pytest.raises(InvalidInput, match="there is no GPU 4"):
        read_orders(json.dumps(body(gpus=rows)).encode(), gpus=4)
