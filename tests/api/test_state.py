"""The state database: what was said to be kept is kept, and versions only rise."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

import api
from api.clock import ShiftedClock
from api.plan_store import PlanStore
from api.store.audit import first_broken
from api.store.engine import StateUnavailable, open_engine, reading, revision, writing
from api.store.jobs import JobStore, Progress
from api.store.keys import KeyStore, well_formed
from api.store.migrate import upgrade
from api.store.peek import HEAD, is_ready
from api.store.tables import metadata
from models.errors import NotFound
from models.jobs import TrainingJob
from models.lease import Mode, Version

NOW = datetime(2026, 11, 25, 6, 5, tzinfo=UTC)


class FixedClock(ShiftedClock):
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_engine(tmp_path / "state.db")
    upgrade(engine)
    return engine


def edition(number: int = 0) -> dict[str, Any]:
    return {
        "site": "local",
        "valid_from": "2026-11-25T06:00:00Z",
        "valid_until": "2026-11-26T18:00:00Z",
        "plan": {"number": number},
        "charts": {"supply": {"spec": {}, "svg": {"en": "<svg/>", "fr": "<svg/>"}}},
    }


def job(**changes: Any) -> TrainingJob:
    body = {"id": "llm-7", "pool": "hall", "gpus": 8, "work_h": 2.0, "release": "2026-11-25T06:00:00Z", **changes}
    return TrainingJob.model_validate(body)


def test_migrations_lead_to_the_tables_that_the_code_knows(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    config = Config()
    config.set_main_option("script_location", str(Path(api.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD == revision(engine)
    assert upgrade(engine) is False
    path = Path(engine.url.database or "")
    assert not is_ready(path), "no key yet"
    KeyStore(engine, FixedClock()).new("read", "", "test")
    assert is_ready(path)
    assert not is_ready(path.with_name("missing.db"))


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StateUnavailable, match="9999"):
        upgrade(engine)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all, but long enough to be read as a header" * 20)
    with pytest.raises(StateUnavailable, match=r"state\.db"):
        upgrade(open_engine(path))


def test_commits_are_flushed_and_readers_do_not_wait(engine: Engine) -> None:
    with reading(engine) as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    store = PlanStore(engine, "local", FixedClock())
    with reading(engine) as before:
        assert before.execute(text("SELECT count(*) FROM plans")).scalar() == 0
        store.publish(edition(), {})
        assert before.execute(text("SELECT count(*) FROM plans")).scalar() == 0, "a reader keeps its view"


def test_every_change_raises_the_version_and_nothing_else_does(engine: Engine) -> None:
    store = PlanStore(engine, "local", FixedClock())
    assert store.now().version == Version(1, 0)
    assert store.current() is None
    first = store.publish(
        {**edition(1), "plan_id": "mine", "plan_version": {"epoch": 9, "seq": 9}}, {"soc": 3}, answers=4
    )
    assert (first["plan_version"], store.wanted()) == ({"epoch": 1, "seq": 1}, (0, 4))
    assert store.memory() == {"soc": 3}
    assert store.set_mode("hall", Mode.AUTO, 5.0, "test") == Version(1, 2)
    current = store.current(charts=True)
    assert current is not None
    assert (current["plan_id"], current["plan_version"]["seq"]) == (first["plan_id"], 2)
    assert current["charts"] == edition()["charts"]
    store.set_lapsed("hall", True)
    store.set_lapsed("hall", True)
    assert store.now().version == Version(1, 3)
    assert store.now().target("hall").lapsed
    store.set_lapsed("hall", False)
    assert store.now().version == Version(1, 4)
    assert store.raise_epoch("test") == Version(2, 5)
    second = store.publish(edition(2), {})
    assert second["plan_version"] == {"epoch": 2, "seq": 6}
    assert store.edition(first["plan_id"])["plan"] == {"number": 1}, "published plans never change"
    with pytest.raises(NotFound, match="pln_no"):
        store.edition("pln_no")


def test_publishers_at_once_get_different_versions(engine: Engine) -> None:
    store = PlanStore(engine, "local", ShiftedClock())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: store.publish(edition(k), {})["plan_version"]["seq"], range(24)))
    assert sorted(found) == list(range(1, 25))
    assert store.now().version == Version(1, 24)


def test_a_job_handed_in_twice_is_one_job_and_one_request(engine: Engine) -> None:
    jobs, plans = JobStore(engine, FixedClock()), PlanStore(engine, "local", FixedClock())
    assert [jobs.put(job(), "k"), jobs.put(job(), "k"), jobs.put(job(work_h=3.0), "k")] == [
        "created",
        "unchanged",
        "replaced",
    ]
    assert plans.wanted() == (2, 0)
    (known,) = jobs.open()
    assert known.progress == Progress(3.0, "queued", 0)
    jobs.follow({"llm-7": (known, Progress(1.5, "running", 6, NOW), "open", None)})
    assert jobs.get("llm-7").progress == Progress(1.5, "running", 6, NOW)
    jobs.put(job(work_h=4.0), "k")
    jobs.follow({"llm-7": (known, Progress(0.0, "running", 8, NOW), "done", None)})
    assert jobs.get("llm-7").progress.work_left_h == 4.0, "what was replaced meanwhile is not overwritten"
    assert jobs.add_new([(job(), Progress(1.0, "queued", 0)), (job(id="x"), Progress(1.0, "queued", 0))]) == 1
    assert [k.job.id for k in jobs.page("", 10)] == ["llm-7", "x"]
    assert [k.job.id for k in jobs.page("llm-7", 1)] == ["x"]
    jobs.withdraw("x", "k")
    with pytest.raises(NotFound):
        jobs.withdraw("x", "k")


def test_keys_are_shown_once_and_kept_as_a_hash(engine: Engine, tmp_path: Path) -> None:
    keys = KeyStore(engine, FixedClock())
    assert not keys.any_valid()
    text_of = keys.new("write", "slurm", "test")
    assert text_of.startswith("chergui_")
    found = keys.find(text_of)
    assert found is not None
    assert (found.scope, found.label) == ("write", "slurm")
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert text_of.encode() not in stored
    assert text_of.rsplit("_", 1)[1][:32].encode() not in stored
    other = KeyStore(open_engine_like(tmp_path), FixedClock()).new("admin", "other", "test")
    assert well_formed(other)
    assert keys.find(other) is None, "a key of another house"
    flipped = text_of[:-1] + ("a" if text_of[-1] != "a" else "b")
    assert not well_formed(flipped)
    for bad in ("", "chergui_", "chergui__", flipped, text_of + "x", text_of.upper(), "chergui_é_" + "é" * 38):
        assert keys.find(bad) is None
    keys.revoke(found.id, "test")
    assert keys.find(text_of) is None
    assert not keys.any_valid()


def open_engine_like(folder: Path) -> Engine:
    engine = open_engine(folder / "other.db")
    upgrade(engine)
    return engine


def test_every_write_has_its_audit_row_and_a_changed_row_shows(engine: Engine) -> None:
    store, jobs = PlanStore(engine, "local", FixedClock()), JobStore(engine, FixedClock())
    jobs.put(job(), "k1")
    jobs.put(job(), "k1")
    store.set_mode("hall", Mode.AUTO, None, "k2")
    store.publish(edition(), {})
    with reading(engine) as connection:
        rows = connection.execute(text("SELECT actor, action FROM audit ORDER BY id")).all()
        assert [tuple(row) for row in rows] == [
            ("k1", "job.put"),
            ("k2", "mode.set"),
            ("planner", "plan.publish"),
        ]
        assert first_broken(connection) is None
    with writing(engine) as connection:
        connection.execute(text("UPDATE audit SET actor = 'k9' WHERE id = 2"))
        assert first_broken(connection) == 2


_PUBLISHER = """
import sys
from pathlib import Path
from api.clock import ShiftedClock
from api.plan_store import PlanStore
from api.store.engine import open_engine
store = PlanStore(open_engine(Path(sys.argv[1])), "local", ShiftedClock())
edition = {"site": "local", "valid_from": "2026-11-25T06:00:00Z", "valid_until": "2026-11-26T18:00:00Z"}
k = 0
while True:
    k += 1
    done = store.publish({**edition, "plan": {"k": k, "ballast": "x" * 20000}}, {})
    print(done["plan_version"]["seq"], done["plan_id"], flush=True)
"""


def test_a_publisher_killed_at_any_instant_loses_no_acknowledged_plan(engine: Engine, tmp_path: Path) -> None:
    last = 0
    for wait_s in (0.02, 0.11, 0.23):
        child = subprocess.Popen(
            [sys.executable, "-c", _PUBLISHER, str(tmp_path / "state.db")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        time.sleep(wait_s)
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.readlines()
        child.wait()
        whole = [line.split() for line in lines if line.endswith("\n")]
        with sqlite3.connect(tmp_path / "state.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        store = PlanStore(open_engine(tmp_path / "state.db"), "local", ShiftedClock())
        held = store.now()
        seq, plan_id = int(whole[-1][0]), whole[-1][1]
        assert held.version.seq >= seq > last
        assert store.edition(plan_id)["plan_version"]["seq"] == seq
        current = store.current()
        assert current is not None
        assert current["plan"]["ballast"] == "x" * 20000
        last = held.version.seq
