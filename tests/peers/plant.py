"""Every peer of ingest on loopback, and a site file that names them: ``python tests/peers/plant.py FOLDER``.

Starts node_exporter and Prometheus, Mosquitto with a publisher, Modbus devices and a Slurm, compiles the NVML stand-in,
serves a page in the shape of dcgm-exporter's, a list of jobs, weather, prices and carbon, writes FOLDER/site.toml and
says what to type; ends on Ctrl-C. With ``--prove`` it types it itself, shows what every source said and kept, and ends
with status 1 where one said nothing. What is real and what is played stands in README.md. What is not installed is left
out of the site file, and said.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parents[1])]

from gpu_world import COMPILER, World, build  # noqa: E402
from odd_server import Said, odd_server  # noqa: E402
from processes import free_port, listens, running, wait_for  # noqa: E402
from weather_document import document  # noqa: E402

from ingest.site_file import sample_path  # noqa: E402
from models.horizon import rfc3339  # noqa: E402

DCGM = HERE.parent / "ingest" / "sources" / "prometheus" / "dcgm_h100_mig.prom"


def words(*values: float) -> list[int]:
    raw = struct.pack(f">{len(values)}f", *values)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


def table(start: int, held: list[int]) -> dict[str, int]:
    return {str(start + k): word & 0xFFFF for k, word in enumerate(held)}


DEVICES = {
    "1": {"input": table(52, words(8_250.0)) | table(70, words(50.02, 1234.5))},
    "3": {"holding": table(0, [182, 245, 310, 0, 640, 875, 0, 12_345]) | {"100": 180, "110": 4}},
    "4": {"input": table(0, [185, 341, 452, 80, 755]), "holding": {"0": 180}},
    "5": {"holding": table(200, [w for v in (32, 44, 22, 30, 900, 1.5, 812) for w in reversed(words(v))])},
}


def prometheus(stack: ExitStack, folder: Path) -> str:
    """An exporter, a page like dcgm-exporter's, and the Prometheus that scrapes both; their part of a site file."""
    dcgm = stack.enter_context(odd_server(**{"/metrics": Said(DCGM.read_text())})).url
    told = f"""
[[telemetry.scrape]]
name = "dcgm"
urls = ["{dcgm}/metrics"]
profile = "dcgm"
period_s = 2
tags = {{ pool = "hall" }}
"""
    if not (shutil.which("prometheus") and shutil.which("prometheus-node-exporter")):
        print("plant: no prometheus or node_exporter here; left out", file=sys.stderr)
        return told
    node, server = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f'  - {{job_name: node, static_configs: [{{targets: ["{node}"]}}]}}\n'
        f'  - {{job_name: dcgm, static_configs: [{{targets: ["{dcgm.removeprefix("http://")}"]}}]}}\n'
    )
    only = ["--collector.disable-defaults", "--collector.loadavg", "--collector.meminfo"]
    command = ["prometheus-node-exporter", f"--web.listen-address={node}", *only]
    stack.enter_context(running(command, folder / "node.log", lambda: listens(int(node.split(":")[1]))))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus"]
    command.append(f"--web.listen-address={server}")
    stack.enter_context(running(command, folder / "prometheus.log", lambda: listens(int(server.split(":")[1]))))

    def scraped() -> bool:
        query = f"http://{server}/api/v1/query?query=min(count_over_time(up%5B1h%5D))"
        try:
            with urllib.request.urlopen(query, timeout=5) as answer:
                result = json.load(answer)["data"]["result"]
        except OSError:  # it listens before it is ready
            return False
        return bool(result) and int(result[0]["value"][1]) >= 4

    wait_for(scraped, "scrapes", 60)
    return (
        told
        + f"""
[[telemetry.scrape]]
name = "node"
urls = ["http://{node}/metrics"]
period_s = 2
rows = [{{ sample = "node_load1", metric = "node.load1", tags = {{ node = "here" }} }}]

[[telemetry.prometheus]]
name = "prometheus"
url = "http://{server}"
period_s = 2
step_s = 1
delay_s = 2
backfill_s = 5

[[telemetry.prometheus.rows]]
query = "sum(max by (UUID, Hostname) (DCGM_FI_DEV_POWER_USAGE < 1e6))"
metric = "site.it_mw"
unit = "W"
"""
    )


def modbus(stack: ExitStack, folder: Path) -> str:
    """Devices behind one gateway; their part of a site file."""
    port = free_port()
    devices = {name: {"holding": {}, "input": {}, **held} for name, held in DEVICES.items()}
    (folder / "devices.json").write_text(json.dumps(devices))
    command = [sys.executable, str(HERE / "modbus_device.py"), str(port), str(folder / "devices.json")]
    stack.enter_context(running(command, folder / "modbus.log", lambda: listens(port)))
    maps = {"1": "pdu-eastron-sdm630", "3": "chiller-sample", "4": "crah-sample", "5": "cdu-sample"}
    return "".join(
        f'\n[[telemetry.modbus]]\nname = "{map_}"\nhost = "127.0.0.1"\nport = {port}\ndevice_id = {unit}\n'
        f'map = "{map_}"\nperiod_s = 2\n'
        for unit, map_ in maps.items()
    )


def mqtt(stack: ExitStack, folder: Path) -> str:
    """A broker, and someone who publishes to it twice a second; their part of a site file."""
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if path is None:
        print("plant: no mosquitto here; left out", file=sys.stderr)
        return ""
    import paho.mqtt.client as client
    from paho.mqtt.enums import CallbackAPIVersion

    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    stack.enter_context(running([path, "-c", str(config)], folder / "mosquitto.log", lambda: listens(port)))
    publisher = client.Client(CallbackAPIVersion.VERSION2)
    publisher.connect("127.0.0.1", port)
    publisher.loop_start()
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.5):
            publisher.publish("bms/crah-7/supply", "70.7", 1)
            told = {"t": round(time.time() * 1000), "p": {"total": 8123.4}}
            publisher.publish("bms/meter/grid", json.dumps(told), 1)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    stack.callback(publisher.loop_stop)
    stack.callback(thread.join)
    stack.callback(stop.set)
    return f"""
[[telemetry.mqtt]]
name = "bms"
host = "127.0.0.1"
port = {port}

[[telemetry.mqtt.rows]]
topic = "bms/{{asset}}/supply"
metric = "crah.supply_c"
unit = "degF"

[[telemetry.mqtt.rows]]
topic = "bms/meter/{{asset}}"
format = "json"
value = "p.total"
time = "t"
time_unit = "ms"
metric = "meter.power_mw"
unit = "kW"
"""


def queues(stack: ExitStack, folder: Path) -> str:
    """A list of jobs at an address, and a Slurm with a job where root can start one; their part of a site file."""
    (folder / "policy.toml").write_text('[[rows]]\nname = "all"\nlongest_delay_h = 4.0\n')
    jobs = [{"id": f"job-{k}", "gpus": 8, "limit_h": 2, "submitted_at": "2026-06-01T00:00:00Z"} for k in range(2)]
    url = stack.enter_context(odd_server(**{"/jobs": Said(json.dumps(jobs))})).url
    told = f'\n[jobs]\npolicy = "policy.toml"\n\n[[jobs.lists]]\nname = "queue"\nurl = "{url}/jobs"\n'
    if not has_slurm():
        print("plant: no slurmctld here, or not root; left out", file=sys.stderr)
        return told
    from slurm_cluster import cluster

    slurm = stack.enter_context(cluster())
    slurm.submit("sleep 600", "--gres=gpu:h100:8", "-t", "60")
    return (
        told + f'\n[jobs.slurm]\nconf = "{slurm.conf}"\n\n[[jobs.slurm.pools]]\npool = "hall"\npartitions = ["train"]\n'
    )


def nvml(stack: ExitStack, folder: Path) -> str:
    """Four GPUs of a stand-in driver (see :func:`environment`); their part of a site file."""
    if COMPILER is None:
        print("plant: no C compiler here; NVML is left out", file=sys.stderr)
        return "\n[telemetry.nvml]\nenabled = false\n"
    (folder / "nvml").mkdir()
    build(folder / "nvml")
    World(folder / "nvml" / "gpus.txt")
    return '\n[telemetry.nvml]\nperiod_s = 2\ntags = { pool = "hall" }\n'


def environment(folder: Path) -> dict[str, str]:
    """What a collector needs in its environment to find the stand-in driver."""
    if COMPILER is None:
        return {}
    return {"LD_LIBRARY_PATH": str(folder / "nvml"), "NVML_STAND_IN": str(folder / "nvml" / "gpus.txt")}


def outlook(stack: ExitStack, folder: Path) -> str:
    """A server of weather, prices and carbon, played, and a stored weather run; their part of a site file."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    (folder / "runs").mkdir()
    (folder / "runs" / f"{midnight - timedelta(hours=12):%Y%m%dT%H}.json").write_text(
        json.dumps(document(midnight - timedelta(hours=12), 120))
    )
    members = ("", "_member01", "_member02")
    start = rfc3339(midnight)
    prices = {"start": start, "step_minutes": 60, "unit": "MAD/MWh", "values": [800.0 + k for k in range(72)]}
    carbon = "\n".join(
        ["# unit = g/kWh", "time,value", *(f"{rfc3339(midnight + timedelta(hours=k))},500" for k in range(72))]
    )
    web = stack.enter_context(
        odd_server(
            **{
                "/v1/forecast": Said(json.dumps(document(midnight, 120)), kind="application/json"),
                "/v1/ensemble": Said(json.dumps(document(midnight, 120, members)), kind="application/json"),
                "/prices.json": Said(json.dumps(prices), kind="application/json"),
                "/carbon.csv": Said(carbon, kind="text/csv"),
            }
        )
    ).url
    return f"""
[weather]
kind = "open_meteo"
url = "{web}/v1/forecast"
ensemble = "{web}/v1/ensemble"
runs = "runs"

[market.import_price]
url = "{web}/prices.json"

[market.carbon]
url = "{web}/carbon.csv"
"""


def has_slurm() -> bool:
    """Whether a cluster can be started here."""
    there = (shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("slurmctld", "slurmd", "munged", "squeue"))
    return os.geteuid() == 0 and all(there)


@contextmanager
def plant(folder: Path) -> Iterator[Path]:
    """All of it for as long as the block lasts; gives the site file."""
    with ExitStack() as stack:
        parts = [part(stack, folder) for part in (nvml, prometheus, modbus, mqtt, queues, outlook)]
        site = folder / "site.toml"
        sample, _, _ = sample_path("local").read_text().partition("[synthetic]")
        site.write_text(sample.replace('[weather]\nkind = "synthetic"\nclimate = "casablanca"\n', "") + "".join(parts))
        yield site


def prove(site: Path, seconds: float = 25.0) -> int:
    """Type what an engineer types, show all of it; 1 where a source says nothing or keeps nothing."""
    folder = site.parent
    chergui = [sys.executable, "-P", "-c", "from api.cli import main; main()"]
    env = {**os.environ, **environment(folder)}
    failed = 0
    for words in (["check", str(site)], ["collect", str(site), "--once"]):
        print("$ chergui", *words, flush=True)
        failed |= subprocess.run([*chergui, *words], env=env, check=False).returncode
    words = ["collect", str(site), "--data-dir", str(folder / "data")]
    print("$ chergui", *words, "  # until Ctrl-C", flush=True)
    with subprocess.Popen([*chergui, *words], env=env, stdout=subprocess.PIPE, text=True) as collecting:
        time.sleep(seconds)
        collecting.send_signal(signal.SIGINT)
        said, _ = collecting.communicate()
    print(said, flush=True)
    return 1 if failed or collecting.returncode or "failing" in said or ": 0 points" in said else 0


def main() -> int:
    """Run until Ctrl-C, or prove; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything that is started writes")
    parser.add_argument("--prove", action="store_true", help="collect from all of it for a while, and say what came")
    told = parser.parse_args()
    folder = told.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with plant(folder) as site:
        if told.prove:
            return prove(site)
        before = " ".join(f"{name}={value}" for name, value in environment(folder).items())
        for words in ("check {0}", "collect {0} --once", "collect {0} --data-dir {1}/data"):
            print(before, "chergui", words.format(site, folder), flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
