"""One site file, every source, its peers started by one script: ``chergui collect`` as an engineer types it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from plant import environment, has_slurm, plant
from processes import binary, wait_for

from ingest.site_file import sample_path
from ingest.stores.embedded import EmbeddedStore

CHERGUI = [str(Path(sys.executable).with_name("chergui"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The plant; whatever is started from here on finds its GPUs."""
    for name in ("prometheus", "prometheus-node-exporter", "mosquitto"):
        binary(name, "chergui collect")
    with plant(tmp_path_factory.mktemp("plant")) as path, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(path.parent).items():
            patch.setenv(name, value)
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
        r"nvml: 4 points\n  gpu.reachable = 1 \(gpu=GPU-00 node=\S+ pool=hall\), and 3 more\n",
        r"  gpu.power_average_w = 430 W ",
        r"weather: Open-Meteo, to \S+, known since \S+; 20.0 degC now\n",
        r"weather.ensemble: 3 members, ",
        r"weather.runs: Open-Meteo, run of \S+T12:00:00Z, ",
        r"market.import_price: 72 values from \S+ to \S+, the first 800 MAD/MWh\n",
        r"market.carbon: 72 values from \S+ to \S+, the first 500 kg/MWh\n",
        r"queue: 2 job\(s\), 2 named by the policy\n",
        *([r"slurm: 1 job\(s\), 1 named by the policy\n"] if has_slurm() else []),
    ):
        assert re.search(said, done.stdout), (said, done.stdout)


@pytest.mark.peer
def test_all_of_them_are_kept_until_ctrl_c(site):
    folder = site.parent / "data"
    command = [*CHERGUI, "collect", str(site), "--data-dir", str(folder)]
    with (site.parent / "said.txt").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.PIPE, text=True)
    try:
        store = EmbeddedStore(folder / "telemetry.db")
        wanted = {
            "gpu.power_w": {300.25, 431.5, 512.0, 689.125},
            "site.it_mw": {0.001501375},
            "pdu.power_mw": {0.00825},
            "chiller.running": {1},
        }
        for metric, values in wanted.items():

            def there(metric=metric, values=values):
                return {sample.value for sample in store.latest(metric, {})} == values

            wait_for(there, f"{metric} = {values}", 90)
        wait_for(lambda: len(store.latest("source.reachable", {})) >= 6, "a word of each page and device", 20)
        now = datetime.now(UTC)
        wait_for(
            lambda: len(store.raw("meter.power_mw", {}, now - timedelta(hours=1), now + timedelta(hours=1))) > 5,
            "mqtt",
            40,
        )
        store.close()
        named = {"nvml", "dcgm", "node", "prometheus", "bms"}
        named |= {"pdu-eastron-sdm630", "chiller-sample", "crah-sample", "cdu-sample"}

        def told():
            said = (site.parent / "said.txt").read_text()
            return set(re.findall(r"^([\w-]+): [1-9]\d* points in \d+ polls, ok$", said, re.MULTILINE)) == named

        wait_for(told, "a good word on every source", 60)
    finally:
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=30)
    assert process.returncode == 0, words[-2000:]


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

[market.import_price]
url = "http://127.0.0.1:9/prices.csv"
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
    assert "market.import_price: the source http://127.0.0.1:9/prices.csv cannot be read: " in done.stdout
    assert "2 of 2 source(s) said nothing" in done.stderr
