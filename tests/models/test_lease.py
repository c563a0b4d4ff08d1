"""Grants die early, restrictions die late, nothing rises without contact."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lease import AgentState, Lease, Timers, Version, effective_cap_w, lease_left_s, ramped_w, timers_for

WATTS = st.floats(100, 1000)


def test_a_grant_is_followed_then_dropped_and_a_restriction_is_kept() -> None:
    known = {"hardware_max_w": 700.0, "default_w": 450.0}
    assert effective_cap_w(AgentState.CONTROLLED, planned_w=560.0, **known) == 560
    assert effective_cap_w(AgentState.STALE, planned_w=560.0, last_applied_w=560.0, **known) == 450
    assert effective_cap_w(AgentState.STALE, planned_w=300.0, last_applied_w=300.0, **known) == 300
    assert effective_cap_w(AgentState.FAILSAFE, planned_w=300.0, last_applied_w=300.0, **known) == 450
    assert effective_cap_w(AgentState.FAILSAFE, hard_w=[250.0], **known) == 250
    assert effective_cap_w(AgentState.INIT_FAILSAFE, planned_w=700.0, **known) == 450
    assert effective_cap_w(AgentState.CONTROLLED, planned_w=900.0, site_ceiling_w=400.0, **known) == 400
    assert effective_cap_w(AgentState.CONTROLLED, **known) == 450


@given(st.sampled_from(AgentState), WATTS, WATTS, WATTS, WATTS, st.lists(WATTS, max_size=3))
def test_without_contact_nothing_exceeds_default_or_a_hard_limit(
    state: AgentState, top: float, default: float, planned: float, applied: float, hard: list[float]
) -> None:
    cap = effective_cap_w(
        state, hardware_max_w=top, default_w=default, planned_w=planned, last_applied_w=applied, hard_w=hard
    )
    assert cap <= min([top, *hard])
    if state is not AgentState.CONTROLLED:
        assert cap <= default
    if state is AgentState.STALE:
        assert cap <= applied


@given(st.lists(st.tuples(st.floats(0, 2000), st.floats(0, 1000), st.integers(0, 5)), max_size=8), st.floats(0, 4000))
def test_a_lease_holds_no_longer_than_its_last_answer_and_versions_never_fall(
    answers: list[tuple[float, float, int]], wait: float
) -> None:
    lease, now, seen = Lease(), 0.0, Version(0, 0)
    for gap, ttl, seq in answers:
        now += gap
        lease = lease.at(now).renewed(now, ttl, Version(1, seq))
        assert lease.version >= seen
        seen = lease.version
    later = lease.at(now + wait)
    if later.state in (AgentState.CONTROLLED, AgentState.STALE):
        assert now + wait < lease.until_s
    assert later.at(now + wait + 1e4).state in (AgentState.FAILSAFE, AgentState.INIT_FAILSAFE)


def test_contact_is_lost_in_three_steps() -> None:
    lease = Lease().renewed(0.0, 900.0, Version(1, 1))
    timers = Timers()
    assert [lease.at(t, timers).state.value for t in (0, 119, 121, 899, 900)] == [
        "CONTROLLED",
        "CONTROLLED",
        "STALE",
        "STALE",
        "FAILSAFE",
    ]
    fallen = lease.at(900, timers)
    assert fallen.at(0, timers).state is AgentState.FAILSAFE, "only contact lifts it"
    assert fallen.renewed(901, 900, Version(1, 1)).state is AgentState.CONTROLLED
    assert fallen.renewed(901, 900, Version(0, 9)) == fallen, "an older version is no contact"
    assert lease.renewed(5, 0, Version(1, 2)).state is AgentState.FAILSAFE, "the server gave it up"


def test_the_lease_ends_with_silence_or_with_the_plan() -> None:
    assert lease_left_s(900, 10, 5000) == 890
    assert lease_left_s(900, 10, 60) == 60
    assert lease_left_s(900, 901, 5000) == 0
    assert lease_left_s(900, 0, -1) == 0
    assert lease_left_s(900, float("inf"), 5000) == 0


@pytest.mark.parametrize("lease_s", [1.0, 6.0, 60.0, 89.0, 90.0, 360.0, 900.0, 86_400.0])
def test_three_questions_in_a_row_may_fail_before_a_lease_of_any_length_is_stale(lease_s: float) -> None:
    timers = timers_for(lease_s)
    assert 3 * timers.poll_s * 1.2 < timers.stale_after_s, "a poll comes up to a fifth late"
    assert timers.stale_after_s <= lease_s / 3
    assert timers_for(900) == Timers()


def test_limits_fall_at_once_and_rise_slowly() -> None:
    assert ramped_w(500, 300, 0.1) == 300
    assert ramped_w(300, 500, 2) == 340
    assert ramped_w(300, 500, 60) == 500


def test_versions_are_ordered_and_read_back() -> None:
    assert Version.parse("3.12") > Version(3, 9)
    assert str(Version(3, 12)) == "3.12"
    for text in ("", "3", "3.x", "-1.2", "3.1.2", "³.1"):
        with pytest.raises(ValueError, match=r"epoch\.seq"):
            Version.parse(text)


def test_the_module_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; import models.lease;"
        "print([m for m in ('pydantic', 'numpy', 'pandas', 'fastapi', 'sqlalchemy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
