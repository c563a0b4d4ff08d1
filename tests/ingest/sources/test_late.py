"""A source that cannot be made yet fails alone, is tried again, and then behaves as itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.clock import SystemClock
from ingest.collector import Collector
from ingest.errors import SourceUnavailable
from ingest.points import point
from ingest.sources.late import LateSource
from ingest.stores.memory import MemoryStore

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Inner:
    name, period_s = "inner", 10.0

    def __init__(self):
        self.settled, self.closed = [], False

    def poll(self, now):
        return [point("pool", {"pool": "a"}, {"power_mw": 1.0}, 1)]

    def settle(self, batch, kept):
        self.settled.append(kept)

    def close(self):
        self.closed = True


def test_it_is_made_at_the_first_poll_that_can_make_it():
    inner, tries = Inner(), []

    def make():
        tries.append(1)
        if len(tries) < 3:
            raise SourceUnavailable("late", "no secret yet")
        return inner

    late = LateSource("late", 5.0, make)
    late.close()  # nothing was made: nothing to give back
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="no secret yet"):
            late.poll(NOW)
    assert [len(late.poll(NOW)), len(late.poll(NOW)), len(tries)] == [1, 1, 3]
    assert (late.name, late.period_s) == ("late", 5.0)


def test_a_collector_settles_and_closes_what_it_stands_for_and_one_that_cannot_close_harms_no_other():
    inner, odd = Inner(), Inner()
    odd.close = lambda: 1 / 0
    sources = [LateSource("odd", 5.0, lambda: odd), LateSource("late", 5.0, lambda: inner)]
    collector = Collector(sources, MemoryStore(), SystemClock())
    collector.poll_due()
    collector.close()
    assert inner.settled == [True]
    assert inner.closed
