"""The collector as the service starts it, with a simulated site at sixty times the speed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from api.settings import Settings
from api.store.migrate import upgrade
from api.wiring import clock_of, engine_of
from ingest.points import from_ns
from ingest.site_file import sample_path
from ingest.stores.embedded import EmbeddedStore

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_simulated_site_meters_itself_while_its_clock_runs(tmp_path):
    real = datetime.now(UTC)
    plain = Settings(sample_path("local"), tmp_path, shift_s=(NOON - real).total_seconds())
    settings = plain.simulating("grid-trip", 60.0, real)
    settings.run_dir.mkdir(parents=True)
    upgrade(engine_of(settings))
    command = [sys.executable, "-P", "-m", "api.collector_process", settings.to_json(), str(os.getpid())]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        told = {}
        while time.monotonic() < deadline and not (told.get("judged", 0) > 200 and "plant" in str(told)):
            assert process.poll() is None
            time.sleep(0.2)
            if settings.collector_path.is_file():
                told = json.loads(settings.collector_path.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert [one["name"] for one in told["sources"]] == ["plant"]
    assert all(one["failing"] == 0 for one in told["sources"])
    store, now = EmbeddedStore(settings.telemetry_path), clock_of(settings).now()
    imports = store.raw("site.import_mw", {"site": "local"}, NOON, now)
    times = [from_ns(one.time_ns) for one in imports]
    assert len(times) >= 2
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(seconds=30)}
    assert len(store.latest("gpu.power_w", {"pool": "hall"})) == 8
    store.close()
