"""Exporters' pages as points: DCGM's peculiarities, and servers that misbehave, each as specified."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from odd_server import Said, odd_server
from prometheus_client.parser import text_string_to_metric_families

from ingest.catalogue import METRICS
from ingest.errors import SourceUnavailable
from ingest.points import to_ns
from ingest.sources.http import client_for
from ingest.sources.prometheus.profiles import profile, profile_names
from ingest.sources.prometheus.scrape import ScrapeSource
from ingest.sources.prometheus.text import labels_of, read
from models.telemetry import SampleRow

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
RECORDED = Path(__file__).parent / "prometheus"
DCGM = (RECORDED / "dcgm_h100_mig.prom").read_text()
ROW = SampleRow(sample="inlet_temp", metric="node.inlet_c", unit="degF", tags_from={"node": "host"})


@pytest.fixture
def server():
    with odd_server() as opened:
        yield opened


@pytest.fixture
def scrape(server):
    opened = []

    def make(*paths, rows=(ROW,), **more):
        urls = [server.url + path for path in paths]
        source = ScrapeSource(
            "s", urls, rows, {"site": "dakhla"}, client_for(timeout_s=1.0), **{"timeout_s": 1.0, **more}
        )
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()


def told(points, measurement):
    return {
        dict(p.tags).get("gpu") or dict(p.tags)["node"]: dict(p.fields) for p in points if p.measurement == measurement
    }


def test_dcgm_in_our_units_without_blanks_and_no_gpu_twice(server, scrape):
    server.answers["/metrics"] = Said(DCGM)
    source = scrape("/metrics", rows=profile("dcgm").rows)
    points = source.poll(NOW)
    gpus = told(points, "gpu")
    assert gpus["GPU-00"] == {
        "clock_sm_mhz": 1980.0,
        "memory_temperature_c": 71.0,
        "temperature_c": 62.0,
        "power_w": 689.125,
        "energy_j": 196_764_132.5,  # mJ there
        "utilization_ratio": 0.97,  # percent there
        "memory_used_mib": 71_234.0,
        "job": "4711",
    }
    assert "memory_temperature_c" not in gpus["GPU-01"], "DCGM's 9223372036854775794 means: not supported"
    assert gpus["GPU-02"] == {"clock_sm_mhz": 1410.0, "power_w": 300.25, "memory_used_mib": 30_074.0}
    assert gpus["GPU-03"] == {"clock_sm_mhz": 345.0, "energy_j": 1.5, "utilization_ratio": 0.0}
    assert sum(gpu.get("power_w", 0) for gpu in gpus.values()) == pytest.approx(689.125 + 512 + 300.25)
    assert {p.tags for p in points if p.measurement == "gpu"} == {
        (("gpu", f"GPU-0{k}"), ("node", "gpu01"), ("site", "dakhla")) for k in range(4)
    }
    assert {p.time_ns for p in points} == {to_ns(NOW)}
    assert (source.refused, source.blanks) == ({}, 3)


def test_every_row_of_every_profile_fits_the_catalogue():
    assert profile_names() == ["dcgm", "ipmi"]
    for name in profile_names():
        assert {row.metric for row in profile(name).rows} <= METRICS.keys()
    with pytest.raises(KeyError):
        profile("../sites/local")


@pytest.mark.parametrize("name", ["dcgm_h100_mig.prom", "node_exporter_1.5.0.prom"])
def test_whole_pages_read_as_the_clients_own_parser_reads_them(name):
    page = (RECORDED / name).read_text()
    found, bad = read(page)
    theirs = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    ours = {(s.name, tuple(sorted(labels_of(s.labels).items()))): s.value for s in found}
    renamed = {(s.name.removesuffix("_total"), tuple(sorted(s.labels.items()))): float(s.value) for s in theirs}
    assert bad == []
    assert {(name.removesuffix("_total"), labels): value for (name, labels), value in ours.items()} == renamed


def test_a_page_that_is_silent_is_a_fact_and_harms_no_other(server, scrape):
    server.answers["/a"] = Said('inlet_temp{host="n1"} 68\n')
    server.answers["/b"] = Said("", 500)
    source = scrape("/a", "/b")
    points = source.poll(NOW)
    assert told(points, "node") == {"n1": {"inlet_c": 20.0}}
    assert [dict(p.fields)["reachable"] for p in points if p.measurement == "source"] == [1, 0]
    assert source.unreachable == {server.url + "/b": "HTTP 500: (nothing)"}
    server.answers["/b"] = Said('inlet_temp{host="n2"} 77 1780315200000\n')
    points = source.poll(NOW)
    assert told(points, "node") == {"n1": {"inlet_c": 20.0}, "n2": {"inlet_c": 25.0}}
    assert source.unreachable == {}
    assert [p.time_ns for p in points if ("node", "n2") in p.tags] == [1_780_315_200_000_000_000]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said("oops", 500), "HTTP 500: 'oops'"),
        (Said("<html>login</html>", 401, "text/html"), r"HTTP 401: \(a web page\)"),
        (Said("<!DOCTYPE html><html>", kind="text/plain"), "a web page came instead of an answer"),
        (Said("<html></html>", kind="text/html; charset=utf-8"), "a web page came instead of an answer"),
        (Said("", 302, headers={"Location": "http://elsewhere.invalid/"}), "HTTP 302"),
        (Said("other 1\n"), r"none of the samples asked for \(inlet_temp"),
        (Said(""), "none of the samples"),
        (Said(b"inlet_temp \xff\n"), "byte 11 of the page is not UTF-8"),
        (Said('inlet_temp{host="n1"} 68\n', torn=True), "RemoteProtocolError"),
        (Said("inlet_temp 68", headers={"Content-Encoding": "gzip"}), "DecodingError"),
        (Said(b"#" * 2_000_000), "the answer exceeds 1048576 bytes"),
        (Said(gzip.compress(b"#" * 2_000_000), headers={"Content-Encoding": "gzip"}), "exceeds 1048576 bytes"),
        (Said("x", hang_s=5), "ReadTimeout"),
        (Said("#" * 100, drip_s=0.05), "no whole answer within 0.4 s"),
    ],
)
def test_what_is_no_page_is_told_with_its_reason(server, scrape, said, reason):
    server.answers["/metrics"] = said
    source = scrape("/metrics", timeout_s=0.4, max_page_bytes=1 << 20)
    begun = time.monotonic()
    with pytest.raises(SourceUnavailable, match=reason) as caught:
        source.poll(NOW)
    assert time.monotonic() - begun < 3
    assert [dict(p.fields)["reachable"] for p in caught.value.points] == [0]


def test_nobody_listens(scrape, server):
    server.url = "http://127.0.0.1:9"
    with pytest.raises(SourceUnavailable, match="ConnectError"):
        scrape("/metrics").poll(NOW)


def test_torn_and_odd_lines_are_left_out_and_told_the_rest_is_kept(server, scrape, caplog):
    server.answers["/metrics"] = Said('inlet_temp{host="n1"} 68\ninlet_temp{host="n2} 9\ninlet_temp{host="n3"} 7')
    source = scrape("/metrics")
    points = source.poll(NOW)
    assert told(points, "node") == {"n1": {"inlet_c": 20.0}}
    assert list(source.refused) == [
        'line 2 cannot be read: inlet_temp{host="n2} 9',
        'line 3 cannot be read: inlet_temp{host="n3"} 7',
    ]
    source.poll(NOW)
    assert set(source.refused.values()) == {2}
    assert sum("line 2 cannot be read" in message for message in caplog.messages) == 1


def test_several_samples_of_one_series_are_refused_unless_the_row_says_what_they_become(server, scrape):
    server.answers["/metrics"] = Said('t{a="1"} 10\nt{a="2"} 30\nu{a="1"} 5\nu{a="2"} 5\n')

    def value(**more):
        row = SampleRow(sample="t", metric="node.inlet_c", tags={"node": "n"}, **more)
        same = SampleRow(sample="u", metric="node.power_w", tags={"node": "n"}, **more)
        source = scrape("/metrics", rows=[row, same])
        return told(source.poll(NOW), "node")["n"], list(source.refused)

    assert value() == (
        {"power_w": 5.0},
        [
            "node.inlet_c: 2 different samples of one series; tell them apart by tags_from, "
            "or say what they become by repeats"
        ],
    )
    assert value(repeats="sum") == ({"inlet_c": 40.0, "power_w": 10.0}, [])
    assert value(repeats="mean") == ({"inlet_c": 20.0, "power_w": 5.0}, [])
    assert value(repeats="min")[0]["inlet_c"] == 10.0
    assert value(labels={"a": "2"}) == ({"inlet_c": 30.0, "power_w": 5.0}, [])


def test_the_first_row_that_yields_a_series_wins(server, scrape):
    labels = '{UUID="GPU-0",Hostname="n"}'
    usual, better = f"DCGM_FI_DEV_POWER_USAGE{labels} 400\n", f"DCGM_FI_DEV_POWER_USAGE_INSTANT{labels} 444\n"
    for page, expected in ((usual, 400.0), (usual + better, 444.0), (better + usual, 444.0)):
        server.answers["/metrics"] = Said(page)
        assert told(scrape("/metrics", rows=profile("dcgm").rows).poll(NOW), "gpu")["GPU-0"] == {"power_w": expected}


def test_codes_and_switches_are_whole_numbers(server, scrape):
    server.answers["/metrics"] = Said('DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{UUID="g",Hostname="n"} 4.000000\n')
    fields = told(scrape("/metrics", rows=profile("dcgm").rows).poll(NOW), "gpu")["g"]
    assert fields == {"throttle_bits": 4}
    assert type(fields["throttle_bits"]) is int


def test_a_unit_that_does_not_fit_is_refused_at_once(scrape):
    with pytest.raises(ValueError, match="'W' is a unit of power, 'degC' is wanted"):
        scrape("/x", rows=[SampleRow(sample="t", metric="node.inlet_c", unit="W")])


def test_it_logs_in_by_token_or_by_name(server, tmp_path):
    server.answers["/m"] = Said('inlet_temp{host="n"} 68\n')
    (tmp_path / "secret").write_text("s3cret\n")
    for login, sent in (
        ({"token_file": tmp_path / "secret"}, "Bearer s3cret"),
        ({"username": "u", "password_file": tmp_path / "secret"}, "Basic dTpzM2NyZXQ="),
    ):
        source = ScrapeSource("s", [server.url + "/m"], [ROW], {}, client_for(timeout_s=1, **login))
        source.poll(NOW)
        source.close()
        assert server.asked[-1][2]["authorization"] == sent
    with pytest.raises(SourceUnavailable, match="the secret cannot be read"):
        client_for(timeout_s=1, token_file=tmp_path / "none")
