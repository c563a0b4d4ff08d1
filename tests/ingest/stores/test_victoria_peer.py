"""A real VictoriaMetrics as second server: it serves the v2 write path itself, so no shim stands between.

It is written to by the same code as InfluxDB and read by PromQL, through our own Prometheus source: its /query is no
InfluxQL, which the probe says.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from processes import binary, free_port, listens, running, wait_for

from ingest.errors import StoreUnavailable
from ingest.points import point, to_ns
from ingest.sources.http import client_for
from ingest.sources.prometheus.api import PrometheusSource
from ingest.spool import Spool
from ingest.stores.influx import InfluxStore
from ingest.stores.spooled import SpooledStore
from models.telemetry import QueryRow

pytestmark = pytest.mark.peer
NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(hours=2)
MINUTES = 60


def serving(folder, port):
    command = [binary("victoria-metrics", "the v2 write path"), "-retentionPeriod=10y"]
    command += [f"-storageDataPath={folder / 'data'}", f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=0s"]
    return running(command, folder / "log", lambda: listens(port))


def held(port, metric):
    """Time (ms) and value of every sample, by GPU."""
    told = httpx.get(f"http://127.0.0.1:{port}/api/v1/export", params={"match[]": metric}, timeout=10).text
    found = {}
    for line in told.splitlines():
        row = httpx.Response(200, content=line).json()
        found[row["metric"]["gpu"]] = dict(zip(row["timestamps"], row["values"], strict=True))
    return found


def watts(gpu, minute):
    return 400.0 + 100 * math.sin(minute / 7 + gpu)


def minute_of(minute):
    at = to_ns(START + timedelta(minutes=minute))
    return [point("gpu", {"site": "s", "gpu": f"GPU-{g}"}, {"power_w": watts(g, minute)}, at) for g in range(50)]


def test_an_hour_goes_through_the_spool_while_the_server_goes_away_and_comes_back_by_promql(tmp_path):
    port = free_port()
    store = SpooledStore(Spool(tmp_path / "spool"), InfluxStore(f"http://127.0.0.1:{port}", "telemetry"), retry_s=0.0)
    for minute in range(20):
        store.write(minute_of(minute))  # nobody listens yet
    assert store.last_error
    with serving(tmp_path, port):
        for minute in range(20, 40):
            store.write(minute_of(minute))
    for minute in range(40, MINUTES):
        store.write(minute_of(minute))
    with serving(tmp_path, port):
        store.drain()
        assert (store.waiting_bytes, store.refused, store.last_error) == (0, 0, "")
        wait_for(lambda: sum(map(len, held(port, "gpu_power_w").values())) == 50 * MINUTES, "samples", 30)
        for gpu, samples in held(port, "gpu_power_w").items():
            number = int(gpu.removeprefix("GPU-"))
            for minute in range(MINUTES):
                at = int((START + timedelta(minutes=minute)).timestamp() * 1000)
                assert samples[at] == pytest.approx(watts(number, minute), rel=1e-9)
        row = QueryRow(query="sum(gpu_power_w)", metric="site.it_mw", unit="W")
        source = PrometheusSource(
            "vm", f"http://127.0.0.1:{port}", [row], {"site": "s"}, client_for(timeout_s=10), step_s=60, backfill_s=7200
        )
        points = source.poll(NOW - timedelta(hours=1))
        sums = [value for p in points if p.measurement == "site" for _, value in p.fields]
        assert sums
        assert max(sums) == pytest.approx(50 * 400e-6, rel=0.2)
    store.close()


def test_the_probe_says_that_its_query_is_no_influxql(tmp_path):
    port = free_port()
    with serving(tmp_path, port):
        store = InfluxStore(f"http://127.0.0.1:{port}", "telemetry")
        with pytest.raises(StoreUnavailable, match="knows no InfluxQL; read it through the Prometheus source"):
            store.probe(NOW)
        store.close()
