"""Telemetry in a site file: good sections are read, and everything that is wrong is told at once with its mend."""

from __future__ import annotations

import tomllib

import pytest

from ingest.site_file import read_site, resolved_site, sample_path
from models.errors import InvalidInput

GOOD = """
[telemetry.nvml]
period_s = 5
tags = { pool = "hall" }

[[telemetry.scrape]]
name = "dcgm"
urls = ["http://node01:9400/metrics", "http://[fd00::1]:9400/metrics"]
profile = "dcgm"
tags = { pool = "hall" }
token_file = "token"

[[telemetry.prometheus]]
name = "prom"
url = "http://prometheus:9090"
rows = [{ query = "sum(node_power)", metric = "site.it_mw", unit = "W" }]

[[telemetry.modbus]]
name = "chiller-1"
host = "10.0.0.7"
map = "own.toml"
flip = ["meter.power_mw"]

[[telemetry.mqtt]]
name = "bms"
host = "broker"
rows = [{ topic = "bms/{asset}/supply", metric = "crah.supply_c", unit = "degC" }]
"""
OWN = """
title = "t"
source = "s"
evidence = "assumed"
registers = [{ address = 0, metric = "meter.power_mw", unit = "kW" }]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "token").write_text("x")
    (tmp_path / "own.toml").write_text(OWN)
    return tmp_path


def with_telemetry(text):
    return tomllib.loads(sample_path("local").read_text() + text)


def faults_of(text, folder):
    with pytest.raises(InvalidInput) as caught:
        resolved_site(with_telemetry(text), "the site", folder)
    return {fault.pointer: fault.message for fault in caught.value.faults}


def test_a_site_that_says_nothing_asks_its_own_gpus_only():
    telemetry = read_site(sample_path("local")).telemetry
    assert telemetry.nvml.enabled
    assert (telemetry.scrape, telemetry.prometheus, telemetry.modbus, telemetry.mqtt) == ((), (), (), ())


def test_every_kind_of_source_is_read(folder):
    telemetry = resolved_site(with_telemetry(GOOD), "the site", folder).telemetry
    assert telemetry.scrape[0].period_s == 15
    assert telemetry.modbus[0].port == 502
    assert telemetry.mqtt[0].rows[0].filter == "bms/+/supply"
    assert telemetry.mqtt[0].rows[0].places == (None, "asset", None)


def test_everything_that_is_wrong_is_told_at_once(folder):
    (folder / "own.toml").write_text(OWN.replace('"kW"', '"degC"').replace("address", "adress"))
    text = (
        GOOD.replace("node01:9400/metrics", "user@node01:9400/metrics")
        .replace("http://[fd00::1]:9400/metrics", "node02:9400")
        .replace('profile = "dcgm"', 'profile = "dgcm"')
        .replace('"token"', '"tocken"')
        .replace('"prom"', '"dcgm"')
        .replace('unit = "W" }', 'unit = "degC" }')
        .replace('tags = { pool = "hall" }', 'tags = { pool = "hal" }')
        .replace('host = "10.0.0.7"', 'host = "10.0.0.7"\nport = 70000\ndevice_id = 300')
        .replace("bms/{asset}/supply", "bms/#/supply")
        .replace("period_s = 5", "period = 5")
    )
    found = faults_of(text, folder)
    assert found == {
        "telemetry.nvml.period": "this key is unknown; did you mean period_s?",
        "telemetry.nvml.tags.pool": "'hal' is no pool of this site; known: hall",
        "telemetry.scrape[0].tags.pool": "'hal' is no pool of this site; known: hall",
        "telemetry.scrape[0].urls[0]": "a login stands in the address; use username and password_file",
        "telemetry.scrape[0].urls[1]": "'node02:9400' is no http address; write one such as http://node01:9400/metrics",
        "telemetry.scrape[0].profile": "'dgcm' is no profile that ships with Chergui; did you mean dcgm?",
        "telemetry.scrape[0].token_file": "there is no file 'tocken' beside the site file; "
        "write one that the collector may read",
        "telemetry.prometheus[0].rows[0].unit": "'degC' is a unit of temperature, 'MW' is wanted; "
        "write one of mW, W, kW, MW, GW",
        "telemetry.modbus[0].port": "70000: input should be less than or equal to 65535",
        "telemetry.modbus[0].device_id": "300: input should be less than or equal to 255",
        "telemetry.modbus[0].map": found["telemetry.modbus[0].map"],
        "telemetry.mqtt[0].rows[0].topic": "'bms/#/supply': # may only be the last level; move it",
    }
    assert "own.toml: registers[0]" in found["telemetry.modbus[0].map"]


def test_a_name_twice_is_told_wherever_the_two_stand(folder):
    found = faults_of(GOOD.replace('"prom"', '"dcgm"').replace('"bms"', '"nvml"'), folder)
    assert found == {
        "telemetry.prometheus[0].name": "'dcgm' already stands at telemetry.scrape[0]; rename one",
        "telemetry.mqtt[0].name": "'nvml' already stands at telemetry.nvml; rename one",
    }


@pytest.mark.parametrize(
    ("old", "new", "pointer", "told"),
    [
        ('map = "own.toml"', 'map = "pdu"', "telemetry.modbus[0].map", "no map that ships with Chergui"),
        ('map = "own.toml"', 'map = "lost.toml"', "telemetry.modbus[0].map", "check the path"),
        ('flip = ["meter.', 'flip = ["metre.', "telemetry.modbus[0].flip[0]", "is not in the map own.toml"),
        ('profile = "dcgm"', "", "telemetry.scrape[0].rows", "neither rows nor a profile"),
        ('token_file = "token"', 'username = "u"', "telemetry.scrape[0].password_file", "add this one or remove"),
        ('profile = "dcgm"', "profile = 7", "telemetry.scrape[0].profile", "7: "),
        ("rows = [{ query", "rows = 3 # [{", "telemetry.prometheus[0].rows", "a list is expected"),
        ("urls = [", "urls = [] # [", "telemetry.scrape[0].urls", "at least one"),
    ],
)
def test_single_faults(folder, old, new, pointer, told):
    found = faults_of(GOOD.replace(old, new), folder)
    assert set(found) == {pointer}
    assert told in found[pointer]


@pytest.mark.parametrize("text", ["telemetry = 3\n", "[telemetry]\nscrape = [3]\nmqtt = 4\nnvml = []\n"])
def test_odd_shapes_are_told_and_harm_nothing(text, folder):
    raw = tomllib.loads(sample_path("local").read_text())
    raw |= tomllib.loads(text)
    with pytest.raises(InvalidInput):
        resolved_site(raw, "the site", folder)
