"""Prometheus' HTTP API as a source: nothing twice, nothing lost, whatever the server answers.

The server here is a simulator of our own (and one recorded answer); test_prometheus_peer.py asks a real one.
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from odd_server import Said, odd_server

from ingest.collector import Collector
from ingest.errors import SourceUnavailable, StoreUnavailable
from ingest.points import from_ns, to_ns
from ingest.sources.http import client_for
from ingest.sources.prometheus.api import PrometheusSource
from ingest.stores.memory import MemoryStore
from models.telemetry import QueryRow

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
JSON = "application/json"
ROW = QueryRow(query="power", metric="pool.power_mw", unit="kW", tags_from={"pool": "p"})
RECORDED = Path(__file__).parent / "prometheus"


def answer(result, kind="matrix", **more):
    return Said(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}), kind=JSON)


class Simulated:
    """A series a pool that is worth 1000 kW and its second; told like the API does, 11,000 values at most."""

    def __init__(self, pools=1):
        self.pools = pools
        self.forms = []
        self.broken = None

    def range(self, form):
        self.forms.append(form)
        if self.broken:
            return self.broken
        start, end, step = int(form["start"]), int(form["end"]), int(form["step"])
        assert (end - start) / step < 11_000
        times = range(start, end + 1, step)
        return self._matrix(times)

    def instant(self, form):
        self.forms.append(form)
        seconds = int(form["query"].partition("[")[2].rstrip("s]"))
        end = int(form["time"])
        return self._matrix(
            t for t in range(end - seconds, end + 1) if t % 15 == 7
        )  # left border included, as 2.x does

    def _matrix(self, times):
        times = list(times)
        values = [[t + 0.25, f"{1000 + t % 60}"] for t in times]
        return answer([{"metric": {"p": f"p{k}"}, "values": values} for k in range(self.pools)])


@pytest.fixture
def server():
    with odd_server() as opened:
        yield opened


@pytest.fixture
def simulated(server):
    shown = Simulated()
    server.answers |= {"/api/v1/query_range": shown.range, "/api/v1/query": shown.instant}
    return shown


@pytest.fixture
def make(server):
    opened = []

    def source(*rows, **more):
        more = {"step_s": 30, "delay_s": 10, "backfill_s": 120, "timeout_s": 1.0, **more}
        opened.append(
            PrometheusSource("prom", server.url, rows or (ROW,), {"site": "d"}, client_for(timeout_s=1), **more)
        )
        return opened[-1]

    yield source
    for one in opened:
        one.close()


def seconds(points):
    return [(from_ns(p.time_ns) - START).total_seconds() for p in points]


def poll(source, at_s, kept=True):
    batch = source.poll(START + timedelta(seconds=at_s))
    if batch:
        source.settle(batch, kept)
    return batch


def test_the_first_question_reaches_back_the_next_ones_go_on(make, simulated):
    source = make()
    first = poll(source, 5)
    assert seconds(first) == [-149.75, -119.75, -89.75, -59.75, -29.75]  # on steps, up to 10 s ago, 120 s back
    assert dict(first[0].fields) == {"power_mw": pytest.approx(1.030)}
    assert first[0].tags == (("pool", "p0"), ("site", "d"))
    assert seconds(poll(source, 35)) == [0.25]
    assert seconds(poll(source, 36)) == []
    assert seconds(poll(source, 100)) == [30.25, 60.25, 90.25]


def test_what_was_not_kept_is_asked_for_again(make, simulated):
    source = make()
    poll(source, 5)
    lost = poll(source, 70, kept=False)
    assert seconds(lost) == [0.25, 30.25, 60.25]
    assert seconds(poll(source, 100)) == [0.25, 30.25, 60.25, 90.25]


def test_nothing_new_is_asked_while_a_batch_waits_for_the_store(make, simulated):
    source = make()
    waiting = source.poll(START)
    asked = len(simulated.forms)
    assert source.poll(START + timedelta(seconds=60)) == []
    assert len(simulated.forms) == asked
    source.settle(waiting, True)
    assert seconds(source.poll(START + timedelta(seconds=60)))[0] == 0.25 - 30 + 30


def test_an_outage_of_the_server_leaves_no_gap(make, simulated):
    source = make()
    poll(source, 5)
    simulated.broken = Said("gone", 502)
    with pytest.raises(SourceUnavailable, match="HTTP 502"):
        poll(source, 65)
    simulated.broken = None
    assert seconds(poll(source, 125)) == [0.25, 30.25, 60.25, 90.25]


def test_a_store_that_is_down_for_a_while_leaves_no_gap_and_no_double(make, simulated):
    class Store(MemoryStore):
        down = False
        written = 0

        def write(self, batch):
            if self.down:
                raise StoreUnavailable("test", "down")
            self.written += sum(len(p.fields) for p in batch)
            return super().write(batch)

    class Clock:
        at = 0.0

        def now(self):
            return START + timedelta(seconds=self.at)

        def monotonic(self):
            return self.at

    store, clock = Store(), Clock()
    collector = Collector([make(period_s=60)], store, clock)
    for minute in range(10):
        clock.at = 60.0 * minute
        store.down = 3 <= minute < 6
        collector.poll_due()
    kept = store.raw("pool.power_mw", {}, START - timedelta(hours=1), START + timedelta(hours=1))
    times = [sample.time_ns for sample in kept]
    assert [b - a for a, b in itertools.pairwise(times)] == [30_000_000_000] * (len(times) - 1)
    assert times[-1] == to_ns(START) + 510_250_000_000
    assert store.written == len(times)


def test_a_long_outage_is_caught_up_in_bounded_batches(make, simulated):
    simulated.pools = 100
    source = make(backfill_s=12 * 3600)
    total = 0
    batches = 0
    while batch := poll(source, 0):
        assert len(batch) <= 100_000
        total += len(batch)
        batches += 1
    assert total == 100 * (12 * 120 + 1)
    assert batches > 2


def test_raw_rows_take_each_sample_at_its_own_time_once(make, simulated):
    row = ROW.model_copy(update={"raw": True})
    source = make(row)
    first, second = poll(source, 5), poll(source, 65)
    assert simulated.forms[0]["query"] == "power[150s]"
    assert [t % 15 for t in seconds(first)] == [7.25] * len(first)
    times = seconds([*first, *second])
    assert times == sorted(set(times))
    assert {b - a for a, b in itertools.pairwise(times)} == {15.0}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said("no", 500), "HTTP 500: 'no'"),
        (Said("<html>", kind="text/html"), "a web page came"),
        (Said('{"status":"success","data":{"resultType":"matr', kind=JSON), "the answer is no JSON"),
        (Said("[]", kind=JSON), "does not speak Prometheus' API"),
        (Said("{}", kind=JSON), "does not speak Prometheus' API"),
        (
            Said(json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error"}), 400, JSON),
            "bad_data: parse error",
        ),
        (Said(json.dumps({"status": "error", "errorType": "timeout", "error": "too slow"}), 503, JSON), "timeout: too"),
        (answer([], "vector"), "'power' gives a vector, not series over time"),
        (answer([{"metric": {}, "values": [["x", 1]]}]), "a series cannot be read"),
        (answer([{"values": [[1, "1"]]}]), "a series cannot be read"),
        (answer([{"metric": {}, "values": [[1, "many"]]}]), "a series cannot be read"),
        (Said("x", hang_s=5), "ReadTimeout"),
    ],
)
def test_what_is_no_answer_is_told_with_its_reason(make, server, said, reason):
    server.answers["/api/v1/query_range"] = said
    with pytest.raises(SourceUnavailable, match=reason):
        make(timeout_s=0.4).poll(START)


def test_a_query_that_fails_harms_no_other_and_loses_nothing(make, server, simulated, caplog):
    def odd(form):
        if form["query"] == "bad" and not mended:
            return Said(json.dumps({"status": "error", "errorType": "bad_data", "error": "why"}), 400, JSON)
        return simulated.range(form)

    mended = False
    server.answers["/api/v1/query_range"] = odd
    bad = QueryRow(query="bad", metric="site.it_mw", tags={})
    source = make(bad, ROW)
    assert {p.measurement for p in poll(source, 5)} == {"pool"}
    assert source.failed == {"bad": "bad_data: why"}
    poll(source, 35)
    assert sum("bad_data: why" in message for message in caplog.messages) == 1
    mended = True
    points = poll(source, 65)
    assert seconds(p for p in points if p.measurement == "site")[0] == -119.75 + 30, (
        "from the beginning of its backfill"
    )
    assert source.failed == {}


def test_nan_is_handed_on_for_the_gate_to_flag_and_an_empty_result_moves_on(make, server):
    server.answers["/api/v1/query_range"] = answer([{"metric": {"p": "a"}, "values": [[to_ns(START) / 1e9, "NaN"]]}])
    points = poll(make(), 60)
    assert str(dict(points[0].fields)) == "{'power_mw': nan}"
    server.answers["/api/v1/query_range"] = answer([], warnings=["partial response"])
    assert poll(make(), 60) == []


def test_a_recorded_answer_of_a_real_server(make, server):
    server.answers["/api/v1/query_range"] = Said((RECORDED / "query_range_2.42.0.json").read_text(), kind=JSON)
    row = QueryRow(
        query="max by (UUID, Hostname) (DCGM_FI_DEV_POWER_USAGE)",
        metric="gpu.power_w",
        tags_from={"gpu": "UUID", "node": "Hostname"},
    )
    last = json.loads((RECORDED / "query_range_2.42.0.json").read_text())["data"]["result"][0]["values"][-1][0]
    points = make(row, step_s=1).poll(datetime.fromtimestamp(last + 11, UTC))
    assert len(points) == 8
    assert {dict(p.tags)["gpu"] for p in points} == {"GPU-00", "GPU-02"}
    assert {dict(p.fields)["power_w"] for p in points} == {689.125, 300.25}
