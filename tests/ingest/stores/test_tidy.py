"""Days that are over move to files, and nobody can tell from an answer; retention forgets what it says and no more."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.errors import StoreBusy, StoreFull, StoreUnavailable
from ingest.points import Unsigned, point, to_ns
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.filelock import exclusive
from ingest.stores.layout import Retention
from ingest.stores.memory import MemoryStore
from models.errors import InvalidInput, NotFound

SOAK = int(os.environ.get("CHERGUI_SOAK", "1"))
START = datetime(2026, 6, 1, tzinfo=UTC)
T0 = to_ns(START)
S = 1_000_000_000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUARTER = timedelta(minutes=15)


class Hands:
    """A clock that tests move."""

    def __init__(self, now=START):
        self.at = now

    def now(self):
        return self.at

    def monotonic(self):
        return self.at.timestamp()


def gpu(number, watts, at_s):
    return point("gpu", {"site": "s", "gpu": f"GPU-{number}"}, {"power_w": watts}, T0 + at_s * S)


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def store(tmp_path, clock):
    opened = EmbeddedStore(tmp_path / "t.sqlite", clock=clock)
    yield opened
    opened.close()


def files(store):
    return sorted(path.relative_to(store.history).parts[0] for path in store.history.rglob("*.parquet"))


def test_a_day_moves_when_it_is_over_for_as_long_as_it_stays_hot(store, clock):
    store.write([gpu(0, 400.0, 0), gpu(0, 410.0, 86_399), gpu(0, 500.0, 86_400)])
    clock.at = START + DAY + timedelta(hours=23, minutes=59)
    assert store.tidy().moved == ()
    clock.at += timedelta(minutes=1)
    assert store.tidy().moved == (to_ns(START) // (86_400 * S),)
    assert files(store) == ["level=15min", "level=1min", "level=raw"]
    assert [s.value for s in store.raw("gpu.power_w", {}, START, START + 2 * DAY)] == [400.0, 410.0, 500.0]
    assert store.query("gpu.power_w", {}, START, START + 2 * DAY, DAY).values.tolist() == [405.0, 500.0]
    assert store.tidy().moved == ()


def test_levels_hold_means_counts_and_extremes_under_names_that_others_can_read(store, clock):
    store.write([gpu(0, 100.0, 0), gpu(0, 200.0, 59), gpu(0, 600.0, 60), gpu(1, 7.0, 899)])
    store.write([point("gpu", {"gpu": "GPU-0"}, {"note": "hot", "n": Unsigned(2**64 - 1)}, T0)])
    clock.at = START + 3 * DAY
    store.tidy()
    tables = {level: pq.read_table(store.history / f"level={level}").to_pylist() for level in ("raw", "1min", "15min")}
    power = [row for row in tables["1min"] if row["metric"] == "gpu.power_w"]
    assert [(r["time_ns"] - T0, r["mean"], r["n"], r["low"], r["high"]) for r in power] == [
        (0, 150.0, 2, 100.0, 200.0),
        (60 * S, 600.0, 1, 600.0, 600.0),
        (840 * S, 7.0, 1, 7.0, 7.0),
    ]
    quarter = [row for row in tables["15min"] if row["tags"] == '[["gpu","GPU-0"],["site","s"]]']
    assert [(r["mean"], r["n"]) for r in quarter] == [(300.0, 3)]
    assert {r["metric"]: r["mean"] for r in tables["15min"]}["gpu.n"] == pytest.approx(2.0**64)
    assert [r["text"] for r in tables["raw"] if r["metric"] == "gpu.note"] == ["hot"]


WRITES = st.tuples(
    st.just("write"),
    st.sampled_from([None, -30, 1, 26, 50]),  # hours at which it was believed; None: learned now
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([1.0, 2.0, 3.5]), st.sampled_from([0, 60, 90_000, -9, 5 * 10**9])),
        min_size=1,
        max_size=4,
    ),
)
STEPS = st.lists(st.one_of(WRITES, st.tuples(st.sampled_from(["tidy", "wait"]))), max_size=10)


# an older belief of the newest instant comes after that instant has left with its day
OLDER = [("write", None, [(0, 2.0, -9)]), ("wait",), ("wait",), ("tidy",), ("write", -30, [(0, 1.0, -9)])]
OTHERS = [("write", None, [(1, 1.0, 0)])]


@given(STEPS)
@example([*OLDER[:4], *OTHERS, OLDER[4]])
@example(OLDER)
@settings(max_examples=25 * SOAK, deadline=None)
def test_whatever_is_written_and_moved_in_whatever_order_it_answers_as_the_reference(tmp_path_factory, steps):
    clock = Hands(START + HOUR)
    keep = Retention(10**5, 10**5, 10**5)
    store = EmbeddedStore(tmp_path_factory.mktemp("t") / "t.sqlite", clock=clock, retention=keep)
    reference = MemoryStore(clock)
    for what, *told in steps:
        clock.at += timedelta(seconds=1)
        if what == "wait":
            clock.at += 13 * HOUR
        elif what == "tidy":
            assert store.tidy().waiting == ()
        else:
            believed_at = None if told[0] is None else START + told[0] * HOUR
            batch = [gpu(*row) for row in told[1]]
            assert store.write(batch, believed_at).refused == reference.write(batch, believed_at).refused
    spans = [(START - DAY, START + 3 * DAY), (START + timedelta(seconds=30), START + 26 * HOUR)]
    for as_of in (None, START - DAY, START + 2 * HOUR, START + 30 * HOUR, clock.at):
        for first, last in spans:
            spoken = ("gpu.power_w", {}, first, last, as_of)
            assert store.raw(*spoken) == reference.raw(*spoken)
        for step in (HOUR, QUARTER):
            asked = ("gpu.power_w", {"gpu": "GPU-0"}, START - DAY, START + 3 * DAY, step)
            assert answer(store, asked, as_of) == answer(reference, asked, as_of)
    assert store.latest("gpu.power_w", {}) == reference.latest("gpu.power_w", {})
    store.close()


def answer(store, asked, as_of):
    try:
        return [None if v != v else round(v, 9) for v in store.query(*asked, as_of=as_of).values]
    except NotFound:
        return "nothing"


def test_retention_forgets_the_finest_first_and_says_what_is_left(tmp_path, clock):
    keep = Retention(raw_days=2, minute_days=4, quarter_days=6)
    store = EmbeddedStore(tmp_path / "t.sqlite", clock=clock, retention=keep)
    store.write([gpu(0, 100.0, 0), gpu(0, 300.0, 30)])
    clock.at = START + 3 * DAY
    assert store.tidy().dropped == 0  # raw was never written: it is too old already
    assert store.raw("gpu.power_w", {}, START, START + DAY) == []
    asked = ("gpu.power_w", {}, START, START + HOUR)
    assert store.query(*asked, timedelta(minutes=1)).values[0] == 200.0
    with pytest.raises(InvalidInput, match="of 2026-06-01 only means of 1min are kept"):
        store.query(*asked, timedelta(seconds=30))
    store.write([gpu(0, 600.0, 40)])  # late, but not too late for the means
    assert store.query(*asked, QUARTER).values[0] == pytest.approx(1000 / 3)
    store.tidy()
    assert store.query(*asked, QUARTER).values[0] == pytest.approx(1000 / 3)
    clock.at = START + 5 * DAY
    assert store.tidy().dropped == 1
    with pytest.raises(InvalidInput, match="15min"):
        store.query(*asked, timedelta(minutes=1))
    clock.at = START + 7 * DAY
    assert store.tidy().dropped == 1
    with pytest.raises(NotFound):
        store.query(*asked, QUARTER)
    assert [s.value for s in store.latest("gpu.power_w", {})] == [600.0]
    store.close()


def test_files_that_nothing_names_go_when_no_reader_can_know_them(store, clock):
    store.write([gpu(0, 1.0, 0)])
    clock.at = START + 3 * DAY
    store.tidy()
    store.write([gpu(0, 2.0, 1)])
    store.tidy()  # the second generation; the first stays for readers that began before
    kept = {path.name for path in store.history.rglob("*.parquet")}
    assert kept == {"1.parquet", "2.parquet"}
    clock.at = datetime.now(UTC) + HOUR  # files carry the machine's own time
    store.tidy()
    assert {path.name for path in store.history.rglob("*.parquet")} <= {"2.parquet"}


def test_a_day_that_is_written_to_while_it_moves_waits_for_the_next_time(store, clock, monkeypatch):
    from ingest.stores import history

    store.write([gpu(0, 1.0, 0)])
    clock.at = START + 3 * DAY
    other = EmbeddedStore(store.path, clock=clock)
    real = history.append

    def slow(writer, table):
        monkeypatch.setattr(history, "append", real)
        other.write([gpu(0, 2.0, 1)])
        real(writer, table)

    monkeypatch.setattr(history, "append", slow)
    done = store.tidy()
    assert (done.moved, len(done.waiting)) == ((), 1)
    assert [s.value for s in store.raw("gpu.power_w", {}, START, START + DAY)] == [1.0, 2.0]
    assert len(store.tidy().moved) == 1
    assert [s.value for s in store.raw("gpu.power_w", {}, START, START + DAY)] == [1.0, 2.0]
    other.close()


def test_one_process_moves_days_at_a_time(store, clock):
    store.write([gpu(0, 1.0, 0)])
    clock.at = START + 3 * DAY
    with exclusive(store.path.with_name("t.sqlite.tidy.lock"), 0.0, "another"), pytest.raises(StoreBusy):
        store.tidy()
    assert len(store.tidy().moved) == 1


def test_readers_never_wait_and_never_see_half_a_batch_while_days_are_written_and_moved(store, clock):
    clock.at = START + 8 * DAY
    others = [EmbeddedStore(store.path, clock=clock) for _ in range(2)]
    done, seen, errors = threading.Event(), [], []

    def read(other):
        try:
            while not done.is_set() or not seen:
                held = Counter(s.time_ns for s in other.raw("gpu.power_w", {}, START, START + 3 * DAY))
                if held:
                    assert set(held.values()) == {20}
                    assert len(other.latest("gpu.power_w", {})) == 20
                    seen.append(len(held))
                time.sleep(0.005)
        except Exception as error:  # told by the test
            errors.append(error)

    readers = [threading.Thread(target=read, args=(other,)) for other in others]
    for reader in readers:
        reader.start()
    for k in range(12):
        store.write([gpu(g, float(k), k + k % 3 * 86_400) for g in range(20)])
        if k % 4 == 3:
            store.tidy()
    done.set()
    for thread in readers:
        thread.join()
    assert errors == []
    assert seen[-1] <= 12
    assert all(other.raw("gpu.power_w", {}, START, START + 3 * DAY) for other in others)
    for other in others:
        other.close()


def test_one_wild_clock_makes_no_table_a_point(store, clock):
    wild = [gpu(0, 1.0, day * 86_400) for day in range(100, 20_000, 37)]
    assert store.write(wild).stored == len(wild)
    days = store._writer.execute("SELECT count(*) FROM day").fetchone()[0]
    assert days == 0
    assert len(store.raw("gpu.power_w", {}, START, START + 20_000 * DAY)) == len(wild)
    assert store.latest("gpu.power_w", {})[0].time_ns == wild[-1].time_ns


def test_a_file_of_the_first_layout_is_brought_to_this_one(tmp_path):
    path = tmp_path / "old.sqlite"
    old = sqlite3.connect(path)
    old.executescript("""
      PRAGMA journal_mode = WAL;
      CREATE TABLE metric (id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, field TEXT NOT NULL, kind TEXT NOT NULL,
        UNIQUE (measurement, field));
      CREATE TABLE series (id INTEGER PRIMARY KEY, metric INTEGER NOT NULL, tags TEXT NOT NULL, UNIQUE (metric, tags));
      CREATE TABLE sample (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, value NOT NULL,
        believed_ms INTEGER NOT NULL, PRIMARY KEY (series, time_ns)) WITHOUT ROWID;
      CREATE TABLE belief (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, nth INTEGER NOT NULL, value NOT NULL,
        believed_ms INTEGER NOT NULL, PRIMARY KEY (series, time_ns, nth)) WITHOUT ROWID;
      INSERT INTO metric VALUES (1, 'gpu', 'power_w', 'f');
      INSERT INTO series VALUES (1, 1, '[["gpu","GPU-0"],["site","s"]]');
      PRAGMA user_version = 1;
    """)
    times = [-1, 0, T0, T0 + 86_400 * S]
    old.executemany("INSERT INTO sample VALUES (1, ?, ?, 5)", [(t, float(k)) for k, t in enumerate(times)])
    old.commit()
    old.close()
    store = EmbeddedStore(path)
    early = datetime(1969, 12, 31, tzinfo=UTC)
    found = store.raw("gpu.power_w", {"gpu": "GPU-0"}, early, START + 2 * DAY)
    assert [(s.time_ns, s.value) for s in found] == [(t, float(k)) for k, t in enumerate(times)]
    assert store.write([gpu(0, 2.0, 0)]).duplicates == 1
    store.close()


def test_a_damaged_file_is_named(store, clock):
    store.write([gpu(0, 1.0, 0)])
    clock.at = START + 3 * DAY
    store.tidy()
    [raw] = store.history.glob("level=raw/*/*.parquet")
    raw.write_bytes(raw.read_bytes()[:-40])
    with pytest.raises(StoreUnavailable, match=r"level=raw.*restore it from a backup"):
        store.raw("gpu.power_w", {}, START, START + DAY)


def test_a_full_disk_while_a_day_moves_leaves_it_where_it_is(store, clock, monkeypatch):
    store.write([gpu(0, 1.0, 0)])
    clock.at = START + 3 * DAY

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ingest.stores.history.append", full)
        with pytest.raises(StoreFull, match="No space left"):
            store.tidy()
    assert [s.value for s in store.raw("gpu.power_w", {}, START, START + DAY)] == [1.0]
    assert list(store.history.rglob("*.part")) == []
    assert len(store.tidy().moved) == 1


TIDYING = """
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from ingest.points import point
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.filelock import exclusive
from ingest.stores.layout import Retention

class Late:
    def now(self): return datetime(2026, 6, 9, tzinfo=timezone.utc)

store = EmbeddedStore(Path(sys.argv[1]), clock=Late())
n = int(sys.argv[2])
while True:  # late points for three days that are over, moved again and again
    at = (1780272000 + n % 3 * 86400 + n // 3) * 10**9
    store.write([point("gpu", {"gpu": f"GPU-{g}"}, {"power_w": float(n)}, at) for g in range(20)])
    print(n, flush=True)
    n += 1
    if n % 4 == 0:
        store.tidy()
"""


def test_nothing_is_lost_or_doubled_when_it_is_killed_while_days_move(tmp_path):
    path = tmp_path / "t.sqlite"
    number = 0
    chance = random.Random(7)
    for kill in range(2 if SOAK == 1 else 10 * SOAK):
        writer = subprocess.Popen(
            [sys.executable, "-c", TIDYING, str(path), str(number)], stdout=subprocess.PIPE, text=True
        )
        first = writer.stdout.readline()
        while not kill and not list(tmp_path.rglob("*.parquet")):
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.6))
        writer.send_signal(signal.SIGKILL)
        told = [line for line in [first, *writer.stdout.read().splitlines(keepends=True)] if line.endswith("\n")]
        writer.wait()
        number = int(told[-1]) + 1
    store = EmbeddedStore(path, clock=Hands(START + 8 * DAY))
    held: dict[int, list[str]] = {}
    for sample in store.raw("gpu.power_w", {}, START, START + 4 * DAY):
        held.setdefault(int(sample.value), []).append(dict(sample.tags)["gpu"])
    assert set(range(number)) <= held.keys()
    assert all(sorted(gpus) == sorted(set(gpus)) and len(gpus) == 20 for gpus in held.values())
    assert list(store.history.rglob("*.parquet"))  # days did move
    store.close()


def test_a_file_of_the_second_layout_is_brought_to_this_one(tmp_path):
    path = tmp_path / "old.sqlite"
    made = EmbeddedStore(path)
    for at_s, watts in ((0, 1.0), (299, 2.0), (300, 3.0), (86_399, 4.0)):
        made.write([gpu(0, watts, at_s)])
    made.close()
    day = T0 // (86_400 * S)
    old = sqlite3.connect(path)  # as it was: no parts, nobody present, a day before 1970 from an older upgrade
    old.executescript(f"""
      CREATE TABLE kept AS SELECT series, time_ns, value, believed_ms FROM "day {day}";
      DROP TABLE "day {day}";
      CREATE TABLE "day {day}" (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, value NOT NULL,
        believed_ms INTEGER NOT NULL, PRIMARY KEY (series, time_ns)) WITHOUT ROWID;
      INSERT INTO "day {day}" SELECT * FROM kept;
      CREATE TABLE "day -1" AS SELECT 1 series, -5 time_ns, 9.0 value, 5 believed_ms;
      INSERT INTO day VALUES (-1, 0);
      DROP TABLE kept; DROP TABLE present; PRAGMA user_version = 2;
    """)
    old.close()
    store = EmbeddedStore(path)
    found = store.raw("gpu.power_w", {}, datetime(1969, 12, 31, tzinfo=UTC), START + DAY)
    assert [(s.time_ns, s.value) for s in found] == [
        (-5, 9.0),
        *((T0 + k * S, v) for k, v in ((0, 1.0), (299, 2.0), (300, 3.0), (86_399, 4.0))),
    ]
    assert store.write([gpu(0, 2.0, 299)]).duplicates == 1
    assert store.latest("gpu.power_w", {})[0].value == 4.0
    store.close()


def test_a_writer_sees_that_another_process_moved_the_day_and_began_it_anew(store, clock):
    other = EmbeddedStore(store.path, clock=clock)
    store.write([gpu(0, 1.0, 0)])
    clock.at = START + 3 * DAY
    other.tidy()
    other.write([gpu(1, 5.0, 60)])  # late: the day has a table again, and only GPU-1 in it
    store.write([gpu(0, 2.0, 60)])
    assert [s.value for s in store.raw("gpu.power_w", {"gpu": "GPU-0"}, START, START + DAY)] == [1.0, 2.0]
    other.close()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-400, 172_800 + 400)), min_size=1, max_size=25), st.data())
@settings(max_examples=30, deadline=None)
def test_parts_change_nothing_that_a_question_sees(tmp_path_factory, rows, data):
    reference, parted = MemoryStore(), EmbeddedStore(tmp_path_factory.mktemp("p") / "t.sqlite")
    for number, at_s in rows:
        for one in (reference, parted):
            one.write([gpu(number, float(at_s), at_s)])
    begin = data.draw(st.integers(-600, 172_800), label="begin")
    start, end = (START + timedelta(seconds=s) for s in (begin, begin + data.draw(st.integers(1, 200_000))))
    assert parted.raw("gpu.power_w", {}, start, end) == reference.raw("gpu.power_w", {}, start, end)
    assert parted.latest("gpu.power_w", {}) == reference.latest("gpu.power_w", {})
    parted.close()
