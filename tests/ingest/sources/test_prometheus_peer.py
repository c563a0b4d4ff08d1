"""Peers that are real: a Prometheus that scrapes a real node_exporter, and both of them as our sources.

What stands for dcgm-exporter is a page of ours (hand-made, see prometheus/README.md): there is no GPU here.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from odd_server import Said, odd_server
from processes import binary, free_port, running, wait_for

from ingest.sources.http import client_for
from ingest.sources.prometheus.api import PrometheusSource
from ingest.sources.prometheus.profiles import profile
from ingest.sources.prometheus.scrape import ScrapeSource
from models.telemetry import QueryRow, SampleRow

pytestmark = pytest.mark.peer
DCGM = (Path(__file__).parent / "prometheus" / "dcgm_h100_mig.prom").read_text()


def answers(url):
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def scraped(url):
    """How many scrapes of its slowest target a server has stored."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": "min(count_over_time(up[1h]))"}).json()
    result = answer["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


@pytest.fixture(scope="module")
def exporter(tmp_path_factory):
    path = binary("prometheus-node-exporter", "scraping")
    address = f"127.0.0.1:{free_port()}"
    only = ["--collector.disable-defaults", "--collector.loadavg", "--collector.meminfo", "--collector.time"]
    log = tmp_path_factory.mktemp("node") / "log"
    with running([path, f"--web.listen-address={address}", *only], log, lambda: answers(f"http://{address}/metrics")):
        yield address


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, exporter):
    path = binary("prometheus", "its HTTP API")
    folder = tmp_path_factory.mktemp("prometheus")
    with odd_server(**{"/metrics": Said(DCGM)}) as dcgm:
        (folder / "p.yml").write_text(f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - {{job_name: node, static_configs: [{{targets: ["{exporter}"]}}]}}
  - {{job_name: dcgm, static_configs: [{{targets: ["{dcgm.url.removeprefix("http://")}"]}}]}}
""")
        url = f"http://127.0.0.1:{free_port()}"
        command = [
            path,
            f"--config.file={folder}/p.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={url.removeprefix('http://')}",
        ]
        with running(command, folder / "log", lambda: answers(f"{url}/-/ready")):
            wait_for(lambda: scraped(url) >= 6, "six scrapes")
            yield url


def test_a_real_exporter_is_scraped(exporter):
    rows = [
        SampleRow(sample="node_memory_MemTotal_bytes", metric="node.memory_total_mib", unit="B"),
        SampleRow(sample="node_load1", metric="node.load1"),
    ]
    source = ScrapeSource("node", [f"http://{exporter}/metrics"], rows, {"site": "d"}, client_for(timeout_s=5))
    points = source.poll(datetime.now(UTC))
    source.close()
    fields = {name: value for point in points for name, value in point.fields}
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert fields["memory_total_mib"] == int(total.split()[1]) * 1024, "none of our metrics: kept as it comes"
    assert fields["load1"] >= 0
    assert fields["reachable"] == 1
    assert source.refused == {}


def test_a_real_prometheus_is_asked_twice_and_gives_each_value_once(prometheus):
    gpu = {"gpu": "UUID", "node": "Hostname"}
    rows = [
        QueryRow(query="max by (UUID, Hostname) (DCGM_FI_DEV_POWER_USAGE)", metric="gpu.power_w", tags_from=gpu),
        QueryRow(
            query="DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", metric="gpu.energy_j", unit="mJ", tags_from=gpu, raw=True
        ),
    ]
    source = PrometheusSource(
        "prom", prometheus, rows, {"site": "d"}, client_for(timeout_s=5), step_s=1, delay_s=1, backfill_s=4
    )
    first = source.poll(datetime.now(UTC))
    source.settle(first, True)
    time.sleep(2.5)
    second = source.poll(datetime.now(UTC))
    source.close()
    seen = [(p.tags, p.time_ns, name) for p in (*first, *second) for name, _ in p.fields]
    assert len(seen) == len(set(seen))
    watts = {dict(p.tags)["gpu"]: dict(p.fields)["power_w"] for p in first if "power_w" in dict(p.fields)}
    assert (watts["GPU-00"], watts["GPU-02"]) == (689.125, 300.25), "MIG: the greatest of the instances, not their sum"
    joules = [dict(p.fields)["energy_j"] for p in second if "energy_j" in dict(p.fields)]
    assert set(joules) == {196_764_132.5, 1.5}
    assert {dict(p.tags)["node"] for p in (*first, *second)} == {"gpu01"}
    assert source.failed == {}


def test_a_real_prometheus_tells_what_is_wrong_with_a_query(prometheus):
    rows = [QueryRow(query="sum(", metric="site.it_mw"), QueryRow(query="up", metric="node.up", raw=True)]
    source = PrometheusSource("prom", prometheus, rows, {"site": "d"}, client_for(timeout_s=5), step_s=1, delay_s=1)
    points = source.poll(datetime.now(UTC))
    source.close()
    assert "bad_data" in source.failed["sum("]
    assert {p.measurement for p in points} == {"node"}


def test_what_a_real_prometheus_scraped_and_what_we_scrape_are_the_same(prometheus, exporter):
    mine = ScrapeSource(
        "node",
        [f"http://{exporter}/metrics"],
        [SampleRow(sample="node_memory_MemTotal_bytes", metric="node.memory_b")],
        {},
        client_for(timeout_s=5),
    )
    theirs = PrometheusSource(
        "prom",
        prometheus,
        [QueryRow(query="node_memory_MemTotal_bytes", metric="node.memory_b")],
        {},
        client_for(timeout_s=5),
        step_s=1,
        delay_s=1,
        backfill_s=3,
    )
    ours = dict(mine.poll(datetime.now(UTC))[0].fields)
    assert {dict(p.fields)["memory_b"] for p in theirs.poll(datetime.now(UTC))} == {ours["memory_b"]}
    mine.close()
    theirs.close()


def test_the_dcgm_profile_reads_what_prometheus_reads_of_the_same_page(prometheus):
    with odd_server(**{"/metrics": Said(DCGM)}) as dcgm:
        source = ScrapeSource("dcgm", [f"{dcgm.url}/metrics"], profile("dcgm").rows, {}, client_for(timeout_s=5))
        points = source.poll(datetime.now(UTC))
        source.close()
    power = sum(dict(p.fields).get("power_w", 0.0) for p in points if p.measurement == "gpu")
    query = "sum(max by (UUID, Hostname) (DCGM_FI_DEV_POWER_USAGE < 1e12))"
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}).json()
    assert power == float(answer["data"]["result"][0]["value"][1]) == 1501.375
