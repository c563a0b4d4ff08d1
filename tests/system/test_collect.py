"""One site file, every source, its peers started by one script: ``chergui collect`` as an engineer types it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from plant import has_slurm, plant
from processes import binary, wait_for

from ingest.site_file import sample_path
from ingest.stores.embedded import EmbeddedStore

CHERGUI = [str(Path(sys.executable).with_name("chergui"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("prometheus", "prometheus-node-exporter", "mosquitto"):
        binary(name, "chergui collect")
    with plant(tmp_path_factory.mktemp("plant")) as path:
        yield path


def run(*words):
    return subprocess.run([*CHERGUI, *map(str, words)], capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.peer
def test_every_source_says_what_it_has(site):
    assert run("check", site).returncode == 0
    done = run("collect", site, "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        r"dcgm: \d+ points\n  gpu.clock_sm_mhz = 1980 MHz \(gpu=GPU-00 node=gpu01 pool=hall\), and 3 more\n",
        r"  gpu.energy_j = 1.96764e\+08 J ",
        r"node: \d+ points\n  node.load1 = ",
        r"prometheus: \d+ points\n  site.it_mw = 0.001501\d* MW\n",
        r"pdu-eastron-sdm630: \d points\n  pdu.power_mw = 0.00825 MW \(asset=pdu-eastron-sdm630\)\n",
        r"  chiller.supply_c = 18.2 degC ",
        r"  cdu.heat_mw = 0.812 MW ",
        r"  crah.supply_c = 21.5 degC \(asset=crah-7\)",
        r"  meter.power_mw = 8.1234 MW \(asset=grid\)",
        r"queue: 2 job\(s\), 2 named by the policy\n",
        *([r"slurm: 1 job\(s\), 1 named by the policy\n"] if has_slurm() else []),
    ):
        assert re.search(said, done.stdout), (said, done.stdout)


@pytest.mark.peer
def test_all_of_them_are_kept_until_ctrl_c(site):
    folder = site.parent / "data"
    process = subprocess.Popen([*CHERGUI, "collect", str(site), "--data-dir", str(folder)], stderr=subprocess.PIPE)
    try:
        store = EmbeddedStore(folder / "telemetry.db")
        wanted = {
            "gpu.power_w": {300.25, 512.0, 689.125},
            "site.it_mw": {0.001501375},
            "pdu.power_mw": {0.00825},
            "chiller.running": {1},
        }
        for metric, values in wanted.items():
            wait_for(lambda metric=metric: store.latest(metric, {}), metric, 40)
            assert {sample.value for sample in store.latest(metric, {})} == values
        wait_for(lambda: len(store.latest("source.reachable", {})) >= 6, "a word of each page and device", 20)
        now = datetime.now(UTC)
        wait_for(
            lambda: len(store.raw("meter.power_mw", {}, now - timedelta(hours=1), now + timedelta(hours=1))) > 5,
            "mqtt",
            40,
        )
        store.close()
    finally:
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=30)
    assert process.returncode == 0, words.decode()[-2000:]


def test_a_site_file_with_faults_and_sources_that_are_silent(tmp_path):
    text = (
        sample_path("local").read_text()
        + """
[telemetry.nvml]
enabled = false

[[telemetry.modbus]]
name = "pdu"
host = "127.0.0.1"
port = 9
map = "pdu-eastron-sdm630"

[[telemetry.scrape]]
name = "page"
urls = ["http://127.0.0.1:9/metrics"]
profile = "dcgm"
token_file = "token"
"""
    )
    path = tmp_path / "site.toml"
    path.write_text(text)
    done = run("collect", path, "--once")
    assert done.returncode == 2
    assert "telemetry.scrape[0].token_file: there is no file 'token'" in done.stderr
    (tmp_path / "token").write_text("x")
    done = run("collect", path, "--once")
    assert done.returncode == 1
    assert "pdu: SourceUnavailable: the source pdu cannot be read: no connection" in done.stdout
    assert "page: SourceUnavailable: the source page cannot be read: ConnectError" in done.stdout
    assert "2 of 2 source(s) said nothing" in done.stderr
