"""What was acknowledged is there once and whole, whatever happened to the writer, the disk and the server."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.spool import Spool
from ingest.stores.spooled import SpooledStore

TORTURE = Path(__file__).with_name("torture.py")
SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))
KILLS = 200 if SOAK > 1 else 4


@pytest.fixture(scope="module")
def torture():
    spec = importlib.util.spec_from_file_location("chergui_tests_torture", TORTURE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["embedded", "spooled"])
def test_nothing_acknowledged_is_lost_or_doubled_by_kills_at_random_instants(tmp_path, torture, kind):
    chance = random.Random(20261128)
    number = refused = kills = 0
    # on a busy machine a writer may be killed before its disk was full even once
    while kills < KILLS or (refused == 0 and kills < 20 * KILLS):
        kills += 1
        command = [sys.executable, str(TORTURE), kind, str(tmp_path), str(number), str(chance.randrange(10**6))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TORTURE.parents[2]) as writer:
            lines = [writer.stdout.readline()]  # it writes by now
            time.sleep(chance.uniform(0.0, 0.4))
            writer.send_signal(signal.SIGKILL)
            lines += writer.stdout.read().splitlines(keepends=True)
        whole = [line.strip() for line in lines if line.endswith("\n")]
        refused += whole.count("refused")
        acknowledged = [int(line) for line in whole if line != "refused"]
        number = max([number, *(one + 1 for one in acknowledged)])
    assert number > KILLS  # it did write, and the disk was full
    assert refused > 0
    store = torture.embedded(tmp_path)
    if kind == "spooled":
        behind = SpooledStore(Spool(tmp_path / "spool"), store)
        behind.drain()
        assert behind.waiting_bytes == 0
    samples = store.raw("gpu.power_w", {}, torture.START, torture.START + timedelta(days=4))
    held = Counter(int(sample.value) for sample in samples)
    assert set(held.values()) == {torture.GPUS}
    assert set(range(number)) <= held.keys() <= set(range(number + 1))  # one may be kept that nobody was told of
    assert len({(sample.tags, sample.time_ns) for sample in samples}) == len(samples)
    beliefs = store._writer.execute("SELECT count(*) FROM belief").fetchone()[0]
    assert beliefs == 0  # a repeat is no correction
    store.close()
