"""The day of a sped Slurm: time that is translated both ways, and a judge that blames us only where nodes were free."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.slurm.order import Order
from bench.slurm_day import Span, Work, day_of_work, longest_room_s
from bench.slurm_sped import Pace, true_orders
from ingest.sources.slurm.note import Note, read_note

REAL = datetime(2026, 11, 28, 12, tzinfo=UTC)
SHOWN = datetime(2026, 11, 25, tzinfo=UTC)
PACE = Pace(REAL, SHOWN, 90)


@given(st.integers(-(10**5), 10**5))
def test_what_slurm_keeps_is_what_is_shown_to_the_second(seconds):
    true = REAL + timedelta(seconds=seconds)
    assert PACE.true(PACE.show(true)) == true
    assert PACE.show(true) - SHOWN == 90 * timedelta(seconds=seconds)


@given(st.integers(0, 10**6))
def test_an_order_is_never_told_later_than_it_says_and_its_note_says_the_same(seconds):
    at = SHOWN + timedelta(seconds=seconds)
    (order,) = true_orders([Order("start", "", 7, Note(start=int(at.timestamp()), begin=5).comment("x"), at)], PACE)
    assert timedelta(0) <= at - PACE.show(order.at) < timedelta(seconds=90)
    assert read_note(order.comment).start == PACE.show(order.at).timestamp()
    assert read_note(order.comment).begin == 5


def test_longer_limits_are_left_out():
    assert true_orders([Order("limit", "", 7, "x", minutes=5)], PACE) == []


@pytest.mark.parametrize(
    ("busy", "room_s"),
    [
        ([], 60.0),
        ([(0, 60, 4)], 0.0),
        ([(0, 60, 2)], 60.0),
        ([(0, 20, 4), (30, 60, 4)], 10.0),
        ([(0, 20, 2), (10, 60, 2)], 40.0),  # two nodes stay free but for 10 to 20
    ],
)
def test_room_is_a_stretch_with_enough_nodes_free(busy, room_s):
    def at(second):
        return REAL + timedelta(seconds=second)

    runs = {k: [Span(at(first), at(last), "COMPLETED", nodes)] for k, (first, last, nodes) in enumerate(busy)}
    assert longest_room_s(runs, Work(0.0, 2, 1.0, 1.0, "train"), at(0), at(60), 4) == room_s


def test_the_day_is_the_same_each_time_and_a_fifth_of_it_is_left_alone():
    work = day_of_work(200, 64)
    assert work == day_of_work(200, 64)
    assert sum(one.kind in ("off", "debug") for one in work) == 40
    assert max(one.at_h for one in work) < 17
    load = sum(one.nodes * one.run_h for one in work) / (64 * 24)
    assert 0.4 < load < 0.6
