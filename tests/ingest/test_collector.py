"""The collector: each source in its own time, no fault spreads, nothing grows without bound."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from ingest.clock import SystemClock
from ingest.collector import Collector
from ingest.errors import SourceUnavailable, StoreFull
from ingest.points import point, to_ns
from ingest.stores.memory import MemoryStore

START = datetime(2026, 6, 1, tzinfo=UTC)


class HandClock:
    def __init__(self):
        self.seconds = 0.0

    def now(self):
        return START + timedelta(seconds=self.seconds)

    def monotonic(self):
        return 1000.0 + self.seconds


class Steady:
    def __init__(self, name, period_s=10.0):
        self.name, self.period_s = name, period_s
        self.polled = []

    def poll(self, now):
        self.polled.append(now)
        return [point("pool", {"site": "s", "pool": self.name}, {"power_mw": float(len(self.polled))}, to_ns(now))]


class Broken(Steady):
    reason = "no route"

    def poll(self, now):
        self.polled.append(now)
        raise RuntimeError(self.reason)


class Fussy(MemoryStore):
    full = False

    def write(self, batch):
        if self.full:
            raise StoreFull("fussy", "no room")
        return super().write(batch)


def at(clock, seconds, collector):
    clock.seconds = seconds
    return collector.poll_due()


def test_each_source_is_asked_in_its_own_period():
    clock, fast, slow = HandClock(), Steady("fast", 10), Steady("slow", 60)
    store = MemoryStore()
    collector = Collector([fast, slow], store, clock)
    for seconds in range(121):
        at(clock, float(seconds), collector)
    assert [(moment - START).seconds for moment in fast.polled] == list(range(0, 121, 10))
    assert [(moment - START).seconds for moment in slow.polled] == [0, 60, 120]
    assert len(store.raw("pool.power_mw", {"pool": "fast"}, START, START + timedelta(hours=1))) == 13


def test_turns_missed_in_a_pause_are_left_out_and_the_beat_is_kept():
    clock, source = HandClock(), Steady("a", 10)
    collector = Collector([source], MemoryStore(), clock)
    for seconds in (0, 95, 96, 100):
        at(clock, seconds, collector)
    assert [(moment - START).seconds for moment in source.polled] == [0, 95, 100]


def test_a_source_that_fails_harms_no_other_is_counted_and_logged_once(caplog):
    caplog.set_level(logging.INFO, "chergui.ingest.collector")
    clock, good, bad = HandClock(), Steady("good"), Broken("bad")
    collector = Collector([bad, good], MemoryStore(), clock)
    for seconds in (0, 10, 20):
        at(clock, seconds, collector)
    told_bad, told_good = collector.status()
    assert (told_bad.polls, told_bad.failures, told_bad.failing, told_bad.age_s) == (3, 3, 3, None)
    assert told_bad.last_error == "RuntimeError: no route"
    assert (told_good.polls, told_good.failures, told_good.points, told_good.age_s) == (3, 0, 3, 0.0)
    assert sum("bad failed" in message for message in caplog.messages) == 1
    bad.poll = good.poll
    at(clock, 40, collector)
    assert collector.status()[0].failing == 0
    assert any("bad is back after 3 failures" in message for message in caplog.messages)


def test_a_source_that_keeps_failing_is_asked_more_and_more_rarely_and_in_its_own_time_once_it_is_back():
    clock, good, bad = HandClock(), Steady("good"), Broken("bad")
    collector = Collector([bad, good], MemoryStore(), clock)
    for seconds in range(0, 1500, 10):
        at(clock, seconds, collector)
    asked = [(moment - START).seconds for moment in bad.polled]
    assert asked == [0, 10, 20, 40, 80, 160, 320, 620, 920, 1220]  # at most five minutes apart
    assert len(good.polled) == 150
    assert collector.status()[0].pause_s == 300.0
    bad.poll = good.poll
    before = len(good.polled)
    for seconds in range(1500, 1600, 10):
        at(clock, seconds, collector)
    assert len(good.polled) - before == 10 + 8  # back at 1520, then every ten seconds
    assert (collector.status()[0].failing, collector.status()[0].pause_s) == (0, 0.0)


def test_a_source_in_a_hurry_that_fails_is_asked_once_a_second_at_most():
    clock, bad = HandClock(), Broken("bad", 0.05)
    collector = Collector([bad], MemoryStore(), clock)
    for k in range(60):
        at(clock, 0.05 * k, collector)
    assert len(bad.polled) == 3


def test_the_report_is_plain_data():
    clock, good, bad = HandClock(), Steady("good"), Broken("bad")
    collector = Collector([good, bad], MemoryStore(), clock)
    at(clock, 0, collector)
    told = json.loads(json.dumps(collector.report()))
    assert [one["name"] for one in told["sources"]] == ["good", "bad"]
    assert (told["sources"][1]["failing"], told["waiting"], told["dropped"], told["judged"]) == (1, 0, 0, 1)


def test_the_last_good_batch_stays_with_its_age():
    clock, source = HandClock(), Steady("a")
    collector = Collector([source], MemoryStore(), clock)
    assert collector.last_good("a") is None
    at(clock, 0, collector)
    source.poll = Broken("a").poll
    at(clock, 10, collector)
    clock.seconds = 25
    last = collector.last_good("a")
    assert (last.at, last.age_s) == (START, 25.0)
    assert dict(last.batch[0].fields) == {"power_mw": 1.0}


def test_points_wait_boundedly_while_the_store_is_full_and_then_go_in_order():
    clock, source, store = HandClock(), Steady("a"), Fussy()
    collector = Collector([source], store, clock, max_waiting=3)
    store.full = True
    for k in range(5):
        at(clock, 10 * k, collector)
    assert (collector.waiting, collector.dropped) == (3, 2)
    store.full = False
    collector.hand_over()
    kept = store.raw("pool.power_mw", {}, START, START + timedelta(hours=1))
    assert [sample.value for sample in kept] == [3.0, 4.0, 5.0]
    assert collector.waiting == 0


def test_a_batch_that_no_store_takes_is_counted_and_does_not_block_the_next():
    clock, source, store = HandClock(), Steady("a"), MemoryStore()
    collector = Collector([source], store, clock)
    good = source.poll
    source.poll = lambda now: [point("pool\n", {}, {"power_mw": 1.0}, to_ns(now)), *good(now)]
    at(clock, 0, collector)
    source.poll = good
    at(clock, 10, collector)
    assert collector.refused == 2
    assert len(store.latest("pool.power_mw", {})) == 1


class Told(Steady):
    def __init__(self, name):
        super().__init__(name)
        self.settled = []

    def settle(self, batch, kept):
        self.settled.append((dict(batch[0].fields)["power_mw"], kept))


def test_a_source_hears_what_became_of_each_batch():
    clock, source, store = HandClock(), Told("a"), Fussy()
    collector = Collector([source, Steady("b")], store, clock, max_waiting=5)
    store.full = True
    for k in range(3):
        at(clock, 10 * k, collector)
    assert source.settled == [(1.0, False)], "dropped to make room"
    store.full = False
    collector.hand_over()
    at(clock, 30, collector)
    assert source.settled == [(1.0, False), (2.0, True), (3.0, True), (4.0, True)]


def test_a_batch_that_no_store_takes_is_settled_too_and_a_source_that_fails_at_it_harms_no_other():
    clock, source, other = HandClock(), Told("a"), Steady("b")
    source.poll = lambda now: [point("pool\n", {}, {"power_mw": 1.0}, to_ns(now))]
    collector = Collector([source, other], MemoryStore(), clock)
    at(clock, 0, collector)
    assert source.settled == [(1.0, True)]
    source.settle = lambda batch, kept: 1 / 0
    at(clock, 10, collector)
    assert collector.status()[0].last_error.startswith("ZeroDivisionError")
    assert collector.status()[1].points == 2


def test_what_a_failing_source_knows_nevertheless_is_kept():
    clock, source, store = HandClock(), Steady("a"), MemoryStore()

    def silent(now):
        known = [point("source", {"target": "n1"}, {"reachable": 0}, to_ns(now))]
        raise SourceUnavailable("a", "nobody answers", known)

    source.poll = silent
    collector = Collector([source], store, clock)
    at(clock, 0, collector)
    assert [sample.value for sample in store.latest("source.reachable", {})] == [0]
    assert (collector.status()[0].failing, collector.status()[0].points) == (1, 0)


def test_what_is_odd_is_flagged_on_its_way():
    clock, source, store = HandClock(), Steady("a"), MemoryStore()
    source.poll = lambda now: [point("gpu", {"gpu": "g"}, {"power_w": 450_000.0}, to_ns(now))]
    at(clock, 0, Collector([source], store, clock))
    assert [sample.value for sample in store.latest("quality.flags", {})] == ["range,unit_suspect"]


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(ValueError, match="names of their own"):
        Collector([Steady("a"), Steady("a")], MemoryStore(), HandClock())


def test_a_hanging_source_delays_neither_the_others_nor_the_end():
    release = threading.Event()
    hanging, brisk = Steady("hanging", 0.02), Steady("brisk", 0.02)
    hanging.poll = lambda now: release.wait(60) and []
    collector = Collector([hanging, brisk], MemoryStore(), SystemClock())
    stop = threading.Event()
    runner = threading.Thread(target=collector.run, args=(stop,))
    runner.start()
    deadline = time.monotonic() + 10
    while len(brisk.polled) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(brisk.polled) >= 5
    assert collector.status()[0].hanging_s > 0
    stop.set()
    runner.join(10)
    assert not runner.is_alive()
    release.set()
