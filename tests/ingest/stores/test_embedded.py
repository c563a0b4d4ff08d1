"""What is particular to the embedded store: durability, versions, locks and limits."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import StoreBusy, StoreFull, StoreUnavailable
from ingest.points import point, to_ns
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.filelock import exclusive
from ingest.stores.memory import MemoryStore

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))
START = datetime(2026, 6, 1, tzinfo=UTC)
T0 = to_ns(START)
S = 1_000_000_000

WRITER = """
import sys
from pathlib import Path
from ingest.points import point
from ingest.stores.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]))
n = int(sys.argv[2])
while True:
    batch = [point("gpu", {"gpu": f"GPU-{g}", "run": sys.argv[2]}, {"power_w": float(n)}, n * 10**9) for g in range(40)]
    store.write(batch)
    print(n, flush=True)
    n += 1
"""


def gpu(number, watts, at_s):
    return point("gpu", {"site": "s", "gpu": f"GPU-{number}"}, {"power_w": watts}, T0 + at_s * S)


@pytest.fixture
def store(tmp_path):
    opened = EmbeddedStore(tmp_path / "telemetry.sqlite")
    yield opened
    opened.close()


def test_nothing_acknowledged_is_lost_and_no_batch_is_torn_when_the_writer_is_killed(tmp_path):
    path = tmp_path / "telemetry.sqlite"
    number = 0
    for kill in range(4 * SOAK):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number)], stdout=subprocess.PIPE, text=True
        )
        first = writer.stdout.readline()  # it writes by now
        time.sleep(0.05 + 0.017 * (kill % 9))
        writer.send_signal(signal.SIGKILL)
        told = [line for line in [first, *writer.stdout.read().splitlines(keepends=True)] if line.endswith("\n")]
        writer.wait()
        number = int(told[-1]) + 1
    store = EmbeddedStore(path)
    held: dict[int, set[str]] = {}
    for sample in store.raw("gpu.power_w", {}, datetime(1970, 1, 1, tzinfo=UTC), START):
        held.setdefault(int(sample.value), set()).add(dict(sample.tags)["gpu"])
    assert set(range(number)) <= held.keys()
    assert all(len(gpus) == 40 for gpus in held.values())
    assert number > 4 * SOAK  # the writers did write
    store.close()


def test_it_waits_for_the_disk_before_it_answers(store):
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_replaced_value_stays_as_a_version_with_the_time_it_was_learned(store, tmp_path):
    written = [store.write([gpu(0, watts, 0)]) for watts in (400.0, 410.0, 420.0)]
    assert [len(w.conflicts) for w in written] == [0, 1, 1]
    assert (written[1].conflicts[0].before, written[1].conflicts[0].after) == (400.0, 410.0)
    beliefs = store.replaced("gpu.power_w", {"gpu": "GPU-0"}, T0)
    assert [b.value for b in beliefs] == [400.0, 410.0]
    assert beliefs[0].believed_ms <= beliefs[1].believed_ms
    assert abs(beliefs[0].believed_ms / 1000 - time.time()) < 60


def test_a_late_repeat_of_a_replaced_value_does_not_bring_it_back(store):
    store.write([gpu(0, 400.0, 0)])
    store.write([gpu(0, 410.0, 0)])
    repeat = store.write([gpu(0, 400.0, 0)])
    assert (repeat.stored, repeat.duplicates, repeat.conflicts) == (0, 1, ())
    assert [s.value for s in store.latest("gpu.power_w", {})] == [410.0]


BATCHES = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([1.0, 2.0, 3.5, 7, "x"]), st.integers(0, 4)), max_size=8),
    max_size=6,
)


@given(BATCHES)
@settings(max_examples=40 * SOAK, deadline=None)
def test_it_does_what_the_reference_does(tmp_path_factory, batches):
    reference, store = MemoryStore(), EmbeddedStore(tmp_path_factory.mktemp("t") / "t.sqlite")
    for rows in batches:
        batch = [gpu(*row) for row in rows]
        assert store.write(batch) == reference.write(batch)
    end = START + timedelta(hours=1)
    assert store.raw("gpu.power_w", {}, START, end) == reference.raw("gpu.power_w", {}, START, end)
    assert store.latest("gpu.power_w", {}) == reference.latest("gpu.power_w", {})
    store.close()


def test_two_writers_take_turns_and_readers_do_not_wait(tmp_path):
    path = tmp_path / "telemetry.sqlite"
    one, other = EmbeddedStore(path), EmbeddedStore(path)
    errors = []

    def write(store, number):
        try:
            for k in range(50):
                store.write([gpu(number, float(k), k)])
                store.latest("gpu.power_w", {})
        except Exception as error:  # pragma: no cover
            errors.append(error)

    threads = [threading.Thread(target=write, args=pair) for pair in ((one, 0), (other, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(one.raw("gpu.power_w", {}, START, START + timedelta(hours=1))) == 100
    one.close()
    other.close()


def test_a_writer_that_finds_another_at_work_for_too_long_says_so_and_a_reader_still_reads(tmp_path):
    path = tmp_path / "telemetry.sqlite"
    store = EmbeddedStore(path, wait_s=0.05)
    store.write([gpu(0, 1.0, 0)])
    with exclusive(path.with_name(path.name + ".lock"), 1.0, "test"):
        with pytest.raises(StoreBusy, match="try again"):
            store.write([gpu(0, 2.0, 1)])
        assert [s.value for s in store.latest("gpu.power_w", {})] == [1.0]
    store.write([gpu(0, 2.0, 1)])
    store.close()


def test_a_full_store_refuses_whole_batches_and_goes_on_when_there_is_room(store):
    store.write([gpu(0, 1.0, 0)])
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages + 3}")
    big = [gpu(k, 1.0, 1) for k in range(2000)]
    with pytest.raises(StoreFull, match="full; free some room"):
        store.write(big)
    assert len(store.latest("gpu.power_w", {})) == 1
    store._writer.execute("PRAGMA max_page_count = 1000000")
    assert store.write(big).stored == 2000


DISK = """
import sys
from pathlib import Path
from ingest.errors import StoreFull, StoreUnavailable
from ingest.points import point
from ingest.stores.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]))
kept = 0
try:
    for n in range(10**6):
        store.write([point("gpu", {"gpu": str(g)}, {"power_w": 1.0}, n) for g in range(500)])
        kept += 1
except StoreUnavailable as error:
    kind = type(error).__name__
store.close()
again = EmbeddedStore(Path(sys.argv[1]))
print(kind, kept, len({s.time_ns for s in again.raw("gpu.power_w", {"gpu": "7"}, *eval(sys.argv[2]))}))
"""
ALL_TIME = "(__import__('datetime').datetime.fromtimestamp(0, __import__('datetime').UTC), " + (
    "__import__('datetime').datetime.fromtimestamp(9, __import__('datetime').UTC))"
)


def test_a_file_that_may_not_grow_is_an_error_and_loses_nothing(tmp_path):
    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    args = [sys.executable, "-c", DISK, str(tmp_path / "t.sqlite"), ALL_TIME]
    out = subprocess.run(args, preexec_fn=limited, capture_output=True, text=True, timeout=100)
    assert out.returncode == 0, out.stderr
    kind, kept, held = out.stdout.split()
    assert kind in ("StoreUnavailable", "StoreFull")
    assert int(kept) == int(held) > 0


def test_a_disk_that_is_really_full_is_an_error_and_loses_nothing(tmp_path):
    mount = f'mount -t tmpfs -o size=3m none "{tmp_path}" && exec "$@"'
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount, "sh", "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"user namespaces with mounts are forbidden here: {probe.stderr.strip()}")
    args = [sys.executable, "-c", DISK, str(tmp_path / "t.sqlite"), ALL_TIME]
    out = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", *args], capture_output=True, text=True, timeout=100
    )
    assert out.returncode == 0, out.stderr
    kind, kept, held = out.stdout.split()
    assert kind == "StoreFull"
    assert int(kept) == int(held) > 0


def test_too_many_series_are_refused_and_known_ones_go_on(tmp_path):
    store = EmbeddedStore(tmp_path / "t.sqlite", max_series=3)
    written = store.write([gpu(k, 1.0, 0) for k in range(5)])
    assert (written.stored, [r.index for r in written.refused]) == (3, [3, 4])
    assert {r.code for r in written.refused} == {"too_many_series"}
    assert store.write([gpu(0, 2.0, 1)]).stored == 1
    store.close()


def test_a_damaged_or_newer_file_is_refused_with_a_reason(tmp_path):
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        EmbeddedStore(damaged)
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="its layout is 99"):
        EmbeddedStore(newer)


def test_a_failed_batch_leaves_no_trace_in_later_ones(store):
    store._writer.execute("PRAGMA max_page_count = 1")  # SQLite keeps it at what is used
    with pytest.raises(StoreFull):
        store.write([gpu(k, 1.0, 0) for k in range(3000)])
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store.write([gpu(k, 2.0, 0) for k in range(3000)])
    assert {s.value for s in store.raw("gpu.power_w", {}, START, START + timedelta(hours=1))} == {2.0}
    assert len(store.latest("gpu.power_w", {"gpu": "GPU-2999"})) == 1


class Hands:
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at

    def monotonic(self):
        return self.at.timestamp()


def test_a_clock_that_goes_back_changes_neither_what_holds_now_nor_the_order_of_beliefs(tmp_path):
    clock = Hands(START + timedelta(hours=2))
    store = EmbeddedStore(tmp_path / "t.sqlite", clock=clock)
    store.write([gpu(0, 400.0, 0)])
    clock.at = START - timedelta(days=3)  # a battery died
    assert len(store.write([gpu(0, 410.0, 0)]).conflicts) == 1
    span = (START, START + timedelta(hours=1))
    assert [s.value for s in store.raw("gpu.power_w", {}, *span)] == [410.0]
    as_of = {hours: START + timedelta(hours=hours) for hours in (1, 2)}
    assert store.raw("gpu.power_w", {}, *span, as_of[1]) == []
    assert [s.value for s in store.raw("gpu.power_w", {}, *span, as_of[2])] == [410.0]
    assert [b.value for b in store.replaced("gpu.power_w", {}, T0)] == [400.0]
    store.close()


def test_repeats_conflicts_and_news_of_one_batch_are_each_counted_once(store):
    store.write([gpu(0, 400.0, 0), gpu(1, 300.0, 0)])
    mixed = [gpu(0, 400.0, 0), gpu(1, 301.0, 0), gpu(2, 200.0, 0), gpu(2, 200.0, 0), gpu(3, 1.0, 0), gpu(3, 2.0, 0)]
    written = store.write(mixed)
    assert (written.stored, written.duplicates) == (4, 2)
    assert [(dict(c.tags)["gpu"], c.before, c.after) for c in written.conflicts] == [
        ("GPU-1", 300.0, 301.0),
        ("GPU-3", 1.0, 2.0),
    ]
    assert store.write(mixed).stored == 0
