"""What the spool acknowledged comes out again, whatever happens to the process or the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from ingest.errors import StoreBusy, StoreFull
from ingest.spool import Spool

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))

WRITER = """
import sys
from pathlib import Path
from ingest.spool import Spool
spool = Spool(Path(sys.argv[1]))
n = int(sys.argv[2])
while True:
    spool.append(f"m x={n}i {n}\\n" + "m y=1 1\\n" * 50)
    print(n, flush=True)
    n += 1
"""


def drained(spool):
    taken = []
    spool.drain(taken.append)
    return taken


def test_batches_leave_in_the_order_they_came_and_only_once(tmp_path):
    spool = Spool(tmp_path)
    for k in range(5):
        spool.append(f"m x={k}i {k}")
    assert drained(spool) == [f"m x={k}i {k}" for k in range(5)]
    assert drained(spool) == []
    assert spool.waiting_bytes == 0
    spool.append("m x=9i 9")
    assert drained(spool) == ["m x=9i 9"]


def test_what_the_server_refuses_stays_and_is_tried_again(tmp_path):
    spool = Spool(tmp_path)
    for k in range(3):
        spool.append(str(k))
    taken = []

    def moody(lines):
        if len(taken) == 1:
            raise ConnectionError
        taken.append(lines)

    with pytest.raises(ConnectionError):
        spool.drain(moody)
    spool.append("3")
    again = drained(spool)
    assert again[-3:] == ["1", "2", "3"]  # "0" may come twice, never not at all


def test_it_survives_a_new_start_and_cuts_off_a_torn_frame(tmp_path):
    spool = Spool(tmp_path)
    spool.append("whole")
    spool.close()
    [segment] = tmp_path.glob("*.spool")
    segment.write_bytes(segment.read_bytes() + b"\x05\x00\x00\x00\xff\xff")
    again = Spool(tmp_path)
    again.append("next")
    assert drained(again) == ["whole", "next"]


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path):
    spool = Spool(tmp_path, max_bytes=100)
    spool.append("a" * 60)
    with pytest.raises(StoreFull):
        spool.append("b" * 60)
    assert drained(spool) == ["a" * 60]
    spool.append("c" * 60)


def test_one_process_owns_a_spool(tmp_path):
    first = Spool(tmp_path)
    with pytest.raises(StoreBusy):
        Spool(tmp_path)
    first.close()
    Spool(tmp_path).close()


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path):
    number = 0
    for kill in range(3 * SOAK):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number)], stdout=subprocess.PIPE, text=True
        )
        first = writer.stdout.readline()
        time.sleep(0.02 + 0.013 * (kill % 7))
        writer.send_signal(signal.SIGKILL)
        acknowledged = [first, *writer.stdout.read().splitlines(keepends=True)]
        writer.wait()
        number = int(acknowledged[-1] if acknowledged[-1].endswith("\n") else acknowledged[-2]) + 1
        assert number > 0
    spool = Spool(tmp_path)
    held = {int(lines.split("x=")[1].split("i")[0]) for lines in drained(spool)}
    assert set(range(number)) <= held
